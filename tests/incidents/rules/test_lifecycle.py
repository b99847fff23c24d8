"""What an operator may do to an incident: confirm an open one, end a live one, and nothing after that."""

from datetime import timedelta

import pytest

from foundation.contracts.incidents import RESULTS
from services.incidents.api.incidents import Words
from services.incidents.domain.incident import Incident, WrongState, confirm, end
from tests.incidents.rules.cast import TEN, Story

SOON = TEN + timedelta(minutes=4)


def raised(kind: str = "break_in", **fields: object) -> Incident:
    incident = Story(kind).hears(**fields).incident  # type: ignore[arg-type]
    assert incident is not None
    return incident


def in_state(status: str) -> Incident:
    if status == "open":
        return raised()
    if status == "confirmed":
        return confirm(raised(), TEN)
    return end(raised(), TEN, status, "true", "desk", None)  # type: ignore[arg-type]


def test_confirming_says_that_it_is_real() -> None:
    after = confirm(raised(), SOON)
    assert (after.status, after.cause, after.version, after.changed_at) == ("confirmed", "confirmed", 2, SOON)
    assert after.validation_level == 2
    assert after.rings == 1


def test_confirming_never_lowers_the_level() -> None:
    assert confirm(raised("fire", by_person=True), SOON).validation_level == 4


@pytest.mark.parametrize("status", ["open", "confirmed"])
@pytest.mark.parametrize("ending", ["resolved", "cancelled"])
def test_a_live_one_can_be_ended(status: str, ending: str) -> None:
    before = in_state(status)
    after = end(before, SOON, ending, "attempt", "Trực ban", "cửa bị cạy")  # type: ignore[arg-type]
    assert (after.status, after.cause, after.version) == (ending, ending, before.version + 1)
    assert (after.result, after.ended_at, after.ended_by) == ("attempt", SOON, "Trực ban")
    assert after.end_reason == "cửa bị cạy"
    assert after.ended


@pytest.mark.parametrize("status", ["confirmed", "resolved", "cancelled"])
def test_only_an_open_one_can_be_confirmed(status: str) -> None:
    with pytest.raises(WrongState, match=status):
        confirm(in_state(status), SOON)


@pytest.mark.parametrize("status", ["resolved", "cancelled"])
@pytest.mark.parametrize("ending", ["resolved", "cancelled"])
def test_what_has_ended_cannot_end_again(status: str, ending: str) -> None:
    with pytest.raises(WrongState, match=status):
        end(in_state(status), SOON, ending, "true", None, None)  # type: ignore[arg-type]


def test_acts_change_nothing_that_happened() -> None:
    before = raised(note="kính vỡ")
    for after in (confirm(before, SOON), end(before, SOON, "resolved", "true", None, None)):
        kept = ("id", "place", "kind", "severity", "effective_at", "received_at", "last_signal_at", "signals", "notes")
        assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]


def test_every_result_of_the_contract_can_be_said_and_no_other() -> None:
    assert [Words(result=result).result for result in RESULTS] == list(RESULTS)
    with pytest.raises(ValueError, match="result"):
        Words(result="so_so")
