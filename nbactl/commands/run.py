"""`nbactl run-analytics` and `nbactl run-precompute`: compute tables for dates."""

from __future__ import annotations

from collections.abc import Callable

import click

from nbactl.ops import running
from nbactl.params import dates_option, dry_run_option, output_option, processor_option
from nbactl.render import messages
from nbactl.render.progress import progress
from nbactl.render.tables import Column, write
from nbactl.session import Session
from processors import runner
from shared.clock import DateRange
from shared.warehouse.connect import connect

STEPS = (Column("processor"), Column("table"), Column("dates"), Column("first"), Column("last"))
SUMMARY = (
    Column("processor"),
    Column("status"),
    Column("dates"),
    Column("first"),
    Column("last"),
    Column("rows"),
    Column("expected"),
    Column("quality"),
    Column("seconds", digits=2),
)
RECORDS = tuple(
    map(
        Column,
        (
            "processor",
            "table",
            "date",
            "status",
            "rows",
            "expected",
            "missing",
            "quality",
            "production_ready",
            "issues",
            "reason_code",
            "reason",
            "seconds",
        ),
    )
)

_incomplete_option = click.option(
    "--allow-incomplete", is_flag=True, help="Run even where a required input is not complete, and say so."
)


@click.command()
@dates_option()
@processor_option
@_incomplete_option
@dry_run_option
@output_option
@click.pass_obj
def analytics(  # noqa: PLR0913 -- one parameter per option
    session: Session,
    *,
    dates: DateRange,
    processors: tuple[str, ...],
    allow_incomplete: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Compute Phase 3: results of the games on the dates, and the context of the next slate.

    Example: nbactl run-analytics --date yesterday
    """
    _run(
        session, running.plan_analytics, "run-analytics", dates, processors, allow_incomplete, dry_run, output
    )


@click.command()
@dates_option()
@processor_option
@_incomplete_option
@dry_run_option
@output_option
@click.pass_obj
def precompute(  # noqa: PLR0913 -- one parameter per option
    session: Session,
    *,
    dates: DateRange,
    processors: tuple[str, ...],
    allow_incomplete: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Compute everything needed for the games ON the dates, from games before them.

    Results that were never computed come first, then the slate's contexts, then Phase 4.

    Example: nbactl run-precompute --date today
    """
    _run(
        session,
        running.plan_precompute,
        "run-precompute",
        dates,
        processors,
        allow_incomplete,
        dry_run,
        output,
    )


def _run(  # noqa: PLR0913 -- what the two commands were given
    session: Session,
    make_plan: Callable[..., running.Plan],
    name: str,
    dates: DateRange,
    processors: tuple[str, ...],
    allow_incomplete: bool,  # noqa: FBT001 -- named by its callers' parameter
    dry_run: bool,  # noqa: FBT001
    output: str,
) -> None:
    warehouse = connect(session.settings.warehouse)
    with warehouse.reading() if dry_run else warehouse.writing(runner.all_tables()) as opened:
        plan = make_plan(opened, dates, processors, allow_incomplete=allow_incomplete)
        if plan.is_empty:
            outcomes = []
            messages.note(_no_games(plan))
        elif dry_run:
            messages.note(f"would compute {plan.resolved}", quiet=session.quiet)
            write(plan.steps(), STEPS, output)
            return
        else:
            messages.note(plan.resolved, quiet=session.quiet)
            with progress(len(list(plan.steps())), quiet=session.quiet) as step:
                outcomes = runner.run(opened, plan.calendar, plan.request, step)
    if output == "table":
        write(running.summary(outcomes), SUMMARY, output) if outcomes else None
    else:
        write(running.records(outcomes), RECORDS, output)
    if error := running.verdict(outcomes, f"nbactl {name} {_typed(dates)}"):
        raise error


def _no_games(plan: running.Plan) -> str:
    known = f"the next slate is {plan.next_slate}" if plan.next_slate else "the schedule knows no later slate"
    return f"no games to compute on {plan.asked}; {known}"


def _typed(dates: DateRange) -> str:
    return f"--date {dates.start}" if dates.days == 1 else f"--start {dates.start} --end {dates.end}"
