"""Whatever is doubled, swapped or interleaved, a fact is what its newest states say, and the figures follow it."""

from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.contracts.alerts import AlertState
from foundation.contracts.incidents import IncidentState
from services.reporting.domain.buckets import hour_of
from services.reporting.domain.facts import Fact, State, contribution, fold, incident_of, movement
from services.reporting.domain.histogram import bucket_of
from tests.reporting.histories import AREA, START, UNITS, alert_versions, incident_versions, seconds

seeds = st.integers(0, 2**32)


def story(seed: int) -> list[State]:
    """One incident and its alerts, every version, in order."""
    random = Random(seed)
    told = incident_versions(random)
    rung = [alert_versions(random, told[0], unit) for unit in random.sample(UNITS, random.randint(0, 3))]
    return [*told, *(state for versions in rung for state in versions)]


def facts_after_each(states: list[State]) -> list[Fact]:
    facts = [Fact(AREA, incident_of(states[0]))]
    for state in states:
        facts.append(fold(facts[-1], state))
    return facts


@given(seeds, st.data())
def test_any_order_and_any_repetition_end_in_the_same_fact(seed: int, data: st.DataObject) -> None:
    states = story(seed)
    again = data.draw(st.lists(st.sampled_from(states), max_size=8))
    shuffled = data.draw(st.permutations([*states, *again]))
    assert facts_after_each(shuffled)[-1] == facts_after_each(states)[-1]


@given(seeds, st.data())
def test_differences_add_up_to_the_last_contribution(seed: int, data: st.DataObject) -> None:
    given_by = [contribution(fact) for fact in facts_after_each(data.draw(st.permutations(story(seed))))]
    steps = list(pairwise(given_by))
    assert movement(steps) == movement([(None, given_by[-1])])
    assert movement([*steps, (given_by[-1], None)]) == movement([])


@given(seeds)
def test_what_says_nothing_new_changes_nothing(seed: int) -> None:
    states = story(seed)
    fact = facts_after_each(states)[-1]
    assert all(fold(fact, state) is fact for state in states)


RAISED = incident_versions(Random(3), START + seconds(61.5))[0].model_copy(update={"drill": False})
FIRST, SECOND = (
    alert_versions(Random(1), RAISED, unit)[0].model_copy(update={"raised_at": RAISED.effective_at + seconds(late)})
    for unit, late in zip(UNITS, (0.4, 0.3), strict=False)
)
SECOND = SECOND.model_copy(update={"id": "the second alert"})


def buckets(*states: State) -> tuple[int | None, ...]:
    found = contribution(facts_after_each([RAISED, *states])[-1])
    assert found is not None
    return found.buckets


def later(alert: AlertState, version: int, **changes: float) -> AlertState:
    """The alert at a later version; instants are seconds since the incident."""
    instants = {name: RAISED.effective_at + timedelta(seconds=s) for name, s in changes.items()}
    return alert.model_copy(update={"version": version, **instants})


@pytest.mark.parametrize(
    ("heard", "expected_ms"),
    [
        ((), (None, None, None)),
        ((FIRST,), (400, None, None)),
        ((FIRST, SECOND), (300, None, None)),
        ((SECOND, later(FIRST, 2, acknowledged_at=10.3)), (300, 10_000, None)),
        ((later(FIRST, 2, acknowledged_at=20.3), later(SECOND, 2, acknowledged_at=10.3)), (300, 10_000, None)),
        ((later(SECOND, 3, acknowledged_at=10.3, on_scene_at=70.3),), (300, 10_000, 60_000)),
        ((later(FIRST, 1, raised_at=-7),), (0, None, None)),
        ((later(SECOND, 2, on_scene_at=70.3),), (300, None, None)),
    ],
)
def test_durations_are_between_the_first_of_each(heard: tuple[State, ...], expected_ms: tuple[int | None, ...]) -> None:
    assert buckets(*heard) == tuple(None if ms is None else bucket_of(ms) for ms in expected_ms)


def contributed(**changes: object) -> tuple[int, int, int]:
    state: IncidentState = RAISED.model_copy(update=changes)
    found = contribution(facts_after_each([state, FIRST])[-1])
    assert found is not None
    assert found.cell == (AREA, hour_of(RAISED.effective_at), state.site.commune_code, state.kind, state.site.id)
    assert (found.buckets == (None, None, None)) == state.drill
    return found.counts


def test_a_cancelled_incident_is_still_an_incident_and_a_drill_is_only_a_drill() -> None:
    assert contributed() == (1, 0, 0)
    assert contributed(status="cancelled") == (1, 1, 0)
    assert contributed(drill=True) == (0, 0, 1)
    assert contributed(drill=True, status="cancelled") == (0, 0, 1)


def test_an_alert_without_its_incident_adds_nothing() -> None:
    assert contribution(facts_after_each([FIRST])[-1]) is None
