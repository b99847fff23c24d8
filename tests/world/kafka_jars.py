"""Apache Kafka from its Maven artifacts: jars and a formatted log folder, fetched once and kept in ``.cache``.

Only for tests. Everything that is needed comes by an ordinary ``mvn`` and is pinned here; what a session finds
half-done by another is never used: a folder appears under its final name only when it is whole.
"""

import base64
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KAFKA = "4.3.1"
LOG4J = "2.25.3"
"""Without log4j-slf4j-impl the broker logs nothing and dies silently."""
CACHE = Path(__file__).resolve().parents[2] / ".cache"
FETCH_WITHIN_S = 300
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>vn.vonggac</groupId>
  <artifactId>test-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J}</version>
    </dependency>
  </dependencies>
</project>
"""
_FORMAT_SETTINGS = """process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:2
log.dirs=formatted
"""


class NoKafka(RuntimeError):
    """Apache Kafka cannot be had this way; the message says why, in a few words."""


def java() -> str:
    """The Java 17 or newer of JAVA_HOME or the path. Raises ``NoKafka``."""
    home = os.environ.get("JAVA_HOME")
    found = (shutil.which("java", path=os.path.join(home, "bin")) if home else None) or shutil.which("java")
    if found is None:
        raise NoKafka("no Java")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < 17:
        raise NoKafka(f"Java is older than 17: {said.splitlines()[0] if said else 'it says nothing'}")
    return found


@contextmanager
def _only_one_session(name: str) -> Iterator[None]:
    """Two sessions that start at once: the second waits, then finds what the first has fetched."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kafka_home(version: str = KAFKA) -> Path:
    """The folder with ``jars/`` and ``formatted/``, fetched (about 10 s, 44 MB) when it is not there yet.

    Raises ``NoKafka`` where there is no Java 17, no Maven, or Maven cannot fetch.
    """
    home = CACHE / f"kafka-{version}"
    program = java()
    if home.is_dir():
        return home
    with _only_one_session(home.name):
        if not home.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE, prefix="fetching-") as folder:
                whole = Path(folder) / home.name
                whole.mkdir()
                _fetch(whole)
                _format(program, whole)
                whole.rename(home)
    return home


def _run(argv: list[str], cwd: Path) -> None:
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=FETCH_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoKafka(f"{Path(argv[0]).name}: {error}") from error
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise NoKafka(f"{Path(argv[0]).name} failed: " + " | ".join(said[-3:]))


def _fetch(home: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise NoKafka("no Maven")
    (home / "pom.xml").write_text(_POM, encoding="utf-8")
    _run([maven, "-B", "-q", _PLUGIN, "-DincludeScope=runtime", "-DoutputDirectory=jars"], home)
    for name in (f"kafka_2.13-{KAFKA}.jar", f"log4j-slf4j-impl-{LOG4J}.jar"):
        if not (home / "jars" / name).is_file():
            raise NoKafka(f"Maven did not bring {name}")


def _format(program: str, home: Path) -> None:
    """Formats once with Kafka's own tool; every start then copies it, which saves a Java start of 0.8 s each."""
    settings = home / "format.properties"
    settings.write_text(_FORMAT_SETTINGS, encoding="utf-8")
    tool = ["kafka.tools.StorageTool", "format", "-t", _id(), "-c", settings.name]
    _run([program, "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", "jars/*", *tool], home)


def _id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def format_log_folder(home: Path, folder: Path) -> None:
    """An empty log folder of a cluster with a new id: whatever was in ``folder`` is lost."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(home / "formatted", folder)
    identity = f"version=1\ncluster.id={_id()}\nnode.id=1\ndirectory.id={_id()}\n"
    (folder / "meta.properties").write_text(identity, encoding="ascii")
