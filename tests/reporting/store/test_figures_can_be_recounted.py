"""Whatever was heard in whatever way, the tables are what a recount of the log finds, row for row."""

import asyncio
from dataclasses import replace
from random import Random

import pytest

from foundation.streams.consumer import RETRIES, Batch
from services.reporting.consumers import incidents
from tests.reporting.histories import AREA, UNITS, alert_versions, history, incident_versions, interleaved, uuid
from tests.reporting.reporting import Reporting, recounted

SEEDS = range(5)
ROUNDS = 8
SOMEONE_WAITS = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"


def retried(topic: str) -> float:
    return sum(s.value for m in RETRIES.collect() for s in m.samples if s.labels.get("topic") == topic)


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_history_heard_badly_is_counted_as_a_recount_would(reporting: Reporting, seed: int) -> None:
    random = Random(seed)
    told = history(random)
    await reporting.hear_badly(random, told.streams)
    log = await reporting.log()
    assert [(row["topic"], row["sequence"]) for row in log] == sorted(
        (event.topic, event.sequence) for stream in told.streams for event in stream
    )
    assert await reporting.tables() == recounted(log)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_step_on_the_way_is_counted_too(reporting: Reporting, seed: int) -> None:
    random = Random(seed)
    told = history(random, incidents=3)
    for event in interleaved(random, told.streams):
        await reporting.hear([event])
        assert await reporting.tables() == recounted(await reporting.log())


async def test_an_incident_and_its_alerts_heard_at_once_wait_for_one_another(reporting: Reporting) -> None:
    """One consumer has not committed yet when the other comes to the same facts: it waits, and builds on them."""
    told = history(Random(7), incidents=8)
    half = [len(told.incidents) // 2, len(told.alerts) // 2]
    await reporting.hear(told.incidents[: half[0]])
    await reporting.hear(told.alerts[: half[1]])
    async with reporting.database.transaction() as connection:
        await incidents.apply(connection, Batch(AREA, told.incidents[half[0] :], behind=False))
        other = asyncio.create_task(reporting.hear(told.alerts[half[1] :]))
        async with asyncio.timeout(20):
            while not await connection.fetchval(SOMEONE_WAITS):
                await asyncio.sleep(0.005)
        assert not other.done()
    await other
    assert await reporting.tables() == recounted(await reporting.log())


async def test_consumers_that_meet_never_wait_in_a_circle(reporting: Reporting) -> None:
    """They come in opposite orders to the same facts, then from different facts to the same figures; none retries."""
    random = Random(9)
    before = {topic: retried(topic) for topic in reporting.consumers}
    for _ in range(ROUNDS):
        told = [incident_versions(random)[0] for _ in range(150)]
        rung = [alert_versions(random, state, UNITS[0])[0] for state in told]
        await asyncio.gather(reporting.tell(told), reporting.tell(rung[::-1]))
        alike = [state.model_copy(update={"id": uuid(random)}) for state in (*told, *told)]
        rung = [ring.model_copy(update={"id": uuid(random), "incident_id": state.id})
                for ring, state in zip((*rung, *rung), alike, strict=True)]  # fmt: skip
        await reporting.tell(alike[:150])
        await reporting.tell(rung[150:])
        await asyncio.gather(reporting.tell(rung[:150]), reporting.tell(alike[:149:-1]))
    assert {topic: retried(topic) for topic in reporting.consumers} == before
    assert await reporting.tables() == recounted(await reporting.log())


async def test_a_producer_set_back_to_an_older_copy_doubles_nothing(reporting: Reporting) -> None:
    random = Random(11)
    told = history(random)
    for events in told.streams:
        await reporting.hear(events)
    before = await reporting.tables()
    for events in told.streams:
        await reporting.hear([replace(event, epoch=2) for event in events[: len(events) // 2]])
    assert await reporting.tables() == before == recounted(await reporting.log())
