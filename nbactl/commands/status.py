"""`nbactl status`: how every table stands."""

from __future__ import annotations

import click

from nbactl.ops import standing, words
from nbactl.params import dates_option, output_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from shared.clock import DateRange, utc_now
from shared.errors import Undetermined, WarehouseLocked

RECORDS = tuple(
    map(
        Column,
        (
            "table",
            "processor",
            "date",
            "state",
            "rows",
            "expected",
            "finished_at",
            "trigger",
            "why",
            "next",
        ),
    )
)
TABLE = (
    Column("table"),
    Column("date"),
    Column("state"),
    Column("rows"),
    Column("age"),
    Column("trigger"),
    Column("why"),
    Column("next"),
)
OPTIONAL = ("why", "next")
"""What a table leaves out where all is well."""


@click.command()
@dates_option(required=False)
@output_option
@click.pass_obj
def command(session: Session, *, dates: DateRange | None, output: str) -> None:
    """Say how every table stands, and what to type where it does not stand well.

    Without a date: last night's results and tonight's slate. States are NO_GAMES, NOT_DUE, WAITING, RUNNING, FAILED,
    LOST, STALE, UNANNOUNCED, DEGRADED and DONE. The exit code is 0 if all are NO_GAMES, NOT_DUE or DONE, 7 if it
    cannot be told, else 1.

    Example: nbactl status --date yesterday
    """
    try:
        with session.connect().reading() as opened:
            told = standing.report(opened, dates, utc_now(), words.options(session.warehouse))
    except WarehouseLocked as locked:
        raise Undetermined("cannot tell while the warehouse is locked", why=locked.why, hint=locked.hint) from locked
    messages.note(told.said, quiet=session.quiet)
    if output == "table":
        rows = list(standing.grouped(told))
        write(rows, [one for one in TABLE if one.name not in OPTIONAL or any(row[one.name] for row in rows)])
    else:
        write(standing.records(told), RECORDS, output)
    if error := standing.verdict(told):
        raise error
