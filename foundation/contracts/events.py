"""The envelope of every event: CloudEvents 1.0 attributes in Kafka headers, JSON in the value.

Source: CloudEvents 1.0, Kafka protocol binding, binary mode (attributes as ``ce_*`` headers), with our
extension attributes ``area``, ``epoch``, ``sequence`` and ``version`` (names: lower-case letters only).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel

from foundation.contracts import alerts, incidents, sites

HEAD_TYPE = "vn.vonggac.stream.head.v1"
"""Says how far a stream reaches; carries a sequence but is not numbered itself."""
MAX_PAYLOAD_BYTES = 65_536

MODELS: dict[str, type[BaseModel]] = {
    incidents.TYPE: incidents.IncidentState,
    alerts.TYPE: alerts.AlertState,
    sites.TYPE: sites.SiteState,
}
TOPICS: dict[str, str] = {
    incidents.TYPE: incidents.TOPIC,
    alerts.TYPE: alerts.TOPIC,
    sites.TYPE: sites.TOPIC,
}
SOURCES: dict[str, str] = {
    incidents.TOPIC: "/incidents",
    sites.TOPIC: "/incidents",
    alerts.TOPIC: "/notifications",
}
"""The one service that writes each topic (CloudEvents ``source``)."""


class NotOurs(ValueError):
    """A record that no Vọng Gác producer wrote; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Event:
    """One numbered event of one stream. ``payload`` is JSON in UTF-8, at most 64 KiB."""

    topic: str
    area: str
    epoch: int
    sequence: int
    key: str
    type: str
    version: int
    time: str
    payload: bytes
    traceparent: str = ""

    @property
    def data(self) -> Any:
        """The parsed payload (parsed anew at each call)."""
        return orjson.loads(self.payload)

    @property
    def is_head(self) -> bool:
        return self.type == HEAD_TYPE

    def headers(self) -> list[tuple[str, bytes]]:
        """Kafka headers of the record."""
        values = {
            "ce_specversion": "1.0",
            "ce_id": f"{self.topic}/{self.area}/{self.epoch}/{self.sequence}",
            "ce_source": SOURCES[self.topic],
            "ce_type": self.type,
            "ce_subject": self.key,
            "ce_time": self.time,
            "ce_area": self.area,
            "ce_epoch": str(self.epoch),
            "ce_sequence": str(self.sequence),
            "ce_version": str(self.version),
            "content-type": "application/json",
        }
        if self.traceparent:
            values["ce_traceparent"] = self.traceparent
        return [(name, value.encode()) for name, value in values.items()]

    def as_json(self) -> dict[str, Any]:
        """The event in the answer of ``GET /v1/events``."""
        return {
            "topic": self.topic,
            "area": self.area,
            "epoch": self.epoch,
            "sequence": self.sequence,
            "key": self.key,
            "type": self.type,
            "version": self.version,
            "time": self.time,
            "traceparent": self.traceparent,
            "data": orjson.Fragment(self.payload),
        }


def _number(name: str, given: object) -> int:
    """A whole number as our producers write it. The message never quotes what was given: it goes to a log."""
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) <= 19:
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given < 2**63:
        raise NotOurs(f"{name} is not a whole number from 0 to 2^63 - 1")
    return given


def _text(name: str, given: object) -> str:
    """A text that a database can keep: no U+0000, which would stop the stream at whoever stores it."""
    if not isinstance(given, str) or "\0" in given:
        raise NotOurs(f"{name} is not a text")
    return given


def _instant(name: str, given: object) -> str:
    try:
        if datetime.fromisoformat(_text(name, given)).tzinfo is not None:
            return _text(name, given)
    except ValueError:
        pass
    raise NotOurs(f"{name} is not an instant with an offset")


def _event(topic: str, prefix: str, given: Mapping[str, Any], key: str, payload: bytes) -> Event:
    """The event with these attributes; ``prefix`` and ``key`` are what the carrier calls them."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise NotOurs(f"payload is longer than {MAX_PAYLOAD_BYTES} bytes")
    try:
        return Event(
            topic=topic,
            area=_text("area", given[f"{prefix}area"]),
            epoch=_number("epoch", given[f"{prefix}epoch"]),
            sequence=_number("sequence", given[f"{prefix}sequence"]),
            key=_text("key", given[key]),
            type=_text("type", given[f"{prefix}type"]),
            version=_number("version", given[f"{prefix}version"]),
            time=_instant("time", given[f"{prefix}time"]),
            payload=payload,
            traceparent=_text("traceparent", given.get(f"{prefix}traceparent", "")),
        )
    except KeyError as missing:
        raise NotOurs(f"{missing.args[0]} is missing") from missing


def from_record(topic: str, headers: Sequence[tuple[str, bytes]], value: bytes | None) -> Event:
    """The event in a Kafka record. Raises ``NotOurs`` if an attribute is missing or malformed.

    Whether the payload is JSON is not asked here: that is a mistake of a message, not of a stranger.
    """
    try:
        given = {name: raw.decode() for name, raw in headers if name.startswith("ce_")}
    except (UnicodeDecodeError, AttributeError) as error:
        raise NotOurs(f"a header is not a text: {type(error).__name__}") from error
    if topic not in SOURCES or given.get("ce_source") != SOURCES[topic]:
        raise NotOurs("another source")
    return _event(topic, "ce_", given, "ce_subject", value or b"")


def from_feed(item: Mapping[str, Any]) -> Event:
    """The event in an item of ``GET /v1/events``. Raises ``NotOurs``."""
    try:
        topic, payload = _text("topic", item["topic"]), orjson.dumps(item["data"])
    except (KeyError, TypeError) as error:
        raise NotOurs(f"not an item of a feed: {type(error).__name__}") from error
    return _event(topic, "", item, "key", payload)
