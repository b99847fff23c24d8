"""Every knob of notifications, with unit and default."""

from datetime import timedelta

from pydantic import AliasChoices, Field

from foundation.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Knobs of notifications beside those that every service has."""

    database_url: str = Field("", validation_alias=AliasChoices("NOTIFICATIONS_DATABASE_URL", "database_url"))
    late_after_s: float = 900
    """First heard of later than so many seconds after it was effective: the alert is marked late."""
    never_rings_after_s: float = 86_400
    """Older than so many seconds: recorded and counted, never rung."""
    backlog_after_s: float = 1.0
    """A batch whose newest event is older than so many seconds is part of a backlog: fold first, ring later."""
    backlog_batch: int = 100
    """So is a batch of at least so many events behind which more is known to wait."""
    backlog_quiet_s: float = 0.5
    """A backlog is over when none of it has come for so many seconds."""
    defer_at_most_s: float = 5.0
    """An incident waits at most so many seconds for the rest of a backlog."""
    defer_late_at_most_s: float = 60.0
    """The same for one that is late already: it may still turn out to be over."""
    stream_queue: int = 1000
    """Events that wait for one page; beyond, it is told to fetch the list again."""
    stream_replay: int = 2000
    """Most events sent again to a page that comes back; beyond, it is told to fetch the list again."""
    stream_clients: int = 500
    """Pages that one process keeps live; further ones are told to come again (503)."""
    stream_at_most_s: float = 3600
    """A stream ends after so many seconds, so that an expired token does not go on seeing; the page comes back."""
    tick_s: float = 10.0
    """Every so many seconds each page hears the time, the position and what is wrong."""
    silent_feed_s: float = 20.0
    """Nothing heard from incidents for so many seconds (it says its head every 5 s) is shown on every page."""
    login_code_s: int = 900
    """Life of a one-time login code, in seconds."""
    login_token_s: int = 86_400
    """Life of the token that a login code gives, in seconds."""

    @property
    def late_after(self) -> timedelta:
        return timedelta(seconds=self.late_after_s)

    @property
    def never_rings_after(self) -> timedelta:
        return timedelta(seconds=self.never_rings_after_s)
