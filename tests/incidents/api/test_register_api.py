"""The register: sites, posts and devices are added, changed and listed; a revoked key is dead at once."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from foundation.contracts.sites import SiteState
from tests.incidents.station import COMMUNE, Device, Station

SITE = {"name": "Chợ Đông Hà", "kind": "enterprise", "commune_code": COMMUNE, "address": "Lê Duẩn",
        "former_district": "Đông Hà", "position": {"lat": 16.82, "lon": 107.1}}  # fmt: skip


async def added(station: Station, path: str, body: object) -> dict[str, Any]:
    answer = await station.post(path, body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert (await station.get(f"{path}/{made['id']}")).json() == {k: v for k, v in made.items() if k != "key"}
    return made


async def changed(station: Station, path: str, body: object) -> Any:
    return await station.http.patch(path, json=body, headers=station.operator())


async def said_of(station: Station, site_id: str) -> list[SiteState]:
    """What the ledger says of a site."""
    rows = await station.rows("SELECT payload FROM ledger WHERE key = $1 ORDER BY sequence", site_id)
    return [SiteState.model_validate_json(row["payload"]) for row in rows]


async def test_a_site_is_added_and_said_on_the_ledger(desk: Station) -> None:
    site = await added(desk, "/v1/sites", SITE)
    assert SITE.items() <= site.items()
    assert (site["active"], site["version"], site["area"]) == (True, 1, "44")
    said = await said_of(desk, site["id"])
    assert [(s.version, s.name, s.active, s.former_district) for s in said] == [(1, "Chợ Đông Hà", True, "Đông Hà")]


async def test_each_change_of_a_site_is_one_version_with_its_whole_state(desk: Station) -> None:
    site = await added(desk, "/v1/sites", SITE)
    path = f"/v1/sites/{site['id']}"
    for change in ({"name": "Chợ trung tâm"}, {"position": None}, {"active": False, "address": None}, {}):
        answer = await changed(desk, path, change)
        assert answer.status_code == 200
        site = site | change
        assert {k: v for k, v in answer.json().items() if k not in ("version", "changed_at")} == {
            k: v for k, v in site.items() if k not in ("version", "changed_at")
        }
    said = await said_of(desk, site["id"])
    assert [state.version for state in said] == [1, 2, 3, 4, 5]
    assert (said[-1].name, said[-1].position, said[-1].active) == ("Chợ trung tâm", None, False)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"), ({"kind": None}, "kind"), ({"active": None}, "active"), ({"name": ""}, "name"),
        ({"commune_code": None}, "commune_code"), ({"kind": "palace"}, "kind"),
        ({"commune_code": "19a"}, "commune_code"), ({"name": "x" * 201}, "name"), ({"address": "x" * 501}, "address"),
        ({"position": {"lat": 91, "lon": 0}}, "position.lat"),
    ],
)  # fmt: skip
async def test_a_wrong_change_is_422_and_changes_nothing(desk: Station, change: dict[str, Any], field: str) -> None:
    site = await added(desk, "/v1/sites", SITE)
    answer = await changed(desk, f"/v1/sites/{site['id']}", change)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert len(await said_of(desk, site["id"])) == 1


async def test_a_post_and_its_devices(desk: Station) -> None:
    site = await added(desk, "/v1/sites", SITE)
    post = await added(desk, "/v1/posts", {"site_id": site["id"], "name": "Cổng sau"})
    other = await added(desk, "/v1/posts", {"site_id": site["id"], "name": "Cổng trước"})
    device = await added(desk, "/v1/devices", {"post_id": post["id"], "name": "Tủ báo cháy", "type": "panel"})
    assert device["key"].startswith(f"vgd_{device['id'].replace('-', '')}_")
    assert [item["id"] for item in (await desk.get("/v1/posts", site_id=site["id"], limit=1)).json()["items"]]
    renamed = await changed(desk, f"/v1/posts/{post['id']}", {"name": "Cổng phụ"})
    assert renamed.json()["name"] == "Cổng phụ"
    moved = await changed(desk, f"/v1/devices/{device['id']}", {"post_id": other["id"]})
    assert (moved.json()["post_id"], moved.json()["name"]) == (other["id"], "Tủ báo cháy")
    listed = (await desk.get("/v1/devices", post_id=other["id"])).json()["items"]
    assert [item["id"] for item in listed] == [device["id"]]
    assert (await desk.get("/v1/devices", post_id=post["id"])).json()["items"] == []


async def test_no_answer_shows_a_secret_but_the_one_that_makes_it(desk: Station) -> None:
    post = await added(desk, "/v1/posts", {"site_id": str(await desk.site()), "name": "Cổng"})
    device = await added(desk, "/v1/devices", {"post_id": post["id"], "name": "Nút bấm", "type": "phone"})
    for answer in (
        await desk.get(f"/v1/devices/{device['id']}"), await desk.get("/v1/devices", post_id=post["id"]),
        await desk.post(f"/v1/devices/{device['id']}/revoke"),
    ):  # fmt: skip
        assert device["key"].rpartition("_")[2] not in answer.text
        assert "secret" not in answer.text
        assert "vgd_" not in answer.text


async def test_what_points_at_nothing_is_422(desk: Station) -> None:
    nothing = str(uuid4())
    device = await desk.device()
    for answer, field in (
        (await desk.post("/v1/posts", {"site_id": nothing, "name": "x"}), "site_id"),
        (await desk.post("/v1/devices", {"post_id": nothing, "name": "x", "type": "panel"}), "post_id"),
        (await changed(desk, f"/v1/devices/{device.id}", {"post_id": nothing}), "post_id"),
    ):
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_what_is_not_there_is_404(desk: Station) -> None:
    nothing = uuid4()
    for path in (f"/v1/sites/{nothing}", f"/v1/posts/{nothing}", f"/v1/devices/{nothing}"):
        assert (await changed(desk, path, {"name": "x"})).status_code == 404
    for way in ("revoke", "rotate"):
        assert (await desk.post(f"/v1/devices/{nothing}/{way}")).status_code == 404


async def test_a_revoked_key_is_dead_at_once_and_its_repeats_too(desk: Station) -> None:
    device, body = await desk.device(), desk.signal()
    assert (await desk.send(device, body)).status_code == 201
    first = (await desk.post(f"/v1/devices/{device.id}/revoke")).json()["revoked_at"]
    assert first
    assert (await desk.send(device, body)).status_code == 401
    assert (await desk.send(device)).status_code == 401
    assert (await desk.get(f"/v1/signals/{body['id']}", device.headers)).status_code == 401
    assert (await desk.post(f"/v1/devices/{device.id}/rotate")).status_code == 404
    assert (await desk.post(f"/v1/devices/{device.id}/revoke")).json()["revoked_at"] == first


async def test_no_signal_slips_in_after_the_answer_to_a_revocation(desk: Station) -> None:
    devices = await desk.devices(20)

    async def revoked_then_sent(device: Device) -> int:
        assert (await desk.post(f"/v1/devices/{device.id}/revoke")).status_code == 200
        return (await desk.send(device)).status_code

    noise = asyncio.gather(*(desk.send(device) for device in devices))
    assert set(await asyncio.gather(*map(revoked_then_sent, devices))) == {401}
    assert {answer.status_code for answer in await noise} <= {201, 401}


async def test_two_keys_are_valid_at_a_rotation_and_never_three(desk: Station) -> None:
    device = await desk.device()
    keys = [device.key]
    for _ in range(2):
        answer = await desk.post(f"/v1/devices/{device.id}/rotate")
        assert answer.status_code == 200
        keys.append(answer.json()["key"])
    sent = [
        (
            await desk.http.post("/v1/signals", json=desk.signal(), headers={"Authorization": f"Bearer {key}"})
        ).status_code
        for key in keys
    ]
    assert sent == [401, 201, 201]
    await desk.post(f"/v1/devices/{device.id}/revoke")
    for key in keys:
        headers = {"Authorization": f"Bearer {key}"}
        assert (await desk.http.post("/v1/signals", json=desk.signal(), headers=headers)).status_code == 401


async def test_a_device_moved_to_another_site_reports_from_there(desk: Station) -> None:
    device, elsewhere = await desk.device(), await desk.device()
    first = await desk.incident_of(device)
    assert (await changed(desk, f"/v1/devices/{device.id}", {"post_id": str(elsewhere.post_id)})).status_code == 200
    second = await desk.incident_of(device)
    sites = [(await desk.get(f"/v1/incidents/{key}")).json()["site_id"] for key in (first, second)]
    assert sites == [str(device.site_id), str(elsewhere.site_id)]


async def test_the_lists_are_paged_without_doubles_and_filtered(station: Station) -> None:
    communes = [COMMUNE] * 5 + ["18859"] * 2
    sites = [(await added(station, "/v1/sites", SITE | {"commune_code": commune}))["id"] for commune in communes]

    async def all_ids(path: str, **query: object) -> list[str]:
        ids: list[str] = []
        cursor: str | None = None
        while True:
            page = (await station.get(path, limit=2, **query, **({"cursor": cursor} if cursor else {}))).json()
            ids += [item["id"] for item in page["items"]]
            if (cursor := page["next"]) is None:
                return ids

    assert sorted(await all_ids("/v1/sites")) == sorted(sites)
    assert sorted(await all_ids("/v1/sites", commune_code="18859")) == sorted(sites[5:])
    assert await all_ids("/v1/sites", commune_code="1") == []
    assert len((await station.get("/v1/sites", limit=7)).json()["items"]) == 7
    assert (await station.get("/v1/sites", limit=7)).json()["next"] is None


async def test_the_events_of_sites_can_be_read_from_the_feed(station: Station) -> None:
    made = [(await added(station, "/v1/sites", SITE))["id"] for _ in range(3)]
    page = (await station.get("/v1/events", topic="vonggac.sites", area="44", after=1, limit=1)).json()
    assert [event["sequence"] for event in page["events"]] == [2]
    assert page["up_to"] == 2
    page = (await station.get("/v1/events", topic="vonggac.sites", area="44")).json()
    assert [event["key"] for event in page["events"]] == made
    assert [event["data"]["id"] for event in page["events"]] == made
    assert page["up_to"] == 3
    assert (await station.get("/v1/events", topic="vonggac.sites", area="44", after=9)).json() == {
        "events": [], "up_to": 3,
    }  # fmt: skip
    status = (await station.get("/v1/status")).json()
    assert {"topic": "vonggac.sites", "area": "44", "epoch": 1, "head": 3, "relayed": 0} in status["streams"]
    assert status["counts"] == {"signals": 0, "incidents": 0, "sites": 3, "devices": 0, "open_incidents": 0}
