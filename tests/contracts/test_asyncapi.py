"""The committed AsyncAPI document is what the contracts say, and is built as AsyncAPI 3.0 asks."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from foundation.contracts.asyncapi import DOCUMENT, HEADERS, OPTIONAL, document, text
from foundation.contracts.events import MODELS, TOPICS, from_feed
from foundation.contracts.freeze import golden_events, short_name

MADE = document()
MESSAGES = MADE["components"]["messages"]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def found(reference: str) -> Any:
    node: Any = MADE
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_the_committed_document_is_the_generated_one() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == text(), "run: python -m foundation.contracts.asyncapi"
    assert json.loads(text()) == MADE


def test_it_has_what_asyncapi_3_requires() -> None:
    allowed = {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
    assert MADE["asyncapi"] == "3.0.0"
    assert MADE.keys() <= allowed
    assert MADE["info"].keys() >= {"title", "version"}
    for operation in MADE["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = operation["channel"]["$ref"]
        assert channel.startswith("#/channels/")
        # A message of an operation is one of its channel's, not one of the components.
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])


def test_every_reference_leads_somewhere() -> None:
    assert list(references(MADE))
    for reference in references(MADE):
        assert isinstance(found(reference), dict)


def test_every_topic_is_a_channel_with_its_event_and_its_head() -> None:
    assert {channel["address"] for channel in MADE["channels"].values()} == set(TOPICS.values())
    for event_type, topic in TOPICS.items():
        channel = MADE["channels"][short_name(event_type)]
        assert channel["address"] == channel["bindings"]["kafka"]["topic"] == topic
        assert {found(message["$ref"])["name"] for message in channel["messages"].values()} >= {event_type}
        assert "head" in channel["messages"]


@pytest.mark.parametrize("event_type", MODELS)
def test_the_examples_keep_the_schemas_beside_them(event_type: str) -> None:
    message = MESSAGES[short_name(event_type)]
    assert len(message["examples"]) >= 3
    for example in message["examples"]:
        Draft202012Validator({**MADE, **message["payload"]}).validate(example["payload"])
        Draft202012Validator({**MADE, **message["headers"]}).validate(example["headers"])
        assert example["headers"]["ce_type"] == event_type


def test_the_headers_are_those_that_an_event_has() -> None:
    events = [from_feed(item) for item in golden_events().values()]
    given = [{key for key, _ in event.headers()} for event in events]
    assert set.union(*given) == set(HEADERS)
    assert set.intersection(*given) == set(HEADERS) - OPTIONAL
