"""deploy/image/Dockerfile as plain values, and what it puts into the image laid out in a folder."""

import fnmatch
import json
import re
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.compose import ROOT

FILE = ROOT / "deploy" / "image" / "Dockerfile"
IGNORE = ROOT / ".dockerignore"


@dataclass
class Stage:
    """One stage: its base, and its instructions in order."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [text for instruction, text in self.instructions if instruction == name]

    def last(self, name: str) -> str:
        return self.all(name)[-1]

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for text in self.all("ENV") for pair in shlex.split(text))

    def copies(self, *, of_checkout: bool = True) -> list[tuple[str, str]]:
        """(source, target) of each COPY, from the checkout or from another stage."""
        found = []
        for text in self.all("COPY"):
            words = text.split()
            if words[0].startswith("--from=") is not of_checkout:
                *sources, target = [word for word in words if not word.startswith("--")]
                found += [(source, target) for source in sources]
        return found


def stages() -> list[Stage]:
    """The stages of the Dockerfile, comments dropped and continued lines joined."""
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n", " ", "\n".join(lines))
    found: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append(Stage(rest.split()[0]))
        else:
            found[-1].instructions.append((name, rest.strip()))
    return found


def entrypoint() -> list[str]:
    return [str(word) for word in json.loads(stages()[-1].last("ENTRYPOINT"))]


def sent(path: str) -> bool:
    """Whether .dockerignore lets a path of the checkout into the build."""
    allowed = True
    for rule in IGNORE.read_text(encoding="utf-8").split("\n"):
        if rule and not rule.startswith("#") and _matches(rule.removeprefix("!"), path):
            allowed = rule.startswith("!")
    return allowed


def _matches(rule: str, path: str) -> bool:
    """A rule matches a path or one of the folders that it lies in; ``**/`` is any folder."""
    parts = path.split("/")
    heads = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    if rule.startswith("**/"):
        return any(fnmatch.fnmatchcase(part, rule[3:]) for part in parts)
    return any(fnmatch.fnmatchcase(head, rule) for head in heads if head.count("/") == rule.count("/"))


def lay_out(folder: Path) -> Path:
    """Copies what the build stage copies from the checkout, as it would lie in the image; the image's root."""
    for source, target in stages()[0].copies():
        origin = ROOT / source
        for file in [origin] if origin.is_file() else sorted(origin.rglob("*")):
            if file.is_file() and sent(str(file.relative_to(ROOT))):
                place = folder / target.lstrip("/")
                place = place if origin.is_file() else place / file.relative_to(origin)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
    return folder
