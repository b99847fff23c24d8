"""``vonggac up``: the whole system on one machine, embedded servers as child processes, until it is told to stop."""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vonggac import broker, postgres
from vonggac.status import READY_FILE, SERVICES
from vonggac.supervise import Child, LaunchError, Supervisor

TOPICS = ("vonggac.incidents", "vonggac.alerts", "vonggac.sites")
TOKEN_HOURS = 24 * 7


async def up(options: argparse.Namespace) -> int:
    """Starts everything in order, writes the ready file, and waits for SIGTERM or Ctrl-C. Raises LaunchError."""
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    begun, data_dir = time.monotonic(), options.data_dir.resolve()
    async with Supervisor(data_dir) as supervisor:
        (data_dir / READY_FILE).unlink(missing_ok=True)
        starting = asyncio.create_task(_start(supervisor, options, data_dir, begun))
        stopping = asyncio.create_task(told_to_stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        background: list[asyncio.Task[None]] = []
        if starting.done():
            background = starting.result()
            await stopping
        starting.cancel()
        for task in background:
            task.cancel()
        print("Đang dừng / stopping …", flush=True)
        await asyncio.gather(starting, *background, return_exceptions=True)
    for file in (data_dir / READY_FILE, options.ready_file):
        if file is not None:
            file.unlink(missing_ok=True)
    return 0


async def _start(
    supervisor: Supervisor, options: argparse.Namespace, data_dir: Path, begun: float
) -> list[asyncio.Task[None]]:
    keys = data_dir / "keys"
    env = dict(os.environ) | {"KEYS_DIR": str(keys), "HOST": options.host}
    urls = {
        f"{name}_url": f"http://{_reachable(options.host)}:{options.port_base + n}" for n, name in enumerate(SERVICES)
    }
    env |= {"INCIDENTS_URL": urls["incidents_url"], "NOTIFICATIONS_URL": urls["notifications_url"]}
    servers = await _servers(env, data_dir)
    begin: list[Coroutine[Any, Any, object]] = [supervisor.start(*servers)]
    if not (keys / "vonggac.key").exists():
        begin.append(_command(env, "keys", "create", "--dir", str(keys)))
    await asyncio.gather(*begin)
    _say(begun, "cơ sở dữ liệu, Kafka / database, Kafka")
    children = [_service(name, env, options.port_base + n) for n, name in enumerate(SERVICES)]
    token = _command(env, "token", "create", "--keys-dir", str(keys), "--hours", str(TOKEN_HOURS), "--name", "vonggac")
    rest: list[Coroutine[Any, Any, object]] = [supervisor.start(*children)]
    seeded = data_dir / "demo.seeded"
    embedded = any(child.name == "postgres" for child in servers)
    if options.demo and not (embedded and seeded.exists()):
        rest.append(_command(env, "demo", "--keys-dir", str(keys)))
    signed, *_ = await asyncio.gather(token, *rest)
    if options.demo and embedded:
        seeded.touch()
    _say(begun, "incidents, notifications, reporting")
    ready = urls | {
        "kafka_bootstrap_servers": env["KAFKA_BOOTSTRAP_SERVERS"],
        "broker": "embedded broker" if env["EMBEDDED_BROKER"] == "true" else "Apache Kafka",
        "token": str(signed).strip(),
        "devices": await asyncio.to_thread(_devices, keys) if options.demo else [],
    }
    for file in (data_dir / READY_FILE, options.ready_file):
        if file is not None:
            _write_private(file, ready)
    await _welcome(ready)
    tasks = [asyncio.create_task(broker.hold_memory(supervisor))] if "broker" in supervisor.running else []
    if options.demo and options.simulate:
        tasks.append(asyncio.create_task(_simulated(urls["incidents_url"], keys)))
    return tasks


async def _servers(env: dict[str, str], data_dir: Path) -> list[Child]:
    """The embedded servers that are needed; puts the addresses of all into ``env``."""
    servers: list[Child] = []
    wanted = [f"{name.upper()}_DATABASE_URL" for name in SERVICES]
    if any(name not in env for name in wanted):
        if any(name in env for name in wanted):
            raise LaunchError(f"Cần cả ba hoặc không / set all three or none: {', '.join(wanted)}")
        servers.append(await asyncio.to_thread(postgres.prepare, data_dir))
        env |= {f"{name.upper()}_DATABASE_URL": url for name, url in postgres.database_urls(data_dir).items()}
    env["EMBEDDED_BROKER"] = "false" if "KAFKA_BOOTSTRAP_SERVERS" in env else "true"
    if env["EMBEDDED_BROKER"] == "true":
        port = broker.free_port()
        env["KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{port}"
        servers.append(broker.child(port, TOPICS))
    return servers


def _service(name: str, env: Mapping[str, str], port: int) -> Child:
    url = f"http://{_reachable(env['HOST'])}:{port}/health/ready"

    async def ready(pid: int) -> bool:
        return broker.listens(pid, port) and await asyncio.to_thread(_answers, url)

    argv = [sys.executable, "-m", "vonggac", "serve", name]
    return Child(name, argv, dict(env) | {"PORT": str(port)}, stop_timeout_s=5.0, ready=ready, ready_timeout_s=60.0)


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - named, not bound


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310 - our own address
        return bool(answer.status == 200)
    return False


async def _command(env: Mapping[str, str], *arguments: str) -> str:
    """Runs another ``vonggac`` command to its end; its output. Raises LaunchError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vonggac", *arguments, env=env, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, error = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    if process.returncode:
        raise LaunchError(f"vonggac {arguments[0]}: {error.decode(errors='replace').strip().splitlines()[-1:]}")
    return out.decode()


def _devices(keys: Path) -> list[dict[str, Any]]:
    from vonggac.demo.seed import demo_secret, device_list

    return device_list(demo_secret(keys))


async def _simulated(incidents_url: str, keys: Path) -> None:
    from vonggac.demo.seed import demo_secret
    from vonggac.demo.simulate import simulate

    await simulate(incidents_url, demo_secret(keys))


def _write_private(path: Path, content: Mapping[str, Any]) -> None:
    """Written whole by rename, readable by its owner only: it holds keys."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(content, out, ensure_ascii=False)
    fresh.replace(path)


def _login_link(ready: Mapping[str, Any]) -> str:
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{ready['notifications_url']}/v1/login-codes", b"{}",
        {"Authorization": f"Bearer {ready['token']}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return f"{ready['notifications_url']}/#login={json.load(answer)['code']}"


async def _welcome(ready: Mapping[str, Any]) -> None:
    link = await asyncio.to_thread(_login_link, ready)
    print(f"\n  Màn hình trực / wall screen:  {link}\n    (mở một lần, trong 15 phút / once, within 15 minutes)")
    print(f"  incidents      {ready['incidents_url']}/docs")
    print(f"  notifications  {ready['notifications_url']}/docs")
    print(f"  reporting      {ready['reporting_url']}/docs")
    print(f"  {ready['broker']:14} {ready['kafka_bootstrap_servers']}")
    if ready["devices"]:
        device = next((one for one in ready["devices"] if "Sở" in one["site_name"]), ready["devices"][0])
        print(f"\n  Báo đột nhập ở / a break-in at: {device['site_name']}\n")
        print(f"""curl -sS {ready["incidents_url"]}/v1/signals -H 'Authorization: Bearer {device["key"]}' \\
  -H 'Content-Type: application/json' -d '{{"id": "'$(python3 -c 'import uuid; print(uuid.uuid4())')'", \\
  "kind": "break_in", "occurred_at": "'$(date -u +%Y-%m-%dT%H:%M:%SZ)'"}}'""")
    print("\n  vonggac status: tình trạng / how it is · Ctrl-C: dừng / stop\n", flush=True)


def _say(begun: float, what: str) -> None:
    print(f"  {time.monotonic() - begun:5.1f} s  {what}", flush=True)
