"""Puts the figures of the last runs (.ci/out/bench/*.json) into docs/performance.md, between its two marks."""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
KEPT = ROOT / ".ci" / "out" / "bench"
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: written by benchmarks/report.py -->", "<!-- end of figures -->"
SCRIPTS = ("intake", "sustained", "latency", "footprint")


def main() -> int:
    """1 while a script has not been run, or only for a short try."""
    runs = {name: _run(name) for name in SCRIPTS}
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(f"{PAGE.name} has lost its marks", file=sys.stderr)
        return 2
    PAGE.write_text("\n".join([before + BEGIN, "", *_lines(runs), "", END + after]), encoding="utf-8")
    left = [name for name, run in runs.items() if run is None or run["short"]]
    print(f"{PAGE.relative_to(ROOT)}: written" + (f"; not measured: {', '.join(left)}" if left else ""))
    return 1 if left else 0


def _run(name: str) -> dict[str, Any] | None:
    file = KEPT / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _lines(runs: dict[str, dict[str, Any] | None]) -> list[str]:
    held = [line for name, run in runs.items() for line in _held(name, run)]
    beside = [line for run in runs.values() if run for line in _beside(run)]
    lines = ["| figure | target | measured | ratio | |", "| --- | --- | --- | --- | --- |", *held]
    if beside:
        lines += ["", "Beside them, without a target:", "", "| figure | measured |", "| --- | --- |", *beside]
    return lines + [line for name, run in runs.items() if run for line in ("", _circumstances(name, run))]


def _held(name: str, run: dict[str, Any] | None) -> list[str]:
    if run is None:
        return [f"| {name} | | not measured yet | | |"]
    return [
        f"| {figure} | {'≥' if sign == '>=' else '≤'} {target:g} | {_shown(run['figures'][figure])} "
        f"| {run['ratios'][figure]:.2f} | {'met' if run['ratios'][figure] >= 1 else '**missed**'} |"
        for figure, (sign, target) in run["targets"].items()
        if figure in run["figures"]
    ]


def _beside(run: dict[str, Any]) -> list[str]:
    return [
        f"| {figure} | {_shown(value)} |" for figure, value in run["figures"].items() if figure not in run["targets"]
    ]


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _circumstances(name: str, run: dict[str, Any]) -> str:
    machine, details = run["machine"], run["details"]
    said = [
        f"`bench_{name}`, {run['at'][:16].replace('T', ' ')} UTC",
        f"{machine['cores']} cores of {machine['processor']}",
        f"{machine['memory_gib']} GiB",
        f"Python {machine['python']}",
        *([details["broker"].replace("apache-kafka", "Apache Kafka")] if "broker" in details else []),
        f"load before the run {machine['load_before']}",
        *(["**a short try, no measurement**"] if run["short"] else []),
    ]
    return f"{'; '.join(said)}."


if __name__ == "__main__":
    sys.exit(main())
