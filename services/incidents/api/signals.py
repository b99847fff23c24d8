"""The door of the devices: ``POST /v1/signals`` and what became of a signal."""

import hashlib
import re
import unicodedata
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from foundation.chassis.body import parse_json
from foundation.chassis.database import Database
from foundation.chassis.identity import Identity, bearer, presented_device_key
from foundation.chassis.problems import FieldError, Problem
from foundation.chassis.web import PlainUuid, StrictInstant, field_errors, json_answer, parse_plain_uuid
from foundation.contracts.fields import rfc3339
from foundation.contracts.kinds import KINDS
from services.incidents.domain.correlation import SignalEvent
from services.incidents.intake import Intake, Signal
from services.incidents.store import reading
from services.incidents.store.signals import StoredAnswer

TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def _known_kind(code: str) -> str:
    if code not in KINDS:
        raise ValueError("unknown kind")
    return code


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


ComposedText = Annotated[str, Field(strict=True), AfterValidator(_nfc)]
"""Text in NFC; lengths are measured after composing, which can make a text shorter or three times as long."""


class PositionIn(BaseModel):
    """Degrees, WGS 84."""

    model_config = ConfigDict(strict=True)

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)


class SignalIn(BaseModel):
    """One message of a device. Fields that this release does not know are ignored."""

    id: PlainUuid = Field(description="made by the sender, the same at every try")
    kind: Annotated[str, Field(strict=True), AfterValidator(_known_kind)] = Field(description="a code of /v1/kinds")
    occurred_at: StrictInstant = Field(description="the device's clock when it happened")
    sent_at: StrictInstant | None = Field(None, description="the device's clock at this try")
    event: Literal["alarm", "restoral", "cancel"] = "alarm"
    drill: StrictBool = False
    zone: Annotated[ComposedText, Field(max_length=64)] = ""
    note: Annotated[ComposedText, Field(max_length=2000)] | None = None
    position: PositionIn | None = None


class SignalAnswer(BaseModel):
    """The same bytes at every try of the same signal."""

    signal_id: str
    incident_id: str | None = Field(description="null where a signal belongs to no incident")
    incident_status: str | None
    received_at: str


SIGNAL: TypeAdapter[SignalIn] = TypeAdapter(SignalIn)


class SignalDoor:
    """The two doors of devices, as plain Starlette routes: a FastAPI route costs three times as much."""

    def __init__(self, intake: Intake, database: Database, identity: Identity) -> None:
        self._intake = intake
        self._database = database
        self._identity = identity

    async def post(self, request: Request) -> Response:
        """Stores one signal: 201 the first time, 200 with the same body from then on."""
        key = presented_device_key(request)
        try:
            signal = parse_signal(getattr(request.state, "json", None))
        except Problem:
            await self._intake.authenticate(key)  # whoever has no key learns nothing about bodies
            raise
        traceparent = request.headers.get("traceparent", "")
        answer = await self._intake.submit(key, signal, traceparent if TRACEPARENT.fullmatch(traceparent) else "")
        return Response(answer_body(answer.stored), 201 if answer.first else 200, media_type="application/json")

    async def get(self, request: Request) -> Response:
        """One signal, for the device that sent it and for operators."""
        try:
            signal_id = parse_plain_uuid(request.path_params["signal_id"])
        except ValueError as error:
            raise Problem.not_found("signal") from error
        if bearer(request).startswith("vgd_"):
            device_id = (await self._intake.authenticate(presented_device_key(request))).device_id
            found = await reading.signal(self._database, signal_id)
            if found is None or found.device_id != device_id:
                raise Problem.not_found("signal")
        else:
            scope = self._identity.caller(request)
            scope.require("read")
            found = await reading.signal(self._database, signal_id, scope)
            if found is None:
                raise Problem.not_found("signal")
        return json_answer(reading.signal_as_json(found))


def parse_signal(body: Any) -> Signal:
    """The signal in a JSON value. Raises 422 that names the fields."""
    if body is None:
        parse_json(b"")
    try:
        fields = SIGNAL.validate_python(body)
    except ValidationError as error:
        raise Problem("invalid", errors=_named(field_errors(error.errors(include_url=False)))) from error
    position = fields.position
    event: SignalEvent = fields.event
    return Signal(
        id=fields.id,
        kind=fields.kind,
        event=event,
        drill=fields.drill,
        zone=fields.zone,
        note=fields.note,
        lat=position.lat if position else None,
        lon=position.lon if position else None,
        occurred_at=fields.occurred_at,
        sent_at=fields.sent_at,
        body_hash=body_hash(fields),
    )


def body_hash(fields: SignalIn) -> bytes:
    """SHA-256 over what two tries of one signal must share: all but ``sent_at``, texts in NFC, instants in UTC."""
    position = fields.position
    same = (
        str(fields.id), fields.kind, rfc3339(fields.occurred_at), fields.event, fields.drill, fields.zone,
        fields.note, (position.lat, position.lon) if position else None,
    )  # fmt: skip
    return hashlib.sha256(orjson.dumps(same)).digest()


def answer_body(stored: StoredAnswer) -> bytes:
    """The answer, byte for byte the same whenever it is given."""
    return orjson.dumps(
        {
            "signal_id": str(stored.signal_id),
            "incident_id": str(stored.incident_id) if stored.incident_id else None,
            "incident_status": stored.answer_status,
            "received_at": rfc3339(stored.received_at),
        }
    )


def _named(errors: list[FieldError]) -> list[FieldError]:
    texts = {
        "kind": "Loại vụ việc không có trong danh mục.",
        "id": "Mã phải là UUID thường, có gạch nối.",
        "occurred_at": "Thời điểm phải theo RFC 3339, có múi giờ.",
        "sent_at": "Thời điểm phải theo RFC 3339, có múi giờ.",
        "zone": "Vùng phải là chữ, dài nhất 64 ký tự.",
        "note": "Ghi chú phải là chữ, dài nhất 2.000 ký tự.",
    }
    return [FieldError(e.field, texts.get(e.field, e.vi) if "required" not in e.en else e.vi, e.en) for e in errors]
