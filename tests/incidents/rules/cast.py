"""Arrivals and slots in words: what the tests of the rules are made of."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from foundation.contracts.kinds import KINDS
from services.incidents.domain.correlation import Arrival, Decision, SignalEvent, Slot, correlate, remember
from services.incidents.domain.incident import Incident, Place

TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)
HERE = UUID("b6f0d3c2-2b5e-4b9e-8a39-6b1d5a0f3a11")
PLACE = Place(uuid5(HERE, "site"), "44", "Trường THPT Đông Hà", "school", "19333")


def named(name: str) -> UUID:
    """The same id for the same name, whoever asks."""
    return uuid5(HERE, name)


@dataclass
class Story:
    """Signals of one slot, one after another; remembers what each did."""

    kind: str = "break_in"
    slot: Slot = field(default_factory=Slot)
    decisions: list[Decision] = field(default_factory=list)
    arrivals: int = 0

    def hears(
        self,
        event: SignalEvent = "alarm",
        *,
        at_s: float = 0,
        arrives_s: float | None = None,
        device: str = "door",
        zone: str = "",
        post: str = "gate",
        by_person: bool = False,
        note: str | None = None,
        drill: bool = False,
    ) -> Decision:
        """A signal that happened ``at_s`` seconds after ten and came in ``arrives_s`` (default: at once)."""
        self.arrivals += 1
        arrival = Arrival(
            signal_id=named(f"signal {self.arrivals}"), device_id=named(device), post_id=named(post), place=PLACE,
            kind=KINDS[self.kind], event=event, drill=drill, by_person=by_person, zone=zone, note=note,
            effective_at=TEN + timedelta(seconds=at_s),
            received_at=TEN + timedelta(seconds=at_s if arrives_s is None else arrives_s),
        )  # fmt: skip
        decision = correlate(arrival, self.slot, named(f"incident {self.arrivals}"))
        remember(self.slot, arrival, decision)
        self.decisions.append(decision)
        return decision

    def becomes(self, incident: Incident) -> None:
        """What an operator made of an incident."""
        self.slot.incidents = [incident if known.id == incident.id else known for known in self.slot.incidents]

    @property
    def incident(self) -> Incident:
        """The newest incident by effective time."""
        return self.slot.incidents[-1]
