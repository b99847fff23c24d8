"""Police units and the communes they cover."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from foundation.contracts.alerts import UnitKind, UnitRef

PROVINCE_WIDE: frozenset[str] = frozenset({"fire_police", "province_desk"})
"""Kinds of unit that answer for the whole area where none of them covers the commune by name."""
UNIT_KINDS: tuple[str, ...] = get_args(UnitKind)


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit. ``commune_codes``: the communes it covers, as far as they matter to who asks."""

    code: str
    name: str
    kind: UnitKind
    commune_codes: tuple[str, ...] = ()

    @property
    def ref(self) -> UnitRef:
        return UnitRef(code=self.code, name=self.name, kind=self.kind)


class Units:
    """The units of one area, to be asked who answers where."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._covering: dict[tuple[str, str], list[Unit]] = {}
        self._of_kind: dict[str, list[Unit]] = {}
        for unit in sorted(units, key=lambda unit: unit.code):
            self._of_kind.setdefault(unit.kind, []).append(unit)
            for commune in dict.fromkeys(unit.commune_codes):
                self._covering.setdefault((unit.kind, commune), []).append(unit)

    def answering(self, kind: str, commune_code: str) -> list[Unit]:
        """The units of a kind that answer for a commune, by code; empty if it is uncovered."""
        covering = self._covering.get((kind, commune_code), [])
        return covering or (self.of_kind(kind) if kind in PROVINCE_WIDE else [])

    def of_kind(self, kind: str) -> list[Unit]:
        """All units of a kind, by code."""
        return self._of_kind.get(kind, [])
