"""An alert only moves forward, each step with who and when."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.contracts.alerts import STATUS_ORDER
from services.notifications.domain.lifecycle import (
    NotForward,
    alert_id,
    brought_up_to_date,
    raised,
    rung_again,
    step,
    stood_down_by_end,
    stood_down_by_unit,
    transferred,
)
from tests.notifications.desk import NOON, after, incident, units_of_the_province

UNIT = units_of_the_province()[0]
STATE = incident(notes=["cửa sau bị phá"])
ALERT = raised(STATE, UNIT, "kind:break_in", NOON, late=False)
LATER = NOON + timedelta(seconds=40)
WAYS = {
    "acknowledged": lambda alert, at: step(alert, "acknowledged", "Hà", at),
    "dispatched": lambda alert, at: step(alert, "dispatched", "Hà", at),
    "on_scene": lambda alert, at: step(alert, "on_scene", "Hà", at),
    "stood_down": lambda alert, at: stood_down_by_unit(alert, "Hà", at),
}


@given(st.lists(st.tuples(st.sampled_from(list(WAYS)), st.integers(-5, 60)), max_size=12))
def test_whatever_officers_press_it_only_moves_forward(presses):
    alert, at = ALERT, NOON
    for wanted, seconds in presses:
        at += timedelta(seconds=seconds)
        allowed = STATUS_ORDER.index(wanted) > STATUS_ORDER.index(alert.status)
        if not allowed:
            with pytest.raises(NotForward) as refused:
                WAYS[wanted](alert, at)
            assert refused.value.alert == alert
            continue
        changed = WAYS[wanted](alert, at)
        assert (changed.status, changed.version) == (wanted, alert.version + 1)
        assert changed.changed_at >= alert.changed_at
        alert = changed
    instants = [alert.raised_at, alert.acknowledged_at, alert.dispatched_at, alert.on_scene_at, alert.stood_down_at]
    known = [instant for instant in instants if instant is not None]
    assert known == sorted(known)


def test_who_arrives_has_acknowledged_and_was_sent():
    there = step(step(ALERT, "acknowledged", "Hà", NOON), "on_scene", "Minh", LATER)
    assert (there.acknowledged_by, there.acknowledged_at) == ("Hà", NOON)
    assert (there.dispatched_by, there.dispatched_at) == ("Minh", LATER)
    assert (there.on_scene_by, there.on_scene_at) == ("Minh", LATER)


def test_who_stands_down_has_read_it_but_sent_nobody():
    over = stood_down_by_unit(ALERT, "Hà", LATER)
    assert (over.acknowledged_by, over.stood_down_by, over.stood_down_reason) == ("Hà", "Hà", "by_unit")
    assert over.dispatched_at is None
    assert over.on_scene_at is None


def test_the_end_of_the_incident_is_nobodys_acknowledgement():
    over = stood_down_by_end(ALERT, after(STATE, status="cancelled"), LATER)
    assert (over.status, over.stood_down_reason) == ("stood_down", "incident_cancelled")
    assert over.incident_status == "cancelled"
    assert over.acknowledged_at is None
    assert over.stood_down_by is None


def test_a_transfer_stands_down_and_says_to_whom():
    over = transferred(ALERT, "PC07", "Hà", LATER)
    assert (over.status, over.cause, over.transferred_to) == ("stood_down", "transferred", "PC07")
    with pytest.raises(NotForward):
        transferred(over, "TRUC-BAN", "Hà", LATER)


def test_ringing_again_keeps_who_has_it():
    taken = step(ALERT, "acknowledged", "Hà", NOON)
    again = rung_again(taken, after(STATE, rings=2, validation_level=2), LATER)
    assert (again.rings, again.rang_at, again.status, again.acknowledged_by) == (2, LATER, "acknowledged", "Hà")
    assert (again.incident_version, again.validation_level) == (2, 2)


def test_only_what_is_shown_makes_a_new_version():
    assert brought_up_to_date(ALERT, after(STATE, signals=2), LATER) is None
    newer = brought_up_to_date(ALERT, after(STATE, status="confirmed"), LATER)
    assert newer is not None
    assert (newer.version, newer.cause, newer.incident_status, newer.rings) == (2, "incident_changed", "confirmed", 1)


def test_an_incident_has_one_alert_id_a_unit():
    assert ALERT.id == str(alert_id(STATE.id, UNIT.code))
    assert alert_id(STATE.id, "PC07") != alert_id(STATE.id, UNIT.code) != alert_id(incident().id, UNIT.code)
