"""The clock can be moved because nobody asks another one; and the rules that keep it so catch a planted violation."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from foundation.chassis.clock import HO_CHI_MINH, Clock, pause
from tests.foundation.house_rules import (
    MAY_ASK,
    ROOT,
    reads_without_a_scope,
    sources,
    sql_that_asks_the_time,
    unbounded_queues,
    who_asks_the_time,
)

Rule = Callable[[str, str], list[str]]
RULES: list[Rule] = [who_asks_the_time, sql_that_asks_the_time, unbounded_queues]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    assert [finding for path, text in sources() for finding in rule(path, text)] == []


def test_every_door_that_reads_asks_who_calls() -> None:
    doors = [(path, text) for path, text in sources("services") if "/api/" in path]
    assert doors
    assert [finding for path, text in doors for finding in reads_without_a_scope(path, text)] == []


def test_every_exception_is_still_needed() -> None:
    for path in MAY_ASK:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert who_asks_the_time("elsewhere.py", text), path


@pytest.mark.parametrize(
    ("rule", "planted"),
    [
        (who_asks_the_time, "from datetime import datetime, UTC\nat = datetime.now(UTC)"),
        (who_asks_the_time, "import datetime\nat = datetime.datetime.now()"),
        (who_asks_the_time, "import datetime as d\nat = d.datetime.utcnow()"),
        (who_asks_the_time, "from datetime import date\nat = date.today()"),
        (who_asks_the_time, "import time\nat = time.time()"),
        (who_asks_the_time, "import time\nask = time.time_ns"),
        (who_asks_the_time, "from time import time\nat = time()"),
        (sql_that_asks_the_time, 'QUERY = "SELECT * FROM incident WHERE changed_at < now()"'),
        (sql_that_asks_the_time, 'QUERY = "UPDATE alert SET raised_at = NOW ( )"'),
        (sql_that_asks_the_time, 'QUERY = f"DELETE FROM {table} WHERE at < current_timestamp"'),
        (sql_that_asks_the_time, 'TABLE = "CREATE TABLE x (changed_at timestamptz NOT NULL DEFAULT now())"'),
        (sql_that_asks_the_time, 'at = text("clock_timestamp()")\nsql = "SELECT clock_timestamp()"'),
        (unbounded_queues, "import asyncio\nqueue = asyncio.Queue()"),
        (unbounded_queues, "from queue import SimpleQueue\nqueue = SimpleQueue()"),
        (unbounded_queues, "from collections import deque\nwaiting = deque()"),
        (reads_without_a_scope, "async def door(request):\n    return await reading.incidents(database, cursor=None)"),
    ],
    ids=lambda value: value.__name__ if callable(value) else value.splitlines()[-1],
)
def test_a_planted_violation_is_caught(rule: Rule, planted: str) -> None:
    findings = rule("services/incidents/planted.py", planted)
    assert findings
    assert findings[0].startswith("services/incidents/planted.py:")


@pytest.mark.parametrize(
    ("rule", "fine"),
    [
        (who_asks_the_time, "now = clock.now()\nloop.time()\nfrom time import monotonic\nmonotonic()"),
        (sql_that_asks_the_time, 'TABLE = """CREATE TABLE x (created_at timestamptz NOT NULL DEFAULT now())"""'),
        (sql_that_asks_the_time, '"""Says why SQL\'s now() is not used in UPDATE."""'),
        (unbounded_queues, "asyncio.Queue(10)\nasyncio.Queue(maxsize=n)\ndeque(items, 5)\ndeque(maxlen=3)"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_allowed_is_not_reported(rule: Rule, fine: str) -> None:
    assert rule("services/incidents/fine.py", fine) == []


def test_the_clock_is_in_utc_and_runs() -> None:
    clock = Clock()
    before, now, after = datetime.now(UTC), clock.now(), datetime.now(UTC)
    assert before - timedelta(milliseconds=1) <= now <= after + timedelta(milliseconds=1)
    assert now.tzinfo is UTC
    clock.offset_s = 3600
    assert timedelta(minutes=59) < clock.now() - now < timedelta(minutes=61)
    assert abs(clock.timestamp() - clock.now().timestamp()) < 1


def test_local_time_is_seven_hours_ahead_all_year() -> None:
    for month in (1, 7):
        assert datetime(2026, month, 1, tzinfo=HO_CHI_MINH).utcoffset() == timedelta(hours=7)


async def test_a_pause_ends_early_when_it_is_woken() -> None:
    wake, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.call_later(0.01, wake.set)
    began = loop.time()
    await pause(5, or_when=wake)
    assert loop.time() - began < 2
    assert not wake.is_set(), "and can be woken again"
    await pause(0.001, or_when=wake)
    await pause(0.001)
