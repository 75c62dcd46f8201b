"""`nbactl data`: raw tables in, and what is there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from nbactl.params import output_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from processors import runner
from shared.tables.raw import RAW_TABLES
from shared.warehouse.connect import connect

LOADED = (Column("table"), Column("rows"), Column("dates"))
SIZES = tuple(map(Column, ("table", "rows", "dates", "first", "last", "bytes")))


@click.group()
def command() -> None:
    """Load raw tables, and list what is there."""


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@output_option
@click.pass_obj
def load(session: Session, folder: Path, output: str) -> None:
    """Load a folder of raw tables: FOLDER/nbac_schedule.parquet and so on.

    Parquet, NDJSON (.ndjson, .jsonl) or CSV; one file, or one folder of files, per table. The dates that the files
    hold are replaced and others stay. Where anything is wrong, nothing is loaded.
    """
    warehouse = connect(session.settings.warehouse)
    with warehouse.writing(runner.all_tables()) as opened:
        loaded = opened.load(folder, RAW_TABLES)
    rows = ({"table": one.table.id, "rows": one.rows, "dates": one.dates} for one in loaded.staged)
    write(rows, LOADED, output)
    for one in loaded.staged:
        if one.absent:
            messages.note(f"{one.table.name} has no {', '.join(one.absent)}: read as unknown", quiet=session.quiet)
    if loaded.absent:
        names = ", ".join(table.name for table in loaded.absent)
        messages.note(f"not in the folder, and left as they are: {names}", quiet=session.quiet)
    for finding in loaded.odd:
        messages.warn(str(finding))
    for name in loaded.ignored:
        messages.warn(f"{name} is no raw table and was passed over")
    messages.hint("nbactl data tables lists what is there", quiet=session.quiet)


@command.command()
@output_option
@click.pass_obj
def tables(session: Session, output: str) -> None:
    """List every table: rows, dates and size."""
    with connect(session.settings.warehouse).reading() as opened:
        sizes = opened.sizes(runner.all_tables())
    write(map(asdict, sizes), SIZES, output)
