"""What the services log, as an operator reads it: files of a pipeline that runs here, and Cloud Logging's protocol."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from nbactl.gcp import logging as reading
from nbactl.ops.logs import cloud as cloud_module
from nbactl.ops.logs import files as files_module
from nbactl.ops.logs import query as asking
from nbactl.ops.logs.cloud import Cloud
from nbactl.ops.logs.files import Files, parsed
from nbactl.ops.logs.query import Query
from shared import logs
from shared.errors import Undetermined, UsageError
from shared.local import log_of
from shared.topology import SERVICES
from tests.cli.conftest import Type
from tests.fakes.cloud_logging import FakeCloudLogging, entry, million, serving
from tests.fakes.local_pipeline import local_pipeline

THIRD, FOURTH = (one.name for one in SERVICES[:2])
NOW = datetime.now(UTC).replace(microsecond=0)
HOSTILE = "[/x] \x1b[31mred\x1b[0m \0 \u202egnorw [bold]\rline"
HARMFUL = ("\x1b", "\0", "\u202e", "\r")
Line = dict[str, object]


def line(
    seconds: int, message: str, service: str = THIRD, severity: str = "INFO", **fields: object
) -> tuple[str, Line]:
    at = NOW - timedelta(minutes=10) + timedelta(seconds=seconds)
    return service, {"severity": severity, "message": message, "time": at.isoformat(), **fields}


LINES = [
    line(0, "box 2025-01-15 completed", correlation_id="c-1", game_date="2025-01-15", http_status=200),
    line(1, "slate computed", FOURTH, correlation_id="c-1", results=[{"processor": "MLFeatureStoreProcessor"}]),
    line(2, "box 2025-01-16 failed", severity="ERROR", correlation_id="c-2", exception="Traceback\n  boom"),
    line(3, HOSTILE, FOURTH, severity="WARNING"),
    line(4, "again"),
    line(5, "again"),
    line(6, "again"),
]


@pytest.fixture(params=["local", "cloud"])
def there(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same lines, logged by a pipeline that runs here, or on Google Cloud."""
    if request.param == "local":
        _log_here()
        yield
        return
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    fake = FakeCloudLogging()
    for service, written in reversed(LINES):
        own = {name: value for name, value in written.items() if name not in {"severity", "message", "time"}}
        at = datetime.fromisoformat(str(written["time"]))
        made = entry(at, written["message"], service=service, severity=str(written["severity"]), **own)
        fake.entries += [made, made]
    with serving(fake) as (_, reader):
        monkeypatch.setattr(reading, "connect", lambda _project: reader)
        yield


def _log_here() -> None:
    local_pipeline(Path.cwd(), project="p").write()
    for name in (THIRD, FOURTH):
        written = [json.dumps(one) for service, one in LINES if service == name]
        path = log_of(Path.cwd(), name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(["no json at all", *written]) + "\n")


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ((), [0, 1, 2, 3, 4, 5, 6]),
        (("analytics",), [0, 2, 4, 5, 6]),
        (("4",), [1, 3]),
        ((FOURTH, "3"), [0, 1, 2, 3, 4, 5, 6]),
        (("--level", "warning"), [2, 3]),
        (("--correlation", "c-1"), [0, 1]),
        (("--grep", "box .* (completed|failed)"), [0, 2]),
        (("--grep", "boom"), [2]),
        (("--exclude", "box|again"), [1, 3]),
        (("--processor", "MLFS"), [1]),
        (("--date", "2025-01-15"), [0]),
        (("-n", "2"), [5, 6]),
        (("-n", "1", "--grep", "box"), [2]),
        (("--until", "9m"), [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_what_is_asked_for_is_what_comes_in_order_of_time(
    typed: Type, words: tuple[str, ...], numbers: list[int]
) -> None:
    said = typed("logs", *words, "-o", "json")
    assert said.code == 0, said.err
    ours = [one for one in said.json if one["message"] != "no json at all"]
    assert [one["message"] for one in ours] == [LINES[number][1]["message"] for number in numbers]
    assert [one["service"] for one in ours] == [LINES[number][0] for number in numbers]


@pytest.mark.usefixtures("there")
def test_for_eyes_repetitions_are_one_line_and_tracebacks_cannot_pass_for_lines(typed: Type) -> None:
    out = typed("logs", "analytics").out.splitlines()
    assert len([one for one in out if "again" in one]) == 1
    assert any("again  ×3" in one for one in out)  # noqa: RUF001 -- the sign itself
    assert any("ERROR" in one and "correlation_id=c-2" in one for one in out)
    assert "    |   boom" in out


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("output", ["table", "json", "jsonl", "csv"])
def test_hostile_text_is_printed_harmlessly(typed: Type, output: str) -> None:
    said = typed("logs", "precompute", "-o", output)
    assert said.code == 0
    assert "[/x]" in said.out
    assert not any(harm in said.out + said.err for harm in HARMFUL)


@pytest.mark.usefixtures("there")
def test_slips_are_said_to_be(typed: Type) -> None:
    assert "did you mean 'analytics'" in typed("logs", "analitics").err
    assert typed("logs", "--grep", "(").code == 2
    assert typed("logs", "--since", "soon").code == 2
    assert typed("logs", "-f", "--until", "1m").code == 2


# ---------------------------------------------------------------- regular expressions

ENDLESS = ("(a+)+$", "(a|aa)+$", "(.*)*,(.*)*,x", "([a-zA-Z]+)*\\d", "(a?){500}a{500}$")
"""What a back-tracking engine would think about for longer than there is time."""


@pytest.mark.parametrize("text", ENDLESS)
def test_no_expression_takes_longer_than_its_text_is_long(text: str) -> None:
    wanted = asking.expression(text, "--grep")
    assert wanted is not None
    began = time.monotonic()
    assert not wanted.is_found_in("a" * 20_000 + "!")
    assert time.monotonic() - began < 10


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(", "missing )"),
        ("a(?=b)", "invalid perl operator: (?="),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("a{1001}", "invalid repetition size: {1001}"),
        ("a**", "bad repetition operator: **"),
    ],
)
@pytest.mark.parametrize("option", ["--grep", "--exclude"])
def test_expression_that_is_none_is_refused_with_the_reason(typed: Type, option: str, text: str, reason: str) -> None:
    said = typed("logs", option, text, "-o", "json")
    assert (said.code, said.out) == (2, "")
    assert reason in said.error["why"]
    assert said.error["hint"].startswith(f"for the text itself: {option} ")


TEXT = st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("()[]{}*+?|^$.\\1=<>!-"), max_size=30)


@settings(derandomize=True, deadline=None)
@given(TEXT)
def test_any_text_is_an_expression_or_is_refused_and_quoted_finds_itself(text: str) -> None:
    with suppress(UsageError):
        compiled = asking.expression(text, "--grep")
        assert compiled is not None
        compiled.is_found_in(text)
    quoted = asking.expression(re2.escape(text), "--grep")
    assert quoted is not None
    assert quoted.is_found_in(f"before {text} after")


def test_text_that_is_no_utf_8_is_looked_through_all_the_same() -> None:
    wanted = asking.expression("b+", "--grep")
    assert wanted is not None
    assert wanted.is_found_in("\ud800 abba")


# ---------------------------------------------------------------- Cloud Logging


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloudLogging]:
    """An empty project on Cloud Logging; nobody waits long."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    for name in ("POLL_SECONDS", "FIRST_WAIT"):
        monkeypatch.setattr(cloud_module, name, 0.01)
    opened = FakeCloudLogging()
    with serving(opened) as (_, reader):
        monkeypatch.setattr(reading, "connect", lambda _project: reader)
        yield opened


@pytest.mark.parametrize(
    ("code", "exit_code"), [(grpc.StatusCode.PERMISSION_DENIED, 4), (grpc.StatusCode.UNAVAILABLE, 7)]
)
def test_what_cannot_be_read_is_never_empty(
    typed: Type, fake: FakeCloudLogging, code: grpc.StatusCode, exit_code: int
) -> None:
    fake.always = (code, "planted")
    said = typed("logs")
    assert (said.code, said.out) == (exit_code, "")
    assert "no such entries" not in said.err


def test_a_quota_is_waited_for(typed: Type, fake: FakeCloudLogging) -> None:
    fake.entries = [entry(NOW - timedelta(minutes=1), "one")]
    fake.failing.extend([(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota")] * 4)
    said = typed("logs", "-o", "json")
    assert ([one["message"] for one in said.json], said.code) == (["one"], 0)


def test_following_gives_each_entry_once_late_ones_too_and_survives_what_breaks(fake: FakeCloudLogging) -> None:
    said: list[str] = []
    source = Cloud(reading.connect("p"), said.append)
    query = Query(asking.named(()), NOW - timedelta(minutes=5))
    fake.entries = [entry(NOW - timedelta(seconds=20), "old")]
    assert [one.message for batch in source.read(query, None) for one in batch] == ["old"]

    def happen(call: int) -> None:
        if call == 3:
            fake.entries.append(entry(NOW - timedelta(seconds=25), "late"))
        if call == 5:
            fake.failing.extend([(grpc.StatusCode.UNAVAILABLE, "x"), (grpc.StatusCode.RESOURCE_EXHAUSTED, "x")])
        if call == 9:
            fake.entries.append(entry(NOW, "new"))

    fake.before_answer = happen
    followed = [one.message for batch in islice(source.follow(query), 12) for one in batch]
    assert followed == ["late", "new"]
    assert any("asking again" in one for one in said)
    assert "Cloud Logging answers again; nothing was missed" in said


@pytest.mark.parametrize("seed", range(8))
def test_entry_that_is_late_is_shown_once_however_late(fake: FakeCloudLogging, seed: int) -> None:
    chance, now = random.Random(seed), datetime.now(UTC)  # noqa: S311
    source = Cloud(reading.connect("p"), lambda _: None)
    query = Query(asking.named(()), now - timedelta(hours=1))
    fake.entries = [entry(now - timedelta(seconds=10 * n), f"old {n}") for n in range(60)]
    shown = [one.message for batch in source.read(query, None) for one in batch]
    sent = []

    def happen(call: int) -> None:
        if len(sent) < 30:
            sent.append(f"late {call}")
            fake.entries.append(entry(now - timedelta(seconds=chance.uniform(0, 9 * 60)), sent[-1]))

    fake.before_answer = happen
    for batch in islice(source.follow(query), 30 + 2 * cloud_module.LOOKS):
        shown += [one.message for one in batch]
    assert sorted(shown) == sorted([*(f"old {n}" for n in range(60)), *sent])


def test_ctrl_c_ends_what_is_followed(typed: Type, fake: FakeCloudLogging, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    fake.entries = [entry(NOW - timedelta(minutes=1), "one")]
    monkeypatch.setattr(cloud_module, "time", SimpleNamespace(sleep=interrupt))
    said = typed("logs", "-f")
    assert said.code == 130
    assert "one" in said.out


def test_many_entries_come_page_by_page(fake: FakeCloudLogging) -> None:
    fake.pages = million(20_000, NOW - timedelta(hours=1))
    source = Cloud(reading.connect("p"), lambda _: None)
    batches = source.read(Query(asking.named(()), NOW - timedelta(hours=2)), None)
    sizes = [len(batch) for batch in batches]
    assert sizes == [1000] * 20


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file to follow, without waiting between two looks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files_module, "POLL_SECONDS", 0)
        yield tmp_path_factory.mktemp("growing") / "service.jsonl"


def followed(file: Path) -> Iterator[list[str]]:
    source = Files({THIRD: file}, ended=False, whole=False)
    query = Query(asking.named((THIRD,)), NOW - timedelta(days=1))
    before = [one.message for batch in source.read(query, None) for one in batch]
    for number, batch in enumerate(source.follow(query)):
        messages = [one.message for one in batch]
        yield messages if number else [*before, *messages]


@given(
    data=st.data(), written=st.lists(st.one_of(st.text(max_size=8), st.integers(), st.binary(max_size=8)), max_size=8)
)
def test_a_file_is_followed_line_by_line_however_it_grows(
    growing: Path, data: st.DataObject, written: list[str | int | bytes]
) -> None:
    """Lines come once, in their order, and only whole, wherever a write ends; what is no JSON is a line as well."""
    texts = [one.replace(b"\n", b"") if isinstance(one, bytes) else json_line(one) for one in written]
    content = b"".join(text + b"\n" for text in texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=6)))
    growing.write_bytes(b"")
    coming = followed(growing)
    came: list[str] = []
    for start, end in pairwise([0, *cuts, len(content)]):
        with growing.open("ab") as file:
            file.write(content[start:end])
        came += next(coming)
        assert len(came) == content[:end].count(b"\n")
    assert came == [parsed(text, THIRD).message for text in texts]


def json_line(message: str | int) -> bytes:
    return json.dumps({"message": message, "time": NOW.isoformat(), "severity": "INFO"}).encode()


def test_a_file_that_was_emptied_is_followed_from_its_beginning(growing: Path) -> None:
    growing.write_bytes(json_line("before") + b"\n" + json_line("more") + b"\n")
    coming = followed(growing)
    assert next(coming) == ["before", "more"]
    growing.write_bytes(json_line("after") + b"\n")
    assert [*next(coming), *next(coming)] == ["after"]


def test_a_file_that_goes_away_while_it_is_followed_is_named(growing: Path) -> None:
    growing.write_bytes(b"")
    coming = followed(growing)
    assert next(coming) == []
    growing.unlink()
    with pytest.raises(Undetermined, match=r"service\.jsonl"):
        next(coming)


def test_following_here_prints_what_is_written_meanwhile_and_ends_with_ctrl_c(
    typed: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    _log_here()
    looks = iter(["one more", "and another"])

    def write(_seconds: float) -> None:
        message = next(looks, None)
        if message is None:
            raise KeyboardInterrupt
        with log_of(Path.cwd(), FOURTH).open("a") as file:
            file.write(json.dumps(line(60, message)[1]) + "\n")

    monkeypatch.setattr(files_module, "time", SimpleNamespace(sleep=write))
    said = typed("logs", "-f", "--since", "1h", "-o", "json")
    assert said.code == 130
    messages = [json.loads(one)["message"] for one in said.out.splitlines()]
    assert messages[-2:] == ["one more", "and another"]
    assert len(messages) == len(LINES) + 2 + 2


def test_values_are_quoted_whatever_they_hold() -> None:
    asked = Query((THIRD,), NOW, correlation_id='a" OR severity>=DEFAULT OR "\\')
    assert r'labels.correlation_id="a\" OR severity>=DEFAULT OR \"\\"' in asked.cloud_filter()
    assert asking.quoted("a\nb") == '"a\\u000ab"'


# ---------------------------------------------------------------- what is written


def record(fields: dict[str, object]) -> dict[str, object]:
    made = logging.LogRecord("x", logging.ERROR, "file.py", 7, "said", None, None)
    made.fields = fields
    found: dict[str, object] = json.loads(logs.JSONFormatter().format(made))
    return found


HEX = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("headers", "span"),
    [
        ({"traceparent": f"00-{HEX}-b7ad6b7169203331-01"}, "b7ad6b7169203331"),
        ({"X-Cloud-Trace-Context": f"{HEX}/255;o=1"}, "00000000000000ff"),
    ],
)
def test_a_line_carries_its_trace_its_chain_and_its_place(headers: dict[str, str], span: str) -> None:
    with logs.traced(headers.get, "p"):
        found = record({"correlation_id": "c-1"})
    assert found["logging.googleapis.com/trace"] == f"projects/p/traces/{HEX}"
    assert found["logging.googleapis.com/spanId"] == span
    assert found["logging.googleapis.com/trace_sampled"] is True
    assert found["logging.googleapis.com/labels"] == {"correlation_id": "c-1"}
    assert (found["severity"], found["message"]) == ("ERROR", "said")
    assert "logging.googleapis.com/trace" not in record({})


@pytest.mark.parametrize("value", ["", "x", f"00-{'0' * 32}-b7ad6b7169203331-01", f"{HEX[:-1]}/1", "\0"])
def test_a_header_that_is_no_trace_adds_nothing(value: str) -> None:
    get: Callable[[str], str | None] = dict.fromkeys(logs.TRACE_HEADERS, value).get
    with logs.traced(get, "p"):
        assert "logging.googleapis.com/trace" not in record({})
