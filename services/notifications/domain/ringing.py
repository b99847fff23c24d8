"""Whether an incident still rings. Old events never do: a backlog, a restore or a replay is not an alarm."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from foundation.contracts.incidents import ENDED, IncidentState
from foundation.contracts.kinds import KINDS


class Ringing(StrEnum):
    """What may be done with an incident that is heard of now. All but the first two only make a record."""

    RING = "ring"
    LATE = "late"
    OVER = "over"
    DRILL = "drill"
    OLD = "older_than_24h"


@dataclass(frozen=True, slots=True)
class Ages:
    """``late_after``: an alert raised so long after the fact is marked late. ``never_after``: it is not raised."""

    late_after: timedelta = timedelta(minutes=15)
    never_after: timedelta = timedelta(hours=24)


def ringing(incident: IncidentState, now: datetime, ages: Ages) -> Ringing:
    """Whether ``incident`` rings at ``now``.

    Lateness counts from when it happened; what is too old to ring counts from its newest alarm, so that a fresh
    detector in an incident that has been open for days is heard.
    """
    kind = KINDS.get(incident.kind)
    if incident.drill or (kind is not None and kind.drill):
        return Ringing.DRILL
    if incident.status in ENDED:
        return Ringing.OVER
    if now - max(incident.effective_at, incident.last_signal_at) > ages.never_after:
        return Ringing.OLD
    return Ringing.LATE if now - incident.effective_at > ages.late_after else Ringing.RING
