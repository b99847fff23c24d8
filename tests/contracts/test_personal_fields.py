"""What may say something about a person is marked, and reporting can leave all of it out."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, Field, create_model

from foundation.contracts.events import MODELS
from foundation.contracts.fields import Contract, Personal, without_personal
from foundation.contracts.freeze import golden_events

TELLING = {"note", "notes", "name", "names", "phone", "reason", "by", "person", "reporter", "guard", "comment", "words"}
LOOKED_AT = {
    "SiteRef.name": "of an agency, enterprise or school",
    "SiteState.name": "of an agency, enterprise or school",
    "UnitRef.name": "of a police unit",
    "AlertState.reason": "the routing rule that made the alert",
    "AlertState.stood_down_reason": "one of four fixed words",
}
GOLDEN = golden_events()


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def holds_text(annotation: Any) -> bool:
    return annotation is str or any(holds_text(part) for part in get_args(annotation))


def unmarked(model: type[BaseModel]) -> Iterator[str]:
    """Texts of the model, at every depth, that by their name could be about a person and are not marked."""
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            yield from unmarked(inner)
        marked = isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("x-class") == "personal"
        if holds_text(field.annotation) and TELLING & set(name.split("_")) and not marked:
            yield f"{model.__name__}.{name}"


@pytest.mark.parametrize("event_type", MODELS)
def test_every_text_that_could_be_about_a_person_is_marked_or_was_looked_at(event_type: str) -> None:
    assert set(unmarked(MODELS[event_type])) <= set(LOOKED_AT)


def test_what_was_looked_at_still_exists() -> None:
    assert {found for model in MODELS.values() for found in unmarked(model)} == set(LOOKED_AT)


@pytest.mark.parametrize("name", ["note", "reporter_name", "phone", "reason", "closed_by", "guard_on_duty"])
def test_a_planted_text_that_is_not_marked_is_found(name: str) -> None:
    plain: Any = create_model("Planted", __base__=Contract, **{name: (str | None, Field(None))})
    marked: Any = create_model("Planted", __base__=Contract, **{name: (str | None, Personal())})
    outer: Any = create_model("Outer", __base__=Contract, inner=(plain | None, None))
    assert list(unmarked(plain)) == [f"Planted.{name}"]
    assert list(unmarked(outer)) == [f"Planted.{name}"]
    assert list(unmarked(marked)) == []


@pytest.mark.parametrize("name", GOLDEN)
def test_nothing_personal_and_nothing_unknown_is_kept(name: str) -> None:
    item = GOLDEN[name]
    model = MODELS[item["type"]]
    personal = {
        key for key, field in model.model_fields.items() if (field.json_schema_extra or {}) == {"x-class": "personal"}
    }
    kept = without_personal(model, {**item["data"], "added_later": "Nguyễn Văn Mẫu"})
    assert kept.keys() == item["data"].keys() - personal
    assert all(kept[key] == item["data"][key] for key in kept)
    for word in ("Mẫu", "Thí Dụ", "Giả Định", "Cửa kho"):
        assert word not in json.dumps(kept, ensure_ascii=False)


def test_nothing_unknown_is_kept_inside_a_site() -> None:
    item = GOLDEN["v1/incident-resolved"]
    planted = {**item["data"], "site": {**item["data"]["site"], "guard_name": "Nguyễn Văn Mẫu"}}
    assert "Mẫu" not in json.dumps(without_personal(MODELS[item["type"]], planted), ensure_ascii=False)
