"""How signals become incidents: the table of DOMAIN line by line, and what no sequence of signals can bring about."""

import pytest

from foundation.contracts.kinds import KINDS
from services.incidents.domain.correlation import MAX_DETECTORS
from services.incidents.domain.incident import confirm, end
from tests.incidents.rules.cast import TEN, Story, named

MINUTE = 60
WINDOW_S = 45 * MINUTE


TABLE: list[tuple[str, str, list[dict[str, object]], list[str], dict[str, object]]] = [
    ("an alarm, and no open incident of that site and kind: a new incident",
     "break_in", [{}], ["raised"], {"status": "open", "version": 1, "rings": 1, "signals": 1, "validation_level": 0}),
    ("the same device and zone again: joins",
     "break_in", [{}, {"at_s": 60}], ["raised", "joined"], {"status": "open", "rings": 1, "signals": 2, "version": 2}),
    ("the same again at the very end of the window: joins",
     "break_in", [{}, {"at_s": WINDOW_S}], ["raised", "joined"], {"rings": 1, "signals": 2}),
    ("the same again a second after the window: a new incident that follows nothing",
     "break_in", [{}, {"at_s": WINDOW_S + 1}], ["raised", "raised"], {"signals": 1, "follows": None}),
    ("each alarm keeps the window open",
     "break_in", [{}, {"at_s": 2000}, {"at_s": 4000}], ["raised", "joined", "joined"], {"signals": 3}),
    ("another device: joins, confirms, rings again",
     "break_in", [{}, {"device": "window"}], ["raised", "confirmed"],
     {"status": "confirmed", "rings": 2, "signals": 2, "validation_level": 2}),
    ("another zone of the same device: joins, confirms, rings again",
     "fire", [{"zone": "hall"}, {"zone": "kitchen"}], ["raised", "confirmed"], {"status": "confirmed", "rings": 2}),
    ("a third detector rings again too",
     "fire", [{}, {"device": "b"}, {"device": "c"}], ["raised", "confirmed", "confirmed"],
     {"status": "confirmed", "rings": 3}),
    ("a second detector that says it twice rings once more, not twice",
     "fire", [{}, {"device": "b"}, {"device": "b", "at_s": 9}], ["raised", "confirmed", "joined"],
     {"status": "confirmed", "rings": 2, "signals": 3}),
    ("a person's press: verified by a human",
     "break_in", [{"by_person": True}], ["raised"], {"validation_level": 2, "status": "open"}),
    ("a person's press with life in danger",
     "fire", [{"by_person": True}], ["raised"], {"validation_level": 4, "status": "open"}),
    ("a person presses after the detector: the level rises, and never falls again",
     "fire", [{}, {"device": "phone", "by_person": True}, {"device": "c"}], ["raised", "confirmed", "confirmed"],
     {"validation_level": 4, "rings": 3}),
    ("restoral of the only zone closes a kind of severity 3",
     "tamper", [{}, {"event": "restoral", "at_s": 30}], ["raised", "closed"],
     {"status": "resolved", "result": "other", "end_reason": "restoral", "signals": 2}),
    ("restoral of one of two zones closes nothing",
     "tamper", [{}, {"zone": "2"}, {"event": "restoral", "at_s": 30}], ["raised", "confirmed", "restored"],
     {"status": "confirmed"}),
    ("restoral of all zones closes a confirmed one of severity 3 as well",
     "tamper", [{}, {"zone": "2"}, {"event": "restoral", "at_s": 30}, {"event": "restoral", "zone": "2", "at_s": 31}],
     ["raised", "confirmed", "restored", "closed"], {"status": "resolved"}),
    ("a zone that alarms again after its restoral must be restored again",
     "tamper", [{}, {"zone": "2"}, {"event": "restoral", "at_s": 30}, {"at_s": 40},
                {"event": "restoral", "zone": "2", "at_s": 50}],
     ["raised", "confirmed", "restored", "joined", "restored"], {"status": "confirmed"}),
    ("restoral of a zone that never alarmed closes nothing",
     "tamper", [{}, {"event": "restoral", "zone": "9", "at_s": 30}], ["raised", "recorded"], {"status": "open"}),
    ("restoral closes nothing of severity 1",
     "fire", [{}, {"event": "restoral", "at_s": 30}], ["raised", "restored"], {"status": "open", "signals": 2}),
    ("restoral closes nothing of severity 2",
     "break_in", [{}, {"event": "restoral", "at_s": 30}], ["raised", "restored"], {"status": "open"}),
    ("restoral hours later still belongs to the incident that is live",
     "link_lost", [{}, {"event": "restoral", "at_s": 8 * WINDOW_S}], ["raised", "closed"], {"status": "resolved"}),
    ("restoral when nothing is known: a record only",
     "tamper", [{"event": "restoral"}], ["recorded"], {}),
    ("cancel by the guard within the grace time: false alarm by user",
     "break_in", [{}, {"event": "cancel", "at_s": 90}], ["raised", "cancelled"],
     {"status": "cancelled", "result": "false_by_user", "signals": 2}),
    ("cancel a second after the grace time: a record only",
     "break_in", [{}, {"event": "cancel", "at_s": 91}], ["raised", "recorded"], {"status": "open", "signals": 2}),
    ("cancel that was kept on the way counts from when it was pressed",
     "break_in", [{}, {"event": "cancel", "at_s": 60, "arrives_s": 3600}], ["raised", "cancelled"],
     {"status": "cancelled"}),
    ("cancel by another post: a record only",
     "break_in", [{}, {"event": "cancel", "at_s": 9, "post": "harbour"}], ["raised", "recorded"], {"status": "open"}),
    ("cancel of one that a second detector confirmed: a record only",
     "break_in", [{}, {"device": "window"}, {"event": "cancel", "at_s": 9}], ["raised", "confirmed", "recorded"],
     {"status": "confirmed"}),
    ("cancel when nothing is known: a record only",
     "break_in", [{"event": "cancel"}], ["recorded"], {}),
    ("alarm after the guard cancelled, within the window: a new incident that follows the old",
     "break_in", [{}, {"event": "cancel", "at_s": 9}, {"at_s": 60}], ["raised", "cancelled", "raised"],
     {"status": "open", "version": 1, "rings": 1, "follows": named("incident 1")}),
    ("drill: an incident of its own, marked",
     "fire", [{"drill": True}], ["raised"], {"drill": True, "severity": 1}),
    ("duress: silent",
     "duress", [{}], ["raised"], {"silent": True, "severity": 1, "status": "open"}),
    ("a late alarm meets the incident of its own time, not the newest",
     "break_in", [{}, {"at_s": 3 * WINDOW_S}, {"at_s": 300, "arrives_s": 3 * WINDOW_S + 5, "device": "window"}],
     ["raised", "raised", "confirmed"], {"signals": 1, "rings": 1}),
    ("a late alarm of a time in which nothing happened: its own incident",
     "break_in", [{"at_s": 4 * WINDOW_S}, {"arrives_s": 4 * WINDOW_S + 5}], ["raised", "raised"], {"signals": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "kind", "signals", "did", "then"), TABLE, ids=[row[0] for row in TABLE])
def test_the_table(
    line: str, kind: str, signals: list[dict[str, object]], did: list[str], then: dict[str, object]
) -> None:
    story = Story(kind)
    for signal in signals:
        story.hears(**signal)  # type: ignore[arg-type]
    assert [decision.decided for decision in story.decisions] == did, line
    assert {name: getattr(story.incident, name) for name in then} == then if then else not story.slot.incidents, line


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if not kind.hold_min], ids=lambda kind: kind.code)
def test_restoral_closes_kinds_of_severity_3_and_4_and_no_others(kind: object) -> None:
    story = Story(kind.code)  # type: ignore[attr-defined]
    story.hears()
    story.hears("restoral", at_s=5)
    assert story.incident.ended == (KINDS[story.kind].severity >= 3)


def test_an_alarm_after_an_operator_ended_it_is_a_new_incident_that_follows() -> None:
    for status, result in (("resolved", "true"), ("cancelled", "duplicate")):
        story = Story("fire")
        first = story.hears().incident
        assert first is not None
        story.becomes(end(first, TEN, status, result, "desk", None))  # type: ignore[arg-type]
        again = story.hears(at_s=60)
        assert (again.decided, again.incident.follows) == ("raised", first.id)  # type: ignore[union-attr]


def test_an_operators_confirmation_stops_the_guards_cancel() -> None:
    story = Story("fire")
    first = story.hears().incident
    assert first is not None
    story.becomes(confirm(first, TEN))
    assert story.hears("cancel", at_s=9).decided == "recorded"
    assert story.incident.status == "confirmed"


def test_a_cancel_older_than_the_newest_alarm_ends_nothing() -> None:
    """Pressed at 10:00:20 for the first alarm, it comes in after the second, real one."""
    story = Story("fire")
    first = story.hears().incident
    assert first is not None
    story.becomes(end(first, TEN, "cancelled", "test", "desk", None))
    story.hears(at_s=60)
    assert story.hears("cancel", at_s=20, arrives_s=65).decided == "recorded"
    assert story.incident.status == "open"

    joined = Story("fire")
    joined.hears()
    joined.hears(at_s=45)
    assert joined.hears("cancel", at_s=20, arrives_s=50).decided == "recorded"
    assert joined.incident.status == "open"


def test_messages_that_overtook_one_another_by_seconds_still_belong_together() -> None:
    """A press that travelled three seconds, and its cancel, whose own travel was short: effective before the press."""
    story = Story("fire")
    story.hears(at_s=3)
    assert story.hears("cancel", at_s=1, arrives_s=4).decided == "cancelled"
    tamper = Story("tamper")
    tamper.hears(at_s=3)
    assert tamper.hears("restoral", at_s=1, arrives_s=4).decided == "closed"


def test_a_restoral_older_than_the_alarm_closes_nothing() -> None:
    story = Story("tamper")
    story.hears(at_s=600)
    assert story.hears("restoral", at_s=0, arrives_s=610).decided == "recorded"
    assert story.incident.status == "open"
    assert not all(story.incident.restored.values())


def test_a_restoral_older_than_a_later_alarm_of_the_same_incident_does_not_close_it() -> None:
    story = Story("tamper")
    story.hears()
    story.hears(at_s=120)
    assert story.hears("restoral", at_s=60, arrives_s=125).decided == "restored"
    assert story.incident.status == "open"
    assert story.hears("restoral", at_s=180).decided == "closed"


def test_a_restoral_goes_to_the_incident_of_its_detector() -> None:
    """Two posts of one site fell silent hours apart; the first is back."""
    story = Story("link_lost")
    old = story.hears(device="north").incident
    story.hears(device="south", at_s=3 * WINDOW_S)
    back = story.hears("restoral", device="north", at_s=4 * WINDOW_S)
    assert (back.decided, back.incident.id) == ("closed", old.id)  # type: ignore[union-attr]
    assert story.incident.status == "open"


def test_a_late_cancel_goes_to_the_incident_of_its_own_time() -> None:
    story = Story("break_in")
    now = story.hears(at_s=3 * WINDOW_S, post="harbour").incident
    late = story.hears(at_s=0, arrives_s=3 * WINDOW_S + 5).incident
    cancelled = story.hears("cancel", at_s=30, arrives_s=3 * WINDOW_S + 6)
    assert (cancelled.decided, cancelled.incident.id) == ("cancelled", late.id)  # type: ignore[union-attr]
    assert story.incident == now


def test_duress_is_never_cancelled_but_answered_as_if() -> None:
    routine, duress = Story("panic"), Story("duress")
    for story in (routine, duress):
        story.hears()
        story.hears("cancel", at_s=30)
    assert [d.answer_status for d in duress.decisions] == [d.answer_status for d in routine.decisions]
    assert duress.decisions[1].answer_status == "cancelled"
    assert (duress.incident.status, duress.incident.signals) == ("open", 2)
    assert routine.incident.status == "cancelled"


def test_the_site_cannot_see_that_the_police_confirmed_a_duress() -> None:
    story = Story("duress")
    first = story.hears().incident
    assert first is not None
    story.becomes(confirm(first, TEN))
    assert story.hears("cancel", at_s=30).answer_status == "cancelled"
    assert story.incident.status == "confirmed"


def test_a_detector_beyond_the_bound_joins_without_a_ring() -> None:
    story = Story("fire")
    for number in range(MAX_DETECTORS + 3):
        story.hears(device=f"detector {number}")
    assert (story.incident.rings, len(story.incident.restored)) == (MAX_DETECTORS, MAX_DETECTORS)
    assert story.incident.signals == MAX_DETECTORS + 3


def test_the_newest_three_notes_are_kept() -> None:
    story = Story("fire")
    for number in range(5):
        story.hears(note=f"note {number}", at_s=number)
    assert story.incident.notes == ("note 2", "note 3", "note 4")
