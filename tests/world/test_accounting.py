"""Whatever is lost, doubled or there without being asked for is named; what is right is never accused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.world import planted
from tests.world.accounting import Report
from tests.world.found import FoundAlert, FoundIncident, FoundSignal, units_of_kind
from tests.world.planted import Choose, System, systems

FAULTS = [fault for name, fault in vars(planted).items() if name.startswith(("lose_", "double_", "unexpected_"))]


@given(systems())
def test_a_system_without_a_fault_balances(system: System) -> None:
    report = system.report()
    assert report.clean, str(report)
    report.check()
    assert report.ok["incidents"] == len(system.incidents)
    assert report.ok["alerts"] == sum(not alert.transferred for alert in system.alerts)
    assert report.recovered == len(system.signals) - len(system.accounting.answers)


@pytest.mark.parametrize("fault", FAULTS)
@given(system=systems(), data=st.data())
def test_a_planted_fault_is_named(
    fault: Callable[[System, Choose], tuple[str, str]], system: System, data: st.DataObject
) -> None:
    verdict, named = fault(system, lambda of: data.draw(st.sampled_from(of)))
    report = system.report()
    assert any(named in line for line in getattr(report, verdict)), f"{named} not among {verdict}:\n{report}"
    assert named in str(report)
    with pytest.raises(AssertionError, match="do not balance"):
        report.check()


def test_the_values_are_read_from_what_the_apis_show() -> None:
    site = {"id": "s", "commune_code": "19333"}
    incident = {"id": "i", "kind": "fire", "status": "open", "site": site, "follows": None, "validation_level": 2}
    assert FoundIncident.of(incident) == FoundIncident("i", "fire", "19333", "s", validation_level=2)
    assert FoundSignal.of({"signal_id": "x", "incident_id": "i"}) == FoundSignal("x", "i")
    alert = {"id": "a", "incident_id": "i", "unit": {"code": "PC07"}, "transferred_from": "CAX-19333"}
    assert FoundAlert.of(alert) == FoundAlert("a", "i", "PC07", transferred=True)


def test_the_units_of_a_fire() -> None:
    assert units_of_kind("fire", "19333") == {"PC07", "CAX-19333", "TRUC-BAN"}


def test_a_long_list_says_how_much_it_leaves_out() -> None:
    assert "… and 75 more" in str(Report(lost=[f"signal {number}" for number in range(100)]))
