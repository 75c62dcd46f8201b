"""The message contract: what publishers make is what consumers read, and no bytes are a surprise."""

import base64
import json
import operator
import os
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import events
from shared.clock import EASTERN
from shared.events import Completion, Delivery, Fallback, Received, Rejected, contract, limits
from shared.text import has_control_characters

ENVELOPES = int(os.environ.get("NBACTL_ENVELOPES") or 2_000)
NOW = datetime(2025, 1, 16, 6, 42, 40, tzinfo=UTC)
SMALLEST = {"analytics_table": "nba_analytics.player_game_summary", "game_date": "2025-01-15"}
WRITTEN: Mapping[str, Any] = MappingProxyType(
    {
        "table": "player_game_summary",
        "game_date": date(2025, 1, 15),
        "execution_id": "a9d2",
        "correlation_id": "c-20250115-7d1a0000",
        "processor_name": "PlayerGameSummaryProcessor",
        "record_count": 312,
        "rows_expected": 312,
        "complete": True,
        "missing": (),
        "input_fingerprint": "9b1e",
        "code_version": "4c2f9aa",
        "trigger_source": "pubsub",
        "timestamp": NOW,
    }
)


def data(value: object) -> bytes:
    return json.dumps(value).encode()


def push(payload: object, **envelope: object) -> bytes:
    """The body of a push request that carries a payload."""
    raw = payload if isinstance(payload, bytes) else data(payload)
    message = {"data": base64.b64encode(raw).decode(), "attributes": {}, "messageId": "17"}
    return data({"message": message, "subscription": "projects/p/subscriptions/s", **envelope})


def refused(body: bytes, phase: int = 4) -> Rejected:
    with pytest.raises(Rejected) as caught:
        events.parse_push(body, phase)
    return caught.value


def completion(body: bytes, phase: int = 4) -> Completion:
    event = events.parse_push(body, phase).event
    assert isinstance(event, Completion)
    return event


# ---------------------------------------------------------------- writing


def test_an_event_of_phase_2_is_the_contract_s_example() -> None:
    event = events.raw_data_loaded(
        "nba_raw.nbac_gamebook_player_stats",
        date(2025, 1, 15),
        execution_id="3f0c",
        correlation_id="c-20250115-7d1a",
        record_count=312,
        timestamp=datetime(2025, 1, 16, 1, 41, 9, tzinfo=timezone(timedelta(hours=-5))),
    )
    assert json.loads(events.encode(event).data) == {
        "schema_version": 1,
        "event_type": "raw_data_loaded",
        "source_table": "nbac_gamebook_player_stats",
        "game_date": "2025-01-15",
        "record_count": 312,
        "execution_id": "3f0c",
        "correlation_id": "c-20250115-7d1a",
        "timestamp": "2025-01-16T06:41:09+00:00",
        "phase": 2,
        "success": True,
        "error_message": None,
    }


def test_an_event_of_phase_3_is_the_contract_s_example() -> None:
    assert json.loads(events.encode(events.analytics_complete(**WRITTEN)).data) == {
        "schema_version": 1,
        "event_type": "analytics_complete",
        "analytics_table": "player_game_summary",
        "game_date": "2025-01-15",
        "processor_name": "PlayerGameSummaryProcessor",
        "execution_id": "a9d2",
        "correlation_id": "c-20250115-7d1a0000",
        "record_count": 312,
        "rows_expected": 312,
        "complete": True,
        "input_fingerprint": "9b1e",
        "code_version": "4c2f9aa",
        "trigger_source": "pubsub",
        "timestamp": "2025-01-16T06:42:40+00:00",
        "phase": 3,
        "success": True,
        "error_message": None,
    }


def test_an_event_of_phase_4_names_its_slate_twice() -> None:
    body = json.loads(events.encode(events.precompute_complete(**{**WRITTEN, "rows_expected": None})).data)
    assert (body["event_type"], body["precompute_table"]) == ("precompute_complete", "player_game_summary")
    assert body["game_date"] == body["analysis_date"] == "2025-01-15"
    assert body["phase"] == 4
    assert body["rows_expected"] is None


def test_attributes_are_strings_and_repeat_the_body() -> None:
    assert events.encode(events.precompute_complete(**WRITTEN)).attributes == {
        "schema_version": "1",
        "event_type": "precompute_complete",
        "precompute_table": "player_game_summary",
        "game_date": "2025-01-15",
        "analysis_date": "2025-01-15",
        "execution_id": "a9d2",
        "correlation_id": "c-20250115-7d1a0000",
        "phase": "4",
        "success": "true",
    }


def test_an_event_names_fifty_of_what_is_missing() -> None:
    event = events.analytics_complete(**{**WRITTEN, "missing": [f"game{number}" for number in range(80)]})
    assert len(event.missing) == 50


def test_a_fallback_says_only_what_it_knows() -> None:
    bare = events.encode(Fallback(phase=4))
    assert json.loads(bare.data) == {"schema_version": 1, "trigger_type": "fallback", "phase": 4}
    assert bare.attributes == {"schema_version": "1", "phase": "4"}
    asked = events.encode(Fallback(phase=3, game_date=date(2025, 1, 15), correlation_id="c"))
    assert json.loads(asked.data).items() >= {"game_date": "2025-01-15", "correlation_id": "c"}.items()
    assert asked.attributes.items() >= {"game_date": "2025-01-15", "correlation_id": "c"}.items()


def test_correlation_ids_name_their_date_and_differ() -> None:
    minted = {events.mint_correlation_id(date(2025, 1, 15)) for _ in range(100)}
    assert len(minted) == 100
    assert all(re.fullmatch(r"c-20250115-[0-9a-f]{8}", one) for one in minted)


# ---------------------------------------------------------------- reading


def test_the_smallest_event_is_accepted() -> None:
    event = completion(push(SMALLEST))
    assert event == Completion(phase=3, table="player_game_summary", game_date=date(2025, 1, 15))
    assert event.success


@pytest.mark.parametrize("style", [("messageId", "publishTime"), ("message_id", "publish_time")])
def test_both_spellings_of_the_envelope_are_read(style: tuple[str, str]) -> None:
    raw = data(SMALLEST)
    message = {"data": base64.b64encode(raw).decode(), style[0]: "17", style[1]: "2025-01-16T06:42:40.107Z"}
    body = data({"message": message, "subscription": "projects/p/subscriptions/s", "deliveryAttempt": 3})
    assert events.parse_push(body, 4).delivery == Delivery(
        message_id="17",
        publish_time=datetime(2025, 1, 16, 6, 42, 40, 107000, tzinfo=UTC),
        subscription="projects/p/subscriptions/s",
        attempt=3,
        payload_sha256=events.payload_digest(raw),
    )


def test_without_dead_letter_policy_the_attempt_is_unknown() -> None:
    assert events.parse_push(push(SMALLEST), 4).delivery.attempt is None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"correlation_id": "c-1", "execution_id": "e"}, "c-1"),
        ({"execution_id": "e"}, "e"),
        ({"correlation_id": 7, "execution_id": "e"}, "e"),
        ({}, "17"),
    ],
)
def test_the_chain_has_the_first_name_there_is(fields: dict[str, object], named: str) -> None:
    assert events.parse_push(push(SMALLEST | fields), 4).correlation_id == named


def test_a_chain_without_any_name_gets_one() -> None:
    assert re.fullmatch(r"c-20250115-[0-9a-f]{8}", events.parse_data(data(SMALLEST), 4).correlation_id)


@pytest.mark.parametrize("name", ["t1", "nba_raw.t1", "project.nba_raw.t1", "  nba_raw.t1\n", "my-project.nba_raw.t1"])
def test_a_table_may_carry_its_dataset(name: str) -> None:
    assert completion(push({"source_table": name, "game_date": "2025-01-15"}), 3).table == "t1"


@pytest.mark.parametrize("phase", [3, 4, 5])
def test_each_phase_reads_its_own_field(phase: int) -> None:
    field = events.HOPS[phase - 1].table_field
    assert completion(push({field: "t", "game_date": "2025-01-15"}), phase).phase == phase - 1
    others = {hop.table_field: "t" for hop in events.HOPS.values() if hop.table_field != field}
    assert refused(push({**others, "game_date": "2025-01-15"}), phase).code == "missing_table"


def test_phase_3_has_no_slate() -> None:
    body = push({"source_table": "t", "game_date": "2025-01-15", "analysis_date": "whenever"})
    assert completion(body, 3).analysis_date is None


def test_unsuccessful_is_read_and_not_refused() -> None:
    assert not completion(push(SMALLEST | {"success": False})).success


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("execution_id", 7),
        ("correlation_id", ""),
        ("correlation_id", 7),
        ("processor_name", "\ud800"),
        ("record_count", -1),
        ("record_count", 1.5),
        ("record_count", True),
        ("rows_expected", 2**63),
        ("complete", "true"),
        ("missing", ["a", 1]),
        ("missing", "a"),
        ("input_fingerprint", []),
        ("code_version", {}),
        ("trigger_source", 1),
        ("timestamp", "2025-01-16T06:42:40"),
        ("timestamp", "0001-01-01T00:00:00+10:00"),
        ("error_message", False),
    ],
)
def test_optional_fields_of_a_wrong_type_count_as_absent_and_are_named(field: str, value: object) -> None:
    received = events.parse_push(push(SMALLEST | {field: value}), 4)
    assert received.event == completion(push(SMALLEST))
    assert received.ignored == (field,)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "no_json"),
        (b"\xff\xfe", "no_json"),
        (b"{", "no_json"),
        (b'{"message": NaN}', "no_json"),
        (b'{"message": ' + b"9" * 5000 + b"}", "no_json"),
        (b"[" * 100_000, "no_json"),
        (b"[]", "no_message"),
        (b"{}", "no_message"),
        (b'{"message": "x"}', "no_message"),
        (b'{"message": {}}', "no_data"),
        (b'{"message": {"data": null}}', "no_data"),
        (b'{"message": {"data": ""}}', "no_data"),
        (b'{"message": {"data": 7}}', "bad_base64"),
        (b'{"message": {"data": "a"}}', "bad_base64"),
        (b'{"message": {"data": "e30=\\n"}}', "bad_base64"),
        ('{"message": {"data": "ć"}}'.encode(), "bad_base64"),
        (push(b"\xff"), "bad_json"),
        (push(b"{"), "bad_json"),
        (push(b'{"record_count": Infinity}'), "bad_json"),
        (push(b'{"record_count": ' + b"9" * 5000 + b"}"), "bad_json"),
        (push(b'{"metadata": ' + b'{"a":' * 100_000), "bad_json"),
        (push([]), "not_object"),
        (push("text"), "not_object"),
        (push({"game_date": "2025-01-15"}), "missing_table"),
        (push(SMALLEST | {"analytics_table": None}), "missing_table"),
        (push(SMALLEST | {"analytics_table": 7}), "bad_table"),
        (push(SMALLEST | {"analytics_table": ""}), "bad_table"),
        (push(SMALLEST | {"analytics_table": "nba_raw."}), "bad_table"),
        (push(SMALLEST | {"analytics_table": "Robert'); DROP"}), "bad_table"),
        (push(SMALLEST | {"analytics_table": "table\n_x"}), "bad_table"),
        (push(SMALLEST | {"analytics_table": "t\0"}), "bad_table"),
        (push(SMALLEST | {"analytics_table": "t\ud800"}), "bad_table"),
        (push(SMALLEST | {"analytics_table": "t" * 129}), "bad_table"),
        (push({"analytics_table": "t"}), "missing_game_date"),
        *(
            (push(SMALLEST | {name: value}), f"bad_{name}")
            for name in ("correlation_id", "execution_id")
            for value in ("c" * 129, "é" * 65, "c" * 9_000_000, "c\0", "c\n", "\x1b[31m", "\x85", "\ud800")
        ),
        (push({"trigger_type": "fallback", "phase": 4, "correlation_id": "c" * 129}), "bad_correlation_id"),
        *(
            (push(SMALLEST | {name: "x" * 1_025}), "too_long")
            for name in ("processor_name", "input_fingerprint", "code_version", "trigger_source")
        ),
        (push(SMALLEST | {"missing": ["game", "x" * 1_025]}), "too_long"),
        (push(SMALLEST | {"game_date": None}), "missing_game_date"),
        (push(SMALLEST | {"game_date": 20250115}), "bad_date"),
        (push(SMALLEST | {"game_date": "today"}), "bad_date"),
        (push(SMALLEST | {"game_date": "2025-02-30"}), "bad_date"),
        (push(SMALLEST | {"game_date": "2025-01-15T00:00:00"}), "bad_date"),
        (push(SMALLEST | {"game_date": "2025-01-15\n"}), "bad_date"),
        (push(SMALLEST | {"game_date": "\uff12025-01-15"}), "bad_date"),
        (push(b'{"analytics_table": "t", "game_date": ' + b"[" * 400 + b"]" * 400 + b"}"), "bad_date"),
        (push(SMALLEST | {"analysis_date": "2025-13-01"}), "bad_date"),
        *(
            (push(SMALLEST | {name: day}), "bad_date")
            for name in ("game_date", "analysis_date")
            for day in ("9999-12-31", "2101-01-01", "1945-12-31", "0001-01-01")
        ),
        (push({"trigger_type": "fallback", "phase": 4, "game_date": "9999-12-31"}), "bad_date"),
        (push(SMALLEST | {"success": "true"}), "bad_success"),
        (push(SMALLEST | {"success": 1}), "bad_success"),
        (push(SMALLEST | {"success": None}), "bad_success"),
        (push(SMALLEST | {"schema_version": 2}), "bad_schema_version"),
        (push(SMALLEST | {"schema_version": "1"}), "bad_schema_version"),
        (push(SMALLEST | {"schema_version": True}), "bad_schema_version"),
        (push({"trigger_type": "event", "phase": 4}), "bad_trigger_type"),
        (push({"trigger_type": None, "phase": 4}), "bad_trigger_type"),
        (push({"trigger_type": "fallback"}), "bad_phase"),
        (push({"trigger_type": "fallback", "phase": 3}), "bad_phase"),
        (push({"trigger_type": "fallback", "phase": "4"}), "bad_phase"),
        (push({"trigger_type": "fallback", "phase": 4, "game_date": "today"}), "bad_date"),
    ],
)
def test_what_breaks_the_contract_is_refused_by_its_code(body: bytes, code: str) -> None:
    assert refused(body).code == code


@pytest.mark.parametrize("day", [date(1946, 1, 1), date(2100, 12, 31)])
def test_the_years_of_the_league_are_read_to_the_day(day: date) -> None:
    assert completion(push(SMALLEST | {"game_date": str(day), "analysis_date": str(day)})).analysis_date == day


def test_what_is_just_as_long_as_it_may_be_is_read() -> None:
    body = {
        "analytics_table": "nba_analytics." + "t" * contract.TABLE_BYTES,
        "correlation_id": "é" * (contract.ID_BYTES // 2),
        "execution_id": "e" * contract.ID_BYTES,
        "processor_name": "p" * contract.NAME_BYTES,
    }
    event = completion(push(SMALLEST | body))
    assert event == Completion(
        phase=3,
        table="t" * contract.TABLE_BYTES,
        game_date=date(2025, 1, 15),
        correlation_id=body["correlation_id"],
        execution_id=body["execution_id"],
        processor_name=body["processor_name"],
    )
    limits.check_message(events.encode(event))


def test_of_a_long_error_message_the_beginning_is_kept() -> None:
    event = completion(push(SMALLEST | {"success": False, "error_message": "down " * 1_000_000}))
    assert event.error_message
    assert event.error_message.startswith("down down ")
    assert len(event.error_message) == contract.MESSAGE_CHARACTERS


def enveloped(**message: object) -> bytes:
    """The smallest event in an envelope with some fields of its own."""
    return data({"message": {"data": base64.b64encode(data(SMALLEST)).decode(), **message}})


def test_an_id_in_the_attributes_is_held_to_the_same_bound_where_it_names_the_chain() -> None:
    long = {"correlation_id": "c" * 129}
    assert refused(enveloped(attributes=long)).code == "bad_correlation_id"
    named = push(SMALLEST | {"correlation_id": "c"})
    body = json.loads(named)
    body["message"]["attributes"] = long
    assert events.parse_push(data(body), 4).correlation_id == "c"


@pytest.mark.parametrize("odd", ["m" * 129, "m\0", "m\n", "\ud800", 7, ["m"]])
def test_what_pubsub_would_never_say_of_a_delivery_counts_as_not_said(odd: object) -> None:
    body = json.loads(enveloped(messageId=odd, publishTime="2" * 9_000_000))
    body["subscription"] = odd if not isinstance(odd, str) else odd * 20
    received = events.parse_push(data(body), 4)
    assert received.delivery == Delivery(payload_sha256=events.payload_digest(data(SMALLEST)))
    assert received.correlation_id.startswith("c-20250115-")


def test_a_refusal_quotes_a_little_and_spells_out_control_characters() -> None:
    said = str(refused(push(SMALLEST | {"correlation_id": "\x1b[31m\0" + "c" * 9_000_000})))
    assert len(said) < 250
    assert said.isprintable()
    assert "'\\x1b[31m\\x00ccc" in said


def test_two_dates_of_one_slate_must_agree() -> None:
    body = {"precompute_table": "t", "game_date": "2025-01-16", "analysis_date": "2025-01-17"}
    assert refused(push(body), 5).code == "date_conflict"
    assert completion(push({**body, "analysis_date": "2025-01-16"}), 5).analysis_date == date(2025, 1, 16)
    # phase 4 is told the slate that the results of another date are for
    assert completion(push({"analytics_table": "t", "game_date": "2025-01-16", "analysis_date": "2025-01-17"}), 4)


def test_a_refusal_keeps_what_finds_the_dead_letter_again() -> None:
    delivery = refused(push(b"junk", deliveryAttempt=5)).delivery
    assert (delivery.subscription, delivery.attempt) == ("projects/p/subscriptions/s", 5)
    assert delivery.payload_sha256 == events.payload_digest(b"junk")


def test_of_two_equal_keys_the_last_one_counts() -> None:
    raw = b'{"analytics_table": "a", "analytics_table": "b", "game_date": "2025-01-15"}'
    assert completion(push(raw)).table == "b"


def test_extra_fields_and_other_schemas_of_fallbacks_are_ignored() -> None:
    body = {"trigger_type": "fallback", "phase": 4, "schema_version": 9, "mood": [1]}
    assert events.parse_push(push(body), 4) == Received(
        Fallback(phase=4),
        Delivery(
            message_id="17", subscription="projects/p/subscriptions/s", payload_sha256=events.payload_digest(data(body))
        ),
        "17",
    )


# ---------------------------------------------------------------- anything

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=32)
DAYS = st.dates(date(contract.FIRST_YEAR, 1, 1), date(contract.LAST_YEAR, 12, 31))
TABLES = st.builds(
    "{}{}".format,
    st.sampled_from(["", "nba_raw.", "my-project.nba_raw."]),
    st.text("abz09_", max_size=12).map("t{}".format),
)
MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.sampled_from([UTC, EASTERN]))  # noqa: DTZ001 -- the zone is drawn
COUNTS = st.integers(0, 2**63 - 1)
COMPUTED = {
    "table": TABLES,
    "game_date": DAYS,
    "execution_id": IDS,
    "correlation_id": IDS,
    "processor_name": TEXT,
    "record_count": COUNTS,
    "rows_expected": st.none() | COUNTS,
    "complete": st.booleans(),
    "missing": st.lists(TEXT, max_size=60),
    "input_fingerprint": TEXT,
    "code_version": TEXT,
    "trigger_source": st.sampled_from(["pubsub", "fallback", "backfill", "cli"]),
    "timestamp": MOMENTS,
}
LOADED = {name: COMPUTED[name] for name in ("game_date", "execution_id", "correlation_id", "record_count", "timestamp")}
EVENTS = st.one_of(
    st.builds(events.raw_data_loaded, TABLES, **LOADED),
    st.builds(events.analytics_complete, analysis_date=st.none() | DAYS, **COMPUTED),
    st.builds(events.precompute_complete, **COMPUTED),
    st.builds(Fallback, phase=st.sampled_from([3, 4, 5]), game_date=st.none() | DAYS, correlation_id=st.none() | IDS),
)


@given(event=EVENTS)
def test_what_is_built_is_what_is_read(event: events.Event) -> None:
    message = events.encode(event)
    received = events.parse_push(push(message.data), event.phase + isinstance(event, Completion))
    assert received.event == event
    assert received.ignored == ()
    assert received.correlation_id == (event.correlation_id or "17")
    body = json.loads(message.data)
    for name, value in message.attributes.items():
        assert value == (body[name] if isinstance(body[name], str) else json.dumps(body[name]))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.sampled_from([2**64, "\ud800"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
LONG = st.builds(
    operator.mul, st.sampled_from(["x", "\0", "\x1b[2J", "é", "\U0010ffff"]), st.sampled_from([65, 2_000, 5_000])
)
"""Longer than any id, than any text, and than any answer may be."""
NAMES = sorted({*COMPUTED, *(hop.table_field for hop in events.HOPS.values())} | {"schema_version", "success"})
LOADED_ONCE = {name: WRITTEN[name] for name in LOADED}
WHOLE = st.sampled_from(
    [
        # each phase finds its own table field
        json.loads(events.encode(event).data) | {hop.table_field: "t" for hop in events.HOPS.values()}
        for event in (
            events.raw_data_loaded("t", **LOADED_ONCE),
            events.analytics_complete(**WRITTEN),
            events.precompute_complete(**WRITTEN),
            *(Fallback(phase=phase, game_date=date(2025, 1, 15)) for phase in (3, 4, 5)),
        )
    ]
)
ODD = st.dictionaries(
    st.sampled_from([*NAMES, "trigger_type", "phase", "metadata"]),
    st.one_of(JUNK, LONG, TABLES, st.dates().map(str), st.integers(0, 6), st.sampled_from(["fallback", True, None])),
    max_size=3,
)
NEARLY = st.builds(
    lambda whole, odd, gone: {k: v for k, v in (whole | odd).items() if k != gone},
    WHOLE,
    ODD,
    TEXT | st.sampled_from(NAMES),
)
PAYLOADS = st.one_of(
    NEARLY.map(data),
    NEARLY.map(data),
    NEARLY.map(data),
    JUNK.map(data),
    st.binary(max_size=60),
    st.integers(1, 5000).map(lambda depth: b'{"game_date":' + b"[" * depth + b"]" * depth + b"}"),
)


MOSTLY = st.sampled_from([True] * 9 + [False])  # the first is what Hypothesis likes best
OPTIONAL = dict.fromkeys(("messageId", "message_id", "publishTime"), TEXT | JUNK | LONG)
OPTIONAL["attributes"] = JUNK | st.fixed_dictionaries({"correlation_id": TEXT | JUNK | LONG})


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Envelopes, from whole ones to noise: fields may be missing or of any type, and the end may be cut off."""
    if not draw(MOSTLY):
        return draw(st.binary(max_size=80) | JUNK.map(data))
    encoded: object = base64.b64encode(draw(PAYLOADS)).decode() if draw(MOSTLY) else draw(JUNK | TEXT)
    message = draw(st.fixed_dictionaries({"data": st.just(encoded)}, optional=OPTIONAL))
    optional = {"subscription": TEXT | JUNK | LONG, "deliveryAttempt": st.integers() | JUNK}
    body = data({"message": message, **draw(st.fixed_dictionaries({}, optional=optional))})
    return body if draw(MOSTLY) else body[: draw(st.integers(0, len(body)))]


def understood(body: bytes, phase: int) -> Received | Rejected:
    try:
        return events.parse_push(body, phase)
    except Rejected as rejected:
        return rejected


@settings(max_examples=ENVELOPES, deadline=None)
@given(body=bodies(), phase=st.sampled_from([3, 4, 5]))
def test_no_bytes_are_a_surprise(body: bytes, phase: int) -> None:
    received = understood(body, phase)
    if isinstance(received, Rejected):
        assert received.code in events.REJECTS
        assert str(received).isprintable()
        assert len(str(received)) < 250
        return
    delivery = received.delivery
    for name in (received.correlation_id, delivery.message_id or "", delivery.subscription or ""):
        assert len(name.encode()) <= limits.VALUE_BYTES
        assert not has_control_characters(name)
    assert 0 < len(received.correlation_id.encode()) <= contract.ID_BYTES
    assert received.event.phase == (phase if isinstance(received.event, Fallback) else phase - 1)
    # whoever was understood can be written, and is then understood alike
    message = events.encode(received.event)
    again = events.parse_data(message.data, phase)
    assert again.event == received.event
    # and what goes on of it is no more than Pub/Sub takes
    limits.check_message(message)
    assert limits.message_bytes(message) < 100_000
