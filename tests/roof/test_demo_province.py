"""The demo is a whole province, the same on every machine, and nobody's real name is in it."""

import hashlib
import math
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from itertools import pairwise
from uuid import UUID

import pytest

from vonggac.demo.catalogue import catalogue, landscape_of, planned_sites
from vonggac.demo.communes import communes
from vonggac.demo.province import (
    AREA,
    demo_devices,
    demo_posts,
    demo_sites,
    demo_units,
    device_key,
    report_2020_sites,
    settled_radius_km,
)

EVERY_COMMUNE = {commune.code for commune in communes()}
SECRET = bytes(range(32))
PRINT_DIGEST = """
import hashlib, sys
before = {name.partition(".")[0] for name in sys.modules} | sys.stdlib_module_names | {"vonggac"}
from vonggac.demo.province import demo_devices, demo_posts, demo_sites, demo_units
whole = repr([demo_units(), demo_sites(), demo_posts(), demo_devices()])
print(hashlib.sha256(whole.encode()).hexdigest(), *sorted({name.partition(".")[0] for name in sys.modules} - before))
"""


def all_names() -> list[str]:
    places = [site.name for site in demo_sites()] + [site.address for site in demo_sites()]
    return places + [thing.name for things in (demo_units(), demo_posts(), demo_devices()) for thing in things]


def test_the_province_has_its_78_communes_of_2025() -> None:
    assert len(EVERY_COMMUNE) == len(communes()) == 78
    assert Counter(commune.type for commune in communes()) == {"Xã": 69, "Phường": 8, "Đặc khu": 1}
    assert all(re.fullmatch(r"\d{5}", code) for code in EVERY_COMMUNE)


def test_a_commune_knows_what_it_was_before() -> None:
    [dien_sanh] = [commune for commune in communes() if commune.code == "19681"]
    assert dien_sanh.name == "Xã Diên Sanh"
    assert dien_sanh.short_name == "Diên Sanh"
    assert dien_sanh.label == "xã Diên Sanh"
    assert dien_sanh.former_districts == ("Huyện Hải Lăng (Quảng Trị)",)
    assert dien_sanh.spoken_districts == ("Hải Lăng",)
    assert dien_sanh.former_communes == ("Thị trấn Diên Sanh", "Xã Hải Trường", "Xã Hải Định")
    assert dien_sanh.area_km2 == 87.97


def test_former_districts_are_written_as_people_say_them() -> None:
    spoken = {district for commune in communes() for district in commune.spoken_districts}
    assert len(spoken) == 18
    assert {
        "Hải Lăng",
        "Gio Linh",
        "Hướng Hóa",
        "Đakrông",
        "Đông Hà",
        "Đồng Hới",
        "Thị xã Quảng Trị",
        "Cồn Cỏ",
    } <= spoken


def test_an_area_that_the_source_does_not_know_is_unknown_and_not_zero() -> None:
    assert {commune.short_name for commune in communes() if commune.area_km2 is None} == {"Thượng Trạch", "Đông Trạch"}


def test_every_commune_is_covered_by_its_police_by_pc07_and_by_the_province_desk() -> None:
    covering = {
        code: sorted(unit.code for unit in demo_units() if code in unit.commune_codes) for code in EVERY_COMMUNE
    }
    assert covering == {code: sorted([f"CAX-{code}", "PC07", "TRUC-BAN"]) for code in EVERY_COMMUNE}


def test_units_are_named_as_the_police_name_them() -> None:
    units = {unit.code: unit for unit in demo_units()}
    assert len(units) == len(demo_units()) == 80
    assert Counter(unit.kind for unit in units.values()) == {"commune_police": 78, "fire_police": 1, "province_desk": 1}
    assert units["CAX-19333"].name == "Công an phường Đông Hà"
    assert units["CAX-19681"].name == "Công an xã Diên Sanh"
    assert units["CAX-19742"].name == "Công an đặc khu Cồn Cỏ"
    assert units["PC07"].name == "Phòng Cảnh sát PCCC và CNCH (PC07)"
    assert units["TRUC-BAN"].name == "Trực ban Công an tỉnh Quảng Trị"
    for commune in communes():
        assert units[f"CAX-{commune.code}"].name == f"Công an {commune.type.lower()} {commune.short_name}"


def test_the_province_is_large_enough_to_mean_something() -> None:
    assert len(demo_sites()) >= 600
    assert len(demo_devices()) >= 2_000
    per_commune = Counter(site.commune_code for site in demo_sites())
    assert set(per_commune) == EVERY_COMMUNE
    assert min(per_commune.values()) >= 7
    assert all(per_commune[commune.code] >= 12 for commune in communes() if commune.type == "Phường")


def test_every_commune_has_its_committee_its_clinic_and_all_three_kinds() -> None:
    for commune in communes():
        here = [site for site in demo_sites() if site.commune_code == commune.code]
        expected = {f"UBND {commune.label}", f"Đảng ủy {commune.label}", f"Trạm Y tế {commune.label}"}
        assert expected <= {site.name for site in here}
        assert {"agency", "school"} <= {site.kind for site in here}
    enterprises = {site.commune_code for site in demo_sites() if site.kind == "enterprise"}
    assert len(enterprises) >= 70


def test_sites_lie_in_the_area_and_know_the_district_of_before() -> None:
    districts = {commune.code: commune.spoken_districts for commune in communes()}
    assert {site.area for site in demo_sites()} == {AREA} == {"44"}
    assert all(site.former_district in districts[site.commune_code] for site in demo_sites())


def test_the_offices_of_the_2020_report_stand_where_it_says() -> None:
    offices = report_2020_sites()
    told = {"Đông Hà": 6, "Hải Lăng": 1, "Gio Linh": 1, "Hướng Hóa": 1, "Đakrông": 1}
    assert Counter(site.former_district for site in offices) == told
    assert {site.kind for site in offices} == {"agency"}
    assert set(offices) <= set(demo_sites())


def test_the_four_district_offices_stand_in_the_commune_that_took_in_the_seat() -> None:
    former = {commune.code: commune.former_communes for commune in communes()}
    for site in report_2020_sites():
        seat = catalogue().seat_of.get(site.former_district)
        assert seat is None or seat in former[site.commune_code]


def test_every_seat_of_a_former_district_is_found() -> None:
    hospitals = {site.name for site in demo_sites() if site.name.startswith("Trung tâm Y tế khu vực ")}
    assert hospitals == {f"Trung tâm Y tế khu vực {district}" for district in catalogue().seat_of}


def test_ids_and_names_are_unique() -> None:
    ids = [thing.id for things in (demo_sites(), demo_posts(), demo_devices()) for thing in things]
    assert len(set(ids)) == len(ids)
    assert len({site.name for site in demo_sites()}) == len(demo_sites())
    assert len({(post.site_id, post.name) for post in demo_posts()}) == len(demo_posts())
    assert len({(device.post_id, device.name) for device in demo_devices()}) == len(demo_devices())


def test_every_site_has_one_to_three_posts_and_every_post_exactly_one_phone() -> None:
    posts_per_site = Counter(post.site_id for post in demo_posts())
    assert set(posts_per_site) == {site.id for site in demo_sites()}
    assert set(posts_per_site.values()) == {1, 2, 3}
    phones = Counter(device.post_id for device in demo_devices() if device.type == "phone")
    assert phones == Counter(post.id for post in demo_posts())


def test_devices_belong_to_a_post_of_their_site() -> None:
    site_of_post = {post.id: post.site_id for post in demo_posts()}
    assert all(site_of_post[device.post_id] == device.site_id for device in demo_devices())
    assert {device.type for device in demo_devices()} == {"phone", "panel", "transmitter"}


def test_sites_with_three_posts_have_a_panel_and_petrol_stations_a_fire_transmitter() -> None:
    types: dict[UUID, set[str]] = {site.id: set() for site in demo_sites()}
    for device in demo_devices():
        types[device.site_id].add(device.type)
    posts_per_site = Counter(post.site_id for post in demo_posts())
    assert all("panel" in types[site_id] for site_id, posts in posts_per_site.items() if posts == 3)
    petrol = [site for site in demo_sites() if site.name.startswith("Cửa hàng xăng dầu")]
    assert petrol
    assert all("transmitter" in types[site.id] for site in petrol)


def test_names_are_clean_text() -> None:
    for name in all_names():
        assert name == unicodedata.normalize("NFC", name)
        assert name == " ".join(name.split())
        assert name[0].isupper()
        assert 2 <= len(name) <= 120
        assert not set(name) & set("{}[]_?!;")


def test_a_site_is_named_after_a_place_that_is_its_own() -> None:
    """UBND and school names speak of this commune or one that merged into it, never of a neighbour."""
    by_code = {commune.code: commune for commune in communes()}
    for site in demo_sites():
        commune = by_code[site.commune_code]
        own = " ".join((commune.name, *commune.former_communes))
        match = re.fullmatch(
            r"(?:UBND|Trường (?:PTDTBT )?(?:THCS|Mầm non|Tiểu học)) (?:xã |phường |đặc khu )?(.+)", site.name
        )
        assert match is None or match[1].removeprefix("và Tiểu học ") in own, site.name
        assert commune.short_name in site.address


def test_the_names_file_speaks_only_of_what_exists() -> None:
    names = catalogue()
    for codes in (names.landscape_of, names.streets, names.report_2020, names.landmarks):
        assert set(codes) <= EVERY_COMMUNE
    assert set(names.streets) == {commune.code for commune in communes() if commune.type == "Phường"}
    assert {landscape_of(commune) for commune in communes()} == set(names.landscapes)
    for planned in planned_sites():
        posts = set(planned.profile.posts)
        assert len(posts) == len(planned.profile.posts)
        assert {*planned.profile.panels, *planned.profile.transmitters} <= posts


def test_neighbouring_communes_take_different_things_from_the_menu() -> None:
    for menu in catalogue().landscapes.values():
        for one, next_one in pairwise(range(len(menu.choices))):
            assert menu.pick == 0 or set(menu.for_turn(one)) != set(menu.for_turn(next_one))


def test_positions_lie_near_the_centre_of_the_commune() -> None:
    by_code = {commune.code: commune for commune in communes()}
    for site in demo_sites():
        commune = by_code[site.commune_code]
        north_km = (site.lat - commune.lat) * 111.32
        east_km = (site.lon - commune.lon) * 111.32 * math.cos(math.radians(commune.lat))
        assert math.hypot(north_km, east_km) <= settled_radius_km(commune) + 0.01
        assert settled_radius_km(commune) <= 3
    assert len({(site.lat, site.lon) for site in demo_sites()}) == len(demo_sites())


def test_positions_lie_inside_the_province() -> None:
    for site in demo_sites():
        assert 16.30 <= site.lat <= 18.10
        assert 105.60 <= site.lon <= 107.40


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_another_process_builds_the_very_same_province_from_the_standard_library_alone(hash_seed: str) -> None:
    whole = repr([demo_units(), demo_sites(), demo_posts(), demo_devices()])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    answer = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    assert answer.stdout.split() == [hashlib.sha256(whole.encode()).hexdigest()]


def test_ids_are_the_same_in_every_release() -> None:
    """A changed id would leave the old site behind in every demo that already runs."""
    [ubnd] = [site for site in demo_sites() if site.name == "UBND phường Đông Hà"]
    [gate] = [post for post in demo_posts() if post.site_id == ubnd.id and post.name == "Cổng chính"]
    [phone] = [device for device in demo_devices() if device.post_id == gate.id]
    assert str(ubnd.id) == "b032499c-8940-53f4-8e2e-b43182a3b45e"
    assert str(gate.id) == "00d31164-1636-5552-b4b8-5732c3542c2c"
    assert str(phone.id) == "23f59bfb-4a9f-55be-ac68-11a80f631cfd"
    assert phone.name == "Điện thoại trực cổng chính"


def test_callers_may_change_their_lists() -> None:
    demo_sites().clear()
    demo_devices().clear()
    assert demo_sites()
    assert demo_devices()


def test_a_key_has_the_form_that_identity_expects() -> None:
    device = demo_devices()[0]
    key = device_key(SECRET, device.id)
    assert re.fullmatch(rf"vgd_{device.id.hex}_[A-Za-z0-9_-]{{43}}", key)
    assert key == device_key(SECRET, device.id)


def test_a_key_is_the_hmac_of_the_device_id() -> None:
    key = device_key(SECRET, UUID("00112233-4455-6677-8899-aabbccddeeff"))
    assert key == "vgd_00112233445566778899aabbccddeeff_U3WzIJZYb8t4BB5jDa_jNkTx_CDpMat0ZiGoVl_wEYI"


def test_keys_differ_by_secret_and_by_device() -> None:
    keys = {device_key(secret, device.id) for secret in (SECRET, SECRET[::-1]) for device in demo_devices()}
    assert len(keys) == 2 * len(demo_devices())


def test_an_empty_secret_makes_no_keys() -> None:
    with pytest.raises(ValueError, match="empty"):
        device_key(b"", demo_devices()[0].id)
