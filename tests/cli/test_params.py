"""The options that commands share."""

from datetime import date

import click
import pytest
from click.testing import CliRunner

from nbactl.params import dates_option, dry_run_option, output_option, processor_option
from nbactl.render.tables import WRITERS
from shared.clock import DateRange, today
from shared.errors import UsageError

DAY = date(2025, 1, 15)


@click.command()
@dates_option()
@dry_run_option
@processor_option
@output_option
def run(dates: DateRange, processors: tuple[str, ...], output: str, *, dry_run: bool) -> None:
    click.echo(f"{dates}|{dry_run}|{','.join(processors)}|{output}")


@click.command()
@dates_option(required=False)
def maybe(dates: DateRange | None) -> None:
    click.echo(str(dates))


def _output(command: click.Command, line: str) -> str:
    result = CliRunner().invoke(command, line.split(), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.rstrip("\n")


def test_all_of_them() -> None:
    line = "--start 2025-01-15 --end 2025-01-17 --dry-run --processor a --processor b -o csv"
    assert _output(run, line) == "2025-01-15 to 2025-01-17 (3 days)|True|a,b|csv"


def test_defaults() -> None:
    assert _output(run, "--date 2025-01-15") == "2025-01-15 (1 day)|False||table"


def test_words_for_dates() -> None:
    assert _output(run, "--date today").startswith(str(today()))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "no date is given"),
        ("--date 2025-01-15 --start 2025-01-15", "--date excludes"),
        ("--date 2025-01-15 --end 2025-01-15", "--date excludes"),
        ("--start 2025-01-15", "--start needs --end"),
        ("--end 2025-01-15", "--end needs --start"),
        ("--start 2025-01-15 --end 2025-01-14", "before it starts"),
        ("--date nonsense", "is not a date"),
    ],
)
def test_dates_that_make_no_range(line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        CliRunner().invoke(run, line.split(), catch_exceptions=False)
    assert caught.value.hint


def test_dates_that_are_optional_may_be_left_out() -> None:
    assert _output(maybe, "") == "None"
    assert _output(maybe, "--date 2025-01-15") == str(DateRange(DAY, DAY))


@pytest.mark.parametrize("output", WRITERS)
def test_every_form_can_be_asked_for(output: str) -> None:
    assert _output(run, f"--date 2025-01-15 -o {output}").endswith(f"|{output}")
