"""The tables that lists are read from, as SQLModel sees them. The migrations make them; a test compares the two."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKeyConstraint,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    text,
)
from sqlmodel import Field, SQLModel

from foundation.chassis.tables import instant

METADATA = MetaData()


class Table(SQLModel):
    """Base with a MetaData of its own: the three services may live in one process."""

    metadata = METADATA


def created() -> Any:
    return instant(server_default=text("now()"))


class UnitRow(Table, table=True):
    __tablename__ = "unit"

    area: str = Field(sa_type=Text, primary_key=True)
    code: str = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    created_at: datetime = created()


class CoverageRow(Table, table=True):
    __tablename__ = "coverage"
    __table_args__ = (ForeignKeyConstraint(["area", "unit_code"], ["unit.area", "unit.code"]),)

    area: str = Field(sa_type=Text, primary_key=True)
    unit_code: str = Field(sa_type=Text, primary_key=True)
    commune_code: str = Field(sa_type=Text, primary_key=True)


class IncidentRow(Table, table=True):
    """Our copy of an incident, as last heard, and what was done about it."""

    __tablename__ = "incident"

    id: UUID = Field(primary_key=True)
    area: str = Field(sa_type=Text)
    version: int = Field(sa_type=BigInteger)
    status: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text, description="the whole IncidentState, JSON")
    route_by: datetime | None = instant(nullable=True)
    held: str | None = Field(sa_type=Text)
    routed_key: str | None = Field(sa_type=Text)
    routed_rings: int
    created_at: datetime = created()


class AlertRow(Table, table=True):
    """``state`` is the truth; the other columns are cut from it so that it can be found."""

    __tablename__ = "alert"

    id: UUID = Field(primary_key=True)
    area: str = Field(sa_type=Text)
    incident_id: UUID = Field(foreign_key="incident.id")
    unit_code: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    severity: int = Field(sa_type=SmallInteger)
    late: bool
    raised_at: datetime = instant()
    state: str = Field(sa_type=Text, description="the whole AlertState, JSON")
    created_at: datetime = created()


class ActionRow(Table, table=True):
    """What an officer did, with the reason they gave."""

    __tablename__ = "action"

    alert_id: UUID = Field(primary_key=True, foreign_key="alert.id")
    version: int = Field(primary_key=True, sa_type=BigInteger)
    action: str = Field(sa_type=Text)
    by: str = Field(sa_type=Text)
    at: datetime = instant()
    reason: str | None = Field(sa_type=Text)
    created_at: datetime = created()


class LoginCodeRow(Table, table=True):
    """A one-time code and the scope of whoever made it."""

    __tablename__ = "login_code"

    code_hash: bytes = Field(primary_key=True, sa_type=LargeBinary)
    subject: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    area: str = Field(sa_type=Text)
    unit: str | None = Field(sa_type=Text)
    commune: str | None = Field(sa_type=Text)
    expires_at: datetime = instant()
    used_at: datetime | None = instant(nullable=True)
    created_at: datetime = created()


class HeardRow(Table, table=True):
    """When incidents was last heard, and when something of a backlog was."""

    __tablename__ = "heard"

    area: str = Field(sa_type=Text, primary_key=True)
    at: datetime = instant()
    backlog_at: datetime | None = instant(nullable=True)
