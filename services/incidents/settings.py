"""Every knob of incidents, with unit and default."""

from pydantic import AliasChoices, Field

from foundation.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Knobs of incidents beside those that every service has."""

    database_url: str = Field("", validation_alias=AliasChoices("INCIDENTS_DATABASE_URL", "database_url"))
    batch_signals: int = 500
    """Most signals of one transaction."""
    waiting_signals: int = 5000
    """Most signals that wait for a transaction; beyond, a post is told to send again (503)."""
    held_poll_s: float = 1.0
    """How often held signals (power losses) are looked through, in seconds."""
