"""The knobs that every service has. Each can be set by an environment variable of the same name in capitals."""

from pathlib import Path
from typing import Annotated

from pydantic import field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Knobs shared by the three services; a service adds its own and its ``database_url``."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = 0
    database_url: str = ""
    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    embedded_broker: bool = False
    """True for the broker from a wheel: no idempotent producer, fetches answered by polling."""
    topic_prefix: str = ""
    """Put before every topic's name, so that several systems can share one broker."""
    areas: Annotated[tuple[str, ...], NoDecode] = ("44",)
    """Areas that this process serves; the position of an area is its partition."""
    keys_dir: Path = Path("keys")
    """Folder with this service's private key and the public keys of all that it trusts."""
    incidents_url: str = "http://127.0.0.1:8700"
    notifications_url: str = "http://127.0.0.1:8701"
    log_level: str = "INFO"
    heads_every_s: float = 5.0
    """How often a relay says how far its streams reach, in seconds."""
    silence_s: float = 2.0
    """A consumer that heard nothing for so many seconds asks where the log ends."""
    database_connections: int = 12
    """Most connections of the pool that writes."""

    @field_validator("areas", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _plain_scheme(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        return f"postgresql://{rest}" if scheme.startswith("postgres") else value

    def partition(self, area: str) -> int:
        """The Kafka partition in which the streams of ``area`` lie."""
        return self.areas.index(area)

    def topic(self, name: str) -> str:
        """The name of a topic on the broker."""
        return f"{self.topic_prefix}{name}"
