"""What any release wrote is read today, and what a later release may write is read too."""

from collections import Counter
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from foundation.contracts.events import MODELS, TOPICS, Event, from_feed, from_record
from foundation.contracts.fields import rfc3339
from foundation.contracts.freeze import frozen_schemas, golden_events
from foundation.contracts.kinds import KINDS

GOLDEN = golden_events()
FROZEN = frozen_schemas()


def of_a_later_release(value: Any) -> Any:
    """``value`` with an unknown field in every object of it."""
    if isinstance(value, list):
        return [of_a_later_release(item) for item in value]
    if isinstance(value, dict):
        return {**{key: of_a_later_release(item) for key, item in value.items()}, "added_later": {"số": [1, None]}}
    return value


def frozen(name: str) -> Draft202012Validator:
    schema = FROZEN[name.partition("/")[0], GOLDEN[name]["type"]]
    return Draft202012Validator(schema, format_checker=FormatChecker())


@pytest.fixture(params=GOLDEN)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_golden_event_keeps_its_frozen_schema_and_is_read_today(name: str) -> None:
    item = GOLDEN[name]
    frozen(name).validate(item["data"])
    state = MODELS[item["type"]].model_validate(item["data"])
    again = state.model_dump(mode="json")
    frozen(name).validate(again)
    assert MODELS[item["type"]].model_validate(again) == state
    assert state.model_dump(mode="json", exclude_unset=True) == item["data"]


def test_a_golden_event_agrees_with_its_envelope(name: str) -> None:
    item = GOLDEN[name]
    state: Any = MODELS[item["type"]].model_validate(item["data"])
    assert item["topic"] == TOPICS[item["type"]]
    assert (item["key"], item["version"], item["area"]) == (state.id, state.version, state.area)
    assert item["time"] == rfc3339(state.changed_at)
    assert getattr(state, "kind", "fire") in {*KINDS, "agency", "enterprise", "school"}


def test_a_golden_event_comes_whole_through_the_feed_and_through_kafka(name: str) -> None:
    item = GOLDEN[name]
    event = from_feed(item)
    assert from_record(event.topic, event.headers(), event.payload) == event
    assert orjson.loads(orjson.dumps(event.as_json())) == item
    assert event.data == item["data"]


def test_what_a_later_release_adds_is_passed_over(name: str) -> None:
    item, later = GOLDEN[name], of_a_later_release(GOLDEN[name])
    frozen(name).validate(later["data"])
    model = MODELS[item["type"]]
    assert model.model_validate(later["data"]) == model.model_validate(item["data"])
    event: Event = from_feed(later)
    assert (event.area, event.sequence, event.key) == (item["area"], item["sequence"], item["key"])
    headers = [*event.headers(), ("ce_addedlater", "số".encode()), ("other", b"\xff")]
    assert from_record(event.topic, headers, event.payload) == event


def test_every_topic_has_at_least_three_in_a_gapless_stream() -> None:
    counted = Counter(item["topic"] for item in GOLDEN.values())
    assert counted.keys() == set(TOPICS.values())
    for topic, count in counted.items():
        assert count >= 3
        numbers = {item["sequence"] for item in GOLDEN.values() if item["topic"] == topic}
        assert numbers == set(range(1, count + 1))


@pytest.mark.parametrize("event_type", MODELS)
def test_every_optional_field_is_filled_in_one_and_absent_in_another(event_type: str) -> None:
    told = [item["data"] for item in GOLDEN.values() if item["type"] == event_type]
    for name, field in MODELS[event_type].model_fields.items():
        if not field.is_required():
            assert any(data.get(name) not in (None, []) for data in told), f"{name} is never filled"
            assert any(name not in data for data in told), f"{name} is never absent"
    traced = {bool(item["traceparent"]) for item in GOLDEN.values() if item["type"] == event_type}
    assert traced == {True, False}
