"""`nbactl data`: raw tables in, and what is there."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path

import click

from nbactl.commands.announcing import publish_owed
from nbactl.ops.sampling import WEEKS, fill
from nbactl.option import argument, option
from nbactl.params import EasternDate, output_option
from nbactl.render import messages
from nbactl.render.progress import progress
from nbactl.render.tables import Column, write
from nbactl.session import Session
from processors import runner
from processors import sample as league
from processors.sample import calendar
from shared import clock
from shared.errors import GamesLost, PreconditionFailed, UsageError
from shared.tables.raw import RAW_TABLES
from shared.warehouse.base import TableSize
from shared.warehouse.input_files import LIMITS, FileLimits
from shared.warehouse.raw_files import Loaded

LOADED = (Column("table"), Column("rows"), Column("dates"), Column("changed", "changed dates"))
SIZES = tuple(map(Column, ("table", "rows", "dates", "first", "last", "bytes")))


@click.group()
def command() -> None:
    """Load raw tables, and list what is there."""


@command.command()
@argument("folder", type=click.Path(path_type=Path))
@option("--announce", is_flag=True, help="Publish an event for every table and date that changed.")
@option("--shrink", is_flag=True, help="Load it even if games that have been played lose all their rows.")
@option(
    "--max-file-rows",
    type=click.IntRange(min=1),
    default=LIMITS.rows,
    show_default=True,
    metavar="N",
    help="Refuse a file of more rows.",
)
@option(
    "--max-file-bytes",
    type=click.IntRange(min=1),
    default=LIMITS.bytes,
    show_default=True,
    metavar="N",
    help="Refuse a file of more bytes after decompression.",
)
@output_option
@click.pass_obj
def load(  # noqa: PLR0913 -- one parameter per option
    session: Session,
    folder: Path,
    *,
    announce: bool,
    shrink: bool,
    max_file_rows: int,
    max_file_bytes: int,
    output: str,
) -> None:
    """Load a folder of raw tables: FOLDER/nbac_schedule.parquet and so on.

    Parquet, NDJSON (.ndjson, .jsonl) or CSV, the texts as they are or as .gz; one file, or one folder of files, per
    table. Names mean nothing but themselves. The dates that the files hold are replaced and others stay. Where
    anything is wrong, nothing is loaded; and so it is where a game that has a box score or events would have none
    afterwards, and the schedule does not say that it was moved, postponed or cancelled.
    """
    warehouse = session.connect()
    if announce:
        session.target()  # before anything is written, because there may be none
    limits = FileLimits(max_file_rows, max_file_bytes)
    try:
        with warehouse.writing(runner.all_tables()) as opened:
            loaded = opened.load(folder, RAW_TABLES, announce=announce, shrink=shrink, limits=limits)
    except GamesLost as error:
        error.hint = "load files that have all games of these dates; if the games are to go:\n" + _same_line(
            session, folder, announce=announce, limits=limits
        )
        raise
    _write_loaded(loaded, output)
    unsaid = publish_owed(session, warehouse) if announce else None
    _write_remarks(loaded, quiet=session.quiet)
    changed = [day for days in loaded.changed.values() for day in days]
    if changed and not announce:
        messages.hint(f"nbactl backfill --start {min(changed)} --end {max(changed)}", quiet=session.quiet)
    messages.hint("nbactl data tables lists what is there", quiet=session.quiet)
    if unsaid:
        raise unsaid


def _write_remarks(loaded: Loaded, *, quiet: bool) -> None:
    """Say what a load passed over, read as unknown, or took although it is odd."""
    for staged in loaded.staged:
        if staged.absent:
            messages.note(f"{staged.table.name} has no {', '.join(staged.absent)}: read as unknown", quiet=quiet)
    if loaded.absent:
        names = ", ".join(table.name for table in loaded.absent)
        messages.note(f"not in the folder, and left as they are: {names}", quiet=quiet)
    for warning in (*loaded.lost, *loaded.odd):
        messages.warn(str(warning))
    for name in loaded.ignored:
        messages.warn(f"{name} is no raw table and was passed over")


@command.command()
@option(
    "--weeks",
    type=click.IntRange(2, calendar.WEEKS),
    metavar="N",
    help="The first N weeks of a season; the last one is to come.  [default: 8]",
)
@option(
    "--seasons",
    type=click.IntRange(1, 20),
    metavar="N",
    help="N whole seasons, October to April, instead; the last week of the newest is to come.",
)
@option("--seed", default=1, show_default=True, help="Another number gives another league.")
@option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the files into DIR, for nbactl data load, and load nothing.",
)
@option("--today", type=EasternDate(), hidden=True, help="The day that the dates are put around, instead of today.")
@output_option
@click.pass_obj
def sample(  # noqa: PLR0913 -- one parameter per option
    session: Session,
    *,
    weeks: int | None,
    seasons: int | None,
    seed: int,
    to: Path | None,
    today: date | None,
    output: str,
) -> None:
    """Make a league to try things on, and load it: real teams, invented players and games.

    The same seed gives the same games on any day; today is the first day of the week to come, so that there are
    games tonight. Needs no network, and a warehouse without raw rows.

    Example: nbactl data sample --warehouse duckdb:///sample.duckdb
    """
    if weeks and seasons:
        raise UsageError("--weeks excludes --seasons", hint=f"--seasons {seasons}")
    weeks = None if seasons else weeks or WEEKS

    day = today or clock.today()
    showing = progress(league.steps(weeks, seasons), quiet=session.quiet)
    if to:
        _refuse_used_folder(to)
        with showing as step:
            made = league.make(to, weeks=weeks, seasons=seasons, seed=seed, today=day, watch=step)
        write(({"table": f"nba_raw.{name}", "rows": rows} for name, rows in made.rows.items()), LOADED[:2], output)
        next_command = f"nbactl data load {to}"
    else:
        warehouse = session.connect()
        with warehouse.writing(runner.all_tables()) as opened:
            _refuse_mixture(opened.sizes(RAW_TABLES), warehouse.url)
            with showing as step:
                made, loaded = fill(opened, weeks=weeks, seasons=seasons, seed=seed, today=day, watch=step)
        # what the check of the files finds odd is there on purpose
        _write_loaded(loaded, output)
        next_command = f"nbactl run-precompute --date {made.tonight}"
    chosen = f" --warehouse {session.warehouse}" if session.warehouse else ""
    messages.note(
        f"played from {made.first} to {made.last}; on {made.tonight}: {', '.join(made.slate)}", quiet=session.quiet
    )
    messages.hint(next_command + chosen, quiet=session.quiet)


@command.command()
@output_option
@click.pass_obj
def tables(session: Session, output: str) -> None:
    """List every table: rows, dates and size."""
    with session.connect().reading() as opened:
        sizes = opened.sizes(runner.all_tables())
    write(map(asdict, sizes), SIZES, output)


def _same_line(session: Session, folder: Path, *, announce: bool, limits: FileLimits) -> str:
    """What was typed, and that games may go."""
    words = ["nbactl", "data", "load", "--shrink"]
    words += ["--announce"] if announce else []
    words += [f"--max-file-rows={limits.rows}"] if limits.rows != LIMITS.rows else []
    words += [f"--max-file-bytes={limits.bytes}"] if limits.bytes != LIMITS.bytes else []
    for name, value in (("warehouse", session.warehouse), ("wait", session.wait), ("project", session.project)):
        words += [f"--{name}={value}"] if value else []
    words += ["--"] if str(folder).startswith("-") else []
    return shlex.join([*words, str(folder)])


def _write_loaded(loaded: Loaded, output: str) -> None:
    rows = (
        {
            "table": one.table.id,
            "rows": one.rows,
            "dates": one.dates,
            "changed": len(loaded.changed.get(one.table.name, ())),
        }
        for one in loaded.staged
    )
    write(rows, LOADED, output)


def _refuse_mixture(sizes: Iterable[TableSize], url: str) -> None:
    """Keep sample rows away from others.

    Raises:
        PreconditionFailed: there are raw rows.
    """
    used = next((size for size in sizes if size.rows), None)
    if used:
        raise PreconditionFailed(
            f"{url} holds raw rows already",
            why=f"{used.table} has {used.rows} of them, and sample rows among them could not be told apart",
            hint="nbactl data sample --warehouse duckdb:///sample.duckdb",
        )


def _refuse_used_folder(folder: Path) -> None:
    """Write into a new or empty folder only.

    Raises:
        PreconditionFailed: something is there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PreconditionFailed(
            f"{folder} is in use", why="sample files among others could not be told apart", hint="name a new folder"
        )
