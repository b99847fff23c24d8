"""The tables that are read from, as SQLModel sees them. The migrations make them; a test compares the two."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Computed, Index, MetaData, SmallInteger, Text
from sqlmodel import Field, SQLModel

from foundation.chassis.tables import instant

METADATA = MetaData()
ORDERED = Text(collation="C")
"""Text that is sorted by its code points, as cursors and arrays of keys are."""


class Table(SQLModel):
    """Has a MetaData of its own: the three services may live in one process."""

    metadata = METADATA


def _key() -> Any:
    return Field(primary_key=True, sa_type=ORDERED)


def _small() -> Any:
    return Field(sa_column=Column(SmallInteger, nullable=False, server_default="0"))


class Site(Table, table=True):
    """The newest that was heard of a site; gives figures a name."""

    id: str = _key()
    area: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    commune_code: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    version: int = Field(sa_type=BigInteger)


class Fact(Table, table=True):
    """One incident and what it contributed to the figures: ``hour``, the three counts and the three buckets."""

    __table_args__ = (Index("fact_by_time", "area", "effective_at"),)

    incident_id: str = _key()
    area: str = Field(sa_type=ORDERED)
    incident_version: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"))
    complete: bool = Field(sa_column=Column(Boolean, Computed("(incident_version > 0)"), nullable=False))
    site_id: str | None = Field(sa_type=ORDERED)
    commune_code: str | None = Field(sa_type=ORDERED)
    kind: str | None = Field(sa_type=ORDERED)
    severity: int | None = Field(sa_type=SmallInteger)
    status: str | None = Field(sa_type=Text)
    drill: bool | None
    effective_at: datetime | None = instant(nullable=True)
    raised_at: datetime | None = instant(nullable=True)
    acknowledged_at: datetime | None = instant(nullable=True)
    on_scene_at: datetime | None = instant(nullable=True)
    hour: datetime | None = instant(nullable=True)
    incidents: int = _small()
    cancelled: int = _small()
    drills: int = _small()
    signal_to_alert_bucket: int | None = Field(sa_type=SmallInteger)
    alert_to_acknowledged_bucket: int | None = Field(sa_type=SmallInteger)
    acknowledged_to_on_scene_bucket: int | None = Field(sa_type=SmallInteger)


class Rollup(Table, table=True):
    """Counts of one local hour, commune, kind and site; no row has only zeros."""

    area: str = _key()
    hour: datetime = instant(primary_key=True)
    commune_code: str = _key()
    kind: str = _key()
    site_id: str = _key()
    incidents: int = Field(sa_type=BigInteger)
    cancelled: int = Field(sa_type=BigInteger)
    drills: int = Field(sa_type=BigInteger)


class RollupDuration(Table, table=True):
    """How many durations of one measure lie in one bucket of the histogram; no row counts zero."""

    __tablename__ = "rollup_duration"

    area: str = _key()
    hour: datetime = instant(primary_key=True)
    commune_code: str = _key()
    kind: str = _key()
    site_id: str = _key()
    measure: str = _key()
    bucket: int = Field(primary_key=True, sa_type=SmallInteger)
    count: int = Field(sa_type=BigInteger)
