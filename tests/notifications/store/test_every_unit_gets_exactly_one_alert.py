"""However the stream is cut into batches, repeated or put off: one alert a unit, and one event a change."""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.contracts.alerts import AlertState
from services.notifications.store.units import put_units
from tests.notifications.desk import AREA, DONG_HA, KHE_SANH, UNCOVERED, Desk, after, incident, units_of_the_province

ENDS = (None, "resolved", "cancelled")


def keys(alerts: list[AlertState]) -> list[tuple[str, str]]:
    return [(alert.incident_id, alert.unit.code) for alert in alerts]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_whatever_the_cuts(desk: Desk, data: st.DataObject):
    kinds = st.sampled_from(["fire", "break_in", "tamper", "duress", "power_loss"])
    places = st.sampled_from([DONG_HA, KHE_SANH, UNCOVERED])
    made = [incident(kind, commune=place) for kind, place in data.draw(st.lists(st.tuples(kinds, places), max_size=5))]
    story = list(made)
    for state in made:
        for _ in range(data.draw(st.integers(0, 2))):
            state = after(state, rings=state.rings + data.draw(st.integers(0, 1)), validation_level=2)
            story.append(state)
        if (end := data.draw(st.sampled_from(ENDS))) is not None:
            story.append(after(state, status=end))
    story.sort(key=lambda state: state.version)
    cuts = data.draw(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2), st.booleans()), min_size=len(story)))
    events = desk.events(*story)
    for size, again, behind in cuts:
        await desk.take(events[: size + again], behind)
        events = events[size:]
    await desk.hear()
    newest = {state.id: state for state in story}
    for state in newest.values():
        alerts = await desk.alerts(state)
        assert len(keys(alerts)) == len(set(keys(alerts)))
        assert not [alert for alert in alerts if (alert.status == "stood_down") != (state.status in ENDS)]
        if state.status == "open":
            assert {a.unit.code for a in alerts} == expected(state)
            assert {a.incident_version for a in alerts} <= set(range(1, state.version + 1))


def expected(state) -> set[str]:
    desk = {"TRUC-BAN"} if state.site.commune_code == UNCOVERED else set()
    police = desk or {f"CAX-{state.site.commune_code}"}
    return {
        "fire": police | {"PC07", "TRUC-BAN"},
        "break_in": police,
        "duress": police | {"TRUC-BAN"},
        "tamper": police if state.validation_level >= 2 else set(),
        "power_loss": set(),
    }[state.kind]


async def test_the_ledger_tells_each_version_once_and_the_alert_is_its_last_word(desk: Desk):
    fire = incident("fire")
    await desk.hear(fire)
    await desk.hear(after(fire, rings=2), incident("duress", commune=KHE_SANH))
    await desk.hear(after(after(fire, rings=2), status="confirmed"))
    said = await desk.said()
    versions = Counter((alert.id, alert.version) for alert in said)
    assert set(versions.values()) == {1}
    assert {alert.id: alert for alert in said} == {alert.id: alert for alert in await desk.alerts()}
    assert [a.cause for a in said if a.unit.code == "PC07"] == ["raised", "rung_again", "incident_changed"]


async def test_an_older_version_changes_nothing(desk: Desk):
    state = incident()
    over = after(state, status="resolved")
    await desk.hear(over)
    await desk.hear(state)  # the producer's database was set back: its numbers start anew, its versions do not
    assert await desk.alerts() == []


async def test_one_signal_one_acknowledgement_one_resolve_and_then_silence(desk: Desk):
    state = incident()
    await desk.hear(state)
    await desk.hear(after(state, status="resolved"))
    for _ in range(3):
        await desk.hear()
        await desk.pass_time(seconds=70)
    assert [alert.cause for alert in await desk.said()] == ["raised", "stood_down"]


async def test_where_no_unit_is_known_it_is_held_and_tried_again_with_its_next_version(url: str):
    bare, state = Desk(url), incident()
    await bare.open([])
    await bare.hear(state)
    assert (await bare.alerts(), await bare.held(state)) == ([], "no_unit")
    async with bare.database.transaction() as connection:
        await put_units(connection, AREA, units_of_the_province())
    await bare.hear(after(state, signals=2))
    assert (len(await bare.alerts()), await bare.held(state)) == (1, None)
    await bare.close()
