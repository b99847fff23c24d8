"""What notifications says about one alert: topic ``vonggac.alerts``, type ``vn.vonggac.alert.changed.v1``."""

from typing import Literal

from pydantic import Field

from foundation.contracts.fields import Contract, Instant, Personal, SiteRef

TOPIC = "vonggac.alerts"
TYPE = "vn.vonggac.alert.changed.v1"

AlertStatus = Literal["raised", "acknowledged", "dispatched", "on_scene", "stood_down"]
STATUS_ORDER: tuple[str, ...] = ("raised", "acknowledged", "dispatched", "on_scene", "stood_down")
"""An alert only moves forward in this order."""
AlertCause = Literal[
    "raised", "rung_again", "incident_changed", "acknowledged", "dispatched", "on_scene", "stood_down", "transferred"
]
UnitKind = Literal["commune_police", "fire_police", "province_desk"]


class UnitRef(Contract):
    """The unit as it was called when the alert was raised."""

    code: str
    name: str
    kind: UnitKind


class AlertState(Contract):
    """The whole public state of one alert: one notice of one incident to one unit.

    The same shape is an item of ``GET /v1/alerts``, the data of an ``alert`` event on the live stream,
    and the data of the event on Kafka.
    """

    id: str
    version: int = Field(ge=1, description="1, 2, 3 … without a gap, per alert")
    area: str
    cause: AlertCause = Field(description="what made this version")
    incident_id: str
    incident_version: int = Field(ge=1)
    incident_status: str
    unit: UnitRef
    status: AlertStatus
    reason: str = Field(description="the routing rule that made it, such as kind:fire or uncovered:18859")
    kind: str
    severity: int = Field(ge=1, le=4)
    silent: bool = False
    validation_level: int = Field(0, ge=0, le=4)
    site: SiteRef
    late: bool = Field(False, description="first seen later than 15 minutes after it was effective")
    rings: int = Field(1, ge=1, description="how often it rang; grows when it rings again")
    rang_at: Instant
    raised_at: Instant
    effective_at: Instant
    received_at: Instant = Field(description="when incidents stored the first signal")
    changed_at: Instant
    acknowledged_at: Instant | None = None
    acknowledged_by: str | None = Personal()
    dispatched_at: Instant | None = None
    dispatched_by: str | None = Personal()
    on_scene_at: Instant | None = None
    on_scene_by: str | None = Personal()
    stood_down_at: Instant | None = None
    stood_down_by: str | None = Personal()
    stood_down_reason: str | None = Field(
        None, description="by_unit, transferred, incident_resolved or incident_cancelled"
    )
    transferred_to: str | None = Field(None, description="code of the unit that took it over")
    transferred_from: str | None = Field(None, description="code of the unit that handed it over")
    notes: list[str] = Personal(default_factory=list, description="what the post wrote, newest last, at most three")
