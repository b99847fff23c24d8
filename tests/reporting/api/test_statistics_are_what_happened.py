"""The figures are what anyone would count by hand from the incidents, for any span of time and any grouping."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest

from foundation.contracts.alerts import AlertState
from foundation.contracts.incidents import IncidentState
from foundation.contracts.kinds import KINDS
from tests.reporting.api.conftest import Service
from tests.reporting.histories import KINDS as USED_KINDS
from tests.reporting.histories import SPAN_S, START, State, seconds, site_versions, states, stream

LOCAL = timezone(timedelta(hours=7))
KEYS: dict[str, Callable[[IncidentState], str]] = {
    "all": lambda state: "all",
    "commune": lambda state: state.site.commune_code,
    "kind": lambda state: state.kind,
    "site": lambda state: state.site.id,
    "day": lambda state: f"{state.effective_at.astimezone(LOCAL):%Y-%m-%d}",
    "month": lambda state: f"{state.effective_at.astimezone(LOCAL):%Y-%m}",
    "hour_of_day": lambda state: f"{state.effective_at.astimezone(LOCAL):%H}",
}


@dataclass
class Happened:
    """What happened in the end: each incident's last word, and the last word of each of its alerts."""

    incidents: list[IncidentState]
    alerts: dict[str, list[AlertState]]

    def counted(self, group_by: str, chosen: Callable[[IncidentState], bool]) -> dict[str, dict[str, Any]]:
        groups: dict[str, list[IncidentState]] = defaultdict(list)
        for state in filter(chosen, self.incidents):
            groups[KEYS[group_by](state)].append(state)
        return {key: self.line(group) for key, group in groups.items()}

    def line(self, group: Sequence[IncidentState]) -> dict[str, Any]:
        real = [state for state in group if not state.drill]
        steps = [self.steps(state) for state in real]
        return {
            "incidents": len(real),
            "cancelled": sum(state.status == "cancelled" for state in real),
            "drills": len(group) - len(real),
            "signal_to_alert_s": quantiles([(a, b) for a, b, _, _ in steps]),
            "alert_to_acknowledged_s": quantiles([(b, c) for _, b, c, _ in steps]),
            "acknowledged_to_on_scene_s": quantiles([(c, d) for _, _, c, d in steps]),
        }

    def steps(self, state: IncidentState) -> tuple[datetime | None, ...]:
        alerts = self.alerts.get(state.id, [])
        firsts = ([getattr(a, name) for a in alerts if getattr(a, name)] for name in
                  ("raised_at", "acknowledged_at", "on_scene_at"))  # fmt: skip
        return (state.effective_at, *(min(found, default=None) for found in firsts))


def quantiles(pairs: list[tuple[datetime | None, datetime | None]]) -> dict[str, Any]:
    """Nearest rank in seconds, as approximate as the promise: within 1 %."""
    values = sorted(max(0.0, int((b - a) / timedelta(milliseconds=1)) / 1000) for a, b in pairs if a and b)
    ranks = {f"p{percent}": -(-len(values) * percent // 100) - 1 for percent in (50, 90, 99)}
    return {name: pytest.approx(values[rank], rel=0.01) if values else None for name, rank in ranks.items()}


async def happened(service: Service, seed: int, incidents: int = 60) -> Happened:
    """Something random happens, and reporting hears of it."""
    random = Random(seed)
    told, rung = states(random, incidents)
    sites = [state for number in range(3) for state in site_versions(random, number)]
    for heard in (told, rung, sites):
        await service.reporting.hear(stream(heard))
    last: dict[str, State] = {state.id: state for state in (*told, *rung)}
    ended = Happened([s for s in last.values() if isinstance(s, IncidentState)], defaultdict(list))
    for state in last.values():
        if isinstance(state, AlertState):
            ended.alerts[state.incident_id].append(state)
    return ended


def numbers(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["key"]: {k: v for k, v in item.items() if k not in ("key", "name")} for item in items}


@pytest.mark.parametrize("group_by", KEYS)
@pytest.mark.parametrize("seed", [1, 2])
async def test_any_span_is_counted_as_by_hand(service: Service, seed: int, group_by: str) -> None:
    there = await happened(service, seed)
    random = Random(seed)
    hour = 3600
    for _ in range(8):
        first = START + seconds(random.choice((random.uniform(-hour, SPAN_S), random.randrange(72) * hour)))
        last = first + seconds(random.choice((0.5, hour * random.random(), random.uniform(hour, SPAN_S), 2 * hour)))
        query = {} if group_by == "all" else {"group_by": group_by}
        items = await service.statistics(since=first.isoformat(), to=last.isoformat(), limit=7, **query)
        expected = there.counted(group_by, lambda state: first <= state.effective_at < last)  # noqa: B023
        if group_by == "all":
            expected = expected or {"all": there.line([])}
        assert numbers(items) == expected
        assert [item["key"] for item in items] == sorted(expected)


async def test_the_edges_of_a_span_are_exact(service: Service) -> None:
    there = await happened(service, 3)
    instants = sorted(state.effective_at for state in there.incidents)
    first, last = instants[5], instants[-5]
    for since, to in ((first, last), (first, last + seconds(0.001)), (first + seconds(0.001), last)):
        expected = there.counted("all", lambda state: since <= state.effective_at < to)  # noqa: B023
        assert numbers(await service.statistics(since=since.isoformat(), to=to.isoformat())) == expected


async def test_a_place_and_a_kind_can_be_chosen(service: Service) -> None:
    there = await happened(service, 4)
    for kind in USED_KINDS:
        items = await service.statistics(group_by="site", kind=kind, commune_code="19331", to="2026-12-01T09:30:00Z")
        end = datetime.fromisoformat("2026-12-01T09:30:00Z")
        assert numbers(items) == there.counted(
            "site",
            lambda s: s.kind == kind and s.site.commune_code == "19331" and s.effective_at < end,  # noqa: B023
        )


async def test_a_plain_date_is_its_midnight_in_quang_tri(service: Service) -> None:
    there = await happened(service, 5)
    (november,) = await service.statistics(to="2026-12-01", group_by="month")
    assert november["key"] == "2026-11"
    midnight = datetime(2026, 12, 1, tzinfo=LOCAL)
    assert numbers([november]) == there.counted("month", lambda state: state.effective_at < midnight)
    (december,) = await service.statistics(since="2026-12-01", group_by="month")
    assert (december["key"], december["incidents"] + november["incidents"]) == (
        "2026-12",
        sum(not state.drill for state in there.incidents),
    )


async def test_kinds_and_sites_have_names_where_they_are_known(service: Service) -> None:
    await happened(service, 6)
    kinds = await service.statistics(group_by="kind")
    assert {item["key"]: item["name"] for item in kinds} == {code: KINDS[code].vi for code in USED_KINDS}
    sites = {item["key"]: item["name"] for item in await service.statistics(group_by="site")}
    assert sites["site-0"].startswith("Trường số 0 (")
    assert sites["site-3"] is None  # of which nothing was heard on vonggac.sites
    assert {item["name"] for item in await service.statistics(group_by="commune")} == {None}
