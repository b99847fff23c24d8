"""Which units an incident is told to, and why. Values in, values out."""

from dataclasses import dataclass

from foundation.contracts.incidents import IncidentState
from foundation.contracts.kinds import KINDS
from services.notifications.domain.units import Unit, Units

VERIFIED_LEVEL = 2
"""ANSI/TMA-AVS-01 level 2: a person is probably there."""


@dataclass(frozen=True, slots=True)
class Routed:
    """One unit to be alerted. ``reason``: the rules that chose it, such as ``kind:fire`` or ``uncovered:18859``."""

    unit: Unit
    reason: str


def verified(incident: IncidentState) -> bool:
    """True once an operator has confirmed it, or the evidence is as good as that."""
    return incident.status == "confirmed" or incident.validation_level >= VERIFIED_LEVEL


def awaits_verification(incident: IncidentState) -> bool:
    """True for a kind that is told to units only once it is verified, and is not yet."""
    kind = KINDS.get(incident.kind)
    return kind is not None and kind.after == "verification" and not verified(incident)


def owed_to(incident: IncidentState) -> tuple[str, ...]:
    """The kinds of unit that must be told; empty for a drill, for what awaits verification, for mere records."""
    if incident.drill or awaits_verification(incident):
        return ()
    kind = KINDS.get(incident.kind)
    return ("province_desk",) if kind is None else kind.units


def route(incident: IncidentState, units: Units) -> list[Routed]:
    """The units to alert, one entry a unit, in the order of the kind's table.

    Where a commune has no unit of a kind that is owed, the province desk is told instead, with a reason that says so.
    A kind that a newer release of incidents knows and we do not goes to the province desk too.
    """
    known = incident.kind in KINDS
    rule = f"kind:{incident.kind}" if known else f"unknown_kind:{incident.kind}"
    commune = incident.site.commune_code
    reasons: dict[str, tuple[Unit, list[str]]] = {}
    for kind in owed_to(incident):
        answering = units.answering(kind, commune)
        reason = rule if answering else f"uncovered:{commune}"
        for unit in answering or units.of_kind("province_desk"):
            told = reasons.setdefault(unit.code, (unit, []))[1]
            if reason not in told:
                told.append(reason)
    return [Routed(unit, ", ".join(told)) for unit, told in reasons.values()]


def routing_key(incident: IncidentState) -> str:
    """What routing depends on, as a text: routing is looked at again when it differs from the last time."""
    parts = (incident.kind, str(incident.severity), incident.site.id, incident.site.commune_code)
    return "|".join((*parts, "unverified" if awaits_verification(incident) else ""))
