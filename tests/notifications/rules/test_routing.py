"""Which units are told of what, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.contracts.kinds import KINDS
from services.notifications.domain.routing import owed_to, route, routing_key
from services.notifications.domain.units import Unit, Units
from tests.notifications.desk import DONG_HA, KHE_SANH, UNCOVERED, incident, units_of_the_province

PROVINCE = Units(units_of_the_province())
CODES = {"commune_police": f"CAX-{DONG_HA}", "fire_police": "PC07", "province_desk": "TRUC-BAN"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.after is None], ids=lambda kind: kind.code)
def test_each_kind_goes_to_the_units_of_its_table_and_says_so(kind):
    routed = route(incident(kind.code), PROVINCE)
    assert [entry.unit.code for entry in routed] == [CODES[unit] for unit in kind.units]
    assert {entry.reason for entry in routed} <= {f"kind:{kind.code}"}


@pytest.mark.parametrize("verified", [{"status": "confirmed"}, {"validation_level": 2}])
def test_tamper_waits_for_verification(verified):
    doubtful = incident("tamper", validation_level=1)
    certain = doubtful.model_copy(update=verified)
    assert route(doubtful, PROVINCE) == []
    assert [entry.unit.code for entry in route(certain, PROVINCE)] == [f"CAX-{DONG_HA}"]
    assert routing_key(doubtful) != routing_key(certain)


def test_an_uncovered_commune_goes_to_the_province_desk():
    [told] = route(incident("break_in", commune=UNCOVERED), PROVINCE)
    assert (told.unit.code, told.reason) == ("TRUC-BAN", f"uncovered:{UNCOVERED}")


def test_one_alert_a_unit_with_all_its_reasons():
    told = {entry.unit.code: entry.reason for entry in route(incident("fire", commune=UNCOVERED), PROVINCE)}
    assert told == {"PC07": "kind:fire", "TRUC-BAN": f"uncovered:{UNCOVERED}, kind:fire"}


def test_without_fire_police_the_desk_is_told_that_nobody_covers_it():
    units = Units(unit for unit in units_of_the_province() if unit.kind != "fire_police")
    told = {entry.unit.code: entry.reason for entry in route(incident("rescue"), units)}
    assert told == {f"CAX-{DONG_HA}": "kind:rescue", "TRUC-BAN": f"uncovered:{DONG_HA}"}


def test_a_kind_of_a_newer_release_goes_to_the_province_desk():
    [told] = route(incident("drone"), PROVINCE)
    assert (told.unit.code, told.reason) == ("TRUC-BAN", "unknown_kind:drone")


@pytest.mark.parametrize("kind", ["fire", "drone", "drill"])
def test_a_drill_alerts_nobody(kind):
    assert route(incident(kind, drill=True), PROVINCE) == []


@given(
    kind=st.sampled_from([*KINDS, "drone"]),
    commune=st.sampled_from([DONG_HA, KHE_SANH, UNCOVERED]),
    level=st.integers(0, 4),
    drill=st.booleans(),
    units=st.lists(
        st.builds(
            Unit,
            st.sampled_from(["A", "B", "C", "D"]),
            st.just("Đơn vị"),
            st.sampled_from(["commune_police", "fire_police", "province_desk"]),
            st.lists(st.sampled_from([DONG_HA, KHE_SANH]), max_size=2).map(tuple),
        ),
        unique_by=lambda unit: unit.code,
    ),
)
def test_every_unit_once_only_where_it_answers_and_somebody_while_there_is_a_desk(kind, commune, level, drill, units):
    state = incident(kind, commune=commune, validation_level=level, drill=drill)
    routed = route(state, Units(units))
    codes = [entry.unit.code for entry in routed]
    assert len(codes) == len(set(codes))
    for entry in routed:
        assert entry.unit.kind != "commune_police" or commune in entry.unit.commune_codes
    if owed_to(state) and any(unit.kind == "province_desk" for unit in units):
        assert routed
    if drill:
        assert not routed
