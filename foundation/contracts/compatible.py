"""Whether today's readers still understand what an earlier release was allowed to write.

A new major version of an event is a new ``type`` beside the old one; within a type only what is named compatible
here may change. Readers ignore unknown fields, so a field that may be absent can be added at any time. A value
added to an enum is let through: consumers are to be updated before the producer that first writes it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

AT_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems")
AT_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
SAID_APART = {"$ref", "$defs", "anyOf", "type", "enum", "const", "properties", "required", "items", "default"}
ANNOTATIONS = {"$schema", "$id", "x-type", "x-class", "title", "description", "examples"}


def incompatibilities(frozen_schema: Schema, current_schema: Schema) -> list[str]:
    """What of ``current_schema`` breaks the promise of ``frozen_schema``; empty if nothing does.

    Both are JSON Schemas of objects as Pydantic writes them: ``$ref`` into ``$defs``, ``anyOf``, no recursion.
    """
    return list(_compare("data", _inlined(frozen_schema, frozen_schema), _inlined(current_schema, current_schema)))


def _inlined(node: Any, root: Schema) -> Any:
    """``node`` with every ``$ref`` replaced by what it names in ``root``."""
    if isinstance(node, list):
        return [_inlined(item, root) for item in node]
    if not isinstance(node, Mapping):
        return node
    if isinstance(node.get("$ref"), str):
        named = root["$defs"][node["$ref"].removeprefix("#/$defs/")]
        node = {**named, **{key: value for key, value in node.items() if key != "$ref"}}
    return {key: _inlined(value, root) for key, value in node.items() if key != "$defs"}


def _by_type(node: Schema) -> dict[str, Schema]:
    """The alternatives of a schema by JSON type; two of one type are told apart by their place."""
    found: dict[str, Schema] = {}
    for option in node.get("anyOf", [node]):
        name = str(option.get("type", "any")) + (":" + option["format"] if "format" in option else "")
        found[name if name not in found else f"{name}#{len(found)}"] = option
    return found


def _compare(path: str, old: Schema, new: Schema) -> Iterator[str]:
    if old.get("x-class") == "personal" != new.get("x-class"):
        yield f"{path}: is no longer marked personal"
    if "default" in old and old["default"] != new.get("default", old["default"]):
        yield f"{path}: default changed, so an absent field would mean something else"
    was, now = _by_type(old), _by_type(new)
    if was.keys() != now.keys():
        yield f"{path}: type changed from {' | '.join(sorted(was))} to {' | '.join(sorted(now))}"
    for name in was.keys() & now.keys():
        yield from _compare_one(path, was[name], now[name])


def _compare_one(path: str, old: Schema, new: Schema) -> Iterator[str]:
    yield from _values(path, old, new)
    yield from _bounds(path, old, new)
    yield from _fields(path, old, new)
    if "items" in old or "items" in new:
        yield from _compare(f"{path}[]", old.get("items", {}), new.get("items", {}))
    known = SAID_APART | ANNOTATIONS | {*AT_LEAST, *AT_MOST}
    for keyword in sorted((old.keys() | new.keys()) - known):
        if old.get(keyword) != new.get(keyword):
            yield f"{path}: {keyword} changed"


def _values(path: str, old: Schema, new: Schema) -> Iterator[str]:
    allowed = [new["const"]] if "const" in new else new.get("enum")
    before = [old["const"]] if "const" in old else old.get("enum")
    if allowed is None:
        return
    if before is None:
        yield f"{path}: enum narrowed, any value was allowed"
    elif gone := [value for value in before if value not in allowed]:
        yield f"{path}: enum narrowed, without {', '.join(map(str, gone))}"


def _bounds(path: str, old: Schema, new: Schema) -> Iterator[str]:
    for keyword in AT_LEAST:
        if keyword in new and (keyword not in old or new[keyword] > old[keyword]):
            yield f"{path}: {keyword} tightened from {old.get(keyword, 'none')} to {new[keyword]}"
    for keyword in AT_MOST:
        if keyword in new and (keyword not in old or new[keyword] < old[keyword]):
            yield f"{path}: {keyword} tightened from {old.get(keyword, 'none')} to {new[keyword]}"


def _fields(path: str, old: Schema, new: Schema) -> Iterator[str]:
    was, now = old.get("properties", {}), new.get("properties", {})
    needed_before, needed = set(old.get("required", [])), set(new.get("required", []))
    for name in was:
        if name not in now:
            yield f"{path}.{name}: removed"
        else:
            yield from _compare(f"{path}.{name}", was[name], now[name])
    for name in sorted(needed - needed_before):
        yield f"{path}.{name}: newly required"
    for name in sorted((needed_before - needed) & now.keys()):
        yield f"{path}.{name}: no longer required, earlier readers rely on it"
