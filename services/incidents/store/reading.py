"""What operators read: incidents, their signals and timeline, sites, posts, devices. SQLModel selects, all scoped."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, tuple_
from sqlmodel import col, select

from foundation.chassis.database import Database
from foundation.chassis.identity import Scope
from foundation.chassis.problems import Problem
from foundation.chassis.web import decode_cursor, encode_cursor, parse_instant, parse_plain_uuid
from foundation.contracts.fields import rfc3339
from services.incidents.store.incidents import incident_of, state_of
from services.incidents.store.tables import Device, IncidentRow, Post, Signal, Site, TimelineRow

MOST_SIGNALS = 500
"""Most signals shown with one incident: the newest."""
TOLD_AS = {"raised": "raised", "confirmed": "confirmed", "cancelled": "cancelled", "closed": "resolved"}
"""What a signal did, as the timeline calls it; the others are "signal"."""
Page = dict[str, Any]


def within(query: Select[Any], scope: Scope, table: Any) -> Select[Any]:
    """Narrows a query to what the caller may see: their area, and their commune if they belong to a unit."""
    query = query.where(table.area == scope.area)
    if scope.narrow:
        commune = table.commune_code if hasattr(table, "commune_code") else col(Site.commune_code)
        query = query.where(commune == (scope.commune or ""))
    return query


async def signal(database: Database, signal_id: UUID, scope: Scope | None = None) -> Signal | None:
    """One signal; with a scope only if its site lies within it."""
    query: Select[Any] = select(Signal).where(col(Signal.id) == signal_id)
    if scope is not None:
        query = within(query.join(Site, col(Site.id) == Signal.site_id), scope, Signal)
    async with database.reading() as session:
        found: Signal | None = (await session.execute(query)).scalar_one_or_none()
        return found


async def incidents(
    database: Database, scope: Scope, *, cursor: str | None, limit: int, since: datetime | None,
    until: datetime | None, **equal: object,
) -> Page:  # fmt: skip
    """A page of incidents, newest first by effective time."""
    query = within(select(IncidentRow), scope, IncidentRow)
    for name, value in equal.items():
        if value is not None:
            query = query.where(getattr(IncidentRow, name) == value)
    if since is not None:
        query = query.where(col(IncidentRow.effective_at) >= since)
    if until is not None:
        query = query.where(col(IncidentRow.effective_at) < until)
    after = decode_cursor(cursor, parse_instant, parse_plain_uuid)
    if after is not None:
        query = query.where(tuple_(col(IncidentRow.effective_at), col(IncidentRow.id)) < tuple_(*after))
    query = query.order_by(col(IncidentRow.effective_at).desc(), col(IncidentRow.id).desc()).limit(limit + 1)
    async with database.reading() as session:
        rows = (await session.execute(query)).scalars().all()
    items = [incident_as_json(row) for row in rows[:limit]]
    return _page(items, rows, limit, lambda row: encode_cursor(rfc3339(row.effective_at), str(row.id)))


async def incident(database: Database, scope: Scope, incident_id: UUID) -> dict[str, Any]:
    """One incident with its signals and its timeline, oldest first. Raises 404."""
    async with database.reading() as session:
        query = within(select(IncidentRow), scope, IncidentRow).where(col(IncidentRow.id) == incident_id)
        row = (await session.execute(query)).scalar_one_or_none()
        if row is None:
            raise Problem.not_found("incident")
        newest = select(Signal).where(Signal.incident_id == incident_id)
        newest = newest.order_by(col(Signal.received_at).desc(), col(Signal.id)).limit(MOST_SIGNALS)
        signals = list(reversed((await session.execute(newest)).scalars().all()))
        acts = select(TimelineRow).where(TimelineRow.incident_id == incident_id)
        done = (await session.execute(acts.order_by(col(TimelineRow.at), col(TimelineRow.id)))).scalars().all()
    timeline = [_signal_entry(item) for item in signals] + [_act_entry(item) for item in done]
    timeline.sort(key=lambda entry: entry["at"])
    return incident_as_json(row) | {"signals": [signal_as_json(item) for item in signals], "timeline": timeline}


async def listed(
    database: Database, scope: Scope, table: Any, *, cursor: str | None, limit: int, one: UUID | None = None,
    **equal: object,
) -> Page:  # fmt: skip
    """A page of sites, posts or devices in the order of their ids, or the ``one`` of that id."""
    query: Any = select(table)
    if scope.narrow and table is not Site:
        query = query.join(Post, col(Post.id) == Device.post_id) if table is Device else query
        query = query.join(Site, col(Site.id) == Post.site_id)
    query = within(query, scope, table)
    for name, value in (equal | {"id": one}).items():
        if value is not None:
            query = query.where(getattr(table, name) == value)
    after = decode_cursor(cursor, parse_plain_uuid)
    if after is not None:
        query = query.where(table.id > after[0])
    async with database.reading() as session:
        rows = (await session.execute(query.order_by(table.id).limit(limit + 1))).scalars().all()
    return _page([plain(row) for row in rows[:limit]], rows, limit, lambda row: encode_cursor(str(row.id)))


async def counts(database: Database) -> dict[str, int]:
    """How many there are of everything, for ``vonggac status``."""
    async with database.reading() as session:
        found = {
            name: (await session.execute(select(func.count()).select_from(table))).scalar_one()
            for name, table in (("signals", Signal), ("incidents", IncidentRow), ("sites", Site), ("devices", Device))
        }
        live = select(func.count()).where(col(IncidentRow.status).in_(("open", "confirmed")))
        return found | {"open_incidents": (await session.execute(live)).scalar_one()}


def _page(items: list[dict[str, Any]], rows: Any, limit: int, cursor_of: Any) -> Page:
    return {"items": items, "next": cursor_of(rows[limit - 1]) if len(rows) > limit else None}


def plain(row: Any) -> dict[str, Any]:
    """A site, post or device as JSON; never a secret."""
    shown = {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in row.model_dump().items()
        if name not in ("secret_hash", "old_secret_hash", "lat", "lon")
    }
    if hasattr(row, "lat"):
        shown["position"] = {"lat": row.lat, "lon": row.lon} if row.lat is not None else None
    return shown


def incident_as_json(row: IncidentRow) -> dict[str, Any]:
    """An incident for operators."""
    fields = row.model_dump() | {"restored": "{}"}
    state = state_of(incident_of(fields)).model_dump(mode="json")
    return state | {
        "detectors": len(row.restored), "site_id": str(row.site_id), "commune_code": row.commune_code,
    }  # fmt: skip


def signal_as_json(row: Signal) -> dict[str, Any]:
    """A signal for operators and for its own device."""
    return {
        "id": row.id, "signal_id": row.id, "incident_id": row.incident_id, "incident_status": row.answer_status,
        "received_at": rfc3339(row.received_at), "kind": row.kind, "event": row.event, "drill": row.drill,
        "zone": row.zone, "note": row.note, "occurred_at": rfc3339(row.occurred_at),
        "sent_at": rfc3339(row.sent_at) if row.sent_at else None, "effective_at": rfc3339(row.effective_at),
        "skew_ms": row.skew_ms, "device_id": row.device_id, "post_id": row.post_id, "site_id": row.site_id,
        "position": {"lat": row.lat, "lon": row.lon} if row.lat is not None else None,
    }  # fmt: skip


def _signal_entry(row: Signal) -> dict[str, Any]:
    return {
        "type": TOLD_AS.get(row.decided, "signal"), "at": rfc3339(row.received_at), "event": row.event,
        "decided": row.decided, "signal_id": row.id, "device_id": row.device_id,
        "effective_at": rfc3339(row.effective_at),
    }  # fmt: skip


def _act_entry(row: TimelineRow) -> dict[str, Any]:
    unit = {"code": row.unit_code, "name": row.unit_name} if row.unit_code else None
    return {
        "type": row.type, "at": rfc3339(row.at), "by": row.by, "unit": unit, "alert_id": row.alert_id,
        "result": row.result, "reason": row.reason,
    }  # fmt: skip
