"""Who may read figures, what a question must look like, and what is said when nothing was heard."""

from random import Random
from typing import Any

import pytest

from foundation.chassis.web import encode_cursor
from tests.reporting.api.conftest import Service
from tests.reporting.histories import history

NOTHING = {"p50": None, "p90": None, "p99": None}


async def test_nothing_heard_is_a_count_of_zero_and_no_duration(service: Service) -> None:
    (item,) = await service.statistics()
    assert item == {
        "key": "all", "name": None, "incidents": 0, "cancelled": 0, "drills": 0,
        "signal_to_alert_s": NOTHING, "alert_to_acknowledged_s": NOTHING, "acknowledged_to_on_scene_s": NOTHING,
    }  # fmt: skip
    assert await service.statistics(group_by="commune") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2026-11-24T08:00:00"}, "from"),
        ({"from": "1764000000"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"from": "2026-W48-2"}, "from"),
        ({"from": "24/11/2026"}, "from"),
        ({"to": "2026-11-24T08:00:00+99:00"}, "to"),
        ({"from": "2026-11-24", "to": "2026-11-24"}, "to"),
        ({"from": "2026-11-24T00:00:00+07:00", "to": "2026-11-23T17:00:00Z"}, "to"),
        ({"from": "2026-11-25", "to": "2026-11-24"}, "to"),
        ({"group_by": "year"}, "group_by"),
        ({"kind": "opinion"}, "kind"),
        ({"commune_code": "1" * 17}, "commune_code"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"cursor": "?"}, "cursor"),
        ({"cursor": encode_cursor("a", "b")}, "cursor"),
        ({"cursor": encode_cursor("a\0b")}, "cursor"),
        ({"cursor": encode_cursor(7)}, "cursor"),
    ],
)
async def test_a_question_that_makes_no_sense_is_told_which_part(
    service: Service, query: dict[str, Any], field: str
) -> None:
    answer = await service.get("/v1/statistics", **query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_only_who_may_read_reads_and_only_of_their_own_area(service: Service) -> None:
    for events in history(Random(1)).streams:
        await service.reporting.hear(events)
    for role in ("leader", "province_desk"):
        assert (await service.get("/v1/statistics", service.token(role))).json()["items"][0]["incidents"] > 0
    for role in ("integrator", "service", "nobody"):
        assert (await service.get("/v1/statistics", service.token(role))).status_code == 403
    other = await service.get("/v1/statistics", service.token(area="45"), group_by="site")
    assert other.json() == {"items": [], "next": None}
    assert (await service.get("/v1/statistics", "forged.token.here")).status_code == 401
    assert (await service.get("/v1/statistics", f"vgd_{'0' * 32}_{'A' * 43}")).status_code == 403
    assert (await service.client.get("/v1/statistics")).status_code == 401


async def test_who_belongs_to_a_unit_sees_the_figures_of_their_own_commune(service: Service) -> None:
    for events in history(Random(1)).streams:
        await service.reporting.hear(events)
    everyone = {item["key"]: item for item in await service.statistics(group_by="commune")}
    assert len(everyone) > 1
    for commune, expected in ((min(everyone), [everyone[min(everyone)]]), (None, [])):
        token = service.token("unit_officer", commune=commune)
        for query in ({}, {"commune_code": commune or ""}):
            answer = await service.get("/v1/statistics", token, group_by="commune", **query)
            assert answer.json()["items"] == expected
        other = await service.get("/v1/statistics", token, group_by="commune", commune_code=max(everyone))
        assert other.json()["items"] == []


async def test_the_status_tells_what_was_heard(service: Service) -> None:
    told = history(Random(2))
    await service.reporting.hear(told.alerts)
    heard = {event.data["incident_id"] for event in told.alerts}
    alerts = len({event.key for event in told.alerts})
    counts = (await service.get("/v1/status")).json()["counts"]
    assert counts == {
        "incidents": 0, "complete": 0, "incomplete": len(heard), "alerts": alerts, "events": len(told.alerts)
    }  # fmt: skip
    await service.reporting.hear(told.incidents)
    counts = (await service.get("/v1/status")).json()["counts"]
    states = {event.key: event.data for event in told.incidents}
    assert counts == {
        "incidents": sum(not state["drill"] for state in states.values()), "complete": len(states), "incomplete": 0,
        "alerts": alerts, "events": len(told.alerts) + len(told.incidents),
    }  # fmt: skip
    (item,) = await service.statistics()
    assert item["incidents"] == counts["incidents"]


async def test_the_question_is_documented(service: Service) -> None:
    document = (await service.client.get("/openapi.json")).json()
    parameters = {p["name"] for p in document["paths"]["/v1/statistics"]["get"]["parameters"]}
    assert parameters == {"from", "to", "group_by", "commune_code", "kind", "cursor", "limit"}
