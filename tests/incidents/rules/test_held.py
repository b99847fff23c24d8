"""A power loss becomes an incident only if it lasts: failed and back within five minutes is one line of history."""

from datetime import timedelta

from services.incidents.domain.correlation import correlate, remember
from services.incidents.domain.incident import Incident
from tests.incidents.rules.cast import Story, named

HOLD_S = 300


def due(story: Story, device: str = "ups") -> Incident:
    """What the held alarm of a device becomes when it is due."""
    held = story.slot.held[named(device), ""]
    decision = correlate(held.arrival, story.slot, named(f"due {device}"), held.due_at)
    remember(story.slot, held.arrival, decision)
    del story.slot.held[named(device), ""]
    assert decision.incident is not None
    return decision.incident


def power_fails(*, at_s: float = 0, device: str = "ups") -> Story:
    story = Story("power_loss")
    assert story.hears(at_s=at_s, device=device).decided == "held"
    return story


def test_it_is_held_and_is_no_incident_yet() -> None:
    story = power_fails()
    assert (story.decisions[0].incident, story.decisions[0].answer_status) == (None, None)
    assert not story.slot.incidents


def test_back_within_five_minutes_is_no_incident() -> None:
    story = power_fails()
    assert story.hears("restoral", at_s=HOLD_S, device="ups").decided == "released"
    assert not story.slot.held
    assert not story.slot.incidents


def test_after_five_minutes_it_is_an_incident_raised_when_it_was_due() -> None:
    story = power_fails()
    incident = due(story)
    assert (incident.version, incident.status, incident.rings) == (1, "open", 1)
    assert incident.changed_at - incident.effective_at == timedelta(seconds=HOLD_S)


def test_said_again_while_it_is_held_is_due_when_it_was() -> None:
    story = power_fails()
    first = story.decisions[0].held
    again = story.hears(at_s=120, device="ups")
    assert (again.decided, again.held) == ("held", first)


def test_a_restoral_of_an_earlier_failure_releases_nothing() -> None:
    """A power loss must not be swallowed by the late message of the one before it."""
    story = power_fails(at_s=3600)
    assert story.hears("restoral", at_s=0, arrives_s=3605, device="ups").decided == "recorded"
    assert story.slot.held


def test_a_restoral_of_later_than_it_was_due_does_not_make_it_short() -> None:
    """The power was away for six minutes; we were away too and come to it only now."""
    story = power_fails()
    assert story.hears("restoral", at_s=HOLD_S + 60, device="ups").decided == "recorded"
    assert due(story).status == "open"


def test_the_restoral_of_another_detector_releases_nothing() -> None:
    story = power_fails()
    assert story.hears("restoral", at_s=60, device="another").decided == "recorded"
    assert story.slot.held


def test_due_while_an_incident_is_live_it_joins_as_any_alarm() -> None:
    story = power_fails()
    assert story.hears(at_s=60, device="pump").decided == "held"
    first = due(story)
    second = due(story, "pump")
    assert (second.id, second.version, second.status, second.rings) == (first.id, 2, "confirmed", 2)


def test_known_only_after_five_minutes_it_is_an_incident_at_once() -> None:
    story = Story("power_loss")
    assert story.hears(at_s=0, arrives_s=HOLD_S + 1).decided == "raised"


def test_an_alarm_that_joined_is_restored_although_an_earlier_one_is_held() -> None:
    story = power_fails()
    story.hears(at_s=-600, arrives_s=30, device="pump")
    assert story.hears(at_s=60, device="ups").decided == "confirmed"
    assert story.hears("restoral", at_s=90, device="pump").decided == "restored"
    assert story.hears("restoral", at_s=95, device="ups").decided == "closed"
    assert not story.slot.held
