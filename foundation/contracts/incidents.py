"""What incidents says about one incident: topic ``vonggac.incidents``, type ``vn.vonggac.incident.changed.v1``."""

from typing import Literal

from pydantic import Field

from foundation.contracts.fields import Contract, Instant, Personal, SiteRef

TOPIC = "vonggac.incidents"
TYPE = "vn.vonggac.incident.changed.v1"

IncidentStatus = Literal["open", "confirmed", "resolved", "cancelled"]
IncidentCause = Literal["raised", "signal", "confirmed", "resolved", "cancelled"]
ENDED: frozenset[str] = frozenset({"resolved", "cancelled"})
RESULTS = ("true", "attempt", "false_by_user", "false_by_device", "test", "duplicate", "not_found", "other")
"""How an incident ended, as an operator says it (DOMAIN: "Who ends an incident")."""


class IncidentState(Contract):
    """The whole public state of one incident at one version.

    ``rings`` starts at 1 and grows when an evidence must be heard again (a second detector):
    a consumer that sees it grow rings again.
    """

    id: str
    version: int = Field(ge=1, description="1, 2, 3 … without a gap, per incident")
    area: str
    cause: IncidentCause = Field(description="what made this version")
    site: SiteRef
    post_id: str | None = Field(None, description="the post that sent the first signal")
    kind: str
    severity: int = Field(ge=1, le=4, description="1 life in danger … 4 record")
    status: IncidentStatus
    drill: bool = False
    silent: bool = Field(False, description="true for duress: nothing about it is visible at the site")
    validation_level: int = Field(0, ge=0, le=4, description="ANSI/TMA-AVS-01: 0 no call … 4 threat to life")
    rings: int = Field(1, ge=1)
    signals: int = Field(1, ge=1, description="signals received about it")
    detectors: int = Field(1, ge=0, description="different devices and zones that raised it")
    effective_at: Instant = Field(description="when it happened, clock errors of devices removed")
    received_at: Instant = Field(description="when its first signal was stored")
    last_signal_at: Instant = Field(description="effective time of its newest alarm")
    changed_at: Instant
    follows: str | None = Field(None, description="the ended incident of the same site and kind before it")
    ended_at: Instant | None = None
    result: str | None = Field(None, description="one of RESULTS once it has ended")
    ended_by: str | None = Personal(description="who ended it")
    end_reason: str | None = Personal(description="in the words of who ended it")
    notes: list[str] = Personal(default_factory=list, description="the newest notes of its signals, at most three")
