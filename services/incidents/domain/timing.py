"""When something really happened, from a device's own clock, which may be wrong by years."""

from dataclasses import dataclass
from datetime import datetime, timedelta

OLDEST_AGE = timedelta(days=30)
"""Older than this an outbox is not trusted."""
OLDEST_WITHOUT_SENT_AT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Timing:
    """``effective_at``: when it happened, in our time. ``skew_ms``: how far the device's clock is ahead, if known."""

    effective_at: datetime
    skew_ms: int | None


def effective_time(occurred_at: datetime, sent_at: datetime | None, received_at: datetime) -> Timing:
    """The effective time of a signal.

    With ``sent_at`` the age is the difference of two readings of the same clock, so its error cancels out.
    Without it ``occurred_at`` is believed unless it lies in the future or more than 24 h back.
    """
    if sent_at is not None:
        age = min(max(sent_at - occurred_at, timedelta()), OLDEST_AGE)
        return Timing(received_at - age, round((sent_at - received_at).total_seconds() * 1000))
    if received_at - OLDEST_WITHOUT_SENT_AT <= occurred_at <= received_at:
        return Timing(occurred_at, None)
    return Timing(received_at, None)
