"""What was asked for against what is there: ok, lost, unexpected, doubled (the words of Jepsen's total-queue).

Pure: a test records its attempts and answers, reads back what the three services hold, and ``report`` compares.
What was acknowledged must be there, once; what got no answer may be there or not, once; nothing else may be there.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.world.found import Attempt, FoundAlert, FoundIncident, FoundSignal, is_drill, text, units_of_kind

Incidents = Mapping[str, FoundIncident]
Figures = Mapping[tuple[str, str], int]
"""Incidents as reporting counts them, by (kind, commune code)."""
SHOWN = 25
"""Differences of one sort that a message shows."""


@dataclass
class Report:
    """``ok`` counts what was right, by sort; the others name each difference with its ids, a line each."""

    ok: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    recovered: int = 0
    """Signals without an answer that were stored all the same."""

    @property
    def clean(self) -> bool:
        return not (self.lost or self.unexpected or self.doubled)

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {sort}" for sort, count in sorted(self.ok.items())) or "nothing"
        lines = [f"ok: {counted}; stored without an answer: {self.recovered}"]
        for name, found in (("lost", self.lost), ("unexpected", self.unexpected), ("doubled", self.doubled)):
            lines += [f"{name}: {len(found)}", *(f"  {difference}" for difference in found[:SHOWN])]
            lines += [f"  … and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        return "\n".join(lines)

    def check(self) -> None:
        """Raises ``AssertionError`` with the whole text unless it is clean."""
        if not self.clean:
            raise AssertionError(f"the accounts do not balance\n{self}")


class Accounting:
    """Records of one run. ``units`` says which units an incident of a kind in a commune alerts."""

    def __init__(self, units: Callable[[str, str], frozenset[str]] = units_of_kind) -> None:
        self.attempts: dict[str, Attempt] = {}
        self.answers: dict[str, str | None] = {}
        """The incident that an acknowledged signal was told, by signal; None where it was told none."""
        self._doubtful: set[str] = set()
        self._refused: set[str] = set()
        self._two_answers: list[str] = []
        self._units = units

    def attempted(self, signal_id: object, kind: str, commune: str, site: object, *, drill: bool = False) -> None:
        """A signal is about to be sent: said before its first try."""
        self.attempts.setdefault(str(signal_id), Attempt(str(signal_id), kind, commune, str(site), drill))

    def acknowledged(self, signal_id: object, answer: Mapping[str, Any]) -> None:
        """A 2xx came with this body. Every further answer to the same id must name the same incident."""
        key, told = str(signal_id), text(answer.get("incident_id"))
        if self.answers.setdefault(key, told) != told:
            self._two_answers.append(f"signal {key} was answered incident {self.answers[key]}, later {told}")

    def unknown(self, signal_id: object) -> None:
        """No answer, or one that does not tell whether it is stored (time-out, lost connection, 5xx)."""
        self._doubtful.add(str(signal_id))

    def refused(self, signal_id: object) -> None:
        """A 4xx: unless another try of the same id was answered otherwise, it must not be there."""
        self._refused.add(str(signal_id))

    def report(
        self,
        found_signals: Iterable[FoundSignal],
        found_incidents: Iterable[FoundIncident],
        found_alerts: Iterable[FoundAlert],
        statistics: Figures,
    ) -> Report:
        """Compares the records with everything that the services hold of this run. Changes nothing."""
        report = Report(unexpected=list(self._two_answers))
        signals = list(found_signals)
        incidents: dict[str, FoundIncident] = {}
        for incident in found_incidents:
            if incident.id in incidents:
                report.doubled.append(f"{incident} is there twice")
            incidents[incident.id] = incident
        self._compare_signals(report, signals)
        self._compare_incidents(report, signals, incidents)
        self._compare_alerts(report, incidents, list(found_alerts))
        _compare_figures(report, incidents, statistics)
        return report

    def _name(self, signal_id: str) -> str:
        return str(self.attempts.get(signal_id, f"signal {signal_id}"))

    def _compare_signals(self, report: Report, signals: list[FoundSignal]) -> None:
        times = Counter(signal.id for signal in signals)
        for signal_id, told in self.answers.items():
            if signal_id not in times:
                report.lost.append(f"{self._name(signal_id)} was acknowledged as incident {told}, and is not there")
        for signal_id, count in times.items():
            if count > 1:
                report.doubled.append(f"{self._name(signal_id)} is there {count} times")
            if signal_id not in self.attempts:
                report.unexpected.append(f"signal {signal_id} is there, and was never sent")
            elif signal_id in self._refused - self._doubtful - self.answers.keys():
                report.unexpected.append(f"{self._name(signal_id)} was refused, and is there")
            elif count == 1:
                report.ok["signals"] += 1
                report.recovered += signal_id not in self.answers

    def _compare_incidents(self, report: Report, signals: list[FoundSignal], incidents: Incidents) -> None:
        stored = {signal.incident_id for signal in signals}
        for promised in sorted({told for told in (*self.answers.values(), *stored) if told} - incidents.keys()):
            report.lost.append(f"incident {promised} was acknowledged or has a signal, and is not there")
        for incident in incidents.values():
            if incident.id not in stored:
                report.unexpected.append(f"{incident} is there without a signal")
        for signal in signals:
            attempt, told = self.attempts.get(signal.id), self.answers.get(signal.id)
            joined = incidents.get(signal.incident_id or "")
            if told is not None and told != signal.incident_id:
                report.unexpected.append(f"{attempt} was acknowledged as incident {told}, is in {signal.incident_id}")
            elif attempt is not None and joined is not None and not _belongs(attempt, joined):
                report.unexpected.append(f"{attempt} is in {joined}")
        _compare_slots(report, incidents)

    def _compare_alerts(self, report: Report, incidents: Incidents, alerts: list[FoundAlert]) -> None:
        """Exactly one alert for each unit of the kind; for an incident that has ended, those or none at all."""
        by_incident: dict[str, Counter[str]] = defaultdict(Counter)
        for alert in alerts:
            if alert.incident_id not in incidents:
                report.unexpected.append(f"alert {alert.id} of {alert.unit} is for no incident: {alert.incident_id}")
            elif not alert.transferred:
                by_incident[alert.incident_id][alert.unit] += 1
        for alert_id, count in Counter(alert.id for alert in alerts).items():
            if count > 1:
                report.doubled.append(f"alert {alert_id} is there {count} times")
        for incident in incidents.values():
            found = by_incident[incident.id]
            wanted = self._units(incident.kind, incident.commune) if incident.alerts else frozenset()
            if incident.ended and not found:
                continue
            for unit in sorted(wanted | found.keys()):
                _compare_alert(report, incident, unit, found[unit], unit in wanted)


def _belongs(attempt: Attempt, incident: FoundIncident) -> bool:
    """A signal's incident is of its kind, at its site, and a drill exactly if it is one."""
    same = (attempt.kind, attempt.commune, attempt.site) == (incident.kind, incident.commune, incident.site)
    return same and is_drill(attempt.kind, attempt.drill) == (not incident.counted)


def _compare_alert(report: Report, incident: FoundIncident, unit: str, count: int, wanted: bool) -> None:
    if not wanted:
        report.unexpected.append(f"{unit} was alerted {count} times of {incident}")
    elif count == 0:
        report.lost.append(f"{unit} was not alerted of {incident}")
    elif count > 1:
        report.doubled.append(f"{unit} was alerted {count} times of {incident}")
    else:
        report.ok["alerts"] += 1


def _compare_slots(report: Report, incidents: Incidents) -> None:
    """Of one site and kind there is one first incident, and after each at most one that follows it."""
    slots: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for incident in incidents.values():
        slots[incident.site, incident.kind, incident.drill, incident.follows].append(incident.id)
    for (site, kind, _, follows), ids in slots.items():
        if len(ids) == 1:
            report.ok["incidents"] += 1
        else:
            after = f" after {follows}" if follows else ""
            report.doubled.append(f"site {site} has {len(ids)} incidents of {kind}{after}: {', '.join(sorted(ids))}")


def _compare_figures(report: Report, incidents: Incidents, figures: Figures) -> None:
    counted = Counter((incident.kind, incident.commune) for incident in incidents.values() if incident.counted)
    for key in sorted(counted.keys() | figures.keys()):
        there, told = counted[key], figures.get(key, 0)
        line = f"statistics of {key[0]} in commune {key[1]}: {told}, incidents there: {there}"
        if told == there:
            report.ok["figures"] += 1
        elif told < there:
            report.lost.append(line)
        elif there:
            report.doubled.append(line)
        else:
            report.unexpected.append(line)
