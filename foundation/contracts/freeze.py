"""What has been released: frozen schemas in ``schemas/<release>``, golden events in ``golden/<release>``.

``python -m foundation.contracts.freeze [release]`` writes the schemas of a release (default ``v1``) from today's
models, each only if it does not exist yet: a frozen file is never overwritten.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foundation.contracts.events import MODELS

HERE = Path(__file__).parent
SCHEMAS = HERE / "schemas"
GOLDEN = HERE / "golden"


def short_name(event_type: str) -> str:
    """``incident`` of ``vn.vonggac.incident.changed.v1``."""
    return event_type.split(".")[2]


def current_schema(event_type: str) -> dict[str, Any]:
    """Today's JSON Schema (draft 2020-12) of the data of events of this type."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:vonggac:{event_type}",
        "x-type": event_type,
        **MODELS[event_type].model_json_schema(),
    }


def freeze(release: str, folder: Path = SCHEMAS) -> list[Path]:
    """Writes the schemas of ``release`` that are not there yet; returns what was written."""
    written = []
    (folder / release).mkdir(parents=True, exist_ok=True)
    for event_type in MODELS:
        path = folder / release / f"{short_name(event_type)}.json"
        text = json.dumps(current_schema(event_type), ensure_ascii=False, indent=2) + "\n"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        written.append(path)
    return written


def _read(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(folder.glob("*/*.json")):
        yield path, json.loads(path.read_text(encoding="utf-8"))


def frozen_schemas() -> dict[tuple[str, str], dict[str, Any]]:
    """Every frozen schema by release and event type."""
    return {(path.parent.name, schema["x-type"]): schema for path, schema in _read(SCHEMAS)}


def golden_events() -> dict[str, dict[str, Any]]:
    """Every golden event, as an item of ``GET /v1/events``, by release and name such as ``v1/incident-raised``."""
    return {f"{path.parent.name}/{path.stem}": event for path, event in _read(GOLDEN)}


if __name__ == "__main__":
    for made in freeze(sys.argv[1] if len(sys.argv) > 1 else "v1"):
        sys.stdout.write(f"frozen: {made.parent.name}/{made.name}\n")
