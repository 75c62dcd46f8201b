"""The same rows in every form, on a terminal and in a pipe, whatever they hold."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbactl.render import messages
from nbactl.render.progress import progress
from nbactl.render.tables import WRITERS, Column, plain, write
from nbactl.render.terminal import visible

Capture = pytest.CaptureFixture[str]
Terminal = Callable[..., str]

HOSTILE = "[/x][red]:smile:\x1b[31m\x00\u202e\x9b\x7f\r\n\u2028\ud800Dončić"
SPELLED = r"[/x][red]:smile:\x1b[31m\x00\u202e\x9b\x7f\r\n\u2028\ud800Dončić"

COLUMNS = (Column("player"), Column("points", "PTS"), Column("pct", digits=1), Column("day"))
ROWS = (
    {"player": "Nikola Jokić", "points": 30, "pct": 0.55, "day": date(2025, 1, 15), "extra": 1},
    {"player": None, "points": 9, "pct": math.nan, "day": None, "extra": 2},
)

on_hostile = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_piped_table_is_plain_and_aligned(capsys: Capture) -> None:
    write(ROWS, COLUMNS)
    assert capsys.readouterr().out.splitlines() == [
        "player        PTS  pct  day",
        "Nikola Jokić   30  0.6  2025-01-15",
        "-               9    -  -",
    ]


def test_piped_table_is_never_cut(capsys: Capture) -> None:
    write([{"a": "x" * 500, "b": "y" * 500}], [Column("a"), Column("b")])
    assert capsys.readouterr().out.splitlines()[1] == "x" * 500 + "  " + "y" * 500


def test_json(capsys: Capture) -> None:
    write(ROWS, COLUMNS, "json")
    assert json.loads(capsys.readouterr().out) == [
        {"player": "Nikola Jokić", "points": 30, "pct": 0.55, "day": "2025-01-15"},
        {"player": None, "points": 9, "pct": None, "day": None},
    ]


def test_jsonl_is_an_object_a_line_with_keys_in_order(capsys: Capture) -> None:
    write(ROWS, COLUMNS, "jsonl")
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(record) for record in records] == [["player", "points", "pct", "day"]] * 2


def test_csv(capsys: Capture) -> None:
    write([*ROWS, {**ROWS[0], "player": 'a,"b"'}], COLUMNS, "csv")
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [
        ["player", "points", "pct", "day"],
        ["Nikola Jokić", "30", "0.55", "2025-01-15"],
        ["", "9", "", ""],
        ['a,"b"', "30", "0.55", "2025-01-15"],
    ]


@pytest.mark.parametrize(
    ("output", "expected"), [("table", "player  PTS  pct  day\n"), ("json", "[]\n"), ("jsonl", "")]
)
def test_no_rows(output: str, expected: str, capsys: Capture) -> None:
    write([], COLUMNS, output)
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize("output", ["json", "jsonl", "csv"])
def test_rows_are_written_as_they_come(output: str, capsys: Capture) -> None:
    def rows() -> Iterator[dict[str, object]]:
        yield {"a": 1}
        assert "1" in capsys.readouterr().out
        yield {"a": 2}

    write(rows(), [Column("a")], output)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2025, 1, 15, 19, 30, tzinfo=timezone(timedelta(hours=-5))), "2025-01-16T00:30:00Z"),
        (datetime(2025, 1, 15, 19, 30, tzinfo=UTC), "2025-01-15T19:30:00Z"),
        (datetime(2025, 1, 15, 19, 30, 0, 5), "2025-01-15T19:30:00.000005Z"),  # noqa: DTZ001
        (date(2025, 1, 15), "2025-01-15"),
        (math.nan, None),
        (-math.inf, None),
        (Decimal("1.5"), 1.5),
        (Decimal("NaN"), None),
        (True, True),
        ([math.nan, {"a": (date(2025, 1, 15),)}], [None, {"a": ["2025-01-15"]}]),
        (timedelta(hours=1), "1:00:00"),
    ],
)
def test_plain(value: object, expected: object) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize("output", WRITERS)
@given(text=st.text() | st.just(HOSTILE))
@on_hostile
def test_hostile_text_reaches_no_terminal(output: str, text: str, capsys: Capture) -> None:
    write([{"a": text}], [Column("a")], output)
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    if output == "json":
        assert json.loads(out) == [{"a": text}]


def test_hostile_text_is_spelled_out(capsys: Capture) -> None:
    write([{"a": HOSTILE}], [Column("a")])
    assert capsys.readouterr().out == f"a\n{SPELLED}\n"
    assert visible(HOSTILE) == SPELLED


TABLE = f"""
from nbactl.render.tables import *
write([dict(name={HOSTILE!r}, points=3)], [Column("name", "[b]name[/b]"), Column("points")])
"""


def test_terminal_shows_markup_and_escape_codes_as_text(on_terminal: Terminal) -> None:
    sent = on_terminal(TABLE, NO_COLOR="1")
    assert SPELLED in sent
    assert "[b]name[/b]" in sent
    assert "─" in sent
    assert "\x00" not in sent
    assert "\u202e" not in sent


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_on_a_terminal_that_wants_none(env: dict[str, str], on_terminal: Terminal) -> None:
    code = 'from nbactl.render import messages as m; m.warn("w"); m.hint("h"); m.note("n")'
    assert "\x1b[" in on_terminal(code)
    assert on_terminal(code, **env).split() == ["warning:", "w", "hint:", "h", "n"]
    assert "\x1b[3" not in on_terminal(TABLE, **env)


def test_narrow_terminal_folds_and_drops_nothing(on_terminal: Terminal) -> None:
    code = 'from nbactl.render.tables import *; write([{"a": "x" * 300}], [Column("a")])'
    assert on_terminal(code, COLUMNS="40").count("x") == 300


STEPS = """
from nbactl.render.progress import progress
with progress(2) as step:
    step("one [/x] \\x1b[31m", advance=0)
    step("two [/x] \\x1b[31m")
    print("RESULT")
"""


def test_progress_on_a_terminal_is_a_bar(on_terminal: Terminal) -> None:
    sent = on_terminal(STEPS)
    assert "1/2" in sent
    assert r"two [/x] \x1b[31m" in sent
    assert "RESULT" in sent


def test_progress_in_a_dumb_terminal_is_lines(on_terminal: Terminal) -> None:
    assert on_terminal(STEPS, TERM="dumb").splitlines() == [r"[1/2] two [/x] \x1b[31m", "RESULT"]


def test_result_in_a_pipe_stays_in_the_pipe_while_a_bar_is_shown(on_terminal: Terminal) -> None:
    code = f"import os; os.dup2(os.open('out', os.O_WRONLY | os.O_CREAT), 1)\n{STEPS}"
    assert "RESULT" not in on_terminal(code)
    assert Path("out").read_text() == "RESULT\n"


def test_progress_elsewhere_is_a_line_for_each_completed_step(capsys: Capture) -> None:
    with progress(3) as step:
        step("begin", advance=0)
        step("2025-01-15")
        step("2025-01-16", advance=2)
    assert capsys.readouterr() == ("", "[1/3] 2025-01-15\n[3/3] 2025-01-16\n")


def test_quiet_shows_no_progress_and_no_notes_but_warnings(capsys: Capture) -> None:
    with progress(1, quiet=True) as step:
        step("done")
    messages.note("n", quiet=True)
    messages.hint("h", quiet=True)
    messages.warn("w")
    assert capsys.readouterr() == ("", "warning: w\n")
