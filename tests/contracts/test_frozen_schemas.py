"""A released schema is a promise: each change that breaks it is found and named."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from foundation.contracts.compatible import incompatibilities
from foundation.contracts.events import MODELS
from foundation.contracts.freeze import current_schema, freeze, frozen_schemas

FROZEN = frozen_schemas()
FIELDS = [(event_type, name) for _, event_type in FROZEN for name in FROZEN["v1", event_type]["properties"]]
INCIDENT = FROZEN["v1", "vn.vonggac.incident.changed.v1"]


def test_every_type_is_frozen() -> None:
    assert {event_type for _, event_type in FROZEN} == set(MODELS)


@pytest.mark.parametrize(("release", "event_type"), FROZEN)
def test_todays_models_keep_the_promise_of_every_release(release: str, event_type: str) -> None:
    Draft202012Validator.check_schema(FROZEN[release, event_type])
    assert incompatibilities(FROZEN[release, event_type], current_schema(event_type)) == []


def test_a_frozen_file_is_never_overwritten(tmp_path: Path) -> None:
    assert len(freeze("v9", tmp_path)) == len(MODELS)
    kept = tmp_path / "v9" / "incident.json"
    kept.write_text("{}", encoding="utf-8")
    (tmp_path / "v9" / "site.json").unlink()
    assert [path.name for path in freeze("v9", tmp_path)] == ["site.json"]
    assert kept.read_text(encoding="utf-8") == "{}"
    assert json.loads((tmp_path / "v9" / "site.json").read_text(encoding="utf-8"))["title"] == "SiteState"


@pytest.mark.parametrize(("event_type", "name"), FIELDS)
def test_a_field_that_is_removed_or_changes_its_type_is_named(event_type: str, name: str) -> None:
    frozen = FROZEN["v1", event_type]
    removed, retyped = copy.deepcopy(frozen), copy.deepcopy(frozen)
    del removed["properties"][name]
    retyped["properties"][name] = {"type": "null"}
    assert f"data.{name}: removed" in incompatibilities(frozen, removed)
    assert any(found.startswith(f"data.{name}: type changed") for found in incompatibilities(frozen, retyped))


def planted(path: str, value: Any) -> dict[str, Any]:
    """The incident's schema with ``value`` at ``path`` (parts apart by ``/``); ``None`` takes away what is there."""
    schema = copy.deepcopy(INCIDENT)
    *parts, last = path.split("/")
    node = schema
    for part in parts:
        node = node[int(part)] if isinstance(node, list) else node[part]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return schema


REQUIRED = INCIDENT["required"]


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("required", [*REQUIRED, "post_id"], "data.post_id: newly required"),
        ("required", [name for name in REQUIRED if name != "kind"], "data.kind: no longer required"),
        ("properties/status/enum", ["open", "confirmed", "resolved"], "data.status: enum narrowed, without cancelled"),
        ("properties/kind/enum", ["fire"], "data.kind: enum narrowed, any value was allowed"),
        ("properties/status/const", "open", "data.status: enum narrowed"),
        ("properties/severity/maximum", 3, "data.severity: maximum tightened from 4 to 3"),
        ("properties/severity/minimum", 2, "data.severity: minimum tightened from 1 to 2"),
        ("properties/kind/maxLength", 5, "data.kind: maxLength tightened from none to 5"),
        ("properties/notes/maxItems", 3, "data.notes: maxItems tightened"),
        ("properties/notes/items/maxLength", 9, "data.notes[]: maxLength tightened"),
        ("properties/notes/items/type", "integer", "data.notes[]: type changed"),
        ("properties/kind/pattern", "^f", "data.kind: pattern changed"),
        ("properties/severity/multipleOf", 2, "data.severity: multipleOf changed"),
        ("properties/effective_at/format", None, "data.effective_at: type changed"),
        ("properties/post_id/anyOf", [{"type": "string"}], "data.post_id: type changed"),
        ("properties/silent/default", True, "data.silent: default changed"),
        ("properties/notes/x-class", None, "data.notes: is no longer marked personal"),
        ("additionalProperties", False, "data: additionalProperties changed"),
        ("$defs/SiteRef/required", ["id", "name", "kind", "commune_code", "address"], "data.site.address: newly"),
        ("$defs/SiteRef/properties/name", None, "data.site.name: removed"),
        ("$defs/Position/properties/lat/maximum", 60, "data.site.position.lat: maximum tightened"),
        ("$defs/Position/properties/lon/type", "string", "data.site.position.lon: type changed"),
        ("properties/ended_at/anyOf/0/format", None, "data.ended_at: type changed"),
    ],
)
def test_an_incompatible_change_is_refused_by_name(path: str, value: Any, named: str) -> None:
    found = incompatibilities(INCIDENT, planted(path, value))
    assert any(line.startswith(named) for line in found), found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties/weather", {"type": "string", "default": ""}),
        ("$defs/SiteRef/properties/gate", {"type": "string"}),
        ("properties/status/enum", ["open", "confirmed", "resolved", "cancelled", "archived"]),
        ("properties/severity/maximum", 5),
        ("properties/severity/minimum", None),
        ("properties/kind/description", "another text"),
        ("properties/kind/x-class", "personal"),
        ("title", "Another"),
    ],
)
def test_a_compatible_change_is_let_through(path: str, value: Any) -> None:
    assert incompatibilities(INCIDENT, planted(path, value)) == []


LOW, HIGH = st.integers(0, 2), st.integers(2, 4)
LEAVES: list[st.SearchStrategy[dict[str, Any]]] = [
    st.sampled_from([{"type": "string"}, {"type": "boolean"}, {"anyOf": [{"type": "integer"}, {"type": "null"}]}]),
    st.lists(st.sampled_from("abc"), min_size=1, unique=True).map(lambda enum: {"type": "string", "enum": enum}),
    st.builds(lambda low, high: {"type": "integer", "minimum": low, "maximum": high}, LOW, HIGH),
    st.builds(lambda low, high: {"type": "string", "minLength": low, "maxLength": high}, LOW, HIGH),
]
Pair = tuple[dict[str, Any], dict[str, Any]]


def objects(fields: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    """An object of two releases; in each a field may be absent, and each says which fields it needs."""

    def build(pairs: dict[str, Pair], releases: list[tuple[set[str], set[str]]]) -> Pair:
        old, new = (
            {
                "type": "object",
                "properties": {name: pair[place] for name, pair in pairs.items() if name not in absent},
                "required": sorted(needed & pairs.keys() - absent),
            }
            for place, (needed, absent) in enumerate(releases)
        )
        return old, new

    names = st.sets(st.sampled_from("pq"))
    sides = st.lists(st.tuples(names, st.one_of(st.just(set()), names)), min_size=2, max_size=2)
    return st.builds(build, st.dictionaries(st.sampled_from("pq"), fields, min_size=1), sides)


LEAF_PAIRS = st.one_of(*(st.tuples(leaf, leaf) for leaf in LEAVES), st.tuples(st.one_of(*LEAVES), st.one_of(*LEAVES)))
RELEASES = objects(st.one_of(LEAF_PAIRS, objects(LEAF_PAIRS)))


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what its own release writes: no field that it does not know."""
    if "properties" not in schema:
        return schema
    inner = {name: closed(field) for name, field in schema["properties"].items()}
    return {**schema, "properties": inner, "additionalProperties": False}


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-1, 5), st.sampled_from(["", "a", "b", "c", "ab", "abcde"]))
INNER = st.dictionaries(st.sampled_from("pq"), VALUES, max_size=2)
DATA = st.dictionaries(st.sampled_from("pq"), st.one_of(VALUES, INNER), max_size=2)


@settings(max_examples=1500, deadline=None)
@given(releases=RELEASES, data=DATA)
def test_what_an_earlier_release_could_write_is_read_if_nothing_is_named(releases: Pair, data: dict[str, Any]) -> None:
    old, new = releases
    if Draft202012Validator(closed(old)).is_valid(data) and not Draft202012Validator(new).is_valid(data):
        assert incompatibilities(old, new) != []


@given(releases=RELEASES)
def test_nothing_is_named_between_a_schema_and_itself(releases: Pair) -> None:
    assert incompatibilities(releases[0], copy.deepcopy(releases[0])) == []
