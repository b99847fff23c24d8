"""Who may do what: a device only sends, an officer sees their commune, a leader only reads, another area nothing."""

from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from foundation.chassis.identity import create_key, create_token, device_key, new_device_secret
from tests.incidents.station import COMMUNE, OTHER_COMMUNE, Device, Station

UNREACHED = str(uuid4())
READS = [
    "/v1/incidents", f"/v1/incidents/{UNREACHED}", "/v1/sites", f"/v1/sites/{UNREACHED}", "/v1/posts",
    f"/v1/posts/{UNREACHED}", "/v1/devices", f"/v1/devices/{UNREACHED}", "/v1/status",
    "/v1/events?topic=vonggac.incidents&area=44",
]  # fmt: skip
WORDS = {"name": "Trường", "kind": "school", "commune_code": COMMUNE}
ACTS = [
    ("POST", f"/v1/incidents/{UNREACHED}/confirm", None), ("POST", f"/v1/incidents/{UNREACHED}/resolve", {}),
    ("POST", f"/v1/incidents/{UNREACHED}/cancel", {}),
]  # fmt: skip
CHANGES = [
    ("POST", "/v1/sites", WORDS), ("PATCH", f"/v1/sites/{UNREACHED}", {"name": "x"}),
    ("POST", "/v1/posts", {"site_id": UNREACHED, "name": "x"}), ("PATCH", f"/v1/posts/{UNREACHED}", {"name": "x"}),
    ("POST", "/v1/devices", {"post_id": UNREACHED, "name": "x", "type": "panel"}),
    ("PATCH", f"/v1/devices/{UNREACHED}", {"name": "x"}), ("POST", f"/v1/devices/{UNREACHED}/revoke", None),
    ("POST", f"/v1/devices/{UNREACHED}/rotate", None),
]  # fmt: skip
DOORS: list[tuple[str, str, object]] = [("GET", path, None) for path in READS] + ACTS + CHANGES


async def status(station: Station, door: tuple[str, str, object], headers: dict[str, str]) -> int:
    method, path, body = door
    answer = await station.http.request(method, path, json=body, headers=headers)
    assert answer.status_code < 400 or answer.json()["type"].startswith("urn:vonggac:problem:")
    return answer.status_code


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door[0]} {door[1]}".replace(UNREACHED, "{id}"))
async def test_a_device_key_at_an_operators_door_is_403_and_nothing_is_401(
    desk: Station, door: tuple[str, str, object]
) -> None:
    device = await desk.device()
    assert await status(desk, door, device.headers) == 403
    for credential in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer x"}):
        assert await status(desk, door, credential) == 401


async def test_an_operators_token_at_a_devices_door_is_403(desk: Station) -> None:
    for role in ("province_desk", "unit_officer", "leader", "integrator"):
        assert await status(desk, ("POST", "/v1/signals", desk.signal()), desk.operator(role)) == 403


async def test_who_may_not_enter_learns_nothing_about_bodies(desk: Station) -> None:
    device = await desk.device()
    for method, path, _ in ACTS + CHANGES:
        door = (method, path.replace(UNREACHED, "nothing"), ["wrong"])
        assert await status(desk, door, {}) == 401
        assert await status(desk, door, device.headers) == 403


async def test_unknown_and_revoked_keys_are_401_and_reveal_nothing(desk: Station) -> None:
    device = await desk.device()
    stranger = device_key(uuid4(), new_device_secret())
    guessed = device_key(device.id, new_device_secret())
    await desk.post(f"/v1/devices/{device.id}/revoke")
    answers = []
    for key in (stranger, guessed, device.key, "vgd_1_2", device.key + "A", device.key[:-1]):
        for body in (desk.signal(), {"id": "not a signal"}):
            answers.append(await desk.http.post("/v1/signals", json=body, headers={"Authorization": f"Bearer {key}"}))
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].headers["www-authenticate"] == "Bearer"


async def test_expired_foreign_and_forged_tokens_are_401(desk: Station, tmp_path: Path) -> None:
    create_key(tmp_path, "vonggac")
    create_key(tmp_path, "stranger")
    good = desk.token()
    header, _, signature = good.split(".")
    other_body = desk.token("leader").split(".")[1]
    private = Ed25519PrivateKey.generate()
    claims = jwt.decode(good, options={"verify_signature": False})
    bad = {
        "expired": desk.token(seconds=-1),
        "signed with another key of that name": create_token(
            tmp_path, "vonggac", role="province_desk", area="44", seconds=60
        ),
        "of an issuer that nobody trusts": create_token(
            tmp_path, "stranger", role="province_desk", area="44", seconds=60
        ),
        "with another body": f"{header}.{other_body}.{signature}",
        "unsigned": jwt.encode(claims, None, algorithm="none", headers={"kid": "vonggac"}),
        "by a shared secret": jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": "vonggac"}),
        "whose issuer is not who signed": jwt.encode(
            claims | {"iss": "incidents"}, private, algorithm="EdDSA", headers={"kid": "vonggac"}
        ),
        "whose kid is a path": jwt.encode(claims, private, algorithm="EdDSA", headers={"kid": "../vonggac"}),
        "without a kid": jwt.encode(claims, private, algorithm="EdDSA"),
        "for another audience": jwt.encode(
            claims | {"aud": "others"}, private, algorithm="EdDSA", headers={"kid": "vonggac"}
        ),
        "cut short": good[:-4],
    }
    got = {name: await status(desk, ("GET", "/v1/incidents", None), {"Authorization": f"Bearer {token}"})
           for name, token in bad.items()}  # fmt: skip
    assert got == dict.fromkeys(bad, 401)
    assert await status(desk, ("GET", "/v1/incidents", None), {"Authorization": f"bearer {good}"}) == 200


async def test_a_leader_reads_and_does_nothing(desk: Station) -> None:
    leader = desk.operator("leader")
    incident = await desk.incident_of(await desk.device())
    assert await status(desk, ("GET", f"/v1/incidents/{incident}", None), leader) == 200
    for way in ("confirm", "resolve", "cancel"):
        assert await status(desk, ("POST", f"/v1/incidents/{incident}/{way}", {}), leader) == 403
    assert {await status(desk, door, leader) for door in ACTS + CHANGES} == {403}


async def test_a_program_that_listens_reads_the_events_and_nothing_else(desk: Station) -> None:
    for role in ("integrator", "service"):
        allowed = [door for door in DOORS if await status(desk, door, desk.operator(role)) != 403]
        assert allowed == [("GET", "/v1/events?topic=vonggac.incidents&area=44", None)]
    assert await status(desk, ("GET", "/v1/events?topic=vonggac.incidents&area=99", None), desk.operator()) == 403


async def test_a_role_that_there_is_not_may_nothing(desk: Station) -> None:
    assert {await status(desk, door, desk.operator("emperor")) for door in DOORS} == {403}


@pytest.fixture(scope="module")
async def two_communes(desk: Station) -> dict[str, tuple[Device, str]]:
    """A device and an incident in each of two communes."""
    made = {}
    for commune in (COMMUNE, OTHER_COMMUNE):
        device = await desk.device(site=await desk.site(commune=commune))
        made[commune] = (device, await desk.incident_of(device))
    return made


async def test_an_officer_sees_and_acts_in_their_commune_only(
    desk: Station, two_communes: dict[str, tuple[Device, str]]
) -> None:
    officer = desk.operator("unit_officer", unit=f"CAX-{COMMUNE}", commune=COMMUNE)
    for commune, (device, incident) in two_communes.items():
        own = commune == COMMUNE
        for path in (
            f"/v1/incidents/{incident}", f"/v1/sites/{device.site_id}", f"/v1/posts/{device.post_id}",
            f"/v1/devices/{device.id}",
        ):  # fmt: skip
            assert await status(desk, ("GET", path, None), officer) == (200 if own else 404)
        for way, expected in (("confirm", 200), ("resolve", 200)):
            act = ("POST", f"/v1/incidents/{incident}/{way}", {})
            assert await status(desk, act, officer) == (expected if own else 404)
    for path, commune_of in (("/v1/incidents", "commune_code"), ("/v1/sites", "commune_code")):
        items = (await desk.get(path, officer, limit=500)).json()["items"]
        assert items
        assert {item[commune_of] for item in items} == {COMMUNE}
    for path in ("/v1/posts", "/v1/devices"):
        ids = {item["id"] for item in (await desk.get(path, officer, limit=500)).json()["items"]}
        own, other = two_communes[COMMUNE][0], two_communes[OTHER_COMMUNE][0]
        assert {str(own.id), str(own.post_id)} & ids
        assert not {str(other.id), str(other.post_id)} & ids
    assert (await desk.get("/v1/incidents", officer, commune_code=OTHER_COMMUNE)).json()["items"] == []
    assert {await status(desk, door, officer) for door in CHANGES} == {403}


async def test_an_officer_without_a_commune_sees_nothing(
    desk: Station, two_communes: dict[str, tuple[Device, str]]
) -> None:
    officer = desk.operator("unit_officer", unit="PC07")
    for path in ("/v1/incidents", "/v1/sites", "/v1/posts", "/v1/devices"):
        assert (await desk.get(path, officer)).json()["items"] == []
    assert (await desk.get(f"/v1/incidents/{two_communes[COMMUNE][1]}", officer)).status_code == 404


async def test_another_area_sees_and_changes_nothing(
    desk: Station, two_communes: dict[str, tuple[Device, str]]
) -> None:
    elsewhere = desk.operator(area="99")
    device, incident = two_communes[COMMUNE]
    for path in ("/v1/incidents", "/v1/sites", "/v1/posts", "/v1/devices"):
        assert (await desk.get(path, elsewhere)).json()["items"] == []
    paths = {
        f"/v1/incidents/{incident}": None, f"/v1/sites/{device.site_id}": {"name": "của tôi"},
        f"/v1/posts/{device.post_id}": {"name": "của tôi"}, f"/v1/devices/{device.id}": {"name": "của tôi"},
    }  # fmt: skip
    for path, change in paths.items():
        assert await status(desk, ("GET", path, None), elsewhere) == 404
        if change:
            assert await status(desk, ("PATCH", path, change), elsewhere) == 404
    for door in (f"/v1/incidents/{incident}/confirm", f"/v1/devices/{device.id}/revoke",
                 f"/v1/devices/{device.id}/rotate"):  # fmt: skip
        assert await status(desk, ("POST", door, None), elsewhere) == 404
    assert await status(desk, ("POST", "/v1/posts", {"site_id": str(device.site_id), "name": "x"}), elsewhere) == 422
    body = {"post_id": str(device.post_id), "name": "x", "type": "panel"}
    assert await status(desk, ("POST", "/v1/devices", body), elsewhere) == 422


async def test_an_area_that_this_service_does_not_serve_gets_no_sites(desk: Station) -> None:
    assert await status(desk, ("POST", "/v1/sites", WORDS), desk.operator(area="99")) == 403
    assert await desk.value("SELECT count(*) FROM site WHERE area = '99'") == 0


async def test_a_device_reads_its_own_signals_only(desk: Station) -> None:
    mine, other = await desk.devices(2)
    body = desk.signal("duress")
    await desk.send(mine, body)
    path = f"/v1/signals/{body['id']}"
    assert (await desk.get(path, mine.headers)).status_code == 200
    assert (await desk.get(path, other.headers)).status_code == 404
    assert (await desk.get(path, desk.operator())).status_code == 200
    assert (await desk.get(path, desk.operator("unit_officer", commune=OTHER_COMMUNE))).status_code == 404
    assert (await desk.get(path, desk.operator(area="99"))).status_code == 404
    assert (await desk.http.get(path)).status_code == 401
