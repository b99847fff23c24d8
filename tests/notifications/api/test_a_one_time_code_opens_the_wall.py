"""A code opens the wall once, for a short while, with the rights of whoever made it; the wall is of our own origin."""

import asyncio

import pytest

from tests.notifications.api.door import CAX, Door, problem
from tests.notifications.desk import Desk

REDEEM = "/v1/login-codes/redeem"


async def test_a_code_is_good_once_and_gives_the_rights_of_its_maker(desk: Desk, door: Door):
    minted = (await door.officer.post("/v1/login-codes", json={})).json()
    assert minted["expires_at"].startswith("2026-11-24T05:15")
    stranger = await door.with_token(None)
    answers = await asyncio.gather(*(stranger.post(REDEEM, json={"code": minted["code"]}) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]
    token = next(answer.json()["token"] for answer in answers if answer.status_code == 200)
    session = (await (await door.with_token(token)).get("/v1/session")).json()
    assert session == {"name": "Trần Cảnh Sát", "role": "unit_officer", "area": "44", "unit": CAX}
    assert minted["code"] not in str(await desk.database.pool.fetch("SELECT * FROM login_code"))


async def test_a_wrong_or_expired_code_opens_nothing(desk: Desk, door: Door):
    code = (await door.desk.post("/v1/login-codes")).json()["code"]
    stranger = await door.with_token(None)
    problem(await stranger.post(REDEEM, json={"code": code[:-1]}), 401)
    problem(await stranger.post(REDEEM, json={}), 422)
    problem(await stranger.post(REDEEM, json={"code": "a" * 201}), 422)
    desk.clock.advance(minutes=15, seconds=1)
    problem(await stranger.post(REDEEM, json={"code": code}), 401)
    await door.desk.post("/v1/login-codes")  # sweeps what has expired
    assert await desk.database.pool.fetchval("SELECT count(*) FROM login_code") == 1


async def test_who_may_only_read_cannot_hand_out_codes(door: Door):
    problem(await door.leader.post("/v1/login-codes"), 403)
    problem(await (await door.with_token(None)).post("/v1/login-codes"), 401)
    assert (await door.leader.get("/v1/session")).json()["role"] == "leader"


@pytest.mark.parametrize(("path", "media_type"), [("/", "html"), ("/wall.js", "javascript"), ("/wall.css", "css")])
async def test_the_wall_needs_nothing_from_elsewhere(door: Door, path: str, media_type: str):
    answer = await (await door.with_token(None)).get(path)
    assert answer.status_code == 200
    assert media_type in answer.headers["content-type"]
    assert answer.headers["content-security-policy"].startswith("default-src 'self';")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "://" not in answer.text.replace("http://www.w3.org/", "")
