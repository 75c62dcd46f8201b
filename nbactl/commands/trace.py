"""`nbactl trace`: what one event has set off, hop by hop."""

from __future__ import annotations

from datetime import date

import click

from nbactl.ops import words
from nbactl.option import argument, option
from nbactl.params import EasternDate, output_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from shared.errors import UsageError

TABLE = (
    Column("start", "start s", digits=2),
    Column("took", "took s", digits=2),
    Column("timeline"),
    Column("kind", "  kind"),
    Column("phase"),
    Column("what"),
    Column("outcome"),
    Column("detail"),
)
RECORDS = tuple(
    map(
        Column,
        ("correlation_id", "at", "start", "took", "kind", "phase", "what", "outcome", "detail", "bad"),
    )
)


@click.command()
@argument("correlation_id", required=False)
@option("--date", "day", type=EasternDate(), help="Every chain of events about this date, instead.")
@output_option
@click.pass_obj
def command(session: Session, *, correlation_id: str | None, day: date | None, output: str) -> None:
    """Show a chain of events from its first message to its last announcement, with times.

    Each message, each delivery with its answer, each run with its steps, each announcement. A mark ! stands before
    what went wrong.

    Example: nbactl trace c-20250115-7d1a0b2c
    """
    from nbactl.ops import waterfall

    if (correlation_id is None) == (day is None):
        raise UsageError("name a correlation id, or a date", hint="nbactl trace --date yesterday")
    with session.connect().reading() as opened:
        found = waterfall.chains(opened, day) if day else [waterfall.chain(opened, correlation_id or "")]
    if output != "table":
        rows = (row | {"kind": str(row["kind"]).lstrip("! ")} for one in found for row in one.rows())
        write(rows, RECORDS, output)
        return
    options = words.options(session.warehouse)
    for one in found:
        messages.note(one.said, quiet=session.quiet)
        write(one.rows(), TABLE)
        if one.undelivered:
            where = f"--where correlation_id={one.correlation_id}"
            messages.hint(f"nbactl dlq inspect {where}{options}", quiet=session.quiet)
