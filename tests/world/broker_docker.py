"""Apache Kafka in a container, where a Docker engine answers."""

import asyncio
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.world import kafka_jars, ports
from tests.world.broker_engines import HEAP, Kind, kafka_settings

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

IMAGE = f"apache/kafka:{kafka_jars.KAFKA}"
DATA = "/var/lib/kafka/data"


def why_no_docker() -> str | None:
    """None where an engine answers and has the image or can pull it; else why not. A client alone proves no engine."""
    try:
        import docker
        from docker.errors import DockerException, ImageNotFound
    except ImportError:
        return "no Docker client"
    try:
        client = docker.from_env(timeout=2)
        client.ping()
    except (DockerException, OSError):
        return "no Docker engine answers"
    try:
        client.images.get(IMAGE)
    except ImageNotFound:
        try:
            docker.from_env(timeout=300).images.pull(IMAGE)
        except (DockerException, OSError) as error:
            return f"Docker cannot pull {IMAGE}: {error}"
    return None


def environment(port: int, controller_port: int) -> dict[str, str]:
    """The settings as the image reads them: it writes server.properties from these, formats and starts."""
    settings = kafka_settings(port, controller_port, DATA, bind="0.0.0.0")
    named = {"KAFKA_" + key.upper().replace(".", "_"): value for key, value in settings.items()}
    return {**named, "KAFKA_HEAP_OPTS": HEAP[0], "KAFKA_JVM_PERFORMANCE_OPTS": " ".join(HEAP[1:])}


class DockerKafka:
    """A container on a chosen port, bound to the same port of 127.0.0.1; its own reaper ends it with the tests."""

    kind: Kind = "apache-kafka-docker"
    keeps_data = True

    def __init__(self, folder: Path) -> None:
        self.port = ports.free_port()
        self.log = folder / "broker.log"
        self._container: DockerContainer | None = None

    def _made(self) -> "DockerContainer":
        from testcontainers.core.container import DockerContainer

        container = DockerContainer(IMAGE, env=environment(self.port, ports.free_port()))
        container.ports[f"{self.port}/tcp"] = (ports.HOST, self.port)  # type: ignore[assignment]
        return container

    def _attributes(self) -> dict[str, Any]:
        if self._container is None:
            return {}
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return dict(wrapped.attrs)

    @property
    def pid(self) -> int | None:
        """As the engine's machine counts processes."""
        return int(self._attributes().get("State", {}).get("Pid", 0)) or None

    def owns_listener(self) -> bool:
        bound = self._attributes().get("NetworkSettings", {}).get("Ports", {}).get(f"{self.port}/tcp") or []
        return any(b.get("HostPort") == str(self.port) for b in bound)

    async def launch(self) -> None:
        await asyncio.to_thread(self._launch)

    def _launch(self) -> None:
        if self._container is None:
            container = self._made()
            container.start()
            self._container = container
        else:
            self._container.get_wrapped_container().start()

    async def signal(self, number: int) -> None:
        await asyncio.to_thread(self._signal, number)

    def _signal(self, number: int) -> None:
        state = self._attributes().get("State", {})
        if self._container is None or not state.get("Running"):
            return
        wrapped = self._container.get_wrapped_container()
        if number == signal.SIGSTOP:
            wrapped.pause()
            return
        if state.get("Paused"):  # the engine signals no paused container
            wrapped.unpause()
        if number != signal.SIGCONT:
            wrapped.kill(signal=signal.Signals(number).name)

    async def ended(self, within_s: float) -> bool:
        until = time.monotonic() + within_s
        while await asyncio.to_thread(lambda: self.pid) is not None:
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(0.05)
        return True

    async def wipe(self) -> None:
        await asyncio.to_thread(self._remove)

    def _remove(self) -> None:
        if self._container is not None:
            self.log.write_text(self.last_lines(lines=10_000), encoding="utf-8")
            self._container.stop()
            self._container = None

    def last_lines(self, lines: int = 25) -> str:
        if self._container is None:
            return "(no container)"
        return "\n".join(b"".join(self._container.get_logs()).decode(errors="replace").splitlines()[-lines:])
