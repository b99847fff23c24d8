"""Promise 5: whatever is duplicated, missing or permuted, a stream is applied once, in order, without a gap.

Promise 7: a handler that raises loses nothing.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from foundation.contracts.events import Event, NotOurs, from_record
from foundation.contracts.sites import TOPIC
from foundation.streams import consumer
from tests.foundation.streams import AREA, Feed, Listener, event, head, record


@pytest.fixture(scope="module", autouse=True)
def _no_waiting() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consumer, "BACKOFF_S", (0.0,))
        yield


LENGTH = 12
"""Events of the stream, over four pages of the feed."""
REAL = st.integers(1, LENGTH).map(lambda number: record(event(number)))
HEAD = st.integers(0, LENGTH).map(lambda number: record(head(number)))
BEYOND = st.integers(LENGTH + 2, 2**62)
"""Not the very next number: only the producer can tell that from its own, and is not asked for each event."""
FORGED = st.one_of(
    BEYOND.map(lambda number: record(event(number))),
    BEYOND.map(lambda number: record(head(number))),
    st.integers(1, LENGTH).map(lambda number: record(event(number, epoch=2))),
    st.integers(0, 2**62).map(lambda number: record(head(number, epoch=9))),
    st.integers(1, LENGTH).map(lambda number: record(event(number, epoch=0))),
    st.integers(1, LENGTH).map(lambda number: record(event(number), ce_source="/stranger")),
    st.integers(1, LENGTH).map(lambda number: record(event(number, area="99"))),
    st.integers(1, LENGTH).map(lambda number: record(event(number, area="45"), partition=0)),
    st.integers(1, LENGTH).map(lambda number: record(event(number), partition=1)),
    st.sampled_from(["ce_sequence", "ce_epoch", "ce_area", "ce_type"]).map(lambda name: record(event(3), drop=name)),
    st.sampled_from(["-1", "", "9" * 40, "1.0", "٣", " 4", "nan"]).map(
        lambda number: record(event(3), ce_sequence=number)
    ),
)
BATCH = st.tuples(st.lists(st.one_of(REAL, REAL, HEAD, FORGED), max_size=8), st.booleans())
HEARD = st.lists(BATCH, max_size=8)


async def take(listener: Listener, records: list[Any], behind: bool = False) -> None:
    """A batch from Kafka; whatever is in it, it does not take for ever."""
    async with asyncio.timeout(5):
        await listener.stream.take(records, behind)


def events_of(records: list[Any]) -> Iterator[Event]:
    """Those that look like the stream's own, whatever their number."""
    for one in records:
        with contextlib.suppress(NotOurs):
            found = from_record(TOPIC, one.headers, one.value)
            if (found.area, one.partition) == (AREA, 0) and found.epoch >= 1:
                yield found


def heard_up_to(batches: list[tuple[list[Any], bool]]) -> int:
    """The greatest number that the producer itself said."""
    said = [one.sequence for records, _ in batches for one in events_of(records) if one.epoch == 1]
    return max((number for number in said if number <= LENGTH), default=0)


@given(HEARD, st.integers(0, 3))
@settings(max_examples=200)
async def test_any_permutation_duplication_hole_and_forgery(batches: list[tuple[list[Any], bool]], away: int) -> None:
    listener = Listener(Feed(LENGTH))
    listener.feed.away = away
    for number, (records, behind) in enumerate(batches):
        await take(listener, records, behind)
        reached = heard_up_to(batches[: number + 1])
        assert listener.applied == list(range(1, len(listener.applied) + 1))
        assert len(listener.applied) >= reached, "every gap before what was heard is closed"
    await take(listener, [record(head(LENGTH))])
    assert listener.applied == list(range(1, LENGTH + 1))
    assert listener.memory.position == (1, LENGTH)
    assert listener.stream.trouble == ""


@given(HEARD)
async def test_the_handler_is_told_the_end_only_when_nothing_is_known_to_follow(
    batches: list[tuple[list[Any], bool]],
) -> None:
    """What was put off during a backlog is decided then: too early, and what is over would ring."""
    listener = Listener(Feed(LENGTH))
    for number, (records, behind) in enumerate(batches):
        known, calls = heard_up_to(batches[: number + 1]), len(listener.calls)
        await take(listener, records, behind)
        for call in listener.calls[calls:]:
            reached = call.events[-1].sequence if call.events else listener.memory.position[1]
            assert call.behind or reached >= known or behind
        if any(events_of(records)) and not behind:
            assert not listener.calls[-1].behind, "and it is told when the end is reached"


@given(st.permutations(range(1, LENGTH + 1)), st.lists(st.integers(0, 3), max_size=6), st.integers(1, 5))
async def test_a_handler_that_raises_loses_nothing(order: list[int], raises: list[int], size: int) -> None:
    listener = Listener(Feed(LENGTH), raises=raises)
    records = [record(event(number)) for number in order]
    for start in range(0, LENGTH, size):
        await take(listener, records[start : start + size])
    assert listener.applied == list(range(1, LENGTH + 1))


async def test_what_follows_is_applied_without_asking_the_feed() -> None:
    """Only the very first contact asks it, for the stream's epoch."""
    listener = Listener(Feed(LENGTH, page=1))
    for number in range(1, LENGTH + 1):
        await take(listener, [record(event(number))])
    assert listener.feed.asked == [0]
    assert [len(call.events) for call in listener.calls] == [1] * LENGTH


async def test_a_gap_is_healed_from_the_feed_page_by_page() -> None:
    listener = Listener(Feed(LENGTH, page=5))
    await take(listener, [record(event(1)), record(event(LENGTH))])
    assert listener.applied == list(range(1, LENGTH + 1))
    assert listener.feed.asked == [0, 5, 10]
    assert [call.behind for call in listener.calls] == [True] * (len(listener.calls) - 1) + [False]


async def test_a_head_alone_shows_what_is_missing() -> None:
    """The last event before a silence was lost: no later event will show the gap."""
    listener = Listener(Feed(LENGTH))
    await take(listener, [record(event(number)) for number in range(1, LENGTH)])
    await take(listener, [record(head(LENGTH))])
    assert listener.applied == list(range(1, LENGTH + 1))


async def test_a_number_from_the_future_is_refused_and_counted() -> None:
    def refused() -> float:
        labels = {"topic": "vonggac.sites", "reason": "number from the future"}
        return REGISTRY.get_sample_value("vonggac_consumer_refused_total", labels) or 0

    before, listener = refused(), Listener(Feed(4))
    await take(listener, [record(event(1)), record(event(99)), record(event(100)), record(event(3))])
    assert listener.applied[:3] == [1, 2, 3]
    assert refused() == before + 2
    await take(listener, [record(event(4))])
    assert listener.applied == [1, 2, 3, 4]


async def test_a_later_epoch_is_believed_when_the_feed_says_it_too() -> None:
    """The producer was set back and began to count anew."""
    listener = Listener(Feed(5))
    await take(listener, [record(event(number)) for number in range(1, 6)])
    listener.feed = listener.stream.feed = Feed(3, epoch=2)  # type: ignore[assignment]
    await take(listener, [record(event(4)), record(event(2, epoch=2)), record(event(9))])
    assert listener.memory.position == (2, 3)
    assert listener.applied == [1, 2, 3, 4, 5, 1, 2, 3]


async def test_a_head_of_a_later_epoch_is_enough() -> None:
    listener = Listener(Feed(5))
    await take(listener, [record(event(number)) for number in range(1, 6)])
    listener.feed = listener.stream.feed = Feed(3, epoch=2)  # type: ignore[assignment]
    await take(listener, [record(head(3, epoch=2))])
    assert listener.memory.position == (2, 3)


async def test_a_consumer_set_back_to_an_older_copy_catches_up() -> None:
    listener = Listener(Feed(LENGTH))
    await take(listener, [record(head(LENGTH))])
    listener.memory.position, listener.memory.effects = (1, 4), [1, 2, 3, 4]
    await take(listener, [record(head(LENGTH))])
    assert listener.applied == list(range(1, LENGTH + 1))


async def test_trouble_is_shown_while_it_lasts() -> None:
    listener = Listener(Feed(3))
    listener.feed.away = 2
    seen: list[str] = []
    page = listener.feed.page

    async def watched(topic: str, area: str, after: int) -> Any:
        seen.append(listener.stream.trouble)
        return await page(topic, area, after)

    listener.feed.page = watched  # type: ignore[method-assign]
    await take(listener, [record(event(3))])
    assert seen == ["", "ConnectError", "ConnectError"]
    assert listener.stream.trouble == ""
