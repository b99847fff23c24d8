"""Promise 2: the same id, sent any number of times by any number of tries at once, is one signal with one answer."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.incidents.store import signals as signal_store
from tests.incidents.station import Station
from tests.incidents.store import ledgers

Pair = tuple[Station, Station]


def statuses(answers: list[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def same_bytes(answers: list[httpx.Response]) -> bool:
    return len({answer.content for answer in answers if answer.status_code in (200, 201)}) == 1


async def test_fifty_at_the_same_moment_in_one_process(station: Station) -> None:
    device, body = await station.device(), station.signal()
    answers = await asyncio.gather(*(station.send(device, body) for _ in range(50)))
    assert statuses(answers) == [200] * 49 + [201]
    assert same_bytes(answers)
    assert await station.value("SELECT count(*) FROM signal") == 1
    await ledgers.check(station)


async def test_fifty_at_the_same_moment_over_two_processes(pair: Pair) -> None:
    device = await pair[0].device()
    for _ in range(6):
        body = pair[0].signal()
        answers = await asyncio.gather(*(pair[n % 2].send(device, body) for n in range(50)))
        assert statuses(answers) == [200] * 49 + [201]
        assert same_bytes(answers)
    assert await pair[0].value("SELECT count(*) FROM signal") == 6
    await ledgers.check(pair[0])


async def test_a_changed_body_under_the_same_id_at_the_same_moment(pair: Pair) -> None:
    """Of two bodies one is stored, whichever; all tries of the other are refused and learn nothing."""
    device = await pair[0].device()
    for changed in ({"kind": "fire"}, {"note": "khác"}, {"zone": "2"}, {"event": "cancel"}, {"drill": True}):
        body = pair[0].signal("theft")
        bodies = [body if n < 25 else body | changed for n in range(50)]
        order = random.Random(changed.popitem()[0]).sample(range(50), 50)
        answers = await asyncio.gather(*(pair[n % 2].send(device, bodies[n]) for n in order))
        assert statuses(answers) == [200] * 24 + [201] + [409] * 25
        assert same_bytes(answers)
        refused = {answer.content for answer in answers if answer.status_code == 409}
        assert len(refused) == 1
        assert refused.pop().find(b"theft") == -1
    assert await pair[0].value("SELECT count(*) FROM signal") == 5
    await ledgers.check(pair[0])


@pytest.mark.parametrize("changed", [{"kind": "fire"}, {"drill": True}], ids=str)
async def test_another_process_is_first_between_our_look_and_our_insert(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object]
) -> None:
    """Another kind is another slot, so no lock keeps the two apart: the primary key does, and we look again."""
    device, insert, others = await pair[0].device(), signal_store.insert, []
    body = pair[0].signal("theft")

    async def insert_after_the_other(connection: Any, rows: Any) -> None:
        monkeypatch.setattr(signal_store, "insert", insert)
        others.append(await pair[1].send(device, body | changed))
        await insert(connection, rows)

    monkeypatch.setattr(signal_store, "insert", insert_after_the_other)
    assert (await pair[0].send(device, body)).status_code == 409
    assert statuses(others) == [201]
    await ledgers.check(pair[0])


async def test_the_same_id_of_another_device_at_the_same_moment(pair: Pair) -> None:
    first, second = await pair[0].device(), await pair[0].device()
    body = pair[0].signal()
    answers = await asyncio.gather(*(pair[n % 2].send((first, second)[n // 2 % 2], body) for n in range(40)))
    assert statuses(answers) == [200] * 19 + [201] + [409] * 20
    assert await pair[0].value("SELECT count(*) FROM signal") == 1


async def test_the_same_signal_is_recognised_however_it_is_written(station: Station) -> None:
    device = await station.device()
    body = station.signal(note="Cửa bị cạy: \u1ee9", zone="a") | {"occurred_at": "2026-11-24T08:00:00.5+07:00"}
    first = await station.send(device, body)
    other_ways = {
        "id": str(body["id"]).upper(), "note": "Cửa bị cạy: u\u031b\u0301", "sent_at": "2030-01-01T00:00:00Z",
        "occurred_at": "2026-11-24T01:00:00.500000Z", "event": "alarm", "drill": False, "other": 7,
    }  # fmt: skip
    for name, value in other_ways.items():
        again = await station.send(device, body | {name: value})
        assert (again.status_code, again.content) == (200, first.content), name
    for name, value in {"occurred_at": "2026-11-24T01:00:00.500001Z", "position": {"lat": 1, "lon": 1}}.items():
        assert (await station.send(device, body | {name: value})).status_code == 409, name


async def test_repeats_hours_later_say_what_was_said(station: Station) -> None:
    """Word for word, also after the incident went on and ended."""
    device, body = await station.device(), station.signal()
    first = await station.send(device, body)
    await station.post(f"/v1/incidents/{first.json()['incident_id']}/resolve")
    station.clock.advance(hours=5)
    again = await station.send(device, body)
    assert (again.status_code, again.content) == (200, first.content)
    used = await station.send(await station.device(), body)
    assert used.status_code == 409
    assert used.json()["type"] == "urn:vonggac:problem:signal-id-used"
    assert str(first.json()["incident_id"]) not in used.text


async def test_a_mix_of_new_repeated_and_changed_ids(pair: Pair) -> None:
    """Many retried ids in concurrent batches of two processes: each is stored once, nothing waits for ever."""
    devices = await pair[0].devices(4)
    bodies = [pair[0].signal("break_in", note=str(n)) for n in range(40)]
    tries = [(n, body) for n, body in enumerate(bodies) for _ in range(5)]
    random.Random(4).shuffle(tries)
    answers = await asyncio.gather(
        *(pair[place % 2].send(devices[n % 4], body) for place, (n, body) in enumerate(tries))
    )
    assert statuses(answers) == [200] * 160 + [201] * 40
    assert await pair[0].value("SELECT count(*) FROM signal") == 40
    assert (await pair[0].send(devices[1], bodies[0] | {"id": str(uuid4())})).status_code == 201
    await ledgers.check(pair[0])
