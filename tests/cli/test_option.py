"""No option takes another one for its value, and no empty value passes for none: in every command there is."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from nbactl.cli import COMMANDS, LazyGroup, cli
from nbactl.option import Argument, Option, argument, option
from nbactl.session import Session
from shared.errors import UsageError
from tests.cli.conftest import Type


def _leaves(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _leaves(command, *path, name)
        else:
            yield (*path, name), command


def leaves() -> dict[tuple[str, ...], click.Command]:
    """Every command that does something, by the words that name it."""
    return dict(_leaves(cli))


COMMAND = pytest.mark.parametrize("words", list(leaves()), ids=" ".join)


def _valued(words: tuple[str, ...]) -> list[Option]:
    return [one for one in leaves()[words].params if isinstance(one, Option) and not one.is_flag]


def test_every_command_is_among_them() -> None:
    assert {words[0] for words in leaves()} == set(COMMANDS)
    assert ("dlq", "drain") in leaves()
    assert isinstance(cli, LazyGroup)


@COMMAND
def test_every_parameter_is_of_a_class_that_takes_nothing_by_accident(words: tuple[str, ...]) -> None:
    assert [one.name for one in leaves()[words].params if not isinstance(one, Option | Argument)] == []
    assert {"--project", "--warehouse", "--region"} <= {name for one in _valued(words) for name in one.opts}


@COMMAND
@pytest.mark.parametrize("value", ["", " "], ids=repr)
def test_no_option_is_empty(words: tuple[str, ...], value: str, typed: Type) -> None:
    for parameter in _valued(words):
        for name in parameter.opts:
            said = typed("-q", *words, name, value)
            assert (said.code, said.out) == (2, "")
            assert f"{max(parameter.opts, key=len)} is empty" in said.err
            assert "next: leave it out" in said.err


@COMMAND
@pytest.mark.parametrize("value", ["--dry-run", "-q", "--"])
def test_no_option_takes_another_one_for_its_value(words: tuple[str, ...], value: str, typed: Type) -> None:
    for parameter in _valued(words):
        for line in ([parameter.opts[0], value], [f"{max(parameter.opts, key=len)}={value}"]):
            said = typed(*words, *line)
            assert (said.code, said.out) == (2, "")
            assert f"would take '{value}' for its value" in said.err


@COMMAND
def test_no_argument_is_empty(words: tuple[str, ...], typed: Type) -> None:
    for parameter in leaves()[words].params:
        if isinstance(parameter, Argument):
            said = typed(*words, "")
            assert (said.code, said.out) == (2, "")
            assert "is empty" in said.err


@pytest.mark.parametrize("name", ["--project", "--warehouse", "--region", "--wait"])
def test_options_before_the_command_are_no_less_strict(name: str, typed: Type) -> None:
    assert typed(name, "", "config", "show").code == 2
    assert typed(name, "--quiet", "config", "show").code == 2


def test_forgotten_reason_is_asked_for(typed: Type) -> None:
    said = typed("backfill", "--date", "2025-01-15", "--force", "--dry-run")
    assert (said.code, said.err.splitlines()) == (
        2,
        [
            "error: --force would take '--dry-run' for its value",
            "  why: a value does not begin with --, and is not the name of an option",
            " next: --force REASON --dry-run",
        ],
    )


def test_what_is_no_text_is_refused(typed: Type) -> None:
    for words in (["show", "\udcff"], ["config", "show", "--project", "\udcff"], ["data", "load", "\udcff"]):
        said = typed(*words)
        assert (said.code, "is no text" in said.err) == (2, True)


@click.command()
@option("-r", "--reason")
@option("--count", type=int, default=3)
@argument("names", nargs=-1)
def take(reason: str | None, count: int, names: tuple[str, ...]) -> None:
    click.echo(repr((reason, count, names)))


def _taken(*words: str) -> str | UsageError:
    result = CliRunner().invoke(take, words, obj=Session(), standalone_mode=False)
    if isinstance(result.exception, UsageError):
        return result.exception
    assert result.exception is None, result.exception
    return result.output.rstrip("\n")


@settings(derandomize=True, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8")) | st.from_regex(r"-{0,3}[a-z]{0,3}", fullmatch=True))
def test_a_value_arrives_as_it_was_typed_or_is_refused(text: str) -> None:
    taken = _taken("--reason", text)
    if not text.strip() or text.startswith("--") or text == "-r":
        assert isinstance(taken, UsageError)
    else:
        assert taken == repr((text, 3, ()))


def test_arguments_may_begin_with_dashes_after_a_separator() -> None:
    assert _taken("--", "--names", "-r") == repr((None, 3, ("--names", "-r")))
    assert _taken() == repr((None, 3, ()))
    assert _taken("--count", "-3") == repr((None, -3, ()))
    assert isinstance(_taken("a", ""), UsageError)


def test_completion_accepts_what_is_not_finished(typed: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_NBACTL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "nbactl backfill --force --dry-run --pha")
    monkeypatch.setenv("COMP_CWORD", "4")
    assert "--phase" in typed().out
