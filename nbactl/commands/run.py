"""`nbactl run-analytics` and `nbactl run-precompute`: compute tables for dates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict, Unpack

import click

from nbactl.commands.announcing import publish_owed
from nbactl.ops import running, words
from nbactl.option import option
from nbactl.params import announce_option, dates_option, dry_run_option, output_option, processor_option
from nbactl.render import messages
from nbactl.render.progress import progress
from nbactl.render.tables import Column, write
from nbactl.session import Session
from processors import planner, runner
from processors.planner import Plan
from processors.request import Trigger
from shared.clock import DateRange
from shared.warehouse.base import Session as Opened

STEPS = (
    Column("processor"),
    Column("table"),
    Column("dates"),
    Column("first"),
    Column("last"),
    Column("owed"),
    Column("why"),
)
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
            "games",
            "absent_games",
            "quality",
            "production_ready",
            "issues",
            "reason_code",
            "reason",
            "run_id",
            "seconds",
        ),
    )
)


class Options(TypedDict):
    """What the options said."""

    dates: DateRange
    processors: tuple[str, ...]
    allow_incomplete: bool
    announce: bool
    dry_run: bool
    output: str


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """The options that both commands have."""
    for add_option in (
        output_option,
        dry_run_option,
        announce_option,
        option(
            "--allow-incomplete",
            is_flag=True,
            help="Run even where a required input is not complete, and say so.",
        ),
        processor_option,
        dates_option(),
    ):
        function = add_option(function)
    return function


@click.command()
@_options
@click.pass_obj
def analytics(session: Session, **asked: Unpack[Options]) -> None:
    """Compute Phase 3: results of the games on the dates, and the context of the next slate.

    Example: nbactl run-analytics --date yesterday
    """
    _run(session, "run-analytics", planner.analytics, asked)


@click.command()
@_options
@click.pass_obj
def precompute(session: Session, **asked: Unpack[Options]) -> None:
    """Compute everything needed for the games ON the dates, from games before them.

    Results that were never computed come first, then the slate's contexts, then Phase 4.

    Example: nbactl run-precompute --date today
    """
    _run(session, "run-precompute", planner.precompute, asked)


@click.command()
@dates_option()
@option(
    "--phase",
    type=click.Choice(["3", "4", "all"]),
    default="all",
    show_default=True,
    help="3 computes results and contexts, 4 what builds on them.",
)
@processor_option
@option("--force", metavar="REASON", help="Compute even what has not changed; the reason is recorded.")
@announce_option
@dry_run_option
@output_option
@click.pass_obj
def backfill(  # noqa: PLR0913 -- one parameter per option
    session: Session,
    *,
    dates: DateRange,
    phase: str,
    processors: tuple[str, ...],
    force: str | None,
    announce: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Compute every table for the dates: what is missing, and what has changed since.

    One statement per table for the whole range, in dependency order; every date is checked and recorded for itself.
    It may be interrupted and repeated: the second run does what is left.

    Example: nbactl backfill --start 2024-10-22 --end 2025-04-13
    """
    phases = [3, 4] if phase == "all" else [int(phase)]

    def planned(opened: Opened) -> Plan:
        wanted = planner.Asked(dates, processors, Trigger("backfill"), force=force, announce=announce)
        return planner.backfill(opened, wanted, phases)

    chosen = ("" if phase == "all" else f" --phase {phase}") + _again(session, processors)
    command = f"nbactl backfill {_typed(dates)}{chosen}"
    carry_out(session, planned, command, dry_run=dry_run, output=output, say_plan=True)


def _run(session: Session, name: str, make_plan: Callable[[Opened, planner.Asked], Plan], asked: Options) -> None:
    def planned(opened: Opened) -> Plan:
        wanted = planner.Asked(
            asked["dates"],
            asked["processors"],
            allow_incomplete=asked["allow_incomplete"],
            announce=asked["announce"],
        )
        return make_plan(opened, wanted)

    command = f"nbactl {name} {_typed(asked['dates'])}{_again(session, asked['processors'])}"
    carry_out(session, planned, command, dry_run=asked["dry_run"], output=asked["output"])


def _again(session: Session, processors: tuple[str, ...]) -> str:
    """What was typed beside the dates, to type it again."""
    return "".join(f" --processor {name}" for name in processors) + words.options(session.warehouse)


def carry_out(  # noqa: PLR0913 -- by name
    session: Session,
    make_plan: Callable[[Opened], Plan],
    command: str,
    *,
    dry_run: bool,
    output: str,
    say_plan: bool = False,
) -> None:
    """Plan, say so, run with progress, and print what came of it.

    Args:
        session: of the command line.
        make_plan: gives the plan, from an open warehouse.
        command: what to type to do it again.
        dry_run: print the plan and change nothing.
        output: how to print the result.
        say_plan: name each table's dates and why they are owed before computing them.
    """
    warehouse = session.connect()
    opening = warehouse.reading() if dry_run else warehouse.writing(runner.all_tables(), must_exist=True)
    with opening as opened:
        plan = make_plan(opened)
        _check_dates(session, plan, output)
        if plan.request.is_empty:
            messages.note(running.no_games(plan), quiet=session.quiet)
        elif dry_run:
            messages.note(
                f"would compute {running.resolved(plan)}: {running.estimate(opened, plan)}", quiet=session.quiet
            )
            write(running.steps(plan), STEPS, output)
            return
        else:
            messages.note(running.resolved(plan), quiet=session.quiet)
            for line in running.plan_lines(opened, plan) if say_plan and not session.quiet else ():
                messages.note(line)
        if plan.request.announce:
            session.target()  # before anything is written, because there may be none
        with progress(plan.request.size, quiet=session.quiet or plan.request.is_empty) as step:
            outcomes = runner.run(opened, plan.survey, plan.request, step)
    unsaid = publish_owed(session, warehouse, plan.request.table_dates) if plan.request.announce else None
    if output != "table":
        write(running.records(outcomes), RECORDS, output)
    elif outcomes:
        write(running.summary(outcomes), SUMMARY, "table")
    early, lacking = running.not_due(plan, outcomes), running.short(plan, outcomes)
    if early:
        messages.note(running.not_due_line(early), quiet=session.quiet)
    error = running.verdict(outcomes, command, early=early, lacking=lacking) or unsaid
    for line in running.short_lines(lacking, error.why if error else None):
        messages.warn(line)
    if error:
        raise error


def _check_dates(session: Session, plan: Plan, output: str) -> None:
    """Say which of a plan's dates the schedule does not reach.

    Raises:
        Undetermined: it reaches none of them.
    """
    if error := running.unknown(plan, words.options(session.warehouse)):
        if output != "table":
            write((), RECORDS, output)
        raise error
    if why := plan.survey.calendar.unknown(plan.asked):
        messages.note(f"left out: {why}", quiet=session.quiet)


def _typed(dates: DateRange) -> str:
    return f"--date {dates.start}" if dates.days == 1 else f"--start {dates.start} --end {dates.end}"
