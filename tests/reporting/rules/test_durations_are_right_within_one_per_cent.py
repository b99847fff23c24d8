"""A histogram forgets little: every quantile is right within 1 %, and adding up parts loses nothing."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.histogram import BOUNDS_MS, LONGEST_MS, bucket_of, quantile_ms, representative_ms

PERCENT = 0.01
durations = st.one_of(st.integers(0, 2_000), st.integers(0, 40 * 86_400_000), st.integers(0, LONGEST_MS - 1))
quantiles = st.sampled_from((50, 90, 99))


def exact(values: list[int], percent: int) -> int:
    """Nearest rank, spelled out: the smallest value that so many of 100 do not exceed."""
    return next(v for v in sorted(values) if sum(other <= v for other in values) * 100 >= percent * len(values))


def near(found: int | None, true: int) -> bool:
    return found is not None and abs(found - true) <= PERCENT * true


@given(durations)
def test_a_duration_is_remembered_within_one_per_cent(duration: int) -> None:
    bucket = bucket_of(duration)
    assert BOUNDS_MS[bucket] <= duration < BOUNDS_MS[bucket + 1]
    assert near(representative_ms(bucket), duration)


def test_the_ends_of_every_bucket_are_remembered_within_one_per_cent() -> None:
    for low, after in pairwise(BOUNDS_MS):
        assert low < after <= max(low + 1, low * 1.02)
        for end in (low, after - 1):
            assert near(representative_ms(bucket_of(end)), end)


@given(st.lists(durations, min_size=1, max_size=60), quantiles)
def test_a_quantile_is_right_within_one_per_cent(values: list[int], percent: int) -> None:
    assert near(quantile_ms(Counter(map(bucket_of, values)), percent), exact(values, percent))


@given(st.lists(st.lists(durations, max_size=20), min_size=1, max_size=6), quantiles)
def test_parts_added_up_are_the_whole(parts: list[list[int]], percent: int) -> None:
    added = sum((Counter(map(bucket_of, part)) for part in parts), Counter())
    whole = Counter(bucket_of(value) for part in parts for value in part)
    assert added == whole
    assert quantile_ms(added, percent) == quantile_ms(whole, percent)


def test_without_any_duration_there_is_no_quantile() -> None:
    assert quantile_ms({}, 50) is None
    assert quantile_ms({7: 0}, 50) is None


@pytest.mark.parametrize(("duration", "counted_as"), [(-3_000, 0), (0, 0), (1, 1), (99, 99)])
def test_short_durations_are_exact_and_none_is_negative(duration: int, counted_as: int) -> None:
    assert representative_ms(bucket_of(duration)) == counted_as


def test_what_is_longer_than_a_life_is_counted_in_the_last_bucket() -> None:
    assert bucket_of(10 * LONGEST_MS) == bucket_of(LONGEST_MS) == len(BOUNDS_MS) - 2
