"""Field classes and field types that all contracts share.

Every field that can carry something about a person is marked ``Personal``; all others are operational.
Law 91/2025/QH15 (personal data): purpose and minimum. Reporting keeps no personal field (see ``without_personal``).
"""

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo


def rfc3339(instant: datetime) -> str:
    """The instant in UTC with microseconds, as in ``2026-11-24T08:00:00.000000Z`` (RFC 3339)."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Instant = Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
"""An instant; RFC 3339 in UTC in JSON."""

PERSONAL: JsonDict = {"x-class": "personal"}


def Personal(**kwargs: Any) -> Any:
    """A field about a person: never in logs, metrics, addresses or reporting."""
    if "default_factory" not in kwargs:
        kwargs.setdefault("default", None)
    return Field(json_schema_extra=PERSONAL, **kwargs)


class Contract(BaseModel):
    """Base of every event's data: readers ignore fields that a later release added."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Position(Contract):
    """Degrees, WGS 84."""

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)


class SiteRef(Contract):
    """The site as it was when the event was made."""

    id: str
    name: str
    kind: str = Field(description="agency, enterprise or school")
    commune_code: str = Field(description="official code of the commune-level unit since 1 July 2025")
    address: str | None = None
    position: Position | None = None


def without_personal(model: type[BaseModel], data: dict[str, Any]) -> dict[str, Any]:
    """``data`` without what ``model`` marks as personal, and without what is unknown to it, at every depth.

    An unknown field could be personal in a later release, so only what is known to be harmless is kept.
    """
    return {
        name: _known(field.annotation, data[name])
        for name, field in model.model_fields.items()
        if name in data and not is_personal(field)
    }


def is_personal(field: FieldInfo) -> bool:
    """Whether the field was declared with ``Personal``."""
    return isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("x-class") == "personal"


@cache
def nested(annotation: Any) -> type[BaseModel] | None:
    """The model inside the annotation of a field, such as ``Position`` in ``Position | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := nested(part))), None)


def _known(annotation: Any, value: Any) -> Any:
    """What a field may keep of ``value``: where a model belongs, nothing but that model's fields."""
    model = nested(annotation)
    if model is None:
        return value
    if isinstance(value, list):
        return [_known(model, item) for item in value]
    return without_personal(model, value) if isinstance(value, dict) else None
