"""When an incident still rings, by its age and state."""

from datetime import timedelta

import pytest

from services.notifications.domain.ringing import Ages, Ringing, ringing
from tests.notifications.desk import NOON, incident

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("age", "newest_alarm", "expected"),
    [
        (timedelta(), timedelta(), Ringing.RING),
        (15 * MINUTE, 15 * MINUTE, Ringing.RING),
        (15 * MINUTE + timedelta(microseconds=1), 15 * MINUTE, Ringing.LATE),
        (24 * HOUR, 24 * HOUR, Ringing.LATE),
        (24 * HOUR + timedelta(microseconds=1), 24 * HOUR + timedelta(microseconds=1), Ringing.OLD),
        (30 * HOUR, MINUTE, Ringing.LATE),  # a fresh alarm in an old incident is heard
        (-MINUTE, -MINUTE, Ringing.RING),  # our clock is behind theirs
    ],
)
def test_by_age(age, newest_alarm, expected):
    state = incident(at=NOON - age, last_signal_at=NOON - newest_alarm)
    assert ringing(state, NOON, Ages()) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "confirmed"}, Ringing.RING),
        ({"status": "resolved"}, Ringing.OVER),
        ({"status": "cancelled"}, Ringing.OVER),
        ({"drill": True}, Ringing.DRILL),
        ({"kind": "drill"}, Ringing.DRILL),
        ({"kind": "of a newer release"}, Ringing.RING),
    ],
)
def test_by_state(changes, expected):
    assert ringing(incident().model_copy(update=changes), NOON, Ages()) == expected
