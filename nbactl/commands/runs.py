"""`nbactl runs`: what ran, and how it went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from nbactl.option import option
from nbactl.params import dates_option, output_option, processor_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from processors import graph, history
from shared.clock import DateRange, utc_now
from shared.ledger import PROCESSOR_RUNS

TABLE = (
    Column("started_at", "started"),
    Column("output_table", "table"),
    Column("game_date", "date"),
    Column("status"),
    Column("rows_written", "rows"),
    Column("rows_expected", "expected"),
    Column("attempt"),
    Column("duration_ms", "ms"),
    Column("trigger_source", "trigger"),
    Column("reason"),
)
RECORDS = tuple(map(Column, PROCESSOR_RUNS.column_names))


@click.command()
@dates_option(required=False)
@processor_option
@option("--failed", is_flag=True, help="Only runs that failed or died, or could not be announced.")
@option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@output_option
@click.pass_obj
def command(  # noqa: PLR0913 -- one parameter per option
    session: Session,
    *,
    dates: DateRange | None,
    processors: tuple[str, ...],
    failed: bool,
    limit: int,
    output: str,
) -> None:
    """List runs, newest first; with -o json every column of the ledger.

    The dates are those of the rows that a run makes, not of the run. A run that began and never ended is LOST.

    Example: nbactl runs --failed --date yesterday
    """
    chosen = graph.select(processors, [3, 4]) if processors else ()
    # one more than is shown tells whether there are more
    sought = history.Sought(dates, chosen, failed=failed, limit=limit + 1)
    with session.connect().reading() as opened:
        found = list(history.runs(opened, sought, utc_now()).records())
    if output == "table":
        write(map(_short, found[:limit]), TABLE)
    else:
        write(found[:limit], RECORDS, output)
    if not found:
        messages.note("no such run", quiet=session.quiet)
    if len(found) > limit:
        messages.note(f"these are the newest {limit}; --limit N shows more", quiet=session.quiet)


def _short(run: Mapping[str, Any]) -> dict[str, object]:
    reason = run["reason"]
    if run["announce"] and run["publish_error"] and not run["published_message_id"]:
        reason = f"not announced: {run['publish_error']}"
    return {**run, "started_at": run["started_at"].replace(microsecond=0), "reason": reason}
