"""The log lines of the services under test: an error that no test expects fails the test that caused it.

Services in this process are heard by a handler, services in processes of their own by their log files, which hold
one JSON object a line. What is not JSON there (a traceback before the logs are set up, a fatal error of the
interpreter) counts as an error if it looks like one.
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from pythonjsonlogger.json import JsonFormatter

IN_PROCESS = "in process"
SHOWN = 10
"""Unexpected lines that a message shows."""
MAX_SHOWN_CHARACTERS = 3_000
_LEVELS = logging.getLevelNamesMapping()
_LOOKS_LIKE_AN_ERROR = re.compile(
    r"^Traceback \(most recent call last\)|^Fatal Python error|^Segmentation fault|^(\w+\.)*\w*(Error|Exception)\b",
    re.MULTILINE,
)


class UnexpectedLines(AssertionError):
    """Errors in the logs that no ``expect`` names, or an error that was required and did not come."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a log. ``text`` is all of it, as written: patterns are searched in it."""

    source: str
    level: int
    text: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.source}: {self.text[:MAX_SHOWN_CHARACTERS]}"


@dataclass
class Expectation:
    """An error that a test means to cause."""

    pattern: re.Pattern[str]
    required: bool
    seen: int = 0


def _object_in(text: str) -> dict[str, object] | None:
    """The JSON object that the text is: before it may stand the half of another that a kill cut off."""
    if not text.startswith("{"):
        return None
    for start in re.finditer(r'\{"', text):
        try:
            found = json.loads(text[start.start() :])
        except ValueError:
            continue
        return found if isinstance(found, dict) else None
    return None


def parse(source: str, text: str) -> Line:
    """One entry: a JSON object with ``level`` (or ``levelname``), or a block of plain text.

    A level that nobody knows counts as an error, so that nothing is silent.
    """
    values = _object_in(text)
    if values is not None:
        name = str(values.get("level", values.get("levelname", "INFO"))).upper()
        return Line(source, _LEVELS.get(name, logging.ERROR), text, values)
    return Line(source, logging.ERROR if _LOOKS_LIKE_AN_ERROR.search(text) else logging.WARNING, text)


class _File:
    """A log file that grows: gives what was added since the last look, whole entries only."""

    def __init__(self, path: Path, source: str, offset: int) -> None:
        self.path, self.source, self._offset, self._rest = path, source, offset, b""

    def added(self, last: bool = False) -> list[Line]:
        """New entries. Lines that are no JSON belong together, as those of a traceback do.

        Unless it is the ``last`` look, an unfinished line and a block that may still grow wait for the next one.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                self._rest += file.read()
                self._offset = file.tell()
        except FileNotFoundError:
            return []
        whole, newline, unfinished = self._rest.rpartition(b"\n")
        lines = (whole + newline).decode(errors="replace").splitlines()
        if last:
            lines, unfinished = [*lines, *unfinished.decode(errors="replace").splitlines()], b""
        entries, block = [], list[str]()
        for line in lines:
            if line.startswith("{"):
                entries += [parse(self.source, "\n".join(block))] * bool(block) + [parse(self.source, line)]
                block = []
            elif line.strip() or block:
                block.append(line)
        if last and block:
            entries.append(parse(self.source, "\n".join(block)))
            block = []
        self._rest = "".join(f"{line}\n" for line in block).encode() + unfinished
        return entries


class _Handler(logging.Handler):
    """Takes what this process logs, formatted as a service formats it."""

    def __init__(self, lines: list[Line]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines
        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        self.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names))

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(parse(IN_PROCESS, self.format(record)))


class LogWatch:
    """Use as a context manager around a test: leaving it without another error checks.

    ``level`` is what the root logger lets through meanwhile. One watch at a time; from one thread's view of a log.
    """

    def __init__(self, level: int = logging.INFO) -> None:
        self._lines: list[Line] = []
        self._files: list[_File] = []
        self._expected: list[Expectation] = []
        self._handler = _Handler(self._lines)
        self._level = level
        self._level_before = logging.NOTSET

    def __enter__(self) -> "LogWatch":
        root = logging.getLogger()
        self._level_before = root.level
        root.setLevel(self._level)
        root.addHandler(self._handler)
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        root = logging.getLogger()
        removed = self._handler not in root.handlers
        root.removeHandler(self._handler)
        root.setLevel(self._level_before)
        if error is not None:
            return
        self.check()
        if removed:
            raise UnexpectedLines("something replaced the root logger's handlers: its lines were not heard")

    def follow(self, path: Path, *, from_start: bool = True) -> None:
        """Hears a service's log file too, which may not be there yet; not ``from_start``: only what is added to it."""
        offset = path.stat().st_size if not from_start and path.exists() else 0
        self._files.append(_File(path, path.name, offset))

    def expect(self, pattern: str, *, required: bool = False) -> None:
        """Errors in whose text the regular expression is found are meant, before and after this call.

        ``required``: the test fails if none comes.
        """
        self._expected.append(Expectation(re.compile(pattern), required))

    def lines(self, *, last: bool = False) -> list[Line]:
        """All lines so far, of every level."""
        for file in self._files:
            self._lines.extend(file.added(last))
        return list(self._lines)

    def unexpected(self, *, last: bool = False) -> list[Line]:
        """Lines of level ERROR and above that no ``expect`` names."""
        left = []
        for line in self.lines(last=last):
            matching = [known for known in self._expected if known.pattern.search(line.text)]
            for known in matching:
                known.seen += 1
            if line.level >= logging.ERROR and not matching:
                left.append(line)
        return left

    def check(self) -> None:
        """Raises ``UnexpectedLines`` with the lines, or with what was required and did not come."""
        found = self.unexpected(last=True)
        if found:
            more = f"\n… and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise UnexpectedLines(
                f"{len(found)} unexpected errors in the logs:\n" + "\n".join(map(str, found[:SHOWN])) + more
            )
        missing = [known.pattern.pattern for known in self._expected if known.required and not known.seen]
        if missing:
            raise UnexpectedLines(f"required in the logs, and not there: {missing}")
