"""Who I am, and the one-time code that opens a page without a token in any address."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from foundation.chassis.identity import create_token
from foundation.chassis.problems import Problem
from foundation.chassis.web import Parts, PlainText, StrictInstant, json_answer
from foundation.contracts.fields import rfc3339
from services.notifications.settings import Settings
from services.notifications.store import login_codes as store


class Session(BaseModel):
    name: str
    role: str
    area: str
    unit: str | None


class LoginCode(BaseModel):
    """Put it behind ``#login=`` of the wall's address: what follows ``#`` never leaves the browser."""

    code: str
    expires_at: StrictInstant


class Redeem(BaseModel):
    code: PlainText = Field(min_length=1, max_length=200)


class Token(BaseModel):
    token: str


def session_router(parts: Parts, settings: Settings) -> APIRouter:
    """``/v1/session`` and ``/v1/login-codes``."""
    router = APIRouter(tags=["session"])

    @router.get("/v1/session", response_model=Session, summary="Tôi là ai (who I am)")
    async def session(request: Request) -> Response:
        scope = parts.identity.caller(request)
        scope.require("read")
        return json_answer({"name": scope.subject, "role": scope.role, "area": scope.area, "unit": scope.unit})

    @router.post("/v1/login-codes", response_model=LoginCode, status_code=201, summary="Mã vào một lần (one-time code)")
    async def mint(request: Request) -> Response:
        scope = parts.identity.caller(request)
        scope.require("operate")
        now = parts.clock.now()
        expires_at = now + timedelta(seconds=settings.login_code_s)
        async with parts.database.transaction() as connection:
            code = await store.mint(connection, scope, now, expires_at)
        return json_answer({"code": code, "expires_at": rfc3339(expires_at)}, 201)

    @router.post("/v1/login-codes/redeem", response_model=Token, summary="Đổi mã lấy quyền vào (redeem a code)")
    async def redeem(body: Redeem) -> Response:
        async with parts.database.transaction() as connection:
            scope = await store.redeem(connection, body.code, parts.clock.now())
        if scope is None:
            raise Problem("unauthorized", "Mã vào sai, đã dùng hoặc đã hết hạn.", "Wrong, used or expired code.")
        token = create_token(
            settings.keys_dir, parts.name, role=scope.role, area=scope.area, seconds=settings.login_token_s,
            sub=scope.subject, unit=scope.unit, commune=scope.commune,
        )  # fmt: skip
        return json_answer({"token": token})

    return router
