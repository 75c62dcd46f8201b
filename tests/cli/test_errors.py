"""Every error says what happened, why and what next, with the exit code its class declares."""

import json
from collections.abc import Callable, Iterator

import pytest

from shared import errors
from shared.errors import EXIT_CODES, DataError, Finding, NbactlError, UnknownName, did_you_mean
from tests.cli.faulty import WAYS

Line = Callable[..., int]


def _classes(base: type[NbactlError] = NbactlError) -> Iterator[type[NbactlError]]:
    yield base
    for inner in base.__subclasses__():
        yield from _classes(inner)


def _declared(error: BaseException) -> int:
    return error.exit_code if isinstance(error, NbactlError) else 1


def test_the_classes_use_every_exit_code_and_no_other() -> None:
    assert {cls.exit_code for cls in _classes()} | {0} == set(EXIT_CODES)


def test_the_tree_in_the_docstring_names_every_class_with_its_code() -> None:
    drawn = [line.split() for line in (errors.__doc__ or "").splitlines() if "──" in line or "NbactlError" in line]
    found = {next(w for w in words if w.isalpha()): int(next(w for w in words if w.isdigit())) for words in drawn}
    assert found == {cls.__name__: cls.exit_code for cls in _classes()}


def test_every_class_is_raised_by_the_tests() -> None:
    assert {type(error) for error in WAYS.values()} >= set(_classes()) - {errors.Interrupted}


@pytest.mark.parametrize("way", sorted(set(WAYS) - {"ctrl-c", "abort"}))
def test_exit_code_is_the_declared_one(way: str, type_line: Line) -> None:
    assert type_line("fail", way) == _declared(WAYS[way])


@pytest.mark.parametrize("way", ["ctrl-c", "abort"])
def test_interrupted_is_130_and_one_line(way: str, type_line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert type_line("fail", way) == 130
    assert capsys.readouterr() == ("", "error: interrupted\n")


def test_three_parts(type_line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    type_line("fail", "plain")
    assert capsys.readouterr() == ("", "error: it failed\n  why: it had to\n next: nbactl try again\n")


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("option", [("-o", "json"), ("-ojson",), ("--output=jsonl",), ("--output", "json")])
def test_json_error_has_the_same_keys_for_all(
    way: str, option: tuple[str, ...], type_line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    code = type_line("fail", way, *option)
    captured = capsys.readouterr()
    record = json.loads(captured.err)
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert list(record) == ["error", "message", "why", "hint", "exit_code", "transient", "findings"]
    assert record["exit_code"] == code


def test_usage_error_is_json_before_the_options_are_understood(
    type_line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    assert type_line("fail", "--nonsense", "-o", "json") == 2
    assert json.loads(capsys.readouterr().err)["error"] == "UsageError"


def test_findings_are_the_why(type_line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    type_line("fail", "data")
    assert capsys.readouterr().err.splitlines() == [
        "error: 2 problems",
        "  why: player_boxscores.minutes: not an INT64, for example '12:34'",
        "       nbac_schedule: the file is missing",
    ]
    type_line("fail", "data", "-o", "json")
    assert json.loads(capsys.readouterr().err)["findings"][1] == {
        "table": "nbac_schedule",
        "problem": "the file is missing",
        "column": None,
        "example": None,
    }


def test_a_why_that_is_given_wins_over_the_findings() -> None:
    error = DataError("bad", [Finding("t", "p")], why="because")
    assert (error.why, error.findings) == ("because", (Finding("t", "p"),))


def test_hostile_text_in_an_error_is_spelled_out(type_line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    type_line("fail", "hostile")
    err = capsys.readouterr().err
    assert err.splitlines() == [
        r"error: a\x1b[31mb\x00c\u202ed[/x]",
        r"  why: \x9b2J",
        r"       \x7f",
    ]
    type_line("fail", "hostile", "-o", "json")
    err = capsys.readouterr().err
    assert err.rstrip("\n").isprintable()
    assert json.loads(err)["message"] == str(WAYS["hostile"])


def test_defect_is_one_line_and_says_how_to_see_more(type_line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert type_line("fail", "defect") == 1
    err = capsys.readouterr().err
    assert err.startswith("error: KeyError: 'wanted'\n")
    assert "run again with --debug" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [("--debug", "fail", "defect"), ("fail", "defect", "--debug")])
def test_debug_shows_the_traceback(words: tuple[str, ...], type_line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert type_line(*words) == 1
    assert "Traceback" in capsys.readouterr().err


def test_locked_names_its_holder_and_may_be_retried() -> None:
    error = errors.WarehouseLocked("w.duckdb", 4242)
    assert error.transient
    assert "4242" in (error.why or "")


def test_only_what_time_can_heal_is_transient() -> None:
    assert {cls for cls in _classes() if cls.transient} == {
        errors.Overtaken,
        errors.WarehouseLocked,
        errors.WarehouseFull,
        errors.TimedOut,
    }


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("player_boxscore", ["player_boxscores", "x"], "did you mean 'player_boxscores'?"),
        ("luka doncic", ["Luka Dončić", "LeBron James"], "did you mean 'Luka Dončić'?"),
        ("ab", ["abc", "abd"], "did you mean 'abd' or 'abc'?"),
        ("zzz", ["beta", "alpha"], "there is alpha, beta"),
        ("zzz", [], None),
        ("zzz", [f"name{i}" for i in range(500)], None),
    ],
)
def test_did_you_mean(name: str, known: list[str], hint: str | None) -> None:
    assert did_you_mean(name, known) == hint
    assert UnknownName("player", name, known).hint == hint
