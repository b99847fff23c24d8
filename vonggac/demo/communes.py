"""The 78 commune-level units of Quảng Trị since 1 July 2025, from ``communes-44.csv`` (see ``SOURCES.md``)."""

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).with_name("communes-44.csv")
_RANK = re.compile(r"^(?:thành phố|thị xã|thị trấn|huyện|phường|xã)\s+", re.IGNORECASE)
_OLD_PROVINCE = re.compile(r"\s*\([^)]*\)$")
_SPOKEN = {
    "Huyện Đa Krông": "Đakrông",  # the source's spelling; the district itself wrote its name in one word
    "Thị xã Quảng Trị": "Thị xã Quảng Trị",  # without its rank it would read as the province
}


@dataclass(frozen=True, slots=True)
class Commune:
    """One xã, phường or đặc khu.

    ``code`` is the official code, ``lat`` and ``lon`` the centre point in degrees (WGS 84). ``area_km2`` is ``None``
    where the source has none. The former districts and communes are those of before 1 July 2025, with their rank.
    """

    code: str
    name: str
    type: str
    lat: float
    lon: float
    area_km2: float | None
    former_districts: tuple[str, ...]
    former_communes: tuple[str, ...]

    @property
    def short_name(self) -> str:
        """The name without its rank: ``Gio Linh``."""
        return self.name.removeprefix(self.type).strip()

    @property
    def label(self) -> str:
        """The name as it stands inside a sentence: ``xã Gio Linh``."""
        return f"{self.type[0].lower()}{self.type[1:]} {self.short_name}"

    @property
    def spoken_districts(self) -> tuple[str, ...]:
        """The former districts as people still say them: ``Hải Lăng``, ``Đakrông``."""
        return tuple(_spoken(district) for district in self.former_districts)


def without_rank(name: str) -> str:
    """``Thị trấn Hồ Xá`` → ``Hồ Xá``."""
    return _RANK.sub("", name)


@cache
def communes() -> tuple[Commune, ...]:
    """All communes of the province, in the order of their codes."""
    with _TABLE.open(encoding="utf-8", newline="") as table:
        found = [_commune(row) for row in csv.DictReader(table)]
    return tuple(sorted(found, key=lambda commune: commune.code))


def _commune(row: dict[str, str]) -> Commune:
    return Commune(
        code=row["code"],
        name=row["name"],
        type=row["type"],
        lat=float(row["lat"]),
        lon=float(row["lon"]),
        area_km2=float(row["area_km2"]) if row["area_km2"] else None,
        former_districts=_listed(row["former_districts"]),
        former_communes=_listed(row["former_communes"]),
    )


def _listed(cell: str) -> tuple[str, ...]:
    """The parts of a cell, with ranks in the usual capitals: the source also writes Thị Trấn and Thành Phố."""
    usual = cell.replace("Thị Trấn", "Thị trấn").replace("Thành Phố", "Thành phố")
    return tuple(part.strip() for part in usual.split(";") if part.strip())


def _spoken(district: str) -> str:
    ranked = _OLD_PROVINCE.sub("", district)
    return _SPOKEN.get(ranked, without_rank(ranked))
