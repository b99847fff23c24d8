"""``promtool`` and ``prometheus``: those of the path, else Debian's package, unpacked in ``.cache`` and not installed.

To install it would start a server on port 9090 of the machine.
"""

import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from tests.world.kafka_jars import CACHE

FETCH_WITHIN_S = 120


@lru_cache(maxsize=1)
def folder() -> Path | None:
    """The folder that holds both programs; None where they cannot be had."""
    found = shutil.which("promtool")
    if found is not None and shutil.which("prometheus", path=str(Path(found).parent)):
        return Path(found).parent
    home = CACHE / "prometheus"
    if not home.is_dir() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        _fetch(home)
    programs = home / "usr" / "bin"
    return programs if (programs / "promtool").exists() else None


def _fetch(home: Path) -> None:
    """Appears under its name only when it is whole; quietly nothing where there is no network or no package list."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="fetching-") as scratch:
        if _run(["apt-get", "download", "prometheus"], scratch):
            package = next(Path(scratch).glob("prometheus_*.deb"))
            if _run(["dpkg-deb", "-x", package.name, "whole"], scratch):
                with suppress(OSError):  # another session was first
                    (Path(scratch) / "whole").rename(home)


def _run(argv: list[str], cwd: str) -> bool:
    try:
        return subprocess.run(argv, cwd=cwd, capture_output=True, timeout=FETCH_WITHIN_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
