"""All who write, at the same moment and on the same few sites: nobody waits for one who waits for them."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import asyncpg

from foundation.contracts.alerts import AlertState, UnitRef
from foundation.contracts.events import Event
from foundation.contracts.fields import SiteRef, rfc3339
from foundation.streams.consumer import Batch
from services.incidents.consumers.alerts import on_alerts
from services.incidents.held import raise_due
from services.incidents.store import incidents as store
from tests.incidents.station import COMMUNE, Device, Station
from tests.incidents.store import ledgers

Pair = tuple[Station, Station]
KINDS = ("fire", "tamper", "power_loss")
ROUNDS = 25


async def deadlocks(station: Station) -> int:
    """How many the server had to break in this database."""
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    await station.rows("SELECT pg_stat_force_next_flush()")
    found: int = await station.value(query)
    return found


async def signals_come(station: Station, devices: list[Device], chance: random.Random) -> None:
    for _ in range(ROUNDS):
        sent = [
            station.send(
                chance.choice(devices), kind=chance.choice(KINDS), event=chance.choice(["alarm", "alarm", "restoral"]),
                ago_s=chance.choice([0, 0, 400]),
            )
            for _ in range(8)
        ]  # fmt: skip
        assert {answer.status_code for answer in await asyncio.gather(*sent)} == {201}


async def operators_act(station: Station, chance: random.Random) -> None:
    for _ in range(ROUNDS):
        items = (await station.get("/v1/incidents", status="open", limit=20)).json()["items"]
        acts = [
            station.post(f"/v1/incidents/{item['id']}/{chance.choice(['confirm', 'resolve', 'cancel'])}")
            for item in chance.sample(items, min(3, len(items)))
        ]
        assert {answer.status_code for answer in await asyncio.gather(*acts)} <= {200, 409}
        await asyncio.sleep(0)


async def sites_change(station: Station, devices: list[Device], chance: random.Random) -> None:
    for number in range(ROUNDS):
        path = f"/v1/sites/{chance.choice(devices).site_id}"
        answer = await station.http.patch(path, json={"name": f"Trường {number}"}, headers=station.operator())
        assert answer.status_code == 200


async def alerts_are_heard(station: Station, incident_ids: list[str], chance: random.Random) -> None:
    """As the consumer does it: the number first, then the effects."""
    for number in range(ROUNDS):
        now = station.clock.now()
        alert = AlertState(
            id=str(uuid4()), version=1, area="44", cause="raised", incident_id=chance.choice(incident_ids),
            incident_version=1, incident_status="open", status="raised", reason="kind:fire", kind="fire", severity=1,
            unit=UnitRef(code=f"CAX-{COMMUNE}", name="Công an xã", kind="commune_police"), rang_at=now, raised_at=now,
            site=SiteRef(id=str(uuid4()), name="x", kind="school", commune_code=COMMUNE), effective_at=now,
            received_at=now, changed_at=now,
        )  # fmt: skip
        event = Event("vonggac.alerts", "44", 1, number + 1, alert.id, "vn.vonggac.alert.changed.v1", 1, rfc3339(now),
                      alert.model_dump_json().encode())  # fmt: skip
        heard = station.parts.consumers[0]
        async with station.database.transaction() as connection:
            await connection.execute("SELECT 1 FROM consumed WHERE topic = $1 FOR UPDATE", heard.topic)
            await on_alerts(connection, Batch("44", [event], behind=False))


async def held_ones_fall_due(station: Station) -> None:
    for _ in range(ROUNDS):
        station.clock.advance(seconds=30)
        await raise_due(station.database, station.clock)
        await asyncio.sleep(0)


async def test_all_writers_at_once(pair: Pair, seed: int) -> None:
    chance, (one, other) = random.Random(seed), pair
    devices = [device for _ in range(3) for device in await one.devices(3)]
    known = [await one.incident_of(device, kind="fire") for device in devices[::3]]
    before = await deadlocks(one)
    async with asyncio.timeout(60):
        await asyncio.gather(
            signals_come(one, devices, chance), signals_come(other, devices, chance), operators_act(one, chance),
            operators_act(other, chance), sites_change(one, devices, chance), alerts_are_heard(other, known, chance),
            held_ones_fall_due(one), held_ones_fall_due(other),
        )  # fmt: skip
    assert await deadlocks(one) == before
    await ledgers.check(one)


class Slow:
    """A connection on which something happens between the first statement and the second."""

    def __init__(self, connection: asyncpg.Connection, between: Any) -> None:
        self._connection, self._between = connection, between

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any) -> Any:
            done = await getattr(self._connection, name)(*args)
            between, self._between = self._between, None
            if between is not None:
                await between()
            return done

        return call


async def test_slots_that_are_being_made_cannot_lead_to_a_deadlock(station: Station) -> None:
    """One wants an old slot and a new one; meanwhile another made the new one, has it, and wants the old one too."""
    new, old = sorted([await station.site(), await station.site()])
    both = [(new, "fire", False), (old, "fire", False)]
    async with station.database.transaction() as connection:
        await store.lock_slots(connection, both[1:])
    others: list[asyncio.Task[None]] = []

    async def locks(keys: list[store.SlotKey]) -> None:
        async with station.database.transaction() as connection:
            await store.lock_slots(connection, keys)

    async def others_come() -> None:
        """They get as far as they can while we stand between our two statements."""
        for keys in (both[:1], both):
            others.append(asyncio.create_task(locks(keys)))
            await asyncio.wait(others[-1:], timeout=0.2)

    async with asyncio.timeout(10):
        async with station.database.transaction() as connection:
            await store.lock_slots(Slow(connection, others_come), both)  # type: ignore[arg-type]
        await asyncio.gather(*others)


async def test_the_held_loop_of_two_processes_raises_each_alarm_once(pair: Pair) -> None:
    devices = [await pair[0].device() for _ in range(30)]
    for device in devices:
        await pair[0].send(device, kind="power_loss")
    pair[0].clock.advance(minutes=6)
    await asyncio.gather(*(raise_due(one.database, one.clock) for one in pair for _ in range(3)))
    assert await pair[0].value("SELECT count(*) FROM incident") == 30
    assert await pair[0].value("SELECT count(*) FROM held_signal") == 0
    await ledgers.check(pair[0])
