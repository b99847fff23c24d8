"""Units and what they cover. Changing coverage moves no alert: routing looks at it when an incident is raised."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from foundation.chassis.problems import Problem
from foundation.chassis.web import MAX_LIMIT, Parts, PlainText, json_answer
from foundation.contracts.alerts import UnitKind
from services.notifications.domain.units import Unit
from services.notifications.store import reading
from services.notifications.store import units as store

CODE = r"^[A-Z0-9][A-Z0-9-]{0,31}$"
Name = Annotated[PlainText, Field(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
CommuneCodes = Annotated[list[Annotated[str, Field(pattern=r"^[0-9]{1,10}$")]], Field(max_length=1000)]


class UnitIn(BaseModel):
    """A unit and the communes it covers."""

    code: str = Field(pattern=CODE)
    name: Name
    kind: UnitKind
    commune_codes: CommuneCodes = []


class UnitChange(BaseModel):
    """What is given is changed; ``commune_codes`` replaces the whole list."""

    name: Name | None = None
    commune_codes: CommuneCodes | None = None


class UnitPage(BaseModel):
    items: list[UnitIn]
    next: str | None


def units_router(parts: Parts) -> APIRouter:
    """``/v1/units``."""
    router = APIRouter(prefix="/v1/units", tags=["units"])

    @router.get("", response_model=UnitPage, summary="Các đơn vị và địa bàn phụ trách (units and what they cover)")
    async def units(
        request: Request,
        cursor: Annotated[str | None, Query(max_length=500)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
    ) -> Response:
        scope = parts.identity.caller(request)
        scope.require("read")
        return json_answer(await reading.units(parts.database, scope, cursor, limit))

    @router.get("/{code}", response_model=UnitIn, summary="Một đơn vị (one unit)")
    async def unit(request: Request, code: PlainText) -> Response:
        scope = parts.identity.caller(request)
        scope.require("read")
        return json_answer(await reading.unit(parts.database, scope, code))

    @router.post("", response_model=UnitIn, status_code=201, summary="Thêm đơn vị (add a unit)")
    async def create(request: Request, body: UnitIn) -> Response:
        scope = parts.identity.caller(request)
        scope.require("administer")
        unit = Unit(body.code, body.name, body.kind, tuple(sorted(set(body.commune_codes))))
        async with parts.database.transaction() as connection:
            if not await store.create(connection, scope.area, unit):
                raise Problem.conflict("Mã đơn vị này đã có.", "A unit with this code exists.")
        return json_answer(reading.unit_as_json(unit), 201)

    @router.patch("/{code}", response_model=UnitIn, summary="Sửa tên, địa bàn (change name or coverage)")
    async def change(request: Request, code: PlainText, body: UnitChange) -> Response:
        scope = parts.identity.caller(request)
        scope.require("administer")
        async with parts.database.transaction() as connection:
            old = await store.locked(connection, scope.area, code)
            if old is None:
                raise Problem.not_found("unit")
            covered = old.commune_codes if body.commune_codes is None else tuple(sorted(set(body.commune_codes)))
            unit = Unit(code, body.name or old.name, old.kind, covered)
            await store.put_units(connection, scope.area, [unit])
        return json_answer(reading.unit_as_json(unit))

    return router
