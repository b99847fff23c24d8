"""``docker compose up`` without Docker: every command, environment, order and health check of docker-compose.yml.

Containers become processes of this machine. What stands in the file is used word for word, but for what a container
would give it: a name becomes 127.0.0.1, a port a free one, a volume a folder. A process gets no variable that the
file or the image does not give it.
"""

import asyncio
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tests.deploy import image, servers
from tests.deploy.compose import ROOT, Compose, Service
from tests.world import ports, processes
from tests.world.broker_choice import choose
from tests.world.brokers import Broker
from tests.world.processes import NotReady

WITHIN_S = 60.0
"""For each of: a one-shot's end, a service's health."""
STOPPED_WITHIN_S = 15.0
IMAGE_ROOT = "/opt/vonggac"
LISTENERS = {"kafka": ("9092", "9093"), "postgres": ("5432",), "prometheus": ("9090",)}
"""Ports inside the containers of the images that are not ours; ours say theirs as PORT."""


class Native:
    """The services of the file as processes with all that they write in ``folder``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.compose = Compose()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.left_out: dict[str, str] = {}
        """Services that cannot run on this machine, and why."""
        self._broker = Broker(folder / "broker") if choose().kind != "apache-kafka" else None
        self._ports = {port: str(ports.free_port()) for port in self._container_ports()}
        if self._broker is not None:
            self._ports["9092"] = self._broker.bootstrap_servers.rpartition(":")[2]
        self._image = image.lay_out(folder / "image")

    def _container_ports(self) -> list[str]:
        own = [each.environment["PORT"] for each in self.compose.services.values() if "PORT" in each.environment]
        return [*own, *(port for each in LISTENERS.values() for port in each)]

    def url(self, name: str) -> str:
        """The address of a service of ours, or of Prometheus."""
        service = self.compose.services[name]
        port = service.environment["PORT"] if service.ours else LISTENERS[name][0]
        return f"http://127.0.0.1:{self._ports[port]}"

    def volume(self, name: str) -> Path:
        """The folder that stands for a named volume."""
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def translated(self, service: Service, text: str) -> str:
        """A word of the file with this machine's paths, addresses and ports."""
        places = {each.target: self._place(each.source) for each in service.mounts}
        if service.ours:
            places[IMAGE_ROOT] = str(self._image) + IMAGE_ROOT
        if any(text == str(parent) for target in places for parent in PurePosixPath(target).parents):
            return str(self._parent(service, text))
        longest_first = "|".join(map(re.escape, sorted(places, key=len, reverse=True)))
        if longest_first:
            text = re.sub(rf"(?<![\w/.-])({longest_first})(?=/|$)", lambda found: places[found[1]], text)
        if text in self._ports:
            return self._ports[text]
        names = "|".join(map(re.escape, [*self.compose.services, ports.HOST]))
        known = "|".join(self._ports)
        return re.sub(rf"(?:\b(?:{names}))?:({known})\b", lambda found: f"{ports.HOST}:{self._ports[found[1]]}", text)

    def _parent(self, service: Service, path: str) -> Path:
        """A folder that holds the service's mounts below ``path``, as links."""
        root = self.folder / "roots" / service.name
        for mount in service.mounts:
            link = root / mount.target.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(self._place(mount.source))
        return root / path.lstrip("/")

    def _place(self, source: str) -> str:
        return str(ROOT / source) if source.startswith(".") else str(self.volume(source))

    def environment(self, service: Service) -> dict[str, str]:
        """What the process gets: the image's and the file's, and where this machine keeps its programs."""
        given: Mapping[str, str] = image.stages()[-1].environment if service.ours else {}
        both = {name: self.translated(service, value) for name, value in {**given, **service.environment}.items()}
        hosts = {name: ports.HOST for name in both if name in ("HOST", "PGHOST")}
        return {**both, **hosts, "PATH": servers.PLAIN["PATH"]}

    def argv(self, service: Service, command: list[str] | None = None) -> list[str]:
        """Entry point and command, in this machine's words."""
        own = image.entrypoint() if service.ours else []
        entrypoint = own if service.entrypoint is None else service.entrypoint
        words = [*entrypoint, *(service.command if command is None else command)]
        return self._words(service, words)

    def _words(self, service: Service, words: list[str]) -> list[str]:
        program = sys.executable if words[0] == "python" else words[0]
        return [program, *(self.translated(service, word) for word in words[1:])]

    def _cwd(self, service: Service) -> Path:
        return self._image / IMAGE_ROOT.lstrip("/") if service.ours else Path("/")

    async def up(self) -> None:
        """Starts what ``docker compose up`` starts, each when what it needs is there, and waits until all is healthy.

        Raises ``NotReady`` with the end of a log.
        """
        for name in self.compose.start_order():
            service = self.compose.services[name]
            if not service.optional:
                for need, condition in service.needs.items():
                    await self._until(need, condition)
                await self._start(service)
        for name, service in self.compose.services.items():
            if name in self.processes and service.health_command:
                await self._until(name, "service_healthy")

    async def _start(self, service: Service) -> None:
        argv = await self._native(service)
        if argv is None:
            return
        environment = self.environment(service) if service.name not in LISTENERS else servers.PLAIN
        self.processes[service.name] = processes.spawn(
            argv, log=self.log(service.name), env=environment, cwd=self._cwd(service)
        )

    async def _native(self, service: Service) -> list[str | Path] | None:
        """The command line, after what an image's own entry point does; None for what is not started as a process."""
        if service.name not in LISTENERS:
            return list(self.argv(service))
        folder = self.folder / service.name
        folder.mkdir()

        def translate(text: str) -> str:
            return self.translated(service, text)

        port = int(self._ports[LISTENERS[service.name][0]])
        if service.name == "postgres":
            return servers.postgresql(service, translate, folder, port)
        if service.name == "kafka" and self._broker is None:
            return servers.kafka(service, translate, folder)
        if service.name == "kafka" and self._broker is not None:
            await self._broker.start()
            self.left_out["kafka"] = f"its settings were not tried: {choose()}"
            return None
        argv = servers.prometheus(service, translate, folder, port) if shutil.which("wget") else None
        if argv is None:
            self.left_out["prometheus"] = "no Prometheus (or no wget, for its health) on this machine"
        return argv

    async def _until(self, name: str, condition: str) -> None:
        if name not in self.processes:
            assert name in self.left_out, f"{name} was not started"
        elif condition == "service_completed_successfully":
            if not await processes.ended(self.processes[name], WITHIN_S) or self.processes[name].returncode != 0:
                raise NotReady(f"{name} did not end well:\n{processes.last_lines(self.log(name))}")
        elif condition == "service_healthy":
            await self._until_healthy(self.compose.services[name])

    async def _until_healthy(self, service: Service) -> None:
        until = time.monotonic() + WITHIN_S
        while not await self.healthy(service):
            if time.monotonic() >= until or self.processes[service.name].poll() is not None:
                raise NotReady(f"{service.name} is not healthy:\n{processes.last_lines(self.log(service.name))}")
            await asyncio.sleep(0.1)

    async def healthy(self, service: Service) -> bool:
        """What the file's own health check says."""
        assert service.health_command is not None
        argv = self._words(service, service.health_command)
        log = self.folder / f"{service.name}.health.log"
        check = processes.spawn(argv, log=log, env=self.environment(service), cwd=Path("/"))
        if not await processes.ended(check, 10):
            await processes.kill(check)
        return check.returncode == 0

    async def run(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """``docker compose run --rm -e … NAME COMMAND``: what it printed. Raises ``NotReady`` if it fails."""
        service, log = self.compose.services[name], self.folder / f"run-{time.monotonic_ns()}.log"
        whole = self.environment(service) | dict(environment or {})
        argv = self.argv(service, list(command) or None)
        process = processes.spawn(argv, log=log, env=whole, cwd=self._cwd(service))
        if not await processes.ended(process, WITHIN_S) or process.returncode != 0:
            raise NotReady(f"{name} {' '.join(command)} failed:\n{processes.last_lines(log)}")
        return log.read_text(encoding="utf-8")

    async def execute(self, name: str, words: list[str], stdin: bytes = b"") -> bytes:
        """``docker compose exec --env PGPASSFILE=… NAME WORDS``: its output. Raises ``NotReady`` if it fails."""
        service = self.compose.services[name]
        more = {"PGPASSFILE": "/run/vonggac/pgpass", "PGPORT": LISTENERS[name][0]}
        environment = servers.PLAIN | {key: self.translated(service, value) for key, value in more.items()}
        done = await asyncio.to_thread(
            subprocess.run, words, input=stdin, env=environment, capture_output=True, timeout=WITHIN_S, check=False
        )
        if done.returncode != 0:
            raise NotReady(f"{words[0]} failed: {done.stderr.decode(errors='replace')}")
        return done.stdout

    async def stop(self, name: str) -> int:
        """``docker compose stop NAME``: its exit status."""
        how = signal.SIGINT if name == "postgres" else signal.SIGTERM  # STOPSIGNAL of its image
        return await processes.end(self.processes.pop(name), how, STOPPED_WITHIN_S)

    async def start(self, name: str) -> None:
        """``docker compose start NAME``, until it is healthy."""
        await self._start(self.compose.services[name])
        await self._until(name, "service_healthy")

    async def down(self) -> dict[str, int]:
        """Stops everything in the reverse order, as compose does; the exit status of each that still ran."""
        ended: dict[str, int] = {}
        for name in reversed(self.compose.start_order()):
            if name in self.processes and self.processes[name].poll() is None:
                ended[name] = await self.stop(name)
        if self._broker is not None:
            await self._broker.remove()
        return ended
