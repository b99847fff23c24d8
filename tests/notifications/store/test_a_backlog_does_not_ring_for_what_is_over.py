"""A backlog is folded before anything rings, and yet nothing waits for ever."""

from datetime import timedelta

import pytest

from foundation.contracts.incidents import IncidentState
from tests.notifications.desk import NOON, Desk, after, incident

AGO = timedelta(minutes=5)


def backlog(at=NOON - AGO) -> tuple[list[IncidentState], set[str]]:
    """500 incidents, of which 400 are over by the end; the ids of the other 100."""
    raised = [incident(at=at) for _ in range(500)]
    over = [after(state, status="cancelled" if place % 2 else "resolved") for place, state in enumerate(raised[:400])]
    return raised + over, {state.id for state in raised[400:]}


async def assert_only_these_rang(desk: Desk, ids: set[str]) -> None:
    alerts = await desk.alerts()
    assert {alert.incident_id for alert in alerts} == ids
    assert len(alerts) == len(ids)
    assert {alert.cause for alert in await desk.said()} == {"raised"}


@pytest.mark.parametrize("size", [900, 500, 130, 37])
async def test_500_of_which_400_are_over_make_100_alerts(desk: Desk, size: int):
    story, going_on = backlog()
    events = desk.events(*story, said_at=NOON - AGO)
    while events:
        await desk.take(events[:size], behind=len(events) > size)
        events = events[size:]
    await desk.pass_time(seconds=0.6)
    await assert_only_these_rang(desk, going_on)


async def test_also_when_kafka_comes_back_and_the_relay_sends_it_in_small_pieces(desk: Desk):
    story, going_on = backlog()
    events = desk.events(*story, said_at=NOON - AGO)
    while events:
        await desk.take(events[:45], behind=False)  # each time all that Kafka has
        await desk.pass_time(milliseconds=100)
        events = events[45:]
    await desk.pass_time(seconds=0.6)
    await assert_only_these_rang(desk, going_on)


async def test_also_when_it_is_seconds_young(desk: Desk):
    story, going_on = backlog(NOON)
    events = desk.events(*story)
    await desk.take(events[:500], behind=True)
    await desk.take(events[500:], behind=False)
    await assert_only_these_rang(desk, going_on)


async def test_news_in_a_steady_stream_rings_at_once_although_more_is_behind_it(desk: Desk):
    await desk.hear(incident(), incident(), behind=True)
    assert len(await desk.alerts()) == 2


async def test_the_first_fresh_event_says_that_the_backlog_is_over(desk: Desk):
    await desk.hear(incident(), said_at=NOON - AGO)
    assert await desk.alerts() == []
    await desk.hear(incident())
    assert len(await desk.alerts()) == 2


async def test_an_incident_waits_at_most_five_seconds_for_a_backlog_without_end(desk: Desk):
    first, late = incident(), incident(at=NOON - timedelta(hours=1))
    await desk.hear(first, late, behind=True, said_at=NOON - AGO)
    rang_after_s = None
    for place in range(15):
        await desk.hear(incident(), behind=True, said_at=NOON - AGO)
        await desk.pass_time(milliseconds=400)
        if rang_after_s is None and await desk.alerts(first):
            rang_after_s = 0.4 * (place + 1)
    assert rang_after_s == pytest.approx(5, abs=0.5)
    assert await desk.alerts(late) == []  # it is late anyway: it may wait to hear that it is over


async def test_what_was_put_off_rings_although_kafka_dies_and_another_process_takes_over(desk: Desk, url: str):
    await desk.hear(incident(), behind=True, said_at=NOON - AGO)
    successor = Desk(url)
    await successor.open([])
    successor.clock.advance(seconds=1)
    await successor.look()
    assert len(await desk.alerts()) == 1
    await successor.close()


async def test_what_is_over_is_stood_down_at_once_also_within_a_backlog(desk: Desk):
    state = incident()
    await desk.hear(state)
    await desk.hear(after(state, status="resolved"), behind=True, said_at=NOON - AGO)
    assert [alert.status for alert in await desk.alerts()] == ["stood_down"]


async def test_first_heard_later_than_15_minutes_is_marked_late_and_still_rings(desk: Desk):
    state = incident(at=NOON - timedelta(minutes=16))
    await desk.hear(state)
    [alert] = await desk.alerts(state)
    assert (alert.late, alert.status, alert.rings) == (True, "raised", 1)
    assert alert.raised_at >= NOON


async def test_older_than_24_hours_is_recorded_and_held_until_it_is_over_or_rings_anew(desk: Desk):
    old = incident(at=NOON - timedelta(hours=25))
    other = incident(at=NOON - timedelta(hours=25))
    await desk.hear(old, other)
    assert await desk.alerts() == []
    assert [await desk.held(old), await desk.held(other)] == ["older_than_24h"] * 2
    await desk.hear(after(old, status="resolved"), after(other, rings=2, last_signal_at=NOON))
    assert [await desk.held(old), await desk.held(other)] == [None, None]
    [alert] = await desk.alerts()
    assert (alert.incident_id, alert.late) == (other.id, True)
