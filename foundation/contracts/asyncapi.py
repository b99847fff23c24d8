"""The AsyncAPI 3.0 document of our topics, made from the contracts alone.

``python -m foundation.contracts.asyncapi`` writes ``docs/asyncapi.json``; a test holds that the committed file is
what this module makes.
"""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from foundation.contracts.events import HEAD_TYPE, MODELS, SOURCES, TOPICS, from_feed
from foundation.contracts.freeze import golden_events, short_name

DOCUMENT = Path(__file__).parents[2] / "docs" / "asyncapi.json"
VERSION = "1.0.0"
"""Of the contracts: the minor grows with an added field, the major with a new ``type``."""

HEADERS = {
    "ce_specversion": "CloudEvents version, always 1.0",
    "ce_id": "topic/area/epoch/sequence, unique for ever",
    "ce_source": "the service that wrote it",
    "ce_type": "type and major version of the event",
    "ce_subject": "id of the aggregate, the key of the record too; empty for a head",
    "ce_time": "RFC 3339, UTC",
    "ce_area": "the province; a stream is one topic of one area",
    "ce_epoch": "grows when a stream starts anew",
    "ce_sequence": "1, 2, 3 … without a gap in the stream; a head repeats the last one",
    "ce_version": "1, 2, 3 … without a gap per aggregate; 0 for a head",
    "content-type": "always application/json",
    "ce_traceparent": "W3C Trace Context, if the cause was traced",
}
"""Of each record, with what it says; all are texts, in decimal where they are numbers."""
OPTIONAL = {"ce_traceparent"}


def _ref(*parts: str) -> dict[str, str]:
    return {"$ref": "#/" + "/".join(parts)}


def _headers(event_type: str) -> dict[str, Any]:
    of_this_type = {"type": "object", "properties": {"ce_type": {"const": event_type}}}
    return {"allOf": [_ref("components", "schemas", "EventHeaders"), of_this_type]}


def _example(name: str, item: dict[str, Any]) -> dict[str, Any]:
    headers = {key: value.decode() for key, value in from_feed(item).headers()}
    return {"name": name.partition("/")[2], "headers": headers, "payload": item["data"]}


def _message(event_type: str) -> dict[str, Any]:
    model = MODELS[event_type]
    golden = {name: item for name, item in golden_events().items() if item["type"] == event_type}
    return {
        "name": event_type,
        "title": model.__name__,
        "summary": (model.__doc__ or "").split("\n\n")[0],
        "contentType": "application/json",
        "headers": _headers(event_type),
        "payload": _ref("components", "schemas", model.__name__),
        "bindings": {"kafka": {"key": {"type": "string", "description": "id of the aggregate"}}},
        "examples": [_example(name, item) for name, item in golden.items()],
    }


def _head() -> dict[str, Any]:
    return {
        "name": HEAD_TYPE,
        "title": "StreamHead",
        "summary": "How far the stream reaches, at the producer's start and every 5 s; not numbered itself.",
        "contentType": "application/json",
        "headers": _headers(HEAD_TYPE),
        "payload": {"type": "object", "description": "empty: all is in the headers"},
    }


def _channel(event_type: str) -> dict[str, Any]:
    name, topic = short_name(event_type), TOPICS[event_type]
    return {
        "address": topic,
        "title": topic,
        "description": f"Written by {SOURCES[topic].strip('/')} alone. A stream lies in one partition.",
        "messages": {name: _ref("components", "messages", name), "head": _ref("components", "messages", "head")},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": "0.5.0"}},
    }


def document() -> dict[str, Any]:
    """The whole document, ready for JSON."""
    names = {event_type: short_name(event_type) for event_type in MODELS}
    _, schemas = models_json_schema(
        [(model, "validation") for model in MODELS.values()], ref_template="#/components/schemas/{model}"
    )
    headers = {
        "type": "object",
        "required": [name for name in HEADERS if name not in OPTIONAL],
        "properties": {name: {"type": "string", "description": says} for name, says in HEADERS.items()},
    }
    return {
        "asyncapi": "3.0.0",
        "id": "urn:vonggac:events",
        "info": {
            "title": "Vọng Gác: events between the services",
            "version": VERSION,
            "description": "CloudEvents 1.0 in binary mode: attributes in Kafka headers, JSON in the value.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(event_type) for event_type, name in names.items()},
        "operations": {
            f"publish_{name}": {
                "action": "send",
                "summary": f"Every change of each {name}, in order.",
                "channel": _ref("channels", name),
                "messages": [_ref("channels", name, "messages", part) for part in (name, "head")],
            }
            for name in names.values()
        },
        "components": {
            "messages": {**{name: _message(event_type) for event_type, name in names.items()}, "head": _head()},
            "schemas": {"EventHeaders": headers, **schemas["$defs"]},
        },
    }


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(text(), encoding="utf-8")
