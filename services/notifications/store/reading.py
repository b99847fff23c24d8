"""What pages read: alerts, units, counts. SQLModel selects, all within the caller's scope."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import column, func, table, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from foundation.chassis.database import Database
from foundation.chassis.identity import Scope
from foundation.chassis.problems import Problem
from foundation.chassis.web import decode_cursor, encode_cursor, parse_instant, parse_plain_uuid
from foundation.contracts.alerts import STATUS_ORDER, TOPIC
from foundation.contracts.fields import rfc3339
from services.notifications.domain.units import Unit
from services.notifications.store.tables import ActionRow, AlertRow, CoverageRow, IncidentRow, UnitRow

STREAM = table("stream", column("topic"), column("area"), column("head"))
"""The chassis's table of streams."""
Page = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """What to list; None means any. ``status`` may be ``open``: all that are not stood down."""

    incident_id: UUID | None = None
    unit: str | None = None
    status: str | None = None
    severity: int | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def alerts(database: Database, scope: Scope, wanted: AlertFilter, cursor: str | None, limit: int) -> Page:
    """A page of alerts, newest first, and the number of the stream that it agrees with: one snapshot."""
    query = _filtered(_visible(scope), wanted)
    after = decode_cursor(cursor, parse_instant, parse_plain_uuid)
    if after is not None:
        query = query.where(tuple_(col(AlertRow.raised_at), col(AlertRow.id)) < tuple_(*after))
    query = query.order_by(col(AlertRow.raised_at).desc(), col(AlertRow.id).desc()).limit(limit + 1)
    async with database.reading() as session:
        head = await session.scalar(select(STREAM.c.head).where(STREAM.c.topic == TOPIC, STREAM.c.area == scope.area))
        rows = (await session.execute(query)).scalars().all()
        held = 0 if scope.narrow else (await _held(session, scope.area)).get("older_than_24h", 0)
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "items": [orjson.Fragment(row.state) for row in rows[:limit]],
        "next": encode_cursor(rfc3339(last.raised_at), str(last.id)) if last else None,
        "stream_from": head or 0,
        "held_old": held,
    }


async def alert(database: Database, scope: Scope, alert_id: UUID) -> dict[str, Any]:
    """One alert, with what officers did to it, oldest first. Raises 404."""
    async with database.reading() as session:
        row = (await session.execute(_visible(scope).where(col(AlertRow.id) == alert_id))).scalar_one_or_none()
        if row is None:
            raise Problem.not_found("alert")
        acts = select(ActionRow).where(col(ActionRow.alert_id) == alert_id).order_by(col(ActionRow.version))
        done = (await session.execute(acts)).scalars().all()
    actions = [{"action": act.action, "by": act.by, "at": rfc3339(act.at), "reason": act.reason} for act in done]
    return {**orjson.loads(row.state), "actions": actions}


async def units(database: Database, scope: Scope, cursor: str | None, limit: int) -> Page:
    """A page of units with what they cover, by code."""
    query = select(UnitRow).where(col(UnitRow.area) == scope.area)
    after = decode_cursor(cursor, str)
    if after is not None:
        query = query.where(col(UnitRow.code) > after[0])
    async with database.reading() as session:
        rows = (await session.execute(query.order_by(col(UnitRow.code)).limit(limit + 1))).scalars().all()
        found = await _with_communes(session, scope.area, rows[:limit])
    more = len(rows) > limit
    return {"items": [unit_as_json(unit) for unit in found], "next": encode_cursor(found[-1].code) if more else None}


async def unit(database: Database, scope: Scope, code: str) -> dict[str, Any]:
    """One unit. Raises 404."""
    async with database.reading() as session:
        query = select(UnitRow).where(col(UnitRow.area) == scope.area, col(UnitRow.code) == code)
        found = await _with_communes(session, scope.area, (await session.execute(query)).scalars().all())
    if not found:
        raise Problem.not_found("unit")
    return unit_as_json(found[0])


def unit_as_json(unit: Unit) -> dict[str, Any]:
    return {"code": unit.code, "name": unit.name, "kind": unit.kind, "commune_codes": list(unit.commune_codes)}


async def held(database: Database, area: str) -> Mapping[str, int]:
    """How many incidents that are not over ring nobody, by reason."""
    async with database.reading() as session:
        return await _held(session, area)


async def counts(database: Database) -> dict[str, int]:
    """Figures for ``vonggac status``: of all areas."""
    async with database.reading() as session:
        by_status = (await session.execute(select(AlertRow.status, func.count()).group_by(AlertRow.status))).all()
        late = await session.scalar(select(func.count()).select_from(AlertRow).where(col(AlertRow.late)))
        incidents = await session.scalar(select(func.count()).select_from(IncidentRow))
        waiting = await session.scalar(
            select(func.count()).select_from(IncidentRow).where(col(IncidentRow.route_by).is_not(None))
        )
        held = await _held(session, None)
    figures = {str(status): int(number) for status, number in by_status}
    return {
        "incidents": incidents or 0,
        "incidents_put_off": waiting or 0,
        "alerts": sum(figures.values()),
        **{status: figures.get(status, 0) for status in STATUS_ORDER},
        "late": late or 0,
        "held_old": held.get("older_than_24h", 0),
        "held_no_unit": held.get("no_unit", 0),
        "held_stood_down": held.get("stood_down", 0),
    }


def _visible(scope: Scope) -> SelectOfScalar[AlertRow]:
    """The alerts that a caller may see: of their area, and of their unit if they belong to one."""
    query = select(AlertRow).where(col(AlertRow.area) == scope.area)
    return query.where(col(AlertRow.unit_code) == (scope.unit or "")) if scope.narrow else query


def _filtered(query: SelectOfScalar[AlertRow], wanted: AlertFilter) -> SelectOfScalar[AlertRow]:
    equal = {
        AlertRow.incident_id: wanted.incident_id,
        AlertRow.unit_code: wanted.unit,
        AlertRow.severity: wanted.severity,
        AlertRow.kind: wanted.kind,
        AlertRow.status: None if wanted.status == "open" else wanted.status,
    }
    query = query.where(*(col(name) == value for name, value in equal.items() if value is not None))
    if wanted.status == "open":
        query = query.where(col(AlertRow.status) != "stood_down")
    if wanted.since is not None:
        query = query.where(col(AlertRow.raised_at) >= wanted.since)
    if wanted.until is not None:
        query = query.where(col(AlertRow.raised_at) < wanted.until)
    return query


async def _held(session: AsyncSession, area: str | None) -> dict[str, int]:
    query = select(IncidentRow.held, func.count()).where(col(IncidentRow.held).is_not(None))
    if area is not None:
        query = query.where(col(IncidentRow.area) == area)
    return {str(why): int(number) for why, number in await session.execute(query.group_by(IncidentRow.held))}


async def _with_communes(session: AsyncSession, area: str, rows: Any) -> list[Unit]:
    """These units with all the communes they cover."""
    codes = [row.code for row in rows]
    query = select(CoverageRow).where(col(CoverageRow.area) == area, col(CoverageRow.unit_code).in_(codes))
    communes: dict[str, list[str]] = {}
    for row in (await session.execute(query.order_by(col(CoverageRow.commune_code)))).scalars():
        communes.setdefault(row.unit_code, []).append(row.commune_code)
    return [Unit(row.code, row.name, row.kind, tuple(communes.get(row.code, ()))) for row in rows]
