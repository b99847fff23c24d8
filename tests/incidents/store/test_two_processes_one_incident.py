"""Promise 3, its first half: whichever process a signal comes to, signals of one site and kind make one incident."""

import asyncio

from tests.incidents.station import Station
from tests.incidents.store import ledgers

Pair = tuple[Station, Station]


async def test_fifty_first_signals_of_one_site_and_kind(pair: Pair) -> None:
    for kind in ("fire", "tamper", "duress"):
        devices = await pair[0].devices(50)
        answers = await asyncio.gather(*(pair[n % 2].send(d, kind=kind) for n, d in enumerate(devices)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["incident_id"] for answer in answers}) == 1
        row = (await pair[0].rows("SELECT * FROM incident WHERE kind = $1", kind))[0]
        assert (row["rings"], row["signals"], row["status"]) == (50, 50, "confirmed")
        assert len(await pair[0].rows("SELECT 1 FROM correlation_slot WHERE kind = $1", kind)) == 1
    assert await pair[0].value("SELECT count(*) FROM incident") == 3
    await ledgers.check(pair[0])


async def test_sites_kinds_and_drills_do_not_mix(pair: Pair) -> None:
    sites = [await pair[0].devices(3) for _ in range(4)]
    sent = [
        (device, kind, drill)
        for devices in sites for device in devices for kind in ("fire", "gas") for drill in (False, True)
    ]  # fmt: skip
    answers = await asyncio.gather(
        *(pair[n % 2].send(device, kind=kind, drill=drill) for n, (device, kind, drill) in enumerate(sent))
    )
    assert {answer.status_code for answer in answers} == {201}
    rows = await pair[0].rows("SELECT site_id, kind, drill, rings FROM incident")
    assert len({(row["site_id"], row["kind"], row["drill"]) for row in rows}) == len(rows) == 4 * 2 * 2
    assert {row["rings"] for row in rows} == {3}
    await ledgers.check(pair[0])


async def test_an_operator_and_a_second_detector_at_the_same_moment(pair: Pair) -> None:
    """Whoever is first: the alarm rings in the incident that is live, or in a new one that follows it."""
    for _ in range(8):
        first, second = await pair[0].devices(2)
        incident_id = await pair[0].incident_of(first)
        ended, sent = await asyncio.gather(pair[0].post(f"/v1/incidents/{incident_id}/resolve"), pair[1].send(second))
        assert (ended.status_code, sent.status_code) == (200, 201)
        after = (await pair[0].get(f"/v1/incidents/{sent.json()['incident_id']}")).json()
        assert after["id"] == incident_id or after["follows"] == incident_id
        assert (after["id"] == incident_id) == (after["rings"] == 2)
    await ledgers.check(pair[0])
