"""Whatever was heard in whatever way, the tables are what a recount of the log finds, row for row."""

import asyncio
from dataclasses import replace
from random import Random

import pytest

from foundation.chassis.consumer import RETRIES
from tests.reporting.histories import history, interleaved
from tests.reporting.reporting import Reporting, recounted

SEEDS = range(5)


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


async def test_both_topics_about_the_same_incidents_at_once_never_wait_in_a_circle(reporting: Reporting) -> None:
    """Each takes its whole stream as one batch, at the same moment, and none ever has to try again."""
    told = history(Random(7), incidents=60)
    before = {topic: retried(topic) for topic in reporting.consumers}
    await asyncio.gather(*(reporting.hear(events) for events in told.streams))
    assert {topic: retried(topic) for topic in reporting.consumers} == before
    assert await reporting.tables() == recounted(await reporting.log())


async def test_a_producer_set_back_to_an_older_copy_doubles_nothing(reporting: Reporting) -> None:
    random = Random(11)
    told = history(random)
    for events in told.streams:
        await reporting.hear(events)
    before = await reporting.tables()
    for events in told.streams:
        await reporting.hear([replace(event, epoch=2) for event in events])
    assert await reporting.tables() == before == recounted(await reporting.log())
