"""When something really happened, whatever the device's clock says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.incidents.domain.timing import OLDEST_AGE, effective_time

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
NOTHING = timedelta()
INSTANTS = st.timedeltas(-45_000 * DAY, 60_000 * DAY).map(lambda offset: NOON + offset)
AGES = st.timedeltas(NOTHING, OLDEST_AGE)


@pytest.mark.parametrize(
    ("situation", "occurred_at", "sent_at", "effective_at"),
    [
        ("sent at once, by a clock that is right", NOON, NOON, NOON),
        ("sent at once, by a clock two years behind", NOON - 730 * DAY, NOON - 730 * DAY, NOON),
        ("sent at once, by a clock ten years ahead", NOON + 3650 * DAY, NOON + 3650 * DAY, NOON),
        ("kept for three hours", NOON - 3 * HOUR, NOON, NOON - 3 * HOUR),
        ("kept for three hours, by a clock of 1970", datetime(1970, 1, 1, tzinfo=UTC),
         datetime(1970, 1, 1, 3, tzinfo=UTC), NOON - 3 * HOUR),
        ("kept for exactly thirty days", NOON - 30 * DAY, NOON, NOON - 30 * DAY),
        ("kept for a year: not believed beyond thirty days", NOON - 365 * DAY, NOON, NOON - 30 * DAY),
        ("sent before it happened: the clock was set in between", NOON + HOUR, NOON, NOON),
        ("no sent_at, a minute ago", NOON - 60 * SECOND, None, NOON - 60 * SECOND),
        ("no sent_at, exactly 24 hours ago", NOON - DAY, None, NOON - DAY),
        ("no sent_at, older than 24 hours: not believed", NOON - DAY - SECOND, None, NOON),
        ("no sent_at, in the future: not believed", NOON + SECOND, None, NOON),
        ("no sent_at, a clock of 1970", datetime(1970, 1, 1, tzinfo=UTC), None, NOON),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_effective_time(
    situation: str, occurred_at: datetime, sent_at: datetime | None, effective_at: datetime
) -> None:
    assert effective_time(occurred_at, sent_at, received_at=NOON).effective_at == effective_at, situation


def test_the_skew_says_how_far_the_clock_is_ahead() -> None:
    assert effective_time(NOON, NOON + timedelta(milliseconds=2500), NOON).skew_ms == 2500
    assert effective_time(NOON, NOON - 3 * SECOND, NOON).skew_ms == -3000
    assert effective_time(NOON, None, NOON).skew_ms is None


@given(INSTANTS, st.none() | INSTANTS, INSTANTS)
def test_it_is_never_in_the_future_and_never_older_than_thirty_days(
    occurred_at: datetime, sent_at: datetime | None, received_at: datetime
) -> None:
    effective_at = effective_time(occurred_at, sent_at, received_at).effective_at
    assert received_at - OLDEST_AGE <= effective_at <= received_at


@given(AGES, st.timedeltas(-3650 * DAY, 3650 * DAY))
def test_an_error_of_the_clock_cancels_out(age: timedelta, error: timedelta) -> None:
    truth = effective_time(NOON - age, NOON, NOON)
    told = effective_time(NOON - age + error, NOON + error, NOON)
    assert told.effective_at == truth.effective_at == NOON - age


@given(AGES, AGES)
def test_what_happened_first_is_first_however_long_it_was_kept(one: timedelta, other: timedelta) -> None:
    earlier, later = max(one, other), min(one, other)
    assert (
        effective_time(NOON - earlier, NOON, NOON).effective_at <= effective_time(NOON - later, NOON, NOON).effective_at
    )
