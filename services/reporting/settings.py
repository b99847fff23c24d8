"""Every knob of reporting, with unit and default."""

from pydantic import AliasChoices, Field

from foundation.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Knobs of reporting: those that every service has."""

    database_url: str = Field("", validation_alias=AliasChoices("REPORTING_DATABASE_URL", "database_url"))
