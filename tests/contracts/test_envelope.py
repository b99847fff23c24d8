"""A record that none of our producers wrote is refused, and nothing that arrives makes another error."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.contracts.events import HEAD_TYPE, MAX_PAYLOAD_BYTES, SOURCES, Event, NotOurs, from_feed, from_record
from foundation.contracts.freeze import golden_events

EVENT = from_feed(golden_events()["v1/incident-resolved"])
NEEDED = ("ce_source", "ce_type", "ce_subject", "ce_time", "ce_area", "ce_epoch", "ce_sequence", "ce_version")
NUMBERS = ("ce_epoch", "ce_sequence", "ce_version")
WHOLE = st.integers(0, 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def with_header(name: str, value: bytes) -> list[tuple[str, bytes]]:
    return [(key, value if key == name else raw) for key, raw in EVENT.headers()]


@given(area=TEXT, epoch=WHOLE, sequence=WHOLE, key=TEXT, version=WHOLE, payload=st.binary(max_size=99), trace=TEXT)
def test_what_we_write_is_read_back(
    area: str, epoch: int, sequence: int, key: str, version: int, payload: bytes, trace: str
) -> None:
    event = Event(EVENT.topic, area, epoch, sequence, key, "any.type", version, EVENT.time, payload, trace)
    assert from_record(event.topic, event.headers(), event.payload) == event


@pytest.mark.parametrize("name", NEEDED)
def test_a_record_without_an_attribute_is_not_ours(name: str) -> None:
    with pytest.raises(NotOurs):
        from_record(EVENT.topic, [header for header in EVENT.headers() if header[0] != name], EVENT.payload)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [b"", b"one", b"1.5", b"0x1", b"nan", b"\xff", b"9" * 5_000])
def test_a_number_that_is_none_is_not_ours(name: str, value: bytes) -> None:
    with pytest.raises(NotOurs):
        from_record(EVENT.topic, with_header(name, value), EVENT.payload)


@pytest.mark.parametrize("name", ["ce_epoch", "ce_sequence"])
@pytest.mark.parametrize("value", [b"-1", b"%d" % 2**63])
def test_a_position_out_of_range_is_not_ours(name: str, value: bytes) -> None:
    with pytest.raises(NotOurs):
        from_record(EVENT.topic, with_header(name, value), EVENT.payload)


@pytest.mark.parametrize("source", [b"", b"/reporting", b"/incidents/", b"/notifications"])
def test_a_record_of_another_source_is_not_ours(source: bytes) -> None:
    with pytest.raises(NotOurs):
        from_record(EVENT.topic, with_header("ce_source", source), EVENT.payload)


def test_a_topic_that_nobody_of_us_writes_is_not_ours() -> None:
    with pytest.raises(NotOurs):
        from_record("strangers", with_header("ce_source", b""), EVENT.payload)


def test_a_payload_is_at_most_64_kib() -> None:
    full = replace(EVENT, payload=b"x" * MAX_PAYLOAD_BYTES)
    assert from_record(full.topic, full.headers(), full.payload) == full
    with pytest.raises(NotOurs):
        from_record(full.topic, full.headers(), full.payload + b"x")


def test_a_head_is_an_event_that_says_so() -> None:
    head = Event(EVENT.topic, "44", 1, 7, "", HEAD_TYPE, 0, EVENT.time, b"{}")
    assert from_record(head.topic, head.headers(), None).is_head
    assert not EVENT.is_head


NAMES = st.one_of(st.sampled_from([*NEEDED, "ce_traceparent", "content-type"]), st.text(max_size=12))
RAW = st.one_of(st.binary(max_size=24), st.integers().map(lambda n: str(n).encode()), st.just(b"/incidents"), st.none())
STRANGE = st.lists(st.tuples(NAMES, RAW), max_size=14)


@settings(max_examples=500)
@given(headers=STRANGE, ours=st.booleans(), topic=st.sampled_from([*SOURCES, "strangers"]), value=st.binary(max_size=9))
def test_any_headers_make_an_event_or_the_one_refusal(
    headers: list[tuple[str, bytes]], ours: bool, topic: str, value: bytes
) -> None:
    given_headers = [*EVENT.headers(), *headers] if ours else headers
    try:
        event = from_record(topic, given_headers, value)
    except NotOurs:
        return
    assert 0 <= event.sequence < 2**63
    assert 0 <= event.epoch < 2**63
    assert topic in SOURCES


@pytest.mark.parametrize("name", ["topic", "area", "epoch", "sequence", "key", "type", "version", "time", "data"])
def test_an_item_of_a_feed_without_a_part_is_not_ours(name: str) -> None:
    item = golden_events()["v1/incident-resolved"]
    del item[name]
    with pytest.raises(NotOurs):
        from_feed(item)


@pytest.mark.parametrize("value", [b" 1", b"+1", b"1_0", "\u0661".encode()])
def test_a_number_is_written_as_we_write_it(value: bytes) -> None:
    with pytest.raises(NotOurs):
        from_record(EVENT.topic, with_header("ce_sequence", value), EVENT.payload)


@pytest.mark.parametrize("value", [b"-1", b"%d" % 2**63])
def test_a_version_that_no_table_can_keep_is_not_ours(value: bytes) -> None:
    with pytest.raises(NotOurs):
        from_record(EVENT.topic, with_header("ce_version", value), EVENT.payload)


@pytest.mark.parametrize("name", ["ce_area", "ce_subject", "ce_type"])
def test_a_text_that_no_table_can_keep_is_not_ours(name: str) -> None:
    with pytest.raises(NotOurs):
        from_record(EVENT.topic, with_header(name, b"a\0b"), EVENT.payload)


@pytest.mark.parametrize("value", [b"", b"yesterday", b"2026-11-24T08:00:00"])
def test_a_time_that_is_no_instant_is_not_ours(value: bytes) -> None:
    with pytest.raises(NotOurs):
        from_record(EVENT.topic, with_header("ce_time", value), EVENT.payload)


def test_a_refusal_does_not_quote_a_stranger_into_our_logs() -> None:
    with pytest.raises(NotOurs) as refusal:
        from_record(EVENT.topic, with_header("ce_epoch", "Nguyễn Văn Mẫu".encode()), EVENT.payload)
    assert "Mẫu" not in str(refusal.value)


@pytest.mark.parametrize(("name", "value"), [("area", 44), ("key", None), ("sequence", 1.5), ("epoch", float("inf"))])
def test_an_item_of_a_feed_with_a_part_of_another_type_is_not_ours(name: str, value: object) -> None:
    with pytest.raises(NotOurs):
        from_feed({**golden_events()["v1/incident-resolved"], name: value})
