"""Signals that wait together share one transaction; one that cannot be stored never hurts its neighbours."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import REGISTRY
from starlette.requests import Request

from foundation.chassis.identity import DeviceKey, presented_device_key
from foundation.chassis.problems import Problem
from services.incidents.api.signals import parse_signal
from services.incidents.intake import Answer, Intake, Waiting
from tests.incidents.station import Device, Station


class Held(Intake):
    """An intake whose batches a test puts together itself, and which counts its transactions."""

    transactions = 0

    async def _stored(self, batch: Sequence[Waiting]) -> list[Answer | Exception]:
        self.transactions += 1
        return await super()._stored(batch)


def key_of(device: Device) -> DeviceKey:
    headers = [(b"authorization", f"Bearer {device.key}".encode())]
    return presented_device_key(Request({"type": "http", "headers": headers}))


async def one_batch(
    station: Station, sent: Sequence[tuple[Device, dict[str, object]]]
) -> tuple[list[Answer | BaseException], int]:
    """Puts signals into one batch; their answers, and how many transactions it took."""
    intake = Held(station.database, station.settings, station.clock)
    waiting = [asyncio.ensure_future(intake.submit(key_of(d), parse_signal(body), "")) for d, body in sent]
    await asyncio.sleep(0)
    running = asyncio.ensure_future(intake.run())
    try:
        async with asyncio.timeout(20):
            return await asyncio.gather(*waiting, return_exceptions=True), intake.transactions
    finally:
        running.cancel()


async def test_what_waits_together_is_stored_in_one_transaction(station: Station) -> None:
    devices = await station.devices(30)
    answers, transactions = await one_batch(station, [(d, station.signal("fire")) for d in devices])
    assert transactions == 1
    assert [type(answer) for answer in answers] == [Answer] * 30
    assert await station.value("SELECT count(*) FROM signal") == 30
    assert [tuple(row) for row in await station.rows("SELECT rings, signals FROM incident")] == [(30, 30)]


@pytest.mark.parametrize("place", [0, 7, 15])
async def test_one_that_the_database_refuses_does_not_hurt_its_neighbours(station: Station, place: int) -> None:
    """A CHECK is planted, as a payload of more than 64 KiB or a rule of a later release would break one."""
    await station.rows("ALTER TABLE signal ADD CONSTRAINT planted CHECK (note IS DISTINCT FROM 'không lưu được')")
    devices = [await station.device() for _ in range(16)]
    sent = [(device, station.signal("fire")) for device in devices]
    sent[place][1]["note"] = "không lưu được"
    answers, transactions = await one_batch(station, sent)
    refused = [number for number, answer in enumerate(answers) if isinstance(answer, BaseException)]
    assert refused == [place]
    assert isinstance(answers[place], asyncpg.CheckViolationError)
    assert transactions == 9, "halved four times: 16, 8+8, 4+4, 2+2, 1+1"
    assert await station.value("SELECT count(*) FROM signal") == 15
    assert await station.value("SELECT count(*) FROM incident") == 15
    assert await station.value("SELECT head FROM stream WHERE topic = 'vonggac.incidents'") == 15


@pytest.mark.parametrize("again", [True, False], ids=["and fails again", "and stays"])
async def test_a_power_loss_and_its_end_in_one_batch(station: Station, again: bool) -> None:
    device = await station.device()
    sent = [
        (device, station.signal("power_loss", ago_s=60)),
        (device, station.signal("power_loss", ago_s=30, event="restoral")),
        *([(device, station.signal("power_loss", ago_s=10))] if again else []),
    ]
    answers, transactions = await one_batch(station, sent)
    assert transactions == 1
    assert [answer.stored.incident_id for answer in answers if isinstance(answer, Answer)] == [None] * len(sent)
    held = await station.rows("SELECT signal_id FROM held_signal")
    assert [row["signal_id"] for row in held] == ([UUID(str(sent[2][1]["id"]))] if again else [])


async def test_signals_of_one_instant_keep_the_order_in_which_they_came(station: Station) -> None:
    """A clock that tells seconds only: the alarm and its cancel bear the same time."""
    for _ in range(5):
        device = await station.device()
        alarm = station.signal("break_in")
        cancel = {**station.signal("break_in", event="cancel"), "occurred_at": alarm["occurred_at"]}
        alarm["sent_at"] = cancel["sent_at"] = None
        answers, _ = await one_batch(station, [(device, alarm), (device, cancel)])
        assert [a.stored.answer_status for a in answers if isinstance(a, Answer)] == ["open", "cancelled"]


async def test_versions_have_no_gap_however_many_signals_share_a_transaction(station: Station) -> None:
    devices = await station.devices(5)
    first, second = devices[:3], devices[2:]
    await one_batch(station, [(device, station.signal("fire")) for device in first])
    await one_batch(station, [(device, station.signal("fire")) for device in second])
    said = await station.rows("SELECT version, payload FROM ledger WHERE topic = 'vonggac.incidents' ORDER BY sequence")
    assert [row["version"] for row in said] == [1, 2]
    assert '"cause":"raised"' in said[0]["payload"]
    assert '"cause":"confirmed"' in said[1]["payload"]
    assert await station.value("SELECT version FROM incident") == 2


async def test_a_requester_who_hangs_up_is_stored_all_the_same(station: Station) -> None:
    device, intake = await station.device(), Intake(station.database, station.settings, station.clock)
    gone = asyncio.ensure_future(intake.submit(key_of(device), parse_signal(station.signal("fire")), ""))
    stays = asyncio.ensure_future(intake.submit(key_of(device), parse_signal(station.signal("fire")), ""))
    await asyncio.sleep(0)
    gone.cancel()
    running = asyncio.ensure_future(intake.run())
    async with asyncio.timeout(20):
        assert (await stays).first
    assert await station.value("SELECT count(*) FROM signal") == 2
    assert not running.done()
    running.cancel()


async def test_beyond_the_bound_a_post_is_told_to_send_again(station: Station) -> None:
    device = await station.device()
    settings = station.settings.model_copy(update={"waiting_signals": 2})
    intake = Intake(station.database, settings, station.clock)
    waiting = [
        asyncio.ensure_future(intake.submit(key_of(device), parse_signal(station.signal("fire")), "")) for _ in range(3)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as refused:
        await waiting[2]
    assert (refused.value.code, refused.value.status) == ("busy", 503)
    for task in waiting[:2]:
        task.cancel()


async def test_a_refused_key_is_counted_once(station: Station) -> None:
    def refused(reason: str) -> float:
        return REGISTRY.get_sample_value("vonggac_signals_refused_total", {"reason": reason}) or 0

    device, stranger = await station.device(), await station.device()
    await station.rows("UPDATE device SET revoked_at = now() WHERE id = $1", device.id)
    await station.rows("DELETE FROM device WHERE id = $1", stranger.id)
    before = refused("revoked"), refused("unknown key")
    answers, _ = await one_batch(station, [(device, station.signal("fire")), (stranger, station.signal("fire"))])
    assert [answer.code for answer in answers if isinstance(answer, Problem)] == ["unauthorized"] * 2
    assert (refused("revoked"), refused("unknown key")) == (before[0] + 1, before[1] + 1)
