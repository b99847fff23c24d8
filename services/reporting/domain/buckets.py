"""Time as people of the province count it: hours, days and months in Asia/Ho_Chi_Minh."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = "Asia/Ho_Chi_Minh"
HO_CHI_MINH = ZoneInfo(ZONE)
HOUR = timedelta(hours=1)
BEGINNING = datetime(1980, 1, 1, tzinfo=UTC)
"""Before everything that was ever heard."""
END = datetime(2200, 1, 1, tzinfo=UTC)
"""After everything that will be heard."""

Span = tuple[datetime, datetime]
"""From an instant, inclusive, to an instant, exclusive."""


def hour_of(instant: datetime) -> datetime:
    """The start of the local hour in which ``instant`` lies, in UTC."""
    return instant.astimezone(HO_CHI_MINH).replace(minute=0, second=0, microsecond=0).astimezone(UTC)


def midnight(day: date) -> datetime:
    """The instant at which the local day begins, in UTC."""
    return datetime.combine(day, time(), HO_CHI_MINH).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Pieces:
    """A span of time cut so that most of it is whole local hours.

    ``whole`` begins and ends on an hour and may be empty; ``edges`` are the rest, at most two, each within one hour.
    """

    whole: Span
    edges: tuple[Span, ...]


def pieces(start: datetime | None, end: datetime | None) -> Pieces:
    """The span from ``start`` to ``end`` (None: unbounded) in pieces; ``start`` lies before ``end``."""
    start, end = start or BEGINNING, end or END
    last = hour_of(end)
    first = hour_of(start)
    if first < start:
        first += HOUR
    if first > last:  # both lie within one hour
        return Pieces((start, start), ((start, end),))
    return Pieces((first, last), tuple(edge for edge in ((start, first), (last, end)) if edge[0] < edge[1]))
