"""Two incidents processes on one database agree: the same id once, the same site and kind once."""

import asyncio
import uuid
from collections import Counter

from tests.world.world import World


async def test_fifty_first_signals_of_one_site_make_one_incident_and_one_alert_a_unit(processes: World) -> None:
    second = await _second(processes)
    site = processes.device()["site_id"]
    devices = [device for device in processes.devices if device["site_id"] == site]
    signals = await asyncio.gather(
        *(
            processes.post("fire", device=devices[n % len(devices)], zone=str(n), url=second if n % 2 else None)
            for n in range(50)
        )
    )
    assert {signal.status for signal in signals} == {201}
    assert len({signal.incident_id for signal in signals}) == 1
    await processes.settle()
    incident = await processes.get("incidents", f"/v1/incidents/{signals[0].incident_id}")
    assert len(incident["signals"]) == 50
    assert incident["status"] == "confirmed"
    alerts = await processes.desk.alerts(incident_id=incident["id"])
    commune = signals[0].device["commune_code"]
    assert Counter(alert["unit"]["code"] for alert in alerts) == {f"CAX-{commune}": 1, "PC07": 1, "TRUC-BAN": 1}


async def test_the_same_id_at_the_same_moment_is_one_signal_with_one_answer(processes: World) -> None:
    second = await _second(processes)
    device, signal_id = processes.device(), str(uuid.uuid4())
    now = processes.clock.now()
    tries = await asyncio.gather(
        *(
            processes.post("theft", device=device, signal_id=signal_id, at=now, url=second if n % 2 else None)
            for n in range(50)
        )
    )
    assert Counter(signal.status for signal in tries) == {201: 1, 200: 49}
    assert len({str(signal.body) for signal in tries}) == 1
    changed = await asyncio.gather(
        *(
            processes.post(
                "theft", device=device, signal_id=signal_id, at=now, note="khác", url=second if n % 2 else None
            )
            for n in range(10)
        )
    )
    assert Counter(signal.status for signal in changed) == {409: 10}
    assert all("incident" not in str(signal.body) for signal in changed)
    await processes.settle()
    assert (await processes.get("incidents", "/v1/status"))["counts"]["signals"] == 1


async def _second(world: World) -> str:
    """The address of a second incidents process on the same database."""
    if len(world.services["incidents"]) == 1:
        world.services["incidents"].append(world.another("incidents"))
        await world.start("incidents")
    return world.services["incidents"][1].url
