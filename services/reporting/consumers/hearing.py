"""What every consumer does first: read the event's state, and make what is kept of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import asyncpg
import orjson
from pydantic import BaseModel, ValidationError

from foundation.contracts.events import MODELS, Event
from foundation.contracts.fields import without_personal
from foundation.streams.consumer import Batch
from services.reporting.store import event_log

S = TypeVar("S", bound=BaseModel)


class Unreadable(ValueError):
    """An event that this release cannot read. Its text is never in the message: it may be personal."""


@dataclass(frozen=True, slots=True)
class Heard(Generic[S]):
    """The whole state in an event, and what is kept of the event."""

    state: S
    entry: event_log.Entry


def hear(event: Event, model: type[S]) -> Heard[S]:
    """Reads an event whose data is a ``model``. Raises ``Unreadable``."""
    name = f"{event.topic}/{event.area}/{event.epoch}/{event.sequence}"
    if MODELS.get(event.type) is not model:
        raise Unreadable(f"{name}: type {event.type}")
    try:
        state = model.model_validate_json(event.payload)
        time = datetime.fromisoformat(event.time)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False))
        raise Unreadable(f"{name}: {fields}") from None  # the error itself quotes the text
    except ValueError:
        raise Unreadable(f"{name}: time") from None
    kept = without_personal(model, event.data)
    return Heard(state, event_log.Entry(event, time, orjson.dumps(kept).decode()))


async def keep(connection: asyncpg.Connection, batch: Batch, topic: str, model: type[S]) -> list[S]:
    """Reads a batch and keeps it in the event log; returns the states in order."""
    heard = [hear(event, model) for event in batch.events]
    await event_log.append(connection, topic, batch.area, [one.entry for one in heard])
    return [one.state for one in heard]
