"""The figures, read: whole hours from the rollups, the edges of the span from the facts, in one snapshot."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from foundation.chassis.identity import Scope
from services.reporting.domain.buckets import ZONE, Pieces
from services.reporting.domain.facts import MEASURES
from services.reporting.store.tables import ORDERED, Fact, Rollup, RollupDuration, Site

GroupBy = Literal["commune", "kind", "site", "day", "month", "hour_of_day"]
LOCAL_FORMATS = {"day": "YYYY-MM-DD", "month": "YYYY-MM", "hour_of_day": "HH24"}
ALL = "all"
"""The key of the one group there is when nothing is grouped."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which figures are asked for, and by whom: whoever belongs to a unit sees those of their own commune.

    ``after`` is the last key of the page before.
    """

    scope: Scope
    pieces: Pieces
    group_by: GroupBy | None = None
    commune_code: str | None = None
    kind: str | None = None
    after: str | None = None
    limit: int = 100


@dataclass(slots=True)
class Group:
    """One line of figures. ``durations``: by measure, how many lie in which bucket."""

    key: str
    incidents: int = 0
    cancelled: int = 0
    drills: int = 0
    durations: dict[str, dict[int, int]] = field(default_factory=dict)


async def read(session: AsyncSession, question: Question) -> list[Group]:
    """The groups after ``question.after`` in the order of their keys, at most ``limit``; none that counts nothing."""
    cells = _cells(question)
    key = _key(question, cells)
    sums = [func.sum(cells.c[name]) for name in ("incidents", "cancelled", "drills")]
    page = _after(select(key, *sums).group_by(key).order_by(key).limit(question.limit), question, key)
    groups = {name: Group(name, int(n), int(c), int(d)) for name, n, c, d in await session.execute(page)}
    if groups:
        await _add_durations(session, question, groups)
    return list(groups.values())


async def _add_durations(session: AsyncSession, question: Question, groups: dict[str, Group]) -> None:
    durations = _durations(question)
    key = _key(question, durations)
    columns = (key, durations.c.measure, durations.c.bucket)
    query = select(*columns, func.sum(durations.c.count)).where(key <= max(groups)).group_by(*columns)
    for name, measure, bucket, count in await session.execute(_after(query, question, key)):
        groups[name].durations.setdefault(measure, {})[bucket] = int(count)


def _after(query: Any, question: Question, key: ColumnElement[str]) -> Any:
    return query if question.after is None else query.where(key > question.after)


def _key(question: Question, source: Subquery) -> ColumnElement[str]:
    match question.group_by:
        case None:
            return literal(ALL).collate("C")
        case "commune":
            return source.c.commune_code
        case "kind":
            return source.c.kind
        case "site":
            return source.c.site_id
        case by:
            local = func.timezone(ZONE, source.c.hour)
            return func.to_char(local, LOCAL_FORMATS[by], type_=ORDERED).collate("C")


def _cells(question: Question) -> Subquery:
    def counts(of: type[Rollup] | type[Fact]) -> Select[Any]:
        return select(*_place(of), col(of.incidents), col(of.cancelled), col(of.drills))

    return union_all(counts(Rollup).where(*_whole(question, Rollup)), *_edges(question, counts(Fact))).subquery()


def _durations(question: Question) -> Subquery:
    whole = select(
        *_place(RollupDuration), col(RollupDuration.measure), col(RollupDuration.bucket), col(RollupDuration.count)
    )
    parts = [whole.where(*_whole(question, RollupDuration))]
    for measure in MEASURES:
        bucket = col(getattr(Fact, f"{measure}_bucket"))
        one = select(
            *_place(Fact), literal(measure).label("measure"), bucket.label("bucket"), literal(1).label("count")
        )
        parts += _edges(question, one.where(bucket.is_not(None)))
    return union_all(*parts).subquery()


def _place(of: type[Rollup] | type[RollupDuration] | type[Fact]) -> tuple[Any, ...]:
    return (col(of.hour), col(of.commune_code), col(of.kind), col(of.site_id))


def _whole(question: Question, of: type[Rollup] | type[RollupDuration]) -> Iterable[ColumnElement[bool]]:
    start, end = question.pieces.whole
    return (col(of.area) == question.scope.area, col(of.hour) >= start, col(of.hour) < end, *_filters(question, of))


def _edges(question: Question, query: Select[Any]) -> list[Select[Any]]:
    """``query`` over the facts at the edges of the span; nothing where the span has none."""
    if not question.pieces.edges:
        return []
    time = col(Fact.effective_at)
    within = or_(*(and_(time >= start, time < end) for start, end in question.pieces.edges))
    return [query.where(col(Fact.area) == question.scope.area, within, *_filters(question, Fact))]


def _filters(question: Question, of: type[Rollup] | type[RollupDuration] | type[Fact]) -> list[ColumnElement[bool]]:
    own = (question.scope.commune or "") if question.scope.narrow else None
    asked = ((of.commune_code, question.commune_code), (of.kind, question.kind), (of.commune_code, own))
    return [col(column) == value for column, value in asked if value is not None]


async def site_names(session: AsyncSession, area: str, ids: Iterable[str]) -> dict[str, str]:
    """What the sites are called now; those never heard of are left out."""
    query = select(col(Site.id), col(Site.name)).where(col(Site.area) == area, col(Site.id).in_(list(ids)))
    return {row[0]: row[1] for row in await session.execute(query)}
