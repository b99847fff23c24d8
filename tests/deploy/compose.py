"""docker-compose.yml as plain values: what compose would make of it, as far as our file goes."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume by name, or a path of the checkout (``./…``), and where a container finds it."""

    source: str
    target: str
    read_only: bool

    @property
    def named(self) -> bool:
        return not self.source.startswith(".")


@dataclass(frozen=True)
class Service:
    """One service. ``raw`` is its mapping in the file, anchors merged and variables replaced."""

    name: str
    raw: Mapping[str, Any]

    @property
    def image(self) -> str:
        return str(self.raw["image"])

    @property
    def ours(self) -> bool:
        return "build" in self.raw

    @property
    def one_shot(self) -> bool:
        """Ends by itself, and is not brought back."""
        return self.raw.get("restart") == "no"

    @property
    def optional(self) -> bool:
        """Not started by ``docker compose up``."""
        return bool(self.raw.get("profiles"))

    @property
    def command(self) -> list[str]:
        return _words(self.raw.get("command", []))

    @property
    def entrypoint(self) -> list[str] | None:
        """None: the image's own."""
        return _words(self.raw["entrypoint"]) if "entrypoint" in self.raw else None

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.raw.get("environment", {}).items()}

    @property
    def mounts(self) -> list[Mount]:
        parts = [volume.split(":") for volume in self.raw.get("volumes", [])]
        return [Mount(source, target, "ro" in options) for source, target, *options in parts]

    @property
    def health_command(self) -> list[str] | None:
        test = self.raw.get("healthcheck", {}).get("test")
        if test is None:
            return None
        assert test[0] == "CMD", f"{self.name}: a healthcheck without a shell"
        return list(test[1:])

    @property
    def needs(self) -> dict[str, str]:
        """The condition for each service that must come first."""
        return {name: how["condition"] for name, how in self.raw.get("depends_on", {}).items()}

    @property
    def published(self) -> list[tuple[str, str, str]]:
        """(address, port, port in the container) of each published port."""
        return [tuple(port.rsplit(":", 2)) for port in self.raw.get("ports", [])]


def _words(value: str | list[str]) -> list[str]:
    return shlex.split(value) if isinstance(value, str) else [str(word) for word in value]


class Compose:
    """The whole file, with ``variables`` in place of the environment of whoever calls compose."""

    def __init__(self, variables: Mapping[str, str] | None = None, file: Path = FILE) -> None:
        self.text = file.read_text(encoding="utf-8")
        self._variables = variables or {}
        self.raw: dict[str, Any] = self._replaced(yaml.safe_load(self.text))

    def _replaced(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._replaced(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._replaced(item) for item in value]
        return _VARIABLE.sub(self._variable, value) if isinstance(value, str) else value

    def _variable(self, found: re.Match[str]) -> str:
        if found["name"] is None:
            return "$"
        return self._variables.get(found["name"]) or found["default"] or ""

    @cached_property
    def services(self) -> dict[str, Service]:
        return {name: Service(name, raw) for name, raw in self.raw["services"].items()}

    def start_order(self) -> list[str]:
        """The services, each after those that it needs. Raises ``graphlib.CycleError``."""
        return list(TopologicalSorter({name: set(each.needs) for name, each in self.services.items()}).static_order())

    def before(self, name: str) -> set[str]:
        """All that must come before a service, directly or not."""
        direct = set(self.services[name].needs)
        return direct | {earlier for each in direct for earlier in self.before(each)}
