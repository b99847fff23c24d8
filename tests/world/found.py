"""What a run attempted, and what the three services hold afterwards, as plain values for the accounting."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foundation.contracts.incidents import ENDED
from foundation.contracts.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signal as it was sent, by however many tries."""

    signal_id: str
    kind: str
    commune: str
    site: str
    drill: bool = False

    def __str__(self) -> str:
        return f"signal {self.signal_id} ({self.kind}, commune {self.commune}, site {self.site})"


@dataclass(frozen=True, slots=True)
class FoundSignal:
    """A stored signal, and the incident it is part of; None where it made none."""

    id: str
    incident_id: str | None

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "FoundSignal":
        """From a signal as the API shows it (``signal_id`` or ``id``), or from a row."""
        return cls(str(item["signal_id"] if "signal_id" in item else item["id"]), text(item["incident_id"]))


@dataclass(frozen=True, slots=True)
class FoundIncident:
    """An incident as incidents holds it."""

    id: str
    kind: str
    commune: str
    site: str
    status: str = "open"
    drill: bool = False
    validation_level: int = 0
    follows: str | None = None

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "FoundIncident":
        """From an incident as the API and the contract show it."""
        return cls(
            id=str(item["id"]),
            kind=item["kind"],
            commune=item["site"]["commune_code"],
            site=str(item["site"]["id"]),
            status=item["status"],
            drill=bool(item.get("drill", False)),
            validation_level=int(item.get("validation_level", 0)),
            follows=text(item.get("follows")),
        )

    @property
    def counted(self) -> bool:
        """Whether it is one of the incidents of the statistics: cancelled ones are, drills are not."""
        return not is_drill(self.kind, self.drill)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def alerts(self) -> bool:
        """Whether its units are alerted at all: never for a drill, for some kinds only once it was verified."""
        verified = self.status == "confirmed" or self.validation_level >= 2 or self.ended
        return self.counted and (KINDS[self.kind].after is None or verified)

    def __str__(self) -> str:
        return f"incident {self.id} ({self.kind}, commune {self.commune}, site {self.site}, {self.status})"


@dataclass(frozen=True, slots=True)
class FoundAlert:
    """An alert as notifications holds it."""

    id: str
    incident_id: str
    unit: str
    transferred: bool = False
    """Another unit handed it over, so it stands beside those of the units of the kind."""

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "FoundAlert":
        """From an alert as the API and the contract show it."""
        handed_over = item.get("transferred_from") is not None
        return cls(str(item["id"]), str(item["incident_id"]), item["unit"]["code"], handed_over)


def is_drill(kind: str, flag: bool) -> bool:
    """By the flag of the signal, or by a kind that is always one."""
    return flag or (kind in KINDS and KINDS[kind].drill)


def text(value: object) -> str | None:
    return None if value is None else str(value)


def units_of_kind(kind: str, commune: str) -> frozenset[str]:
    """Codes of the units that an incident of this kind alerts in a commune covered as the demo province is."""
    codes = {"commune_police": f"CAX-{commune}", "fire_police": "PC07", "province_desk": "TRUC-BAN"}
    return frozenset(codes[unit] for unit in KINDS[kind].units)
