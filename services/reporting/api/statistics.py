"""``GET /v1/statistics``: how much happened, where, when and of which kind, and how soon it was answered."""

import re
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema
from sqlalchemy.ext.asyncio import AsyncSession

from foundation.chassis.database import Database
from foundation.chassis.identity import Identity
from foundation.chassis.problems import Problem
from foundation.chassis.web import MAX_LIMIT, decode_cursor, encode_cursor, parse_instant
from foundation.contracts.kinds import KINDS
from foundation.contracts.kinds import kind as kind_of
from services.reporting.domain.buckets import midnight, pieces
from services.reporting.domain.facts import MEASURES
from services.reporting.domain.histogram import quantile_ms
from services.reporting.store import statistics
from services.reporting.store.statistics import ALL, Group, GroupBy, Question

PLAIN_DATE = re.compile(r"\d{4}-\d\d-\d\d")
DEFAULT_LIMIT = 100


def _moment(value: object) -> datetime:
    """An instant, or a plain date: the midnight with which it begins in Asia/Ho_Chi_Minh."""
    if isinstance(value, str) and PLAIN_DATE.fullmatch(value):
        return midnight(parse_instant(f"{value}T00:00:00Z").date())
    return parse_instant(value)


def _known_kind(code: str) -> str:
    return kind_of(code).code


def _key_text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("not a key")
    return value


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "examples": ["2026-11-24", "2026-11-24T08:00:00+07:00"]}),
]


class Quantiles(BaseModel):
    """Seconds that 50, 90 and 99 of 100 do not exceed, each within 1 %; null where nothing was measured."""

    p50: float | None
    p90: float | None
    p99: float | None


class Item(BaseModel):
    """One group of figures."""

    key: str
    name: str | None = Field(description="of the kind or site, where it is known")
    incidents: int = Field(description="cancelled ones included, drills not")
    cancelled: int
    drills: int
    signal_to_alert_s: Quantiles = Field(description="from when it happened until the first unit was alerted")
    alert_to_acknowledged_s: Quantiles = Field(description="from the first alert until the first acknowledgement")
    acknowledged_to_on_scene_s: Quantiles = Field(description="from the first acknowledgement until the first on scene")


class Page(BaseModel):
    """Figures in the order of their keys; groups of which nothing was heard are not listed."""

    items: list[Item]
    next: str | None


def statistics_router(database: Database, identity: Identity) -> APIRouter:
    """The door for figures."""
    router = APIRouter(tags=["statistics"])

    @router.get(
        "/v1/statistics",
        summary="Số liệu thống kê (statistics)",
        description="By the time it happened: `from` inclusive, `to` exclusive; a plain date is its midnight, and "
        "days, months and hours are those of Asia/Ho_Chi_Minh. Without `group_by` there is one item, `all`.",
    )
    async def read(
        request: Request,
        since: Annotated[Moment | None, Query(alias="from")] = None,
        until: Annotated[Moment | None, Query(alias="to")] = None,
        group_by: GroupBy | None = None,
        commune_code: Annotated[str | None, Query(max_length=16)] = None,
        kind: Annotated[str | None, AfterValidator(_known_kind)] = None,
        cursor: Annotated[str | None, Query(max_length=512)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    ) -> Page:
        scope = identity.caller(request)
        scope.require("read")
        if since is not None and until is not None and since >= until:
            raise Problem.invalid("to", "Phải sau thời điểm bắt đầu (from).", "Must be later than `from`.")
        after = (decode_cursor(cursor, _key_text) or [None])[0]
        question = Question(scope, pieces(since, until), group_by, commune_code, kind, after, limit + 1)
        async with database.reading() as session:
            groups = await statistics.read(session, question)
            names = await _names(session, question, groups)
        if group_by is None and not groups and after is None:
            groups = [Group(ALL)]  # to have heard of none is a count too
        following = encode_cursor(groups[limit - 1].key) if len(groups) > limit else None
        return Page(items=[_item(group, names) for group in groups[:limit]], next=following)

    return router


async def _names(session: AsyncSession, question: Question, groups: list[Group]) -> dict[str, str]:
    if question.group_by == "site":
        return await statistics.site_names(session, question.scope.area, (group.key for group in groups))
    return {code: kind.vi for code, kind in KINDS.items()} if question.group_by == "kind" else {}


def _item(group: Group, names: dict[str, str]) -> Item:
    quantiles = {f"{measure}_s": _quantiles(group.durations.get(measure, {})) for measure in MEASURES}
    counts = {"incidents": group.incidents, "cancelled": group.cancelled, "drills": group.drills}
    return Item.model_validate({"key": group.key, "name": names.get(group.key), **counts, **quantiles})


def _quantiles(durations: dict[int, int]) -> dict[str, float | None]:
    found = {percent: quantile_ms(durations, percent) for percent in (50, 90, 99)}
    return {f"p{percent}": None if ms is None else ms / 1000 for percent, ms in found.items()}
