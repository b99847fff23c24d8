"""Random histories of a province as its services would tell them: whole states, versions, gapless streams."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar
from uuid import UUID

from foundation.contracts import alerts, incidents, sites
from foundation.contracts.alerts import AlertState, UnitRef
from foundation.contracts.events import TOPICS, Event
from foundation.contracts.fields import SiteRef, rfc3339
from foundation.contracts.incidents import IncidentState
from foundation.contracts.sites import SiteState

AREA = "44"
KINDS = ("fire", "break_in", "theft", "duress")
UNITS = (
    UnitRef(code="CAX-19333", name="Công an phường Đông Hà", kind="commune_police"),
    UnitRef(code="PC07", name="Phòng Cảnh sát PCCC và CNCH (PC07)", kind="fire_police"),
    UnitRef(code="TRUC-BAN", name="Trực ban Công an tỉnh Quảng Trị", kind="province_desk"),
)
START = datetime(2026, 11, 29, 15, 0, tzinfo=UTC)
"""22:00 in Quảng Trị, two days before a month ends there: histories run over midnights and the end of a month."""
SPAN_S = 3 * 24 * 3600

T = TypeVar("T")
State = IncidentState | AlertState | SiteState
MODEL_TYPES = {IncidentState: incidents.TYPE, AlertState: alerts.TYPE, SiteState: sites.TYPE}


def uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def seconds(number: float) -> timedelta:
    return timedelta(milliseconds=round(number * 1000))


def site_ref(number: int) -> SiteRef:
    return SiteRef(id=f"site-{number}", name=f"Trường số {number}", kind="school", commune_code=f"1933{number % 3}")


def incident_versions(random: Random, effective_at: datetime | None = None) -> list[IncidentState]:
    """All versions of one incident: raised, perhaps corrected, perhaps ended."""
    at = effective_at or START + seconds(random.randrange(SPAN_S * 1000) / 1000)
    state = IncidentState(
        id=uuid(random), version=1, area=AREA, cause="raised", site=site_ref(random.randrange(4)),
        kind=random.choice(KINDS), severity=random.randint(1, 4), status="open", drill=random.random() < 0.15,
        effective_at=at, received_at=at, last_signal_at=at, changed_at=at, notes=["Có khói ở kho"],
    )  # fmt: skip
    versions = [state]
    changes: list[dict[str, object]] = [
        {"cause": "signal", "kind": random.choice(KINDS)},
        {"cause": "signal", "effective_at": at - seconds(random.randrange(7200))},
        {"cause": "signal", "site": site_ref(random.randrange(4))},
        {"cause": "confirmed", "status": "confirmed"},
        {"cause": "resolved", "status": "resolved", "result": "true", "ended_by": "Nguyễn Văn Mẫu"},
        {"cause": "cancelled", "status": "cancelled", "result": "false_by_user", "end_reason": "Anh Mẫu bấm nhầm"},
    ]
    for change in changes[: random.randint(0, 6)]:
        if random.random() < 0.5:
            versions.append(versions[-1].model_copy(update={**change, "version": len(versions) + 1}))
    return versions


def alert_versions(random: Random, of: IncidentState, unit: UnitRef) -> list[AlertState]:
    """All versions of one alert, as far as its unit came."""
    at = of.effective_at + seconds(random.choice((-5, 0.02, 0.3, 4, 900)) * random.random())
    state = AlertState(
        id=uuid(random), version=1, area=AREA, cause="raised", incident_id=of.id, incident_version=of.version,
        incident_status=of.status, unit=unit, status="raised", reason=f"kind:{of.kind}", kind=of.kind,
        severity=of.severity, site=of.site, rang_at=at, raised_at=at, effective_at=of.effective_at,
        received_at=of.received_at, changed_at=at, notes=["Có khói ở kho"],
    )  # fmt: skip
    versions = [state]
    for status in alerts.STATUS_ORDER[1 : random.randint(1, 5)]:
        at += seconds(random.expovariate(1 / 60))
        change = {"status": status, "cause": status, "version": len(versions) + 1, "changed_at": at}
        change |= {f"{status}_at": at, f"{status}_by": "Lê Thị Thí Dụ"}
        versions.append(versions[-1].model_copy(update=change))
    return versions


def site_versions(random: Random, number: int) -> list[SiteState]:
    ref = site_ref(number)
    return [
        SiteState(
            id=ref.id, version=version, area=AREA, name=f"{ref.name} ({version})", kind="school",
            commune_code=ref.commune_code, changed_at=START,
        )
        for version in range(1, random.randint(2, 4))
    ]  # fmt: skip


def interleaved(random: Random, sequences: Sequence[Sequence[T]]) -> list[T]:
    """One sequence that keeps the order of each."""
    turns = [index for index, sequence in enumerate(sequences) for _ in sequence]
    random.shuffle(turns)
    iterators = [iter(sequence) for sequence in sequences]
    return [next(iterators[turn]) for turn in turns]


def stream(states: Sequence[State], epoch: int = 1, first: int = 1) -> list[Event]:
    """The states as numbered events of one topic."""
    return [
        Event(
            topic=TOPICS[MODEL_TYPES[type(state)]], area=AREA, epoch=epoch, sequence=sequence, key=state.id,
            type=MODEL_TYPES[type(state)], version=state.version, time=rfc3339(state.changed_at),
            payload=state.model_dump_json().encode(),
        )
        for sequence, state in enumerate(states, start=first)
    ]  # fmt: skip


@dataclass(frozen=True)
class History:
    """The three streams of one area, complete and in order."""

    incidents: list[Event]
    alerts: list[Event]
    sites: list[Event]

    @property
    def streams(self) -> list[list[Event]]:
        return [self.incidents, self.alerts, self.sites]


def states(random: Random, incidents: int) -> tuple[list[State], list[State]]:
    """Incidents' and alerts' states in an order in which they could have been told."""
    told = [incident_versions(random) for _ in range(incidents)]
    rung = [
        alert_versions(random, versions[0], unit)
        for versions in told
        if not versions[0].drill
        for unit in random.sample(UNITS, random.randint(0, len(UNITS)))
    ]
    return interleaved(random, told), interleaved(random, rung)


def history(random: Random, incidents: int = 12) -> History:
    told, rung = states(random, incidents)
    named = interleaved(random, [site_versions(random, number) for number in range(3)])
    return History(stream(told), stream(rung), stream(named))
