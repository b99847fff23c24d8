"""The operators' doors to the register: sites, posts and devices."""

from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from foundation.chassis.clock import Clock
from foundation.chassis.database import Database
from foundation.chassis.identity import Identity, Scope, device_key, hash_secret, new_device_secret
from foundation.chassis.problems import Problem
from foundation.chassis.web import PlainText, PlainUuid, json_answer
from foundation.contracts.sites import SiteKind
from services.incidents.api.signals import PositionIn
from services.incidents.store import reading, register
from services.incidents.store.tables import Device, Post, Site

Name = Annotated[PlainText, Field(min_length=1, max_length=200)]
CommuneCode = Annotated[str, Field(pattern=r"^[0-9]{1,8}$")]
DeviceType = Literal["phone", "panel", "transmitter", "forwarder"]
Limit = Annotated[int, Query(ge=1, le=500)]


class SiteIn(BaseModel):
    """A site to be put under protection."""

    name: Name
    kind: SiteKind
    commune_code: CommuneCode
    address: Annotated[PlainText, Field(max_length=500)] | None = None
    former_district: Annotated[PlainText, Field(max_length=100)] | None = None
    position: PositionIn | None = None


class SiteChange(BaseModel):
    """What is to be different about a site; what is left out stays."""

    name: Name | None = None
    kind: SiteKind | None = None
    commune_code: CommuneCode | None = None
    address: Annotated[PlainText, Field(max_length=500)] | None = None
    former_district: Annotated[PlainText, Field(max_length=100)] | None = None
    position: PositionIn | None = None
    active: bool | None = None


class PostIn(BaseModel):
    """A post at a site."""

    site_id: PlainUuid
    name: Name


class DeviceIn(BaseModel):
    """A device at a post. A ``phone``'s press counts as seen by a person."""

    post_id: PlainUuid
    name: Name
    type: DeviceType


class NameChange(BaseModel):
    """A new name, and for a device another post."""

    name: Name | None = None
    post_id: PlainUuid | None = None


class Register:
    """What the doors below share: who may, and where it is written."""

    def __init__(self, database: Database, identity: Identity, clock: Clock) -> None:
        self.database = database
        self.identity = identity
        self.clock = clock

    def reader(self, request: Request) -> Scope:
        scope = self.identity.caller(request)
        scope.require("read")
        return scope

    def administrator(self, request: Request) -> Scope:
        scope = self.identity.caller(request)
        scope.require("administer")
        return scope

    async def one(self, scope: Scope, table: Any, row_id: UUID, status: int = 200, **extra: object) -> Response:
        """One row. Raises 404."""
        items = (await reading.listed(self.database, scope, table, cursor=None, limit=1, one=row_id))["items"]
        if not items:
            raise Problem.not_found(table.__tablename__)
        return json_answer(items[0] | extra, status)

    async def must_exist(self, scope: Scope, table: Any, row_id: UUID, field: str) -> None:
        """Raises 422 that names ``field`` where it points at nothing."""
        if not (await reading.listed(self.database, scope, table, cursor=None, limit=1, one=row_id))["items"]:
            raise Problem.invalid(field, "Không có trong sổ.", "Not in the register.")


def register_router(database: Database, identity: Identity, clock: Clock) -> APIRouter:
    """``/v1/sites``, ``/v1/posts`` and ``/v1/devices``."""
    router = APIRouter(tags=["register"], dependencies=[Depends(identity.caller)])  # before the body is looked at
    book = Register(database, identity, clock)
    _sites(router, book)
    _posts(router, book)
    _devices(router, book)
    return router


def _sites(router: APIRouter, book: Register) -> None:
    @router.get("/v1/sites", summary="Đơn vị được bảo vệ (sites)")
    async def listed(
        request: Request, commune_code: str | None = None, cursor: str | None = None, limit: Limit = 100
    ) -> Response:
        scope = book.reader(request)
        return json_answer(
            await reading.listed(book.database, scope, Site, cursor=cursor, limit=limit, commune_code=commune_code)
        )

    @router.get("/v1/sites/{site_id}")
    async def one(request: Request, site_id: PlainUuid) -> Response:
        return await book.one(book.reader(request), Site, site_id)

    @router.post("/v1/sites", status_code=201)
    async def add(request: Request, body: SiteIn) -> Response:
        scope, site_id = book.administrator(request), uuid4()
        lat, lon = _degrees(body.position)
        site = register.NewSite(
            site_id, scope.area, body.name, body.kind, body.commune_code, body.address, body.former_district, lat, lon
        )
        async with book.database.transaction() as connection:
            await register.put_sites(connection, [site], book.clock.now())
        return await book.one(scope, Site, site_id, 201)

    @router.patch("/v1/sites/{site_id}")
    async def change(request: Request, site_id: PlainUuid, body: SiteChange) -> Response:
        scope = book.administrator(request)
        given = body.model_dump(exclude_unset=True, exclude={"position"})
        for required in ("name", "kind", "commune_code", "active"):
            if required in given and given[required] is None:
                raise Problem.invalid(required, "Không được để trống.", "May not be null.")
        if "position" in body.model_fields_set:
            given["lat"], given["lon"] = _degrees(body.position)
        async with book.database.transaction() as connection:
            if not await register.change_site(connection, site_id, scope.area, given, book.clock.now()):
                raise Problem.not_found("site")
        return await book.one(scope, Site, site_id)


def _posts(router: APIRouter, book: Register) -> None:
    @router.get("/v1/posts", summary="Vọng gác, chốt bảo vệ (posts)")
    async def listed(
        request: Request, site_id: PlainUuid | None = None, cursor: str | None = None, limit: Limit = 100
    ) -> Response:
        scope = book.reader(request)
        return json_answer(
            await reading.listed(book.database, scope, Post, cursor=cursor, limit=limit, site_id=site_id)
        )

    @router.get("/v1/posts/{post_id}")
    async def one(request: Request, post_id: PlainUuid) -> Response:
        return await book.one(book.reader(request), Post, post_id)

    @router.post("/v1/posts", status_code=201)
    async def add(request: Request, body: PostIn) -> Response:
        scope, post_id = book.administrator(request), uuid4()
        await book.must_exist(scope, Site, body.site_id, "site_id")
        async with book.database.transaction() as connection:
            await register.put_posts(connection, [register.NewPost(post_id, scope.area, body.site_id, body.name)])
        return await book.one(scope, Post, post_id, 201)

    @router.patch("/v1/posts/{post_id}")
    async def change(request: Request, post_id: PlainUuid, body: NameChange) -> Response:
        scope = book.administrator(request)
        async with book.database.transaction() as connection:
            if not await register.rename(connection, "post", post_id, scope.area, body.name):
                raise Problem.not_found("post")
        return await book.one(scope, Post, post_id)


def _devices(router: APIRouter, book: Register) -> None:
    @router.get("/v1/devices", summary="Thiết bị (devices)")
    async def listed(
        request: Request, post_id: PlainUuid | None = None, cursor: str | None = None, limit: Limit = 100
    ) -> Response:
        scope = book.reader(request)
        return json_answer(
            await reading.listed(book.database, scope, Device, cursor=cursor, limit=limit, post_id=post_id)
        )

    @router.get("/v1/devices/{device_id}")
    async def one(request: Request, device_id: PlainUuid) -> Response:
        return await book.one(book.reader(request), Device, device_id)

    @router.post("/v1/devices", status_code=201, description="The key is shown in this answer and never again.")
    async def add(request: Request, body: DeviceIn) -> Response:
        scope, device_id, secret = book.administrator(request), uuid4(), new_device_secret()
        await book.must_exist(scope, Post, body.post_id, "post_id")
        device = register.NewDevice(device_id, scope.area, body.post_id, body.name, body.type, hash_secret(secret))
        async with book.database.transaction() as connection:
            await register.put_devices(connection, [device])
        return await book.one(scope, Device, device_id, 201, key=device_key(device_id, secret))

    @router.patch("/v1/devices/{device_id}")
    async def change(request: Request, device_id: PlainUuid, body: NameChange) -> Response:
        scope = book.administrator(request)
        if body.post_id is not None:
            await book.must_exist(scope, Post, body.post_id, "post_id")
        async with book.database.transaction() as connection:
            if not await register.rename(connection, "device", device_id, scope.area, body.name, body.post_id):
                raise Problem.not_found("device")
        return await book.one(scope, Device, device_id)

    @router.post("/v1/devices/{device_id}/rotate", description="A new key; the one before stays valid as well.")
    async def rotate(request: Request, device_id: PlainUuid) -> Response:
        scope, secret = book.administrator(request), new_device_secret()
        async with book.database.transaction() as connection:
            if not await register.rotate_secret(connection, device_id, scope.area, hash_secret(secret)):
                raise Problem.not_found("device")
        return await book.one(scope, Device, device_id, key=device_key(device_id, secret))

    @router.post("/v1/devices/{device_id}/revoke", description="All keys of the device end at once, for good.")
    async def revoke(request: Request, device_id: PlainUuid) -> Response:
        scope = book.administrator(request)
        async with book.database.transaction() as connection:
            if not await register.revoke(connection, device_id, scope.area, book.clock.now()):
                raise Problem.not_found("device")
        return await book.one(scope, Device, device_id)


def _degrees(position: PositionIn | None) -> tuple[float | None, float | None]:
    return (position.lat, position.lon) if position else (None, None)
