"""Apache Kafka, PostgreSQL and Prometheus started as their images would start them from docker-compose.yml."""

import os
import pwd
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.deploy import debian_prometheus
from tests.deploy.compose import ROOT, Service
from tests.world import kafka_jars, processes
from vonggac import postgres

Translate = Callable[[str], str]
"""A text of the file with this machine's paths, addresses and ports in it."""
FORMAT_WITHIN_S = 60.0
SMALL_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
PLAIN = {"PATH": f"{postgres.programs()}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
INTERVAL = "1s"
"""How often the native Prometheus scrapes: tests do not wait for its 10 s."""


def kafka(service: Service, translate: Translate, folder: Path) -> list[str | Path]:
    """The command line of a broker with the settings of its environment: KAFKA_LOG_DIRS is ``log.dirs`` …, as in the
    image, which formats the data folder first when it is empty.
    """
    home, java = kafka_jars.kafka_home(), kafka_jars.java()
    environment = service.environment
    cluster, heap = environment.pop("CLUSTER_ID"), environment.pop("KAFKA_HEAP_OPTS").split()
    named = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): translate(environment[name]) for name in environment
    }
    settings = folder / "server.properties"
    settings.write_text("".join(f"{name}={value}\n" for name, value in named.items()), encoding="utf-8")
    jars = ["-cp", f"{home / 'jars'}/*"]
    tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "--cluster-id", cluster, "--config", settings]
    _done([java, "-Xmx64m", *SMALL_JVM, *jars, *tool], folder / "format.log")
    return [java, *heap, *SMALL_JVM, *jars, "kafka.Kafka", settings]


def postgresql(service: Service, translate: Translate, folder: Path, port: int) -> list[str | Path]:
    """The command line of a server as the image makes it: initdb with POSTGRES_INITDB_ARGS and the password of the
    file, logins from everywhere by password, then the command of the file. Root is as unwelcome as there.
    """
    pgdata = Path(translate("/var/lib/postgresql")) / "18" / "docker"
    pgdata.parent.mkdir(parents=True)
    uid, gid, run_as = _not_root()
    password = folder / "password"
    shutil.copyfile(translate(service.environment["POSTGRES_PASSWORD_FILE"]), password)
    for path in (pgdata.parent, password):
        shutil.chown(path, uid, gid)
    login = ["--username=postgres", f"--pwfile={password}", "--no-sync"]
    arguments = service.environment["POSTGRES_INITDB_ARGS"].split()
    _done([*run_as, postgres.programs() / "initdb", "-D", pgdata, *login, *arguments], folder / "initdb.log")
    with (pgdata / "pg_hba.conf").open("a") as rules:
        rules.write("host all all all scram-sha-256\n")
    program, *settings = service.command
    here = ["listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=", "fsync=off"]
    more = [word for setting in here for word in ("-c", setting)]
    return [*run_as, postgres.programs() / program, "-D", pgdata, *settings, *more]


def prometheus(service: Service, translate: Translate, folder: Path, port: int) -> list[str | Path] | None:
    """The command line of Debian's Prometheus with our flags and files; None where there is none."""
    programs = debian_prometheus.folder()
    if programs is None:
        return None
    shutil.copytree(ROOT / "deploy" / "prometheus", folder / "config")
    config = folder / "config" / "prometheus.yml"
    text = translate(config.read_text(encoding="utf-8")).replace(": 10s", f": {INTERVAL}")
    config.write_text(text.replace("scrape_timeout: 5s", f"scrape_timeout: {INTERVAL}"), encoding="utf-8")
    given = [word for word in service.command if not word.startswith("--config.file=")]
    flags = [f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
    return [programs / "prometheus", *map(translate, given), *flags]


def _property(variable: str) -> str:
    return variable.removeprefix("KAFKA_").lower().replace("_", ".")


def _not_root() -> tuple[int, int, list[str | Path]]:
    """Whose the server's processes are, and what to put before their commands. PostgreSQL refuses root, and wants a
    user with a name; it may pass through folders that are root's alone, as those of the tests are.
    """
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid(), []
    user = pwd.getpwnam("nobody")
    change = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig=KILL"]
    return user.pw_uid, user.pw_gid, ["setpriv", *change, *postgres.PASS_FOLDERS, "--"]


def _done(argv: list[str | Path], log: Path) -> None:
    """Runs a preparing command to its end. Raises ``NotReady`` with what it said."""
    process = processes.spawn(argv, log=log, env=PLAIN, cwd=Path("/"))
    if process.wait(FORMAT_WITHIN_S) != 0:
        raise processes.NotReady(f"{argv[0]} failed:\n{processes.last_lines(log)}")
