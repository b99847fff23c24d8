"""The tables that lists are read from, as SQLModel sees them. The migrations make them; a test compares the two."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Column, Double, LargeBinary, MetaData, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from foundation.chassis.tables import instant

METADATA = MetaData()


class Table(SQLModel):
    """Base with a MetaData of its own: the three services may live in one process."""

    metadata = METADATA


def created() -> Any:
    return instant(server_default=text("now()"))


class Site(Table, table=True):
    id: UUID = Field(primary_key=True)
    area: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    commune_code: str = Field(sa_type=Text)
    address: str | None = Field(sa_type=Text)
    former_district: str | None = Field(sa_type=Text)
    lat: float | None = Field(sa_type=Double)
    lon: float | None = Field(sa_type=Double)
    active: bool
    version: int = Field(sa_type=BigInteger)
    changed_at: datetime = instant()
    created_at: datetime = created()


class Post(Table, table=True):
    id: UUID = Field(primary_key=True)
    area: str = Field(sa_type=Text)
    site_id: UUID = Field(foreign_key="site.id")
    name: str = Field(sa_type=Text)
    created_at: datetime = created()


class Device(Table, table=True):
    id: UUID = Field(primary_key=True)
    area: str = Field(sa_type=Text)
    post_id: UUID = Field(foreign_key="post.id")
    name: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    secret_hash: bytes = Field(sa_type=LargeBinary)
    old_secret_hash: bytes | None = Field(sa_type=LargeBinary)
    revoked_at: datetime | None = instant(nullable=True)
    created_at: datetime = created()


class Signal(Table, table=True):
    id: UUID = Field(primary_key=True)
    area: str = Field(sa_type=Text)
    device_id: UUID
    post_id: UUID
    site_id: UUID
    kind: str = Field(sa_type=Text)
    event: str = Field(sa_type=Text)
    drill: bool
    zone: str = Field(sa_type=Text)
    note: str | None = Field(sa_type=Text)
    lat: float | None = Field(sa_type=Double)
    lon: float | None = Field(sa_type=Double)
    occurred_at: datetime = instant()
    sent_at: datetime | None = instant(nullable=True)
    received_at: datetime = instant()
    effective_at: datetime = instant()
    skew_ms: int | None = Field(sa_type=BigInteger)
    body_hash: bytes = Field(sa_type=LargeBinary)
    decided: str = Field(sa_type=Text)
    incident_id: UUID | None
    answer_status: str | None = Field(sa_type=Text)
    created_at: datetime = created()


class IncidentRow(Table, table=True):
    __tablename__ = "incident"

    id: UUID = Field(primary_key=True)
    version: int = Field(sa_type=BigInteger)
    cause: str = Field(sa_type=Text)
    area: str = Field(sa_type=Text)
    site_id: UUID
    site_name: str = Field(sa_type=Text)
    site_kind: str = Field(sa_type=Text)
    commune_code: str = Field(sa_type=Text)
    address: str | None = Field(sa_type=Text)
    lat: float | None = Field(sa_type=Double)
    lon: float | None = Field(sa_type=Double)
    post_id: UUID | None
    kind: str = Field(sa_type=Text)
    severity: int = Field(sa_type=SmallInteger)
    status: str = Field(sa_type=Text)
    drill: bool
    silent: bool
    validation_level: int = Field(sa_type=SmallInteger)
    rings: int
    signals: int
    restored: dict[str, bool] = Field(sa_column=Column(JSONB, nullable=False))
    effective_at: datetime = instant()
    received_at: datetime = instant()
    last_signal_at: datetime = instant()
    changed_at: datetime = instant()
    follows: UUID | None
    ended_at: datetime | None = instant(nullable=True)
    result: str | None = Field(sa_type=Text)
    ended_by: str | None = Field(sa_type=Text)
    end_reason: str | None = Field(sa_type=Text)
    notes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    created_at: datetime = created()


class TimelineRow(Table, table=True):
    __tablename__ = "timeline"

    id: int = Field(primary_key=True, sa_type=BigInteger)
    incident_id: UUID
    at: datetime = instant()
    type: str = Field(sa_type=Text)
    by: str | None = Field(sa_type=Text)
    unit_code: str | None = Field(sa_type=Text)
    unit_name: str | None = Field(sa_type=Text)
    alert_id: UUID | None
    result: str | None = Field(sa_type=Text)
    reason: str | None = Field(sa_type=Text)
    created_at: datetime = created()
