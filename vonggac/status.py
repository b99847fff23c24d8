"""``vonggac status``: what runs, what was counted, and whether every consumer has what its producer said."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

READY_FILE = Path("run") / "ready.json"
SERVICES = ("incidents", "notifications", "reporting")
TIMEOUT_S = 5.0
COUNTED = (
    ("incidents", "signals", "tín hiệu / signals"),
    ("incidents", "incidents", "vụ việc / incidents"),
    ("notifications", "alerts", "tin báo / alerts"),
    ("reporting", "complete", "vụ việc trong số liệu / counted"),
)
"""Service, name of the count, and what it is called on the screen."""


def status(data_dir: Path) -> int:
    """Prints one screen; 0 when all is well, 1 when something is wrong, 2 when there is nothing to ask.

    The embedded system is found by its data folder, another by INCIDENTS_URL … and VONGGAC_TOKEN.
    """
    ready = _ready(data_dir)
    if ready is None:
        print(f"vonggac: chưa chạy ở {data_dir} / not running there (vonggac up)", file=sys.stderr)
        return 2
    answers = {name: _ask(ready[f"{name}_url"], "/v1/status", ready["token"]) for name in SERVICES}
    healths = {name: _ask(ready[f"{name}_url"], "/health/ready", ready["token"]) for name in SERVICES}
    wrong = 0
    for name in SERVICES:
        word, more = _health(answers[name], healths[name])
        wrong += word != "chạy / ready"
        print(f"{name:14} {word:22} {ready[f'{name}_url']}  {more}")
    print(f"{'broker':14} {ready['broker']:22} {ready['kafka_bootstrap_servers']}")
    wrong += _print_streams(answers)
    for service, name, label in COUNTED:
        print(f"{label:34} {(answers[service] or {}).get('counts', {}).get(name, '?')}")
    return 1 if wrong else 0


def _ready(data_dir: Path) -> dict[str, Any] | None:
    file = data_dir / READY_FILE
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    if "VONGGAC_TOKEN" in os.environ:
        urls = {f"{name}_url": os.environ.get(f"{name.upper()}_URL", "") for name in SERVICES}
        kafka = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "?")
        return {**urls, "token": os.environ["VONGGAC_TOKEN"], "broker": "", "kafka_bootstrap_servers": kafka}
    return None


def _ask(url: str, path: str, token: str) -> dict[str, Any] | None:
    request = urllib.request.Request(url.rstrip("/") + path, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        return dict(json.load(error)) if error.code == 503 else None
    except (OSError, ValueError):
        return None


def _health(answer: Mapping[str, Any] | None, health: Mapping[str, Any] | None) -> tuple[str, str]:
    if health is None:
        return "không trả lời / away", ""
    trouble = ", ".join(f"{part}: {why}" for part, why in health.get("trouble", {}).items())
    if answer is None or health["status"] == "unavailable":
        return "không dùng được / not ready", trouble
    return ("chạy / ready" if not trouble else "trục trặc / degraded"), trouble


def _print_streams(answers: Mapping[str, Mapping[str, Any] | None]) -> int:
    """One line a stream: its head, what Kafka has, what each consumer has. Returns how many lag behind."""
    behind = 0
    for producer in answers.values():
        for stream in (producer or {}).get("streams", []):
            place = (stream["topic"], stream["area"])
            have = {
                name: row["sequence"]
                for name, answer in answers.items()
                for row in (answer or {}).get("consumed", [])
                if (row["topic"], row["area"]) == place
            }
            behind += any(number < stream["head"] for number in (stream["relayed"], *have.values()))
            told = "  ".join(f"{name} {number}" for name, number in have.items())
            print(f"{place[0]}/{place[1]:4} đầu / head {stream['head']:<8} kafka {stream['relayed']:<8} {told}")
    return behind
