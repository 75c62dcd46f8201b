"""`nbactl quickstart`: from nothing to tonight's best match-ups."""

from __future__ import annotations

from dataclasses import asdict

import click

from nbactl.ops import running
from nbactl.ops.sampling import WEEKS, fill
from nbactl.render import messages
from nbactl.render.progress import progress
from nbactl.render.tables import Column, write
from nbactl.session import Session
from processors import calendar, matchups, planner, runner, sample
from shared import clock
from shared.clock import DateRange
from shared.tables.raw import RAW_TABLES

SUMMARY = (Column("processor"), Column("status"), Column("dates"), Column("rows"), Column("seconds", digits=2))
MATCHUPS = (
    Column("player"),
    Column("team"),
    Column("opponent"),
    Column("points_avg", "last 10", digits=1),
    Column("line", digits=1),
    Column("score", digits=1),
    Column("reasons"),
)


@click.command()
@click.pass_obj
def command(session: Session) -> None:
    """Compute the next slate, and print the match-ups that suit a player best.

    Where the warehouse holds no raw tables, eight weeks of sample data are made first.
    """
    warehouse = session.connect()
    with warehouse.writing(runner.all_tables()) as opened:
        if not any(size.rows for size in opened.sizes(RAW_TABLES)):
            messages.note("1. no raw tables yet: making eight weeks of sample data", quiet=session.quiet)
            with progress(sample.steps(WEEKS, None), quiet=session.quiet) as step:
                fill(opened, weeks=WEEKS, today=clock.today(), watch=step)
        slate = calendar.nearest_slate(opened, clock.today())
        plan = planner.precompute(opened, planner.Asked(DateRange(slate, slate)))
        messages.note(f"2. computing {running.resolved(plan)}", quiet=session.quiet)
        with progress(plan.request.size, quiet=session.quiet) as step:
            outcomes = runner.run(opened, plan.survey, plan.request, step)
        best = matchups.best(opened, slate)
    write(running.summary(outcomes), SUMMARY)
    if error := running.verdict(outcomes, f"nbactl run-precompute --date {slate}"):
        raise error
    messages.note(f"3. the most favourable match-ups of {slate}, in points or nearly", quiet=session.quiet)
    write(map(asdict, best), MATCHUPS)
    if best:
        messages.hint(f'nbactl show ml_feature_store --date {slate} --player "{best[0].player}"', quiet=session.quiet)
