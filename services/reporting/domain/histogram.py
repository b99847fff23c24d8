"""Durations as counts in buckets whose bounds grow by 2 %: exactly mergeable, and a quantile is wrong by under 1 %.

All is integer arithmetic on milliseconds, so that every machine, and every recount, finds the same bucket.
"""

from bisect import bisect_right
from collections.abc import Mapping

GROWTH_DIVISOR = 50
"""A bucket is at most one fiftieth (2 %) of its lower bound wide; below 100 ms each millisecond has its own."""
LONGEST_MS = 4_000_000_000_000
"""About 127 years: whatever is longer is counted in the last bucket."""


def _bounds() -> tuple[int, ...]:
    bounds = [0]
    while bounds[-1] < LONGEST_MS:
        bounds.append(bounds[-1] + max(1, bounds[-1] // GROWTH_DIVISOR))
    return tuple(bounds)


BOUNDS_MS = _bounds()
"""Bucket ``b`` holds the durations from ``BOUNDS_MS[b]`` up to, and without, ``BOUNDS_MS[b + 1]``."""


def bucket_of(duration_ms: int) -> int:
    """The bucket of a duration; a negative one, which only clocks can make, counts as 0."""
    return min(bisect_right(BOUNDS_MS, max(duration_ms, 0)), len(BOUNDS_MS) - 1) - 1


def representative_ms(bucket: int) -> int:
    """The value that is nearest, as a ratio, to all that the bucket holds: its harmonic mean, rounded."""
    low, high = BOUNDS_MS[bucket], BOUNDS_MS[bucket + 1] - 1
    return (4 * low * high + low + high) // (2 * (low + high)) if low < high else low


def quantile_ms(counts: Mapping[int, int], percent: int) -> int | None:
    """The value that ``percent`` of 100 durations do not exceed (nearest rank), within 1 %; None without any."""
    total = sum(counts.values())
    if total == 0:
        return None
    rank = max(1, -(-total * percent // 100))
    passed = 0
    for bucket in sorted(counts):
        passed += counts[bucket]
        if passed >= rank:
            return representative_ms(bucket)
    raise AssertionError("unreachable: the rank is at most the total")
