"""The bounds that keep it a house: a chassis that can be read in an hour, floors, and files of one thought."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.foundation.house_rules import ROOT, sources

BOUNDS = {"chassis": (12, 1300), "streams": (6, 700)}
"""Of each room of the ground: most files, and most lines together."""
FILE_LINES = 400
WRITTEN = ("*.py", "*.js", "*.html", "*.css", "*.sql")
ROOMS = {"api", "consumers", "domain", "store"}
UNFINISHED = ("TODO", "FIXME", "XXX", "NotImplementedError")
VAGUE = {"utils", "util", "helpers", "helper", "manager", "common", "base", "misc", "core", "lib", "shared"}


def lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("room", BOUNDS)
def test_the_rooms_of_the_ground_stay_small(room: str) -> None:
    most_files, most_lines = BOUNDS[room]
    found = (ROOT / "foundation" / room).glob("*.py")
    files = {file.name: lines(file) for file in found if file.name != "__init__.py"}
    assert len(files) <= most_files, sorted(files)
    assert sum(files.values()) <= most_lines, dict(sorted(files.items(), key=lambda item: -item[1]))


def test_no_file_holds_more_than_one_thought() -> None:
    folders = ("foundation", "services", "vonggac", "tests", "benchmarks")
    found = [file for folder in folders for kind in WRITTEN for file in (ROOT / folder).rglob(kind)]
    assert len(found) > 100
    assert {str(f.relative_to(ROOT)): lines(f) for f in found if lines(f) >= FILE_LINES} == {}


def test_the_rooms_are_the_same_in_every_service() -> None:
    services = [folder for folder in (ROOT / "services").iterdir() if (folder / "__init__.py").exists()]
    assert {folder.name for folder in services} == {"incidents", "notifications", "reporting"}
    for service in services:
        assert {"service.py", "settings.py"} <= {file.name for file in service.glob("*.py")}
        rooms = {folder.name for folder in service.iterdir() if folder.is_dir() and any(folder.glob("*.py"))}
        assert rooms == ROOMS, service.name


def test_no_name_says_nothing() -> None:
    parts = {part for path, _ in sources() for part in Path(path).with_suffix("").parts}
    assert not parts & VAGUE


def test_nothing_is_left_to_be_done() -> None:
    found = [f"{path}: {mark}" for path, text in sources() for mark in UNFINISHED if mark in text]
    assert found == []


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """The floors of the house in ``folder``."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False, env={"PYTHONPATH": str(folder)},
    )  # fmt: skip


def test_the_floors_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 kept, 0 broken" in done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the three floors, to be spoilt."""
    folder = tmp_path_factory.mktemp("house")
    for floor in ("foundation", "services", "vonggac"):
        shutil.copytree(ROOT / floor, folder / floor, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize(
    ("where", "planted", "broken"),
    [
        ("foundation/chassis/clock.py", "import services.incidents.settings", "Three floors"),
        ("foundation/chassis/database.py", "from foundation.streams import ledger", "The ground"),
        ("foundation/contracts/fields.py", "from foundation.chassis import clock", "The ground"),
        ("services/incidents/held.py", "import vonggac", "Three floors"),
        ("services/incidents/held.py", "from services.reporting import settings", "Services know nothing"),
        ("services/notifications/domain/routing.py", "import asyncpg", "Rules are pure"),
        ("services/incidents/domain/timing.py", "from foundation.chassis import clock", "Rules are pure"),
        ("vonggac/supervise.py", "from services.incidents.store import tables", "The roof enters"),
    ],
    ids=lambda value: value,
)
def test_a_planted_violation_is_caught(copy: Path, where: str, planted: str, broken: str) -> None:
    file = copy / where
    before = file.read_text(encoding="utf-8")
    file.write_text(f"{before}\n{planted}\n", encoding="utf-8")
    try:
        done = lint_imports(copy)
    finally:
        file.write_text(before, encoding="utf-8")
    assert done.returncode != 0
    assert any(line.startswith(broken) and line.endswith("BROKEN") for line in done.stdout.splitlines()), done.stdout
