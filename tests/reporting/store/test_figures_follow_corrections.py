"""What turns out otherwise is counted otherwise: nothing stays behind of what was counted before."""

from datetime import timedelta
from random import Random
from typing import Any

from foundation.contracts.alerts import AlertState
from foundation.contracts.fields import SiteRef
from foundation.contracts.incidents import IncidentState
from services.reporting.domain.buckets import hour_of
from services.reporting.domain.histogram import bucket_of
from tests.reporting.histories import AREA, START, UNITS, State, alert_versions, incident_versions
from tests.reporting.reporting import Reporting

RAISED = incident_versions(Random(1), START)[0].model_copy(update={"drill": False, "kind": "break_in"})
RUNG = alert_versions(Random(2), RAISED, UNITS[0])[0].model_copy(
    update={"raised_at": START + timedelta(milliseconds=40)}
)
HEARD_MS = 40


async def hear(reporting: Reporting, *states: State) -> None:
    for state in states:
        await reporting.tell([state])


def cell(state: IncidentState) -> tuple[Any, ...]:
    return (AREA, hour_of(state.effective_at), state.site.commune_code, state.kind, state.site.id)


def changed(version: int, **changes: object) -> IncidentState:
    return RAISED.model_copy(update={"version": version, **changes})


async def test_an_incident_cancelled_after_the_fact_stays_counted_and_its_durations_too(reporting: Reporting) -> None:
    await hear(reporting, RAISED, RUNG)
    await hear(reporting, changed(2, status="cancelled", cause="cancelled"))
    tables = await reporting.tables()
    assert tables["rollup"] == {(*cell(RAISED), 1, 1, 0)}
    assert tables["rollup_duration"] == {(*cell(RAISED), "signal_to_alert", bucket_of(HEARD_MS), 1)}


async def test_another_kind_and_another_place_move_all_that_was_counted(reporting: Reporting) -> None:
    await hear(reporting, RAISED, RUNG)
    site = SiteRef(id="another", name="Chợ Đông Hà", kind="enterprise", commune_code="19360")
    moved = changed(2, kind="fire", site=site, effective_at=START - timedelta(hours=30))
    await hear(reporting, moved)
    tables = await reporting.tables()
    assert tables["rollup"] == {(*cell(moved), 1, 0, 0)}
    since = HEARD_MS + 30 * 3_600_000
    assert tables["rollup_duration"] == {(*cell(moved), "signal_to_alert", bucket_of(since), 1)}


async def test_a_late_acknowledgement_is_added_and_an_earlier_one_takes_its_place(reporting: Reporting) -> None:
    other = RUNG.model_copy(update={"id": "another", "unit": UNITS[1]})
    await hear(reporting, RAISED, RUNG, other)

    def acknowledged(alert: AlertState, after_s: int) -> AlertState:
        at = alert.raised_at + timedelta(seconds=after_s)
        return alert.model_copy(update={"version": 2, "status": "acknowledged", "acknowledged_at": at})

    for alert, after_s in ((RUNG, 900), (other, 300)):
        await hear(reporting, acknowledged(alert, after_s))
        durations = (await reporting.tables())["rollup_duration"]
        assert (*cell(RAISED), "alert_to_acknowledged", bucket_of(after_s * 1000), 1) in durations
        assert len(durations) == 2


async def test_an_alert_before_its_incident_is_kept_apart_until_it_comes(reporting: Reporting) -> None:
    await hear(reporting, RUNG)
    tables = await reporting.tables()
    assert len(tables["fact"]) == len(tables["fact_alert"]) == 1
    assert tables["rollup"] == tables["rollup_duration"] == set()
    await hear(reporting, RAISED)
    tables = await reporting.tables()
    assert tables["rollup"] == {(*cell(RAISED), 1, 0, 0)}
    assert len(tables["rollup_duration"]) == 1


async def test_what_turns_out_to_be_a_drill_is_only_a_drill(reporting: Reporting) -> None:
    await hear(reporting, RAISED, RUNG, changed(2, drill=True))
    tables = await reporting.tables()
    assert tables["rollup"] == {(*cell(RAISED), 0, 0, 1)}
    assert tables["rollup_duration"] == set()
