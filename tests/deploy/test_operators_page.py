"""docs/operators.md says what is so."""

import re
import shlex

import pytest

from tests.deploy import settings_table
from tests.deploy.compose import ROOT, Compose
from tests.deploy.test_prometheus import rules

PAGE = settings_table.PAGE.read_text(encoding="utf-8")
COMPOSE = Compose()
COMMANDS = re.sub(r"\\\n", " ", "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))).splitlines()


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert settings_table.BEGIN + settings_table.table() + settings_table.END in PAGE, (
        "run: python -m tests.deploy.settings_table"
    )


def test_every_setting_says_what_it_means() -> None:
    assert [line for line in settings_table.table().splitlines() if line.endswith("| ? |")] == []


def test_the_variables_of_compose_are_all_there() -> None:
    variables = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE.text))
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \| [^|]+ \|$", PAGE, re.MULTILINE))
    assert variables == rows


@pytest.mark.parametrize("name", [*COMPOSE.services, *COMPOSE.raw["volumes"], *(rule["alert"] for rule in rules())])
def test_whatever_a_person_may_meet_is_named(name: str) -> None:
    if not name.endswith("-data"):
        assert f"`{name}`" in PAGE


@pytest.mark.parametrize("line", [line.strip() for line in COMMANDS if line.strip().startswith("docker compose")])
def test_commands_name_what_there_is(line: str) -> None:
    words = shlex.split(line.partition(" > ")[0].partition(" < ")[0], comments=True)
    verb, *rest = words[2:]
    valued = {"--env", "--user", "--entrypoint"}
    plain = [word for before, word in zip([verb, *rest], rest, strict=False) if before not in valued]
    named = [word for word in plain if not word.startswith("-")]
    assert verb in {"up", "ps", "run", "down", "exec", "stop", "start"}
    if verb in {"run", "exec"}:
        named = named[:1]
    assert set(named) <= COMPOSE.services.keys(), line


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", PAGE):
        assert (settings_table.PAGE.parent / target).exists(), target
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


def test_the_page_names_files_that_are_there() -> None:
    assert all((ROOT / "deploy" / name).exists() for name in ("postgres/databases.sh", "prometheus/rules.yml"))
