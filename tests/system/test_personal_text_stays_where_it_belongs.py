"""What a guard or an officer writes never reaches logs, metrics, addresses or reporting."""

import logging
from pathlib import Path

import pytest

from tests.world.logs import LogWatch
from tests.world.world import World

CANARY = "Nguyễn-Thị-Hoàng-Yến-0912345678"


async def test_a_canary_is_seen_by_the_police_and_nowhere_else(
    world: World, logs: LogWatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "services")
    caplog.set_level(logging.DEBUG, "foundation")
    signal = await world.post("break_in", note=f"gọi {CANARY}")
    await world.post("break_in", device=signal.device, note=f"lại {CANARY}", zone="2")
    await world.post("break_in", device=signal.device, note=f"{CANARY} {'x' * 3000}")  # refused: too long
    await world.settle()
    (alert,) = await world.desk.alerts(incident_id=signal.incident_id)
    assert CANARY in alert["notes"][0]
    await world.desk.act(alert, "dispatch", reason=f"theo lời {CANARY}")
    officer = world.token_of("province_desk", sub=CANARY)
    acted = await world.http.post(
        f"{world.incidents_url}/v1/incidents/{signal.incident_id}/resolve",
        json={"reason": f"đã gặp {CANARY}"},
        headers={"Authorization": f"Bearer {officer}"},
    )
    assert acted.status_code == 200
    await world.settle()
    metrics = [(await world.http.get(f"{one[0].url}/metrics")).text for one in world.services.values()]
    dump = tmp_path / "reporting.sql"
    await world.cluster.dump(world.databases["reporting"], dump)
    assert signal.incident_id in dump.read_text()
    for place, text in {
        "logs": "\n".join(str(line) for line in logs.lines()) + caplog.text,
        "metrics": "\n".join(metrics),
        "reporting": dump.read_text(),
    }.items():
        assert CANARY not in text, f"personal text in {place}"
