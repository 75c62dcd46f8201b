"""`nbactl reconcile`: repair what was left behind."""

from __future__ import annotations

from collections.abc import Sequence

import click

from nbactl.commands.announcing import publish_owed
from nbactl.ops import running, words
from nbactl.params import dry_run_option, output_option
from nbactl.render import messages
from nbactl.render.progress import progress
from nbactl.render.tables import Column, write
from nbactl.session import Session
from processors import reconcile, runner
from processors.reconcile import Kind, Leftover
from processors.request import Outcome

COLUMNS = tuple(map(Column, ("kind", "table", "date", "found", "outcome")))


@click.command()
@dry_run_option
@output_option
@click.pass_obj
def command(session: Session, *, dry_run: bool, output: str) -> None:
    """Repair leftovers: runs that died, rows that were changed outside of nbactl, and announcements that are owed.

    Changed results are computed again; changed raw rows are noted, so that nbactl status shows what they make stale.
    Safe to run at any time, and again.
    """
    warehouse = session.connect()
    opening = warehouse.reading() if dry_run else warehouse.writing(runner.all_tables(), must_exist=True)
    with opening as opened:
        found = reconcile.leftovers(opened)
        outcomes: list[Outcome] = []
        if found and not dry_run:
            with progress(sum(one.processor is not None for one in found), quiet=session.quiet) as step:
                outcomes = reconcile.repair(opened, found, step)
        stale = reconcile.stale(opened) if found and not dry_run else None
    owes = any(one.kind is Kind.UNSAID for one in found)
    unsaid = publish_owed(session, warehouse) if owes and not dry_run else None
    write(_rows(found, outcomes, dry_run=dry_run), COLUMNS, output)
    if not found:
        messages.note("nothing is left over", quiet=session.quiet)
    chosen = words.options(session.warehouse)
    if stale:
        messages.hint(f"nbactl backfill --start {stale.start} --end {stale.end}{chosen}", quiet=session.quiet)
    if outcomes:
        ends = f"--start {min(one.date for one in outcomes)} --end {max(one.date for one in outcomes)}"
        if error := running.verdict(outcomes, f"nbactl backfill {ends}{chosen}, and nbactl reconcile{chosen} again"):
            raise error
    if unsaid:
        raise unsaid


_DONE = {Kind.UNNOTED: "noted", Kind.UNSAID: "sent"}


def _rows(found: Sequence[Leftover], outcomes: Sequence[Outcome], *, dry_run: bool) -> list[dict[str, object]]:
    fared = {(one.processor.output.name, one.date): str(one.status) for one in outcomes}
    return [
        {
            "kind": str(one.kind),
            "table": one.table,
            "date": one.date,
            "found": one.found,
            "outcome": None if dry_run else _DONE.get(one.kind) or fared.get((one.table, one.date)),
        }
        for one in found
    ]
