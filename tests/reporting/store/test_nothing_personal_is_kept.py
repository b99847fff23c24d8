"""Reporting knows what happened, where and when, and nothing about anyone."""

import logging
import re
from dataclasses import replace
from random import Random
from typing import Any

import orjson
import pytest

from foundation.contracts.events import Event
from foundation.contracts.freeze import golden_events
from foundation.contracts.incidents import IncidentState
from services.reporting.consumers.hearing import Unreadable, hear
from tests.reporting.histories import history
from tests.reporting.reporting import Reporting

CANARY = "Nguyễn Văn Hoàng Yến 0912345678"
GOLDEN = golden_events()


def planted(value: object) -> object:
    """``value`` with the canary in an unknown field of every object in it."""
    if isinstance(value, list):
        return [planted(item) for item in value]
    if isinstance(value, dict):
        return {**{name: planted(item) for name, item in value.items()}, "reporter_name": CANARY}
    return value


def with_canaries(item: dict[str, Any], sequence: int) -> Event:
    data = planted(item["data"])
    assert isinstance(data, dict)
    texts = {name: CANARY for name in data if name.endswith("_by") or name == "end_reason"}
    notes = {"notes": [CANARY]} if "notes" in data else {}
    kept = {name: item[name] for name in ("topic", "area", "key", "type", "version", "time")}
    return Event(**kept, epoch=1, sequence=sequence, payload=orjson.dumps({**data, **texts, **notes}))


async def test_a_name_planted_everywhere_is_in_no_table(reporting: Reporting) -> None:
    for topic in reporting.consumers:
        items = [item for item in GOLDEN.values() if item["topic"] == topic]
        assert items
        await reporting.hear([with_canaries(item, place) for place, item in enumerate(items, start=1)])
    async with reporting.database.transaction() as connection:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        texts = [await connection.fetchval(f"SELECT string_agg(t::text, ' ') FROM {name} AS t") for (name,) in tables]
    everything = " ".join(filter(None, texts))
    assert len(await reporting.log()) == len(GOLDEN)
    assert all(item["key"] in everything for item in GOLDEN.values())
    for word in (*CANARY.split()[2:], "reporter_name", "notes", "ended_by", "acknowledged_by", "end_reason"):
        assert word not in everything


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"type": "vn.vonggac.incident.changed.v9"}, "type vn.vonggac.incident.changed.v9"),
        ({"payload": orjson.dumps({"id": CANARY, "version": CANARY})}, "version"),
        ({"payload": CANARY.encode()}, "vonggac.incidents/44/1/1"),
        ({"time": CANARY}, "time"),
    ],
)
def test_an_event_that_cannot_be_read_is_named_without_its_text(
    caplog: pytest.LogCaptureFixture, change: dict[str, Any], named: str
) -> None:
    good = history(Random(1)).incidents[0]
    bad = replace(good, **change)
    with pytest.raises(Unreadable, match=re.escape(named)) as raised:
        hear(bad, IncidentState)
    logging.getLogger("test").warning("as the consumer logs it", exc_info=raised.value)
    assert "Unreadable" in caplog.text
    assert all(word not in caplog.text for word in CANARY.split())


async def test_an_event_that_cannot_be_read_leaves_nothing_of_its_batch_behind(reporting: Reporting) -> None:
    events = history(Random(1)).incidents
    broken = [*events[:2], replace(events[2], payload=b"{}"), *events[3:]]
    consumer = reporting.consumers[events[0].topic]
    reporting.feeds.add(broken)
    with pytest.raises(Unreadable):
        await consumer._in_order("44", broken, behind=False)
    assert await reporting.log() == []
    assert all(rows == set() for rows in (await reporting.tables()).values())
    await reporting.hear(events)
    assert len(await reporting.log()) == len(events)
