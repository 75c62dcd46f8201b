"""`nbactl run-analytics` and `nbactl run-precompute`: compute tables for dates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict, Unpack

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
    Column("rows"),
    Column("expected"),
    Column("quality", "high/medium/low"),
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


class Asked(TypedDict):
    """What the options said."""

    dates: DateRange
    processors: tuple[str, ...]
    allow_incomplete: bool
    dry_run: bool
    output: str


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """The options that both commands have."""
    for option in (
        output_option,
        dry_run_option,
        click.option(
            "--allow-incomplete",
            is_flag=True,
            help="Run even where a required input is not complete, and say so.",
        ),
        processor_option,
        dates_option(),
    ):
        function = option(function)
    return function


@click.command()
@_options
@click.pass_obj
def analytics(session: Session, **asked: Unpack[Asked]) -> None:
    """Compute Phase 3: results of the games on the dates, and the context of the next slate.

    Example: nbactl run-analytics --date yesterday
    """
    _run(session, "run-analytics", running.plan_analytics, asked)


@click.command()
@_options
@click.pass_obj
def precompute(session: Session, **asked: Unpack[Asked]) -> None:
    """Compute everything needed for the games ON the dates, from games before them.

    Results that were never computed come first, then the slate's contexts, then Phase 4.

    Example: nbactl run-precompute --date today
    """
    _run(session, "run-precompute", running.plan_precompute, asked)


def _run(session: Session, name: str, make_plan: Callable[..., running.Plan], asked: Asked) -> None:
    warehouse = connect(session.settings.warehouse)
    opening = warehouse.reading() if asked["dry_run"] else warehouse.writing(runner.all_tables(), must_exist=True)
    with opening as opened:
        plan = make_plan(opened, asked["dates"], asked["processors"], allow_incomplete=asked["allow_incomplete"])
        if asked["dry_run"] and not plan.is_empty:
            messages.note(f"would compute {plan.resolved}", quiet=session.quiet)
            write(plan.steps(), STEPS, asked["output"])
            return
        messages.note(_no_games(plan) if plan.is_empty else plan.resolved, quiet=session.quiet)
        with progress(len(list(plan.steps())), quiet=session.quiet or plan.is_empty) as step:
            outcomes = runner.run(opened, plan.calendar, plan.request, step)
    if asked["output"] != "table":
        write(running.records(outcomes), RECORDS, asked["output"])
    elif outcomes:
        write(running.summary(outcomes), SUMMARY, "table")
    if error := running.verdict(outcomes, f"nbactl {name} {_typed(asked['dates'])}"):
        raise error


def _no_games(plan: running.Plan) -> str:
    known = f"the next slate is {plan.next_slate}" if plan.next_slate else "the schedule knows no later slate"
    return f"no games to compute on {plan.asked}; {known}"


def _typed(dates: DateRange) -> str:
    return f"--date {dates.start}" if dates.days == 1 else f"--start {dates.start} --end {dates.end}"
