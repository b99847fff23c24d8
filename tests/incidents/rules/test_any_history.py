"""Whatever comes, in whatever order and however late: no alarm is swallowed, nothing that ended lives again."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.incidents.domain.correlation import Decision, changes, correlate, remember
from services.incidents.domain.incident import Incident, WrongState, confirm, end
from tests.incidents.rules.cast import TEN, Story, named

KINDS_TRIED = ("fire", "break_in", "tamper", "link_lost", "duress", "power_loss", "drill")
SIGNAL = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["alarm", "alarm", "alarm", "restoral", "cancel"]),
        "at_s": st.integers(-3 * 3600, 3 * 3600) | st.integers(-120, 120),
        "late_s": st.just(0) | st.integers(0, 4 * 3600),
        "device": st.sampled_from(["a", "b", "c"]),
        "zone": st.sampled_from(["", "1"]),
        "post": st.sampled_from(["gate", "harbour"]),
        "by_person": st.booleans(),
        "note": st.none() | st.just("khói"),
    }
)
ACT = st.sampled_from(["confirm", "resolve", "cancel", "due"])
HISTORY = st.lists(SIGNAL | ACT, max_size=14)


def end_or_confirm(story: Story, act: str) -> None:
    """An operator acts on the newest incident, if it is in a state for it."""
    if not story.slot.incidents:
        return
    before = story.incident
    try:
        if act == "confirm":
            story.becomes(confirm(before, TEN))
        else:
            status = "resolved" if act == "resolve" else "cancelled"
            story.becomes(end(before, TEN, status, "true", "desk", None))  # type: ignore[arg-type]
    except WrongState:
        assert before.status != "open"


def raise_what_is_due(story: Story, number: int) -> list[Decision]:
    """The loop over held alarms passes by, long after."""
    done = []
    for place, held in enumerate(sorted(story.slot.held.values(), key=lambda held: held.due_at)):
        decision = correlate(held.arrival, story.slot, named(f"due {number} {place}"), held.due_at)
        remember(story.slot, held.arrival, decision)
        done.append(decision)
    story.slot.held.clear()
    return done


def check_step(before: dict[object, Incident], after: dict[object, Incident]) -> None:
    """What one step may do to the incidents of a slot."""
    assert set(before) <= set(after), "an incident is never lost"
    for key, now in after.items():
        then = before.get(key)
        if then is None:
            assert (now.version, now.rings, now.signals, now.ended) == (1, 1, 1, False)
            continue
        assert now.version in (then.version, then.version + 1)
        assert now.version == then.version + 1 or now == then
        assert now.ended or not then.ended, "what ended never lives again"
        assert not then.ended or (now.status, now.result, now.ended_at) == (then.status, then.result, then.ended_at)
        assert 0 <= now.rings - then.rings <= 1
        assert now.validation_level >= then.validation_level
        assert now.signals >= then.signals
        assert (now.effective_at, now.kind, now.severity) == (then.effective_at, then.kind, then.severity)


@given(st.sampled_from(KINDS_TRIED), HISTORY)
def test_any_history(kind: str, history: list[dict[str, object] | str]) -> None:
    story = Story(kind)
    for number, step in enumerate(history):
        before = {incident.id: incident for incident in story.slot.incidents}
        if step == "due":
            for decision in raise_what_is_due(story, number):
                assert decision.incident is not None
                assert not decision.incident.ended
        elif isinstance(step, str):
            end_or_confirm(story, step)
        else:
            fields = dict(step)
            late_s = fields.pop("late_s")
            decision = story.hears(arrives_s=fields["at_s"] + late_s, **fields)  # type: ignore[operator,arg-type]
            check_signal(story, fields, decision, before)
        if step != "due":
            check_step(before, {incident.id: incident for incident in story.slot.incidents})


def check_signal(story: Story, fields: dict[str, object], decision: Decision, before: dict[object, Incident]) -> None:
    """An alarm ends in a live incident or is held; nothing else raises one or rings."""
    after = decision.incident
    if fields["event"] == "alarm":
        assert decision.held is not None or (after is not None and not after.ended), "an alarm is never swallowed"
        assert (decision.decided == "held") == (decision.held is not None)
    else:
        assert after is None or after.id in before, "a restoral or cancel never raises"
        assert after is None or after.rings == before[after.id].rings, "nor does it ring"
    if after is not None and after.ended and not before[after.id].ended:
        assert decision.decided in ("closed", "cancelled")
        assert decision.decided != "closed" or after.severity >= 3
        assert not after.silent or decision.decided == "closed", "duress is never cancelled by the guard"
    if after is not None and decision.decided == "closed":
        assert all(after.restored.values())


@given(st.sampled_from(KINDS_TRIED), st.lists(SIGNAL, min_size=1, max_size=10), st.integers(1, 10))
def test_one_transaction_makes_one_version_of_each_incident(
    kind: str, signals: list[dict[str, object]], first: int
) -> None:
    """However many signals share a transaction, the versions that others hear have no gap."""
    story = Story(kind)
    for batch in (signals[:first], signals[first:]):
        story.slot.stored = {incident.id: incident for incident in story.slot.incidents}
        for signal in batch:
            fields = dict(signal)
            story.hears(arrives_s=fields["at_s"] + fields.pop("late_s"), **fields)  # type: ignore[operator,arg-type]
        said = changes(story.slot)
        for incident in said:
            known = story.slot.stored.get(incident.id)
            assert incident.version == (known.version + 1 if known else 1)
            assert (incident.cause == "raised") <= (known is None)
            assert (incident.cause in ("resolved", "cancelled")) <= incident.ended
            assert (known is None or incident.rings > known.rings) <= (incident.cause != "signal")
        untouched = {incident.id for incident in story.slot.incidents} - {incident.id for incident in said}
        assert all(story.slot.stored[key] in story.slot.incidents for key in untouched)
        for incident in said:
            story.becomes(incident)


@given(st.integers(-7200, 7200), st.integers(0, 600))
def test_held_until_due_or_over(at_s: int, late_s: int) -> None:
    """A power loss is held exactly when its five minutes are not over yet."""
    story = Story("power_loss")
    decision = story.hears(at_s=at_s, arrives_s=at_s + late_s)
    assert decision.decided == ("held" if late_s < 300 else "raised")
    if decision.held is not None:
        assert decision.held.due_at - TEN == timedelta(seconds=at_s + 300)
