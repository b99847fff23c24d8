"""The kinds are the table of the field, and a wrong file of kinds is refused with its mistake named."""

import pytest

from foundation.contracts.kinds import KINDS, SOURCE, KindsWrong, UnknownKind, kind, parse

FIRE, COMMUNE, DESK = "fire_police", "commune_police", "province_desk"
TABLE = {
    "fire": ("Cháy", "Fire", 1, (FIRE, COMMUNE, DESK), "110 111 112 113 114 115 116 117 118", "FA KA"),
    "explosion": ("Nổ", "Explosion", 1, (FIRE, COMMUNE, DESK), "", ""),
    "gas": ("Rò rỉ khí", "Gas leak", 2, (FIRE, COMMUNE, DESK), "151 162", "GA"),
    "duress": ("Bị khống chế (báo ngầm)", "Duress, silent", 1, (COMMUNE, DESK), "121 122", "HA"),
    "panic": ("Gọi khẩn cấp", "Panic", 1, (COMMUNE, DESK), "120 123", "PA"),
    "break_in": ("Đột nhập", "Break-in", 2, (COMMUNE,), "130 131 132 133 134 135 136 139", "BA BV"),
    "theft": ("Trộm cắp tài sản", "Theft (found afterwards)", 3, (COMMUNE,), "", ""),
    "robbery": ("Cướp", "Robbery", 1, (COMMUNE, DESK), "", ""),
    "armed_intruder": ("Kẻ có vũ khí xâm nhập", "Armed intruder", 1, (COMMUNE, DESK), "", ""),
    "uxo": ("Phát hiện vật nổ", "Unexploded ordnance found", 2, (COMMUNE, DESK), "", ""),
    "rescue": ("Cứu nạn, cứu hộ", "Rescue (trapped, drowning, collapse)", 1, (FIRE, COMMUNE), "", ""),
    "missing_person": ("Người mất tích, trẻ lạc", "Missing person", 2, (COMMUNE,), "", ""),
    "disaster": ("Lũ, sạt lở, bão", "Flood, landslide, storm", 2, (DESK, COMMUNE, FIRE), "", ""),
    "forest_fire": ("Cháy rừng", "Forest fire", 1, (FIRE, COMMUNE, DESK), "", ""),
    "disorder": ("Gây rối, xô xát", "Disorder", 2, (COMMUNE,), "", ""),
    "vandalism": ("Phá hoại tài sản", "Damage to property", 3, (COMMUNE,), "", ""),
    "medical": ("Cấp cứu y tế", "Medical", 1, (COMMUNE,), "100 101 102", "MA"),
    "tip_off": ("Tin báo, tố giác tội phạm", "Tip-off on a crime", 3, (COMMUNE,), "", ""),
    "info_leak": ("Lộ, mất tài liệu, dữ liệu", "Loss of documents or data", 3, (DESK,), "", ""),
    "cyber": ("Sự cố an ninh mạng", "Cyber incident", 3, (DESK,), "", ""),
    "tamper": ("Phá, mở thiết bị", "Tamper", 3, (COMMUNE,), "137 144 145 383", "TA"),
    "link_lost": ("Mất liên lạc với vọng gác", "Post silent", 3, (COMMUNE,), "350 354", "YC"),
    "power_loss": ("Mất điện, pin yếu", "Power or battery", 4, (), "301 302 384", "AT YT"),
    "drill": ("Diễn tập, thử thiết bị", "Drill or test", 4, (), "601 602 607", "RP RX BX FX"),
}


@pytest.mark.parametrize("code", TABLE)
def test_a_kind_is_as_the_table_says(code: str) -> None:
    vi, en, severity, units, contact_id, sia = TABLE[code]
    found = kind(code)
    assert (found.code, found.vi, found.en, found.severity, found.units) == (code, vi, en, severity, units)
    assert (found.contact_id, found.sia) == (tuple(contact_id.split()), tuple(sia.split()))


def test_there_is_no_other_kind_and_the_file_names_its_source() -> None:
    assert list(KINDS) == list(TABLE)
    assert "Law 55/2024/QH15" in SOURCE


@pytest.mark.parametrize(
    ("field", "usual", "others"),
    [
        ("after", None, {"tamper": "verification"}),
        ("silent", False, {"duress": True}),
        ("drill", False, {"drill": True}),
        ("hold_min", 0, {"power_loss": 5}),
        ("window_min", 45, {}),
        ("grace_s", 90, {}),
    ],
)
def test_only_the_named_kinds_differ_from_the_rule(field: str, usual: object, others: dict[str, object]) -> None:
    found = {code: getattr(known, field) for code, known in KINDS.items()}
    assert {code: value for code, value in found.items() if value != usual} == others


def test_fires_and_explosions_are_one_line_of_the_figures() -> None:
    groups = {group: {c for c, k in KINDS.items() if k.statistics_group == group} for group in ("chay_no", "own")}
    assert groups["chay_no"] == {"fire", "explosion", "gas", "forest_fire"}
    assert {"drill", "uxo", "medical"} <= groups["own"]


@pytest.mark.parametrize("code", ["fire", "explosion", "gas", "forest_fire", "rescue"])
def test_where_fire_police_are_needed_the_guard_reads_114(code: str) -> None:
    assert "gọi 114" in kind(code).guard_reads_vi.lower()
    assert "call 114" in kind(code).guard_reads_en.lower()


def test_the_guard_reads_what_keeps_people_safe() -> None:
    assert kind("uxo").guard_reads_vi.startswith("Không chạm, lùi xa, giữ người")
    assert kind("armed_intruder").guard_reads_vi.startswith("Khoá cửa, tránh xa")


def test_duress_reads_like_a_test_so_that_nothing_shows_at_the_site() -> None:
    quiet, test = kind("duress"), kind("drill")
    assert (quiet.guard_reads_vi, quiet.guard_reads_en) == (test.guard_reads_vi, test.guard_reads_en)


@pytest.mark.parametrize("code", ["", "FIRE", "fire ", "opinion", "x" * 10_000])
def test_an_unknown_kind_is_refused_briefly(code: str) -> None:
    with pytest.raises(UnknownKind) as refusal:
        kind(code)
    assert len(str(refusal.value)) < 200


GOOD = """
source = "a test"
[kinds.fire]
vi = "Cháy"
en = "Fire"
severity = 1
units = ["fire_police"]
guard_reads_vi = "Gọi 114"
guard_reads_en = "Call 114"
statistics_group = "chay_no"
contact_id = ["110-112"]
[kinds.drill]
vi = "Diễn tập"
en = "Drill"
severity = 4
units = []
drill = true
guard_reads_vi = "Đã ghi nhận"
guard_reads_en = "Recorded"
statistics_group = "own"
"""


def test_a_range_of_contact_ids_includes_both_ends() -> None:
    assert parse(GOOD)[1]["fire"].contact_id == ("110", "111", "112")


@pytest.mark.parametrize(
    ("was", "planted", "named"),
    [
        ('source = "a test"', "", "source"),
        ("severity = 1", "severity = 5", "kinds.fire.severity"),
        ("severity = 1", 'severity = "1"', "kinds.fire.severity"),
        ("severity = 1", "", "kinds.fire.severity"),
        ('["fire_police"]', '["army"]', "kinds.fire.units.0"),
        ('["fire_police"]', '["fire_police", "fire_police"]', "kinds.fire.units"),
        ('"chay_no"', '"opinion"', "kinds.fire.statistics_group"),
        ('vi = "Cháy"', 'vi = ""', "kinds.fire.vi"),
        ("drill = true", "drill = 1", "kinds.drill.drill"),
        ("drill = true", "dril = true", "kinds.drill.dril"),
        ("units = []", 'units = ["province_desk"]', "a drill alerts nobody"),
        ("severity = 1", 'severity = 1\nafter = "lunch"', "kinds.fire.after"),
        ("severity = 1", "severity = 1\nwindow_min = 0", "kinds.fire.window_min"),
        ("severity = 1", "severity = 1\nsilent = true", "a silent kind must read"),
        ("110-112", "112-110", "kinds.fire.contact_id.0"),
        ("110-112", "11", "kinds.fire.contact_id.0"),
        ('"110-112"', '"110-112", "111"', "panel code 111"),
        ("110-112", "406", "restoral or a cancel"),
        ("severity = 1", 'severity = 1\nsia = ["fa"]', "kinds.fire.sia.0"),
        ("severity = 1", 'severity = 1\ncode = "blaze"', "kinds.fire.code"),
        ("[kinds.fire]", "[kinds.Fire]", "kinds.Fire.code"),
        ("[kinds.fire]", "[kinds.fire", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_mistake_named(was: str, planted: str, named: str) -> None:
    assert was in GOOD
    with pytest.raises(KindsWrong) as refusal:
        parse(GOOD.replace(was, planted, 1))
    assert named in str(refusal.value)
