"""Which sites stand in each commune: ``names.toml`` applied to the communes, always with the same result."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

from vonggac.demo.communes import Commune, communes, without_rank

SiteKind = Literal["agency", "enterprise", "school"]

_NAMES = Path(__file__).with_name("names.toml")
_PROVINCE = "tỉnh Quảng Trị"


class _ProfileTable(TypedDict):
    kind: SiteKind
    posts: list[str]
    panels: NotRequired[list[str]]
    transmitters: NotRequired[list[str]]


class _TemplateRow(TypedDict):
    name: str
    profile: str


class _MenuTable(TypedDict):
    always: list[_TemplateRow]
    menu: NotRequired[list[_TemplateRow]]
    pick: NotRequired[int]


@dataclass(frozen=True, slots=True)
class Profile:
    """A sort of site: its posts, and which of them have an alarm panel and a fire transmitter."""

    kind: SiteKind
    posts: tuple[str, ...]
    panels: tuple[str, ...]
    transmitters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A site's name before the commune's words are put in, and its profile."""

    name: str
    profile: Profile


@dataclass(frozen=True, slots=True)
class Menu:
    """What every commune of a group has, and what it has in turn with the others."""

    always: tuple[Template, ...]
    choices: tuple[Template, ...]
    pick: int

    def for_turn(self, turn: int) -> Iterator[Template]:
        """What the commune has whose turn it is; ``turn`` counts from 0."""
        yield from self.always
        for step in range(self.pick):
            yield self.choices[(turn * self.pick + step) % len(self.choices)]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """``names.toml``, parsed; mappings from code are keyed by commune."""

    luck: tuple[str, ...]
    landscape_of: Mapping[str, str]
    landscapes: Mapping[str, Menu]
    everywhere: Menu
    town: Menu
    seat: Menu
    seat_of: Mapping[str, str]
    streets: Mapping[str, tuple[str, ...]]
    report_2020: Mapping[str, tuple[Template, ...]]
    landmarks: Mapping[str, tuple[Template, ...]]


@dataclass(frozen=True, slots=True)
class PlannedSite:
    """One site before it has an id and a position."""

    commune: Commune
    name: str
    address: str
    profile: Profile
    in_report_2020: bool


@cache
def catalogue() -> Catalogue:
    """The names file, read once. Raises ``KeyError`` for a template whose profile does not exist."""
    with _NAMES.open("rb") as source:
        read = tomllib.load(source)
    profiles = {name: _profile(table) for name, table in read["profiles"].items()}

    def templates(rows: Iterable[_TemplateRow]) -> tuple[Template, ...]:
        return tuple(Template(row["name"], profiles[row["profile"]]) for row in rows)

    def menu(table: _MenuTable) -> Menu:
        return Menu(templates(table["always"]), templates(table.get("menu", [])), table.get("pick", 0))

    return Catalogue(
        luck=tuple(read["luck"]),
        landscape_of={code: name for name, codes in read["landscape_of"].items() for code in codes},
        landscapes={name: menu(table) for name, table in read["landscapes"].items()},
        everywhere=menu(read["everywhere"]),
        town=menu(read["town"]),
        seat=menu(read["seat"]),
        seat_of=read["seat_of"],
        streets={code: tuple(streets) for code, streets in read["streets"].items()},
        report_2020={code: templates(rows) for code, rows in read["report_2020"].items()},
        landmarks={code: templates(rows) for code, rows in read["landmarks"].items()},
    )


@cache
def planned_sites() -> tuple[PlannedSite, ...]:
    """Every site of the province, by commune; no name twice in one commune."""
    names = catalogue()
    turns: Counter[str] = Counter()
    planned: list[PlannedSite] = []
    for ordinal, commune in enumerate(communes()):
        landscape = landscape_of(commune)
        planned += _plan(names, commune, ordinal, names.landscapes[landscape].for_turn(turns[landscape]))
        turns[landscape] += 1
    return tuple(planned)


def landscape_of(commune: Commune) -> str:
    """urban, plain, coast, hill, highland or island."""
    by_type = {"Phường": "urban", "Đặc khu": "island"}
    return by_type.get(commune.type) or catalogue().landscape_of.get(commune.code, "plain")


def _plan(names: Catalogue, commune: Commune, ordinal: int, of_landscape: Iterable[Template]) -> Iterator[PlannedSite]:
    ordinary = [*names.everywhere.always, *of_landscape, *_of_rank(names, commune)]
    landmarks, of_report = names.landmarks.get(commune.code, ()), names.report_2020.get(commune.code, ())
    used: set[str] = set()
    for number, template in enumerate((*ordinary, *landmarks, *of_report)):
        name = template.name.format_map(_words(names, commune, luck=ordinal * 5 + number))
        if name in used:  # a landmark that the menu had already given, or a single former commune named twice
            continue
        used.add(name)
        address = _address(names, commune, template, number) if number < len(ordinary) else _plain_address(commune)
        yield PlannedSite(commune, name, address, template.profile, in_report_2020=template in of_report)


def _of_rank(names: Catalogue, commune: Commune) -> Iterator[Template]:
    """What the former town and the former district's seat left behind; wards have it all anyway."""
    if commune.type == "Xã" and _town(commune):
        yield from names.town.always
    if _seat_district(names, commune):
        yield from names.seat.always


def _words(names: Catalogue, commune: Commune, luck: int) -> dict[str, str]:
    old1, old2, old3 = (_bare(_old_commune(commune, turn)) for turn in range(3))
    return {
        "label": commune.label,
        "name": commune.short_name,
        "old1": old1,
        "old2": old2,
        "old3": old3,
        "town": _town(commune),
        "district": _seat_district(names, commune),
        "luck": names.luck[luck % len(names.luck)],
    }


def _old_commune(commune: Commune, turn: int) -> str:
    """A former commune with its rank, in turn; numbered ones (Phường 1) name nothing by themselves and are left out."""
    named = [old for old in commune.former_communes if not without_rank(old).isdigit()]
    return named[turn % len(named)]


def _bare(former_commune: str) -> str:
    """Without rank, and without the state farm that two towns were named after."""
    return without_rank(former_commune).removeprefix("Nông trường ")


def _town(commune: Commune) -> str:
    """The former town in the commune, without its rank; empty if there was none."""
    return next((_bare(old) for old in commune.former_communes if old.startswith("Thị trấn ")), "")


def _seat_district(names: Catalogue, commune: Commune) -> str:
    """The former district that had its seat in the commune; empty if none had."""
    seats = (district for district in commune.spoken_districts if district in names.seat_of)
    return next((district for district in seats if names.seat_of[district] in commune.former_communes), "")


def _address(names: Catalogue, commune: Commune, template: Template, number: int) -> str:
    """A street in a ward; elsewhere the former commune that the name speaks of, or the centre. No house numbers."""
    streets = names.streets.get(commune.code)
    if streets:
        return f"{streets[number % len(streets)]}, {commune.label}, {_PROVINCE}"
    for turn in range(3):
        if f"{{old{turn + 1}}}" in template.name:
            return f"{_old_commune(commune, turn)} (cũ), {commune.label}, {_PROVINCE}"
    return f"Trung tâm {commune.label}, {_PROVINCE}"


def _plain_address(commune: Commune) -> str:
    """For places that people know: an invented street would contradict what they know."""
    return f"{commune.name}, {_PROVINCE}"


def _profile(table: _ProfileTable) -> Profile:
    return Profile(
        kind=table["kind"],
        posts=tuple(table["posts"]),
        panels=tuple(table.get("panels", [])),
        transmitters=tuple(table.get("transmitters", [])),
    )
