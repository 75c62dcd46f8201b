"""`nbactl impact`: what a correction makes stale."""

from __future__ import annotations

from datetime import date

import click

from nbactl.ops import words
from nbactl.option import option
from nbactl.params import EasternDate, output_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from processors import graph
from processors.impact import Impact, impact

RECORDS = tuple(map(Column, ("processor", "table", "dates", "first", "last", "through")))
TABLE = RECORDS[1:]
_SHOWN = 2
"""How many inputs of one table are named to eyes."""


@click.command()
@option("--table", required=True, metavar="TABLE", help="The table that is corrected, raw or computed.")
@option("--date", "day", required=True, type=EasternDate(), help="The date of the corrected rows.")
@output_option
@click.pass_obj
def command(session: Session, *, table: str, day: date, output: str) -> None:
    """Say what a correction of TABLE on a date makes stale, and how to repair it.

    Where a recomputation comes out equal, what follows it is not computed again: this is the most there can be.

    Example: nbactl impact --table nbac_gamebook_player_stats --date 2025-01-15
    """
    changed = graph.table(table)
    with session.connect().reading() as opened:
        found = impact(opened, changed, day)
    if output == "table":
        write(map(_short, found), TABLE)
    else:
        write(map(_record, found), RECORDS, output)
    if not found:
        messages.note(f"nothing that was computed depends on {changed.name} {day}", quiet=session.quiet)
        return
    dates = [one for each in found for one in each.dates]
    chosen = words.options(session.warehouse)
    messages.hint(f"nbactl backfill --start {min(dates)} --end {max(dates)}{chosen}", quiet=session.quiet)


def _record(one: Impact) -> dict[str, object]:
    return {
        "processor": one.processor.name,
        "table": one.processor.output.id,
        "dates": len(one.dates),
        "first": one.dates[0],
        "last": one.dates[-1],
        "through": one.reads,
    }


def _short(one: Impact) -> dict[str, object]:
    more = len(one.reads) - _SHOWN
    through = ", ".join(one.reads[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return {**_record(one), "table": one.processor.output.name, "through": through}
