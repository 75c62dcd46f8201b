"""What plans and outcomes say to the operator."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter

from processors.planner import Plan
from processors.request import Outcome
from shared.errors import NbactlError, PartlyFailed, PreconditionFailed, Undetermined
from shared.ledger import Status
from shared.warehouse.base import Session

_SHOWN = 3
"""How many reasons a plan names for one table."""
_LINES = 10
"""How many table-dates that lack rows are named."""


def steps(plan: Plan) -> Iterator[dict[str, object]]:
    """A row per processor: its dates, how many are owed, and why."""
    for step in plan.steps():
        yield {
            "processor": step.processor.name,
            "table": step.processor.output.id,
            **_ends(step.dates),
            "owed": len(step.owed),
            "why": _reasons(step.owed),
        }


def plan_lines(session: Session, plan: Plan) -> Iterator[str]:
    """The plan in words: how much is owed, and why."""
    yield estimate(session, plan)
    for step in plan.steps():
        if step.owed:
            reasons = _reasons(step.owed)
            yield f"  {step.processor.output.name}: {len(step.owed)} of {len(step.dates)} dates: {reasons}"


def estimate(session: Session, plan: Plan) -> str:
    """How much is owed, and about how long it will take."""
    from processors import history

    owed = [(step.processor, tuple(sorted(step.owed))) for step in plan.steps()]
    total = sum(len(dates) for _, dates in owed)
    seconds = history.pace(session).seconds(owed)
    return f"{total} of {plan.request.size} table-dates are owed" + (f", about {seconds:.1f} s" if total else "")


def resolved(plan: Plan) -> str:
    """The dates in words."""
    if not plan.results:
        return _slates_said(plan.slates)
    return f"results of {_said(plan.results)} -> {_slates_said(plan.slates)}"


def unknown(plan: Plan, options: str = "") -> Undetermined | None:
    """The error for dates of which the schedule does not tell if there are games; None where it knows of games there.

    Args:
        plan: with the dates.
        options: to repeat in a command to type.
    """
    calendar = plan.survey.calendar
    why = calendar.unknown(plan.asked)
    if why is None or calendar.slates(plan.asked):
        return None
    return Undetermined(
        f"cannot tell if there are games on {plan.asked}",
        why=why,
        hint=f"nbactl data load DIR{options}, with an nbac_schedule of these dates",
    )


def no_games(plan: Plan) -> str:
    """Why a plan is empty, in words."""
    calendar = plan.survey.calendar
    games = [day.games for slate in calendar.slates(plan.asked) if (day := calendar.day(slate))]
    if games:
        return f"nothing to compute on {plan.asked}: none of its {sum(games)} games is final"
    known = f"the next slate is {plan.next_slate}" if plan.next_slate else "the schedule knows no later slate"
    return f"no games to compute on {plan.asked}; {known}"


def not_due(plan: Plan, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Outcomes of a range that wait, and that nobody can expect yet; none where nothing else of the range is there.

    So a range may reach into the future: what can be done is done, the rest is named.
    """
    survey = plan.survey
    waiting = [one for one in outcomes if one.status is Status.NOT_READY]
    early = [one for one in waiting if survey.now < survey.due(one.processor, one.date)]
    return early if plan.asked.days > 1 and len(outcomes) > len(waiting) else []


def not_due_line(early: Sequence[Outcome]) -> str:
    """What is not due, in words."""
    days = sorted({one.date for one in early})
    return f"not due yet: {len(early)} table-dates of {_span(days)} wait for games that are to be played"


def summary(outcomes: Sequence[Outcome]) -> Iterator[dict[str, object]]:
    """A row per processor and status: its dates together."""
    sorted_by_status = sorted(outcomes, key=attrgetter("processor.level", "processor.short", "status"))
    for (processor, status), group in groupby(sorted_by_status, attrgetter("processor", "status")):
        ones = list(group)
        high, medium, low = (sum(tier) for tier in zip(*(one.tiers for one in ones), strict=True))
        yield {
            "processor": processor.name,
            "status": str(status),
            "dates": _span([one.date for one in ones]),
            "rows": sum(one.rows for one in ones),
            "expected": sum(one.expected for one in ones),
            "quality": f"{high}/{medium}/{low}",
            # the dates of one statement share its seconds
            "seconds": sum({one.seconds for one in ones}),
        }


def records(outcomes: Sequence[Outcome]) -> Iterator[dict[str, object]]:
    """A row per processor and date, for machines."""
    for one in outcomes:
        high, medium, low = one.tiers
        yield {
            "processor": one.processor.name,
            "table": one.processor.output.id,
            "date": one.date,
            "status": str(one.status),
            "rows": one.rows,
            "expected": one.expected,
            "missing": list(one.missing),
            "games": one.games,
            "absent_games": [{"game_id": game.game_id, "team": game.team} for game in one.absent_games],
            "quality": {"high": high, "medium": medium, "low": low},
            "production_ready": one.ready,
            "issues": dict(one.issues),
            "reason_code": one.reason_code,
            "reason": one.reason,
            "run_id": one.run_id,
            "seconds": one.seconds,
        }


def short(plan: Plan, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Outcomes that lack rows; none where incomplete inputs were allowed, for then that was to be expected."""
    allowed = plan.request.allow_incomplete
    written = [one for one in outcomes if one.status in (Status.DEGRADED, Status.SKIPPED_UNCHANGED)]
    return [one for one in written if one.rows < one.expected and not allowed]


def short_lines(lacking: Sequence[Outcome], told: str | None) -> Iterator[str]:
    """A line for each of the first table-dates that lack rows, but for one whose reason was told."""
    untold = [one for one in lacking if one.reason != told]
    for one in untold[:_LINES]:
        yield f"{one.processor.output.name} {one.date}: {one.reason}"
    if len(untold) > _LINES:
        yield f"{len(untold) - _LINES} table-dates more lack rows"


def verdict(
    outcomes: Sequence[Outcome],
    command: str,
    *,
    early: Collection[Outcome] = (),
    lacking: Sequence[Outcome] = (),
) -> NbactlError | None:
    """The error that a command ends with, or None where all went well.

    A run that wrote some dates and not others, or not all rows of a date, is partly failed.

    Args:
        outcomes: of all that was asked for.
        command: what to type to do it again.
        early: those that wait and are not due, and so are no failure.
        lacking: those that lack rows.
    """
    failed = [one for one in outcomes if one.status.failed]
    waiting = [one for one in outcomes if one.status is Status.NOT_READY and one not in early]
    if not (failed or waiting):
        return _lack(lacking, command) if lacking else None
    first = (failed or waiting)[0]
    wrote = any(one.status.wrote for one in outcomes)
    kind = PartlyFailed if wrote else (NbactlError if failed else PreconditionFailed)
    what = f"{first.processor.name} {first.date}: {str(first.status).lower().replace('_', ' ')}"
    more = len(failed) + len(waiting) - 1
    return kind(
        what + (f", and {more} more" if more else ""),
        why=first.reason,
        hint=_hint(first, command),
    )


def _lack(lacking: Sequence[Outcome], command: str) -> PartlyFailed:
    first, more = lacking[0], len(lacking) - 1
    games = len(first.absent_games)
    rows = f"{first.expected - first.rows} of {first.expected} rows missing"
    what = f"{games} of {first.games} games lack{'s' if games == 1 else ''} rows" if games else rows
    return PartlyFailed(
        f"{first.processor.name} {first.date}: {what}" + (f", and {more} more table-dates" if more else ""),
        why=first.reason,
        hint=f"nbactl data load DIR with what is missing, then {command}",
    )


def _hint(outcome: Outcome, command: str) -> str:
    if outcome.error_type:
        return f"nbactl runs --failed says more; then {command}"
    if outcome.status.failed:
        return f"mend the raw rows, nbactl data load them again, then {command}"
    if command.startswith("nbactl run-"):
        return f"load what is missing, or {command} --allow-incomplete to run on what is there"
    return f"nbactl status --date {outcome.date} says for each table what to type"


def _reasons(owed: Mapping[date, str]) -> str:
    """Why dates are owed: each reason with its count, or its date where it is the only one."""
    reasons: dict[str, list[date]] = {}
    for day, why in owed.items():
        reasons.setdefault(why, []).append(day)
    return "; ".join(f"{why} ({_span(days)})" for why, days in list(reasons.items())[:_SHOWN]) + (
        f"; {len(reasons) - _SHOWN} other reasons" if len(reasons) > _SHOWN else ""
    )


def _span(dates: Sequence[date]) -> str:
    return str(dates[0]) if len(dates) == 1 else f"{min(dates)}..{max(dates)} ({len(dates)})"


def _ends(dates: Sequence[date]) -> dict[str, object]:
    return {"dates": len(dates), "first": min(dates), "last": max(dates)}


def _said(dates: Sequence[date]) -> str:
    if len(dates) <= 1:
        return str(dates[0]) if dates else "no date"
    return f"{dates[0]} to {dates[-1]} ({len(dates)} dates)"


def _slates_said(dates: Sequence[date]) -> str:
    return f"slate{'s' if len(dates) > 1 else ''} {_said(dates)}" if dates else "no slate known yet"
