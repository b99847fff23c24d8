"""Days and months are those of Quảng Trị, and a span of time falls into pieces without a gap or an overlap."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.buckets import HOUR, hour_of, midnight, pieces

START = datetime(2026, 12, 31, 12, tzinfo=UTC)
instants = st.one_of(
    st.integers(0, 6 * 3600 * 10**6).map(lambda us: START + timedelta(microseconds=us)),
    st.integers(0, 24).map(lambda quarters: START + timedelta(minutes=15 * quarters)),
)


@given(st.none() | instants, st.none() | instants, instants)
def test_every_instant_of_a_span_is_in_exactly_one_piece(
    start: datetime | None, end: datetime | None, instant: datetime
) -> None:
    if start is not None and end is not None and start >= end:
        start, end = end, start + timedelta(microseconds=1)
    cut = pieces(start, end)
    inside = (start is None or start <= instant) and (end is None or instant < end)
    assert sum(a <= instant < b for a, b in (cut.whole, *cut.edges)) == inside


@given(st.none() | instants, st.none() | instants)
def test_the_whole_part_lies_on_hours_and_the_edges_within_one(start: datetime | None, end: datetime | None) -> None:
    if start is not None and end is not None and start >= end:
        return
    cut = pieces(start, end)
    first, last = cut.whole
    assert first == last or (hour_of(first), hour_of(last)) == (first, last)
    assert len(cut.edges) <= 2
    assert all(a < b <= hour_of(a) + HOUR for a, b in cut.edges)


def test_a_span_of_whole_hours_needs_no_facts() -> None:
    assert pieces(START, START + 5 * HOUR).edges == ()
    assert pieces(None, None).edges == ()


def test_the_new_year_begins_at_17_hours_utc() -> None:
    assert midnight(date(2027, 1, 1)) == datetime(2026, 12, 31, 17, tzinfo=UTC)
    assert hour_of(datetime(2026, 12, 31, 17, 59, 59, 999_999, tzinfo=UTC)) == midnight(date(2027, 1, 1))
