"""Rules that a reviewer would repeat, read from the source: each finding is ``file:line what``."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOORS = ("foundation", "services", "vonggac")
ASKS_THE_TIME = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns",
}  # fmt: skip
MAY_ASK = {
    "foundation/chassis/clock.py": "it is the clock",
    "foundation/chassis/identity.py": "a token's life is checked against the real time by its library",
    "vonggac/supervise.py": "when a process was born, beside what the kernel says of it",
    "vonggac/demo/simulate.py": "the clock of a simulated device, not ours",
}
SQL_NOW = re.compile(
    r"\bnow\s*\(\s*\)|\b(current|local)_?(timestamp|time|date)\b|\b(clock|statement|transaction)_timestamp\b", re.I
)
FOR_CREATED_AT = re.compile(r"created_at timestamptz NOT NULL DEFAULT now\(\)")


def sources(*floors: str) -> Iterator[tuple[str, str]]:
    """Path from the root, and text, of every Python file."""
    for floor in floors or FLOORS:
        for file in sorted((ROOT / floor).rglob("*.py")):
            yield str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def who_asks_the_time(path: str, text: str) -> list[str]:
    """Calls (or mentions) of the machine's clock outside the files that may."""
    if path in MAY_ASK:
        return []
    found = []
    for node in ast.walk(ast.parse(text)):
        name = _dotted(node) if isinstance(node, ast.Attribute) else ""
        if any(name == asked or name.endswith(f".{asked}") for asked in ASKS_THE_TIME):
            found.append(f"{path}:{node.lineno} {name}")
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [
                f"{path}:{node.lineno} from time import {a.name}" for a in node.names if a.name in ("time", "time_ns")
            ]
    return found


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """String constants that are no docstrings."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


def sql_that_asks_the_time(path: str, text: str) -> list[str]:
    """SQL that uses the server's clock, but for the default of ``created_at``, which no rule reads."""
    found = []
    for line, value in _texts(ast.parse(text)):
        shown = FOR_CREATED_AT.sub("", value)
        if path.endswith("store/tables.py") and shown == "now()":
            continue
        if SQL_NOW.search(shown) and re.search(
            r"\b(select|insert|update|delete|create|default|where|set)\b|now\(", shown, re.I
        ):
            found.append(f"{path}:{line} {SQL_NOW.search(shown).group()}")  # type: ignore[union-attr]
    return found


def unbounded_queues(path: str, text: str) -> list[str]:
    """Queues without a stated bound."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = _dotted(node.func).rpartition(".")[2]
        bounded = node.args or any(word.arg == "maxsize" for word in node.keywords)
        if (name in ("Queue", "PriorityQueue", "LifoQueue") and not bounded) or name == "SimpleQueue":
            found.append(f"{path}:{node.lineno} {name} without a bound")
        if name == "deque" and len(node.args) < 2 and not any(word.arg == "maxlen" for word in node.keywords):
            found.append(f"{path}:{node.lineno} deque without a bound")
    return found


def reads_without_a_scope(path: str, text: str) -> list[str]:
    """Doors (``api/``) that read a store and never ask who calls."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = ast.unparse(node)
        if re.search(r"\breading\.\w+\(", body) and not re.search(
            r"\b(scope|authenticate|caller|reader|administrator)\b", body
        ):
            found.append(f"{path}:{node.lineno} {node.name} reads without a scope")
    return found
