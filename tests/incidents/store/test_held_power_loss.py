"""Power failed and back within five minutes is one line of history; what lasts becomes an incident, once."""

import asyncio
from uuid import UUID

from services.incidents.held import raise_due
from tests.incidents.station import Device, Station
from tests.incidents.store import ledgers


async def fails(station: Station, device: Device | None = None) -> tuple[Device, str]:
    """The power of a device fails; the id of its signal."""
    device = device or await station.device()
    body = station.signal("power_loss")
    assert (await station.send(device, body)).json()["incident_id"] is None
    return device, str(body["id"])


async def comes_back(station: Station, device: Device) -> None:
    assert (await station.send(device, kind="power_loss", event="restoral")).status_code == 201


async def due(station: Station, *, seconds: float) -> int:
    """The clock moves on, and the loop passes by."""
    station.clock.advance(seconds=seconds)
    return await raise_due(station.database, station.clock)


async def test_back_within_five_minutes_is_no_incident(station: Station) -> None:
    device, signal_id = await fails(station)
    assert await due(station, seconds=290) == 0
    await comes_back(station, device)
    assert await due(station, seconds=3600) == 0
    assert await station.value("SELECT count(*) FROM incident") == 0
    assert await station.value("SELECT head FROM stream WHERE topic = 'vonggac.incidents'") == 0
    decided = await station.rows("SELECT decided FROM signal ORDER BY received_at")
    assert [row["decided"] for row in decided] == ["held", "released"]
    assert (await station.get(f"/v1/signals/{signal_id}")).json()["incident_id"] is None


async def test_what_lasts_is_an_incident_with_its_signal(station: Station) -> None:
    device, signal_id = await fails(station)
    assert await due(station, seconds=299) == 0
    assert await due(station, seconds=2) == 1
    assert await due(station, seconds=0) == 0
    incident_id = (await station.get(f"/v1/signals/{signal_id}")).json()["incident_id"]
    incident = (await station.get(f"/v1/incidents/{incident_id}")).json()
    assert (incident["kind"], incident["version"], incident["status"]) == ("power_loss", 1, "open")
    assert [signal["id"] for signal in incident["signals"]] == [signal_id]
    await comes_back(station, device)
    assert (await station.get(f"/v1/incidents/{incident_id}")).json()["status"] == "resolved"
    await ledgers.check(station)


async def test_the_first_answer_is_repeated_word_for_word_although_it_became_an_incident(station: Station) -> None:
    device, body = await station.device(), station.signal("power_loss")
    first = await station.send(device, body)
    assert await due(station, seconds=301) == 1
    again = await station.send(device, body)
    assert (again.status_code, again.content) == (200, first.content)


async def test_it_survives_a_restart(station: Station) -> None:
    await fails(station)
    await station.close()
    await station.open()
    assert await due(station, seconds=301) == 1


async def test_a_second_detector_that_is_due_joins_confirms_and_is_told_once(station: Station) -> None:
    devices = await station.devices(2)
    for device in devices:
        await fails(station, device)
    assert await due(station, seconds=301) == 1
    row = (await station.rows("SELECT version, rings, signals, status FROM incident"))[0]
    assert tuple(row) == (1, 2, 2, "confirmed")
    await ledgers.check(station)


async def test_one_that_is_due_later_joins_the_incident_that_is_live(station: Station) -> None:
    first, second = await station.devices(2)
    await fails(station, first)
    station.clock.advance(seconds=120)
    await fails(station, second)
    assert await due(station, seconds=181) == 1
    assert await station.value("SELECT count(*) FROM held_signal") == 1, "its own five minutes are not over"
    assert await due(station, seconds=120) == 1
    rows = await station.rows("SELECT version, rings, status FROM incident")
    assert [tuple(row) for row in rows] == [(2, 2, "confirmed")]
    await ledgers.check(station)


async def test_a_late_failure_whose_five_minutes_are_over_is_an_incident_at_once(station: Station) -> None:
    device = await station.device()
    answer = await station.send(device, kind="power_loss", ago_s=400)
    assert UUID(answer.json()["incident_id"])
    assert await station.value("SELECT count(*) FROM held_signal") == 0


async def test_a_drill_of_it_is_held_apart(station: Station) -> None:
    device = await station.device()
    await fails(station, device)
    await station.send(device, kind="power_loss", drill=True)
    await station.send(device, kind="power_loss", event="restoral", drill=True)
    assert await due(station, seconds=301) == 1
    assert [row["drill"] for row in await station.rows("SELECT drill FROM incident")] == [False]


async def test_the_loop_of_the_service_itself_raises_it(station: Station) -> None:
    await fails(station)
    station.clock.advance(seconds=301)
    async with asyncio.timeout(10):
        while await station.value("SELECT count(*) FROM incident") == 0:
            await asyncio.sleep(0.05)
