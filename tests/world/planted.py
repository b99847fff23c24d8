"""Runs of a system without a fault, and one fault to plant in each: material for the accounting's own test.

A fault changes what the services hold, and says under which verdict the report must name what.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from hypothesis import strategies as st

from foundation.contracts.kinds import KINDS
from tests.world.accounting import Accounting, Report
from tests.world.found import FoundAlert, FoundIncident, FoundSignal, units_of_kind

COMMUNES = ("18859", "19333", "19429")
Choose = Callable[[list[str]], str]
Thing = TypeVar("Thing", FoundSignal, FoundIncident, FoundAlert)


@dataclass
class System:
    """A run, and what a system without a fault holds after it."""

    accounting: Accounting = field(default_factory=Accounting)
    signals: list[FoundSignal] = field(default_factory=list)
    incidents: list[FoundIncident] = field(default_factory=list)
    alerts: list[FoundAlert] = field(default_factory=list)
    figures: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    def report(self) -> Report:
        return self.accounting.report(self.signals, self.incidents, self.alerts, self.figures)


def happens(system: System, incident: FoundIncident, outcomes: list[str], heard: bool) -> None:
    """An incident of so many signals; ``heard``: its alerts were made before it ended."""
    for number, outcome in enumerate(outcomes):
        signal_id = f"{incident.id}-signal-{number}"
        system.accounting.attempted(signal_id, incident.kind, incident.commune, incident.site, drill=incident.drill)
        if outcome == "refused":
            system.refused.append(signal_id)
        else:
            system.accounting.unknown(signal_id)
        if outcome == "acknowledged":
            system.accounting.acknowledged(signal_id, {"incident_id": incident.id})
        else:  # also after a try without an answer: then it may be there
            system.accounting.refused(signal_id)
        if outcome in ("acknowledged", "stored"):
            system.signals.append(FoundSignal(signal_id, incident.id))
    if not {"acknowledged", "stored"} & set(outcomes):
        return
    system.incidents.append(incident)
    system.figures[incident.kind, incident.commune] += incident.counted
    if incident.alerts and (heard or not incident.ended):
        units = sorted(units_of_kind(incident.kind, incident.commune))
        system.alerts += [FoundAlert(f"{incident.id}-{unit}", incident.id, unit) for unit in units]
        if incident.status == "confirmed" and units:
            system.alerts.append(FoundAlert(f"{incident.id}-handed-over", incident.id, units[0], transferred=True))


@st.composite
def systems(draw: st.DrawFn) -> System:
    """One sure incident (open, acknowledged, alerted) and up to five of any sort."""
    system = System()
    happens(system, FoundIncident("sure", "fire", COMMUNES[0], "site-sure"), ["acknowledged", "refused"], heard=True)
    outcome = st.sampled_from(["acknowledged", "stored", "not stored", "refused"])
    for number in range(draw(st.integers(0, 5))):
        incident = FoundIncident(
            id=f"incident-{number}",
            kind=draw(st.sampled_from(sorted(KINDS))),
            commune=draw(st.sampled_from(COMMUNES)),
            site=f"site-{number}",
            status=draw(st.sampled_from(["open", "confirmed", "resolved", "cancelled"])),
            drill=draw(st.booleans()),
            validation_level=draw(st.integers(0, 4)),
        )
        outcomes = draw(st.lists(outcome, min_size=1, max_size=3))
        happens(system, incident, outcomes, heard=incident.validation_level >= 2 and draw(st.booleans()))
        if incident in system.incidents and draw(st.booleans()):
            after = replace(incident, id=f"{incident.id}-again", follows=incident.id)
            happens(system, after, ["acknowledged"], heard=True)
    return system


def one_of(there: list[Thing], choose: Choose) -> Thing:
    chosen = choose([thing.id for thing in there])
    return next(thing for thing in there if thing.id == chosen)


def lose_signal(system: System, choose: Choose) -> tuple[str, str]:
    lost = choose([signal.id for signal in system.signals if signal.id in system.accounting.answers])
    system.signals = [signal for signal in system.signals if signal.id != lost]
    return "lost", lost


def lose_incident(system: System, choose: Choose) -> tuple[str, str]:
    lost = choose([incident.id for incident in system.incidents])
    system.incidents = [incident for incident in system.incidents if incident.id != lost]
    return "lost", lost


def lose_alert(system: System, choose: Choose) -> tuple[str, str]:
    living = {incident.id for incident in system.incidents if not incident.ended}
    alert = one_of([a for a in system.alerts if a.incident_id in living and not a.transferred], choose)
    system.alerts.remove(alert)
    return "lost", f"{alert.unit} was not alerted of incident {alert.incident_id} "


def lose_figure(system: System, choose: Choose) -> tuple[str, str]:
    kind, commune = choose([" ".join(key) for key, count in system.figures.items() if count]).split()
    system.figures[kind, commune] -= 1
    return "lost", f"statistics of {kind} in commune {commune}"


def double_signal(system: System, choose: Choose) -> tuple[str, str]:
    system.signals.append(one_of(system.signals, choose))
    return "doubled", system.signals[-1].id


def double_incident(system: System, choose: Choose) -> tuple[str, str]:
    """Two processes made an incident each out of the signals of one."""
    happens(system, replace(one_of(system.incidents, choose), id="second"), ["stored"], heard=True)
    return "doubled", "second"


def double_row(system: System, choose: Choose) -> tuple[str, str]:
    system.incidents.append(one_of(system.incidents, choose))
    return "doubled", f"incident {system.incidents[-1].id} "


def double_alert(system: System, choose: Choose) -> tuple[str, str]:
    alert = one_of([alert for alert in system.alerts if not alert.transferred], choose)
    system.alerts.append(replace(alert, id="second"))
    return "doubled", f"{alert.unit} was alerted 2 times of incident {alert.incident_id} "


def double_figure(system: System, choose: Choose) -> tuple[str, str]:
    kind, commune = choose([" ".join(key) for key, count in system.figures.items() if count]).split()
    system.figures[kind, commune] += 1
    return "doubled", f"statistics of {kind} in commune {commune}"


def unexpected_signal(system: System, choose: Choose) -> tuple[str, str]:
    system.signals.append(FoundSignal("never-sent", choose([incident.id for incident in system.incidents])))
    return "unexpected", "never-sent"


def unexpected_refused(system: System, choose: Choose) -> tuple[str, str]:
    stored = choose(system.refused)
    system.signals.append(FoundSignal(stored, system.incidents[0].id))
    return "unexpected", stored


def unexpected_incident(system: System, choose: Choose) -> tuple[str, str]:
    system.incidents.append(FoundIncident("from-nowhere", choose(sorted(KINDS)), COMMUNES[0], "no-site"))
    return "unexpected", "from-nowhere"


def unexpected_alert(system: System, choose: Choose) -> tuple[str, str]:
    incident = choose([incident.id for incident in system.incidents])
    system.alerts.append(FoundAlert("wrong", incident, "CAX-wrong"))
    return "unexpected", f"CAX-wrong was alerted 1 times of incident {incident} "


def unexpected_orphan(system: System, choose: Choose) -> tuple[str, str]:
    system.alerts.append(FoundAlert("orphan", "no-incident", choose(["PC07", "TRUC-BAN"])))
    return "unexpected", "orphan"


def unexpected_figure(system: System, choose: Choose) -> tuple[str, str]:
    system.figures[choose(sorted(KINDS)), "elsewhere"] += 1
    return "unexpected", "elsewhere"


def unexpected_place(system: System, choose: Choose) -> tuple[str, str]:
    """A signal that joined an incident of another site."""
    moved = choose([signal.id for signal in system.signals])
    happens(system, FoundIncident("other", "gas", COMMUNES[1], "other-site"), ["stored"], heard=True)
    system.signals = [replace(s, incident_id="other") if s.id == moved else s for s in system.signals]
    return "unexpected", moved


def unexpected_move(system: System, choose: Choose) -> tuple[str, str]:
    """A signal that is in a later incident of its own site and kind, not in the one that was answered."""
    moved = choose([signal.id for signal in system.signals if signal.id in system.accounting.answers])
    told = next(i for i in system.incidents if i.id == system.accounting.answers[moved])
    happens(system, replace(told, id="later", follows=told.id), ["stored"], heard=True)
    system.signals = [replace(s, incident_id="later") if s.id == moved else s for s in system.signals]
    return "unexpected", f"{moved} "


def unexpected_second_answer(system: System, choose: Choose) -> tuple[str, str]:
    asked = choose(list(system.accounting.answers))
    system.accounting.acknowledged(asked, {"incident_id": "another"})
    return "unexpected", f"signal {asked} was answered incident"
