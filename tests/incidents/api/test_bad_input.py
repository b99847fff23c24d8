"""Nothing that arrives makes a 500, and nobody is left without being told what is wrong with which field."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.incidents.station import Device, Station

AT = "2026-11-24T08:00:00+07:00"
LONG_AGO, FAR = "1969-12-31T23:59:59Z", "2106-02-07T06:28:16Z"


@pytest.fixture
async def sender(desk: Station) -> Device:
    return await desk.device()


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("no id", {"id": None}, "id"),
    ("an id as urn", {"id": f"urn:uuid:{uuid4()}"}, "id"),
    ("an id without hyphens", {"id": uuid4().hex}, "id"),
    ("an id in braces", {"id": f"{{{uuid4()}}}"}, "id"),
    ("an id with a blank", {"id": f"{uuid4()} "}, "id"),
    ("an id with a line feed", {"id": f"{uuid4()}\n"}, "id"),
    ("an id that is a number", {"id": 7}, "id"),
    ("an id that is a list", {"id": [str(uuid4())]}, "id"),
    ("an unknown kind", {"kind": "flood_of_tears"}, "kind"),
    ("a kind in capitals", {"kind": "FIRE"}, "kind"),
    ("a kind that is a number", {"kind": 3}, "kind"),
    ("a kind that is an object", {"kind": {}}, "kind"),
    ("a time that is a number", {"occurred_at": 1763945000}, "occurred_at"),
    ("a time that is a number in a text", {"occurred_at": "1763945000"}, "occurred_at"),
    ("a time without an offset", {"occurred_at": "2026-11-24T08:00:00"}, "occurred_at"),
    ("a date alone", {"occurred_at": "2026-11-24"}, "occurred_at"),
    ("a week date", {"occurred_at": "2026-W48-2T08:00:00Z"}, "occurred_at"),
    ("a day that there is not", {"occurred_at": "2026-02-30T08:00:00Z"}, "occurred_at"),
    ("an hour that there is not", {"occurred_at": "2026-11-24T25:00:00Z"}, "occurred_at"),
    ("an offset that there is not", {"occurred_at": "2026-11-24T08:00:00+25:00"}, "occurred_at"),
    ("an offset of 99 minutes", {"occurred_at": "2026-11-24T08:00:00+01:99"}, "occurred_at"),
    ("a year before the first", {"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
    ("the year 1899", {"occurred_at": "1899-12-31T23:59:59Z"}, "occurred_at"),
    ("the year 9999", {"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
    ("other digits than ours", {"occurred_at": "٢٠٢٦-11-24T08:00:00Z"}, "occurred_at"),
    ("a time with text after it", {"occurred_at": f"{AT} sharp"}, "occurred_at"),
    ("a time that is true", {"occurred_at": True}, "occurred_at"),
    ("no time", {"occurred_at": None}, "occurred_at"),
    ("sent_at without an offset", {"sent_at": "2026-11-24T08:00:00"}, "sent_at"),
    ("sent_at as a number", {"sent_at": 1.5}, "sent_at"),
    ("an event that there is not", {"event": "hello"}, "event"),
    ("an event that is a list", {"event": ["alarm"]}, "event"),
    ("a drill that is a text", {"drill": "true"}, "drill"),
    ("a drill that is a number", {"drill": 1}, "drill"),
    ("a zone of 65 characters", {"zone": "z" * 65}, "zone"),
    ("a zone that is a number", {"zone": 4}, "zone"),
    ("a note of 2,001 characters", {"note": "ơ" * 2001}, "note"),
    ("a note that is a list", {"note": ["x"]}, "note"),
    ("a note that grows too long when composed", {"note": "\U0001d160" * 2000}, "note"),
    ("a zone that grows too long when composed", {"zone": "\u0958" * 64}, "zone"),
    ("a latitude of 91", {"position": {"lat": 91, "lon": 0}}, "position.lat"),
    ("a longitude of -181", {"position": {"lat": 0, "lon": -181}}, "position.lon"),
    ("a latitude that is a text", {"position": {"lat": "16.8", "lon": 107}}, "position.lat"),
    ("a latitude that is true", {"position": {"lat": True, "lon": 107}}, "position.lat"),
    ("half a position", {"position": {"lat": 16.8}}, "position.lon"),
    ("a position that is a list", {"position": [16.8, 107.1]}, "position"),
]


@pytest.mark.parametrize(("wrong", "fields", "field"), WRONG, ids=[row[0] for row in WRONG])
async def test_422_names_the_field(
    desk: Station, sender: Device, wrong: str, fields: dict[str, Any], field: str
) -> None:
    answer = await desk.send(sender, desk.signal() | fields)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("urn:vonggac:problem:invalid", 422)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert all(error["detail"] and error["detail_en"] for error in problem["errors"])


async def test_every_wrong_field_is_named_at_once(desk: Station, sender: Device) -> None:
    answer = await desk.send(sender, {"id": "x", "kind": "y", "zone": 3})
    assert {error["field"] for error in answer.json()["errors"]} == {"id", "kind", "zone", "occurred_at"}


async def test_what_was_sent_is_not_repeated_in_the_answer(desk: Station, sender: Device) -> None:
    """It may be about a person, and answers end up in the logs of senders."""
    secret = "ông Ba bị đánh"
    for fields in ({"note": [secret]}, {"zone": secret * 9}, {"kind": secret}, {"event": secret}, {"id": secret}):
        answer = await desk.send(sender, desk.signal() | fields)
        assert answer.status_code == 422
        assert secret not in answer.text
        assert json.dumps(secret)[1:-1] not in answer.text


BODIES: list[tuple[str, bytes, int]] = [
    ("nothing", b"", 422),
    ("malformed JSON", b'{"id": ', 422),
    ("a text", b'"help"', 422),
    ("null", b"null", 422),
    ("a list", b"[]", 422),
    ("a list of signals", b"[{}]", 422),
    ("NaN", b'{"position": {"lat": NaN, "lon": 0}}', 422),
    ("U+0000", b'{"note": "a\\u0000b"}', 422),
    ("U+0000 in a field that we do not know", b'{"other": "a\\u0000b"}', 422),
    ("a lone surrogate", b'{"note": "\\ud83d"}', 422),
    ("no UTF-8", b'{"note": "\xff"}', 422),
    ("21 levels", b"[" * 21 + b"]" * 21, 422),
    ("10,000 levels", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 422),
    ("over 64 KiB", b'{"note": "' + b"a" * 65_536 + b'"}', 413),
]


@pytest.mark.parametrize(("name", "body", "status"), BODIES, ids=[row[0] for row in BODIES])
async def test_bodies_that_are_no_signal(desk: Station, sender: Device, name: str, body: bytes, status: int) -> None:
    headers = sender.headers | {"content-type": "application/json"}
    answer = await desk.http.post("/v1/signals", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert status != 422 or answer.json()["errors"], name


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=windows-1258"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-type": "application/json", "content-encoding": "br"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
async def test_another_type_or_encoding_is_415(desk: Station, sender: Device, headers: dict[str, str]) -> None:
    body = json.dumps(desk.signal()).encode()
    answer = await desk.http.post("/v1/signals", content=body, headers=sender.headers | headers)
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "fields",
    [
        {"occurred_at": LONG_AGO, "sent_at": None},
        {"occurred_at": LONG_AGO, "sent_at": FAR},
        {"occurred_at": FAR, "sent_at": LONG_AGO},
        {"occurred_at": FAR, "sent_at": None},
        {"occurred_at": "1900-01-01T00:00:00Z"},
        {"occurred_at": "2199-12-31T23:59:59.999999999Z"},
        {"occurred_at": "2036-02-07t06:28:16.5z"},
    ],
    ids=str,
)
async def test_a_wrong_clock_never_refuses_an_alarm(desk: Station, sender: Device, fields: dict[str, Any]) -> None:
    answer = await desk.send(sender, desk.signal() | fields)
    assert answer.status_code == 201, answer.text
    assert answer.json()["incident_id"]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": str(uuid4()).upper()},
        {"note": "ơ" * 2000},
        {"note": "\U0001f525" * 2000},
        {"note": "\x01" * 2000},
        {"note": ""},
        {"zone": "k" * 64},
        {"zone": "o\u031b\u0301" * 64},
        {"position": {"lat": 16, "lon": 107.1}},
        {"position": None, "note": None, "sent_at": None},
        {"unknown_field": {"of": ["a", "later", "release"]}},
    ],
    ids=lambda fields: str(fields)[:30],
)
async def test_what_is_unusual_but_right_is_accepted(desk: Station, sender: Device, fields: dict[str, Any]) -> None:
    answer = await desk.send(sender, desk.signal() | fields)
    assert answer.status_code == 201, answer.text


async def test_the_longest_notes_of_one_incident_still_fit_into_its_event(desk: Station, sender: Device) -> None:
    for note in ("\U0001f525" * 2000, "\x01" * 2000, "\x1f" * 2000, "\x1f" * 2000, "\x1f" * 2000):
        assert (await desk.send(sender, kind="fire", note=note)).status_code == 201
    incident_id = (await desk.send(sender, kind="fire")).json()["incident_id"]
    reason = {"result": "other", "reason": "\x1f" * 2000}
    assert (await desk.post(f"/v1/incidents/{incident_id}/resolve", reason)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/incidents?limit=0", "/v1/incidents?limit=501", "/v1/incidents?limit=x", "/v1/incidents?limit=1e2",
        "/v1/incidents?status=asleep", "/v1/incidents?kind=nothing", "/v1/incidents?site_id=7",
        "/v1/incidents?site_id=urn:uuid:00000000-0000-0000-0000-000000000000", "/v1/incidents?from=2026-11-24",
        "/v1/incidents?from=2026-11-24T08:00:00", "/v1/incidents?to=0001-01-01T00:00:00%2B14:00",
        "/v1/incidents?cursor=x", "/v1/incidents?cursor=W10", "/v1/incidents?cursor=%C3%A9",
        "/v1/incidents?cursor=WyJhIiwiYiJd", "/v1/incidents?cursor=WzEsMl0", "/v1/incidents?commune_code=%00",
        "/v1/incidents?commune_code=" + "1" * 17, "/v1/incidents/x", "/v1/sites?cursor=W10", "/v1/sites/nothing",
        "/v1/devices?post_id=1", "/v1/events?topic=vonggac.incidents&area=44&after=-1",
        "/v1/events?topic=vonggac.incidents&area=44&after=99999999999999999999", "/v1/events?area=44",
        "/v1/events?topic=vonggac.incidents&area=44&limit=501",
    ],
)  # fmt: skip
async def test_addresses_that_mean_nothing(desk: Station, path: str) -> None:
    answer = await desk.get(path)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/v1/incidents/{uuid4()}", 404), (f"/v1/sites/{uuid4()}", 404), (f"/v1/posts/{uuid4()}", 404),
        (f"/v1/devices/{uuid4()}", 404), (f"/v1/signals/{uuid4()}", 404), ("/v1/signals/x", 404), ("/v2/signals", 404),
        ("/v1/signals", 405), ("/v1/events?topic=other&area=44", 404), ("/v1/sites/%FF", 422), ("/", 404),
    ],
)  # fmt: skip
async def test_addresses_of_nothing(desk: Station, path: str, status: int) -> None:
    answer = await desk.get(path)
    assert answer.status_code == status, answer.text
    assert answer.json()["type"].startswith("urn:vonggac:problem:")
