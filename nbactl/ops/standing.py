"""What `nbactl status` says: how every table stands, and what to type where it does not stand well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from nbactl.ops.words import age
from processors import explain, graph, inputs, survey
from processors.book import Key
from processors.calendar import Calendar
from processors.declaration import Dated
from processors.gates import Lack
from processors.survey import Standing, State, Survey
from shared.clock import DateRange, today
from shared.errors import NbactlError, Undetermined
from shared.ledger import Status
from shared.warehouse.base import Session

_SHOWN = 2
"""How many things that a table waits for are named to eyes."""


class Next(StrEnum):
    """What to type; in this order, where several commands are needed."""

    LOAD = "nbactl data load DIR"
    RECONCILE = "nbactl reconcile"
    FAILED = "nbactl runs --failed"
    RESULTS = "nbactl backfill"
    SLATES = "nbactl run-precompute"
    RUNNING = "nbactl runs"


@dataclass(frozen=True, slots=True)
class Line:
    """How one table stands for one date, and what to type."""

    standing: Standing
    next: Next | None


@dataclass(frozen=True, slots=True)
class Report:
    """How tables stand.

    Attributes:
        said: the dates in words.
        lines: by date, then in the order of the pipeline.
        unknown: why something cannot be told; None where everything could.
        options: to repeat in every command to type.
    """

    said: str
    lines: Sequence[Line]
    unknown: str | None
    now: datetime
    options: str


def report(session: Session, dates: DateRange | None, now: datetime, options: str = "") -> Report:
    """How every table stands for some dates; without dates, the last results and the next slate.

    Raises:
        PreconditionFailed: the schedule is empty.
    """
    wanted = dates or DateRange(today(now) - timedelta(days=1), today(now))
    seen = survey.take(session, wanted, now)
    if dates:
        results = slates = [dates.start + timedelta(days=one) for one in range(dates.days)]
        said = str(dates)
    else:
        results, slates = _last_night(seen.calendar, now)
        said = f"{_said('results', results)}, {_said('slate', slates)}"
        if results and results[0] < seen.book.dates.start:
            seen = survey.take(session, DateRange(results[0], wanted.end), now)
    known = {day for day in (*results, *slates) if seen.calendar.covers(day)}
    slate = slates[0] if slates else wanted.end
    unknown = seen.calendar.unknown(dates or DateRange(slate, slate))
    standings = _explained(session, seen, _standings(seen, results, slates, known))
    if idle := len({one.date for one in standings if one.state is State.NO_GAMES}):
        said += f", {idle} without games"
    return Report(said, _lines(seen, standings), unknown, now, options)


def _last_night(calendar: Calendar, now: datetime) -> tuple[list[date], list[date]]:
    """The last day with games before today, and the first from today on."""
    before = [day.date for day in calendar.days if day.date < today(now)]
    slate = calendar.next_slate(today(now) - timedelta(days=1))
    return before[-1:], [slate] if slate else []


def _standings(seen: Survey, results: Sequence[date], slates: Sequence[date], known: set[date]) -> list[Standing]:
    pairs = [
        (day, one)
        for one in graph.processors_in_order()
        for day in (results if one.dated is Dated.RESULTS else slates)
        if day in known
    ]
    return [seen.standing(one, day) for day, one in sorted(pairs, key=lambda pair: pair[0])]


def _explained(session: Session, seen: Survey, standings: list[Standing]) -> list[Standing]:
    """With the names of the inputs that changed."""
    stale = [one for one in standings if one.state is State.STALE]
    names = explain.changed_inputs(session, seen, stale)
    return [replace(one, why=names.get((one.processor.name, one.date), one.why)) for one in standings]


def _lines(seen: Survey, standings: Sequence[Standing]) -> list[Line]:
    found: list[Line] = []
    unloaded: set[Key] = set()
    for one in standings:
        line = Line(one, _next(seen, one, unloaded))
        found.append(line)
        if line.next is Next.LOAD:
            unloaded.add((one.processor.output.name, one.date))
    return found


def _next(seen: Survey, standing: Standing, unloaded: set[Key]) -> Next | None:
    """What to type for a table's date.

    Args:
        seen: schedule and ledger.
        standing: of the table.
        unloaded: the table-dates before it that wait for raw rows.
    """
    match standing.state:
        case state if state.well:
            return None
        case State.LOST | State.UNANNOUNCED:
            return Next.RECONCILE
        case State.RUNNING:
            return Next.RUNNING
        case State.FAILED if _would_fail_again(seen, standing):
            return Next.FAILED
        case State.WAITING | State.DEGRADED if _needs_rows(seen, standing, unloaded):
            return Next.LOAD
    return Next.RESULTS if standing.processor.dated is Dated.RESULTS else Next.SLATES


def _would_fail_again(seen: Survey, standing: Standing) -> bool:
    last = standing.last
    if last is None or last.status is not Status.FAILED_PERMANENT:
        return False
    now = (seen.inputs.fingerprint(standing.processor, standing.date), inputs.definition(standing.processor))
    return (last.fingerprint, last.definition) == now


def _needs_rows(seen: Survey, standing: Standing, unloaded: set[Key]) -> bool:
    """Whether no run can help before more raw rows are loaded."""
    games = seen.calendar.day(standing.date)
    if games and standing.processor.dated is Dated.RESULTS and games.final < games.games:
        return True
    missing = seen.gates.missing(standing.processor, standing.date)
    if any((lack.table, lack.date) in unloaded or lack.lack in (Lack.ROWS, Lack.GAMES) for lack in missing):
        return True
    # nothing has changed since, or it would be STALE
    return standing.state is State.DEGRADED and not missing


def records(told: Report) -> Iterator[dict[str, object]]:
    """A row per table and date, for machines."""
    for line in told.lines:
        one = line.standing
        yield {
            "table": one.processor.output.id,
            "processor": one.processor.name,
            "date": one.date,
            "state": str(one.state),
            "rows": one.rows,
            "expected": one.expected,
            "finished_at": one.made.finished_at if one.made else None,
            "trigger": one.made.trigger_source if one.made else None,
            "why": one.why,
            "next": _typed(told, line.next, [one.date]),
        }


def grouped(told: Report) -> Iterator[dict[str, object]]:
    """A row per table and state, with all its dates, for eyes; dates without games only where there are no others."""
    games = any(line.standing.state is not State.NO_GAMES for line in told.lines)
    groups: dict[tuple[int, State, Next | None], list[Standing]] = {}
    order = {one.name: number for number, one in enumerate(graph.processors_in_order())}
    for line in told.lines:
        one = line.standing
        if one.state is not State.NO_GAMES or not games:
            groups.setdefault((order[one.processor.name], one.state, line.next), []).append(one)
    for (_, state, command), same in sorted(groups.items(), key=lambda group: (group[0][0], group[1][0].date)):
        dates = [one.date for one in same]
        expected = [one.expected for one in same if one.expected is not None]
        made = [one.made for one in same if one.made]
        finished = [run.finished_at for run in made if run.finished_at]
        yield {
            "table": same[0].processor.output.name,
            "date": str(dates[0]) if len(dates) == 1 else f"{dates[0]}..{dates[-1]} ({len(dates)})",
            "state": str(state),
            "rows": f"{sum(one.rows for one in same)}/{sum(expected) if len(expected) == len(same) else '?'}",
            "age": age(told.now - min(finished)) if finished else None,
            "trigger": ", ".join(dict.fromkeys(run.trigger_source for run in made)) or None,
            "why": _why(same),
            "next": _typed(told, command, dates),
        }


def verdict(told: Report) -> NbactlError | None:
    """The error that the command ends with, or None where all is well."""
    if told.unknown:
        return Undetermined(
            "cannot tell how every table stands",
            why=told.unknown,
            hint=f"nbactl data load DIR{told.options}, with an nbac_schedule of these dates",
        )
    ill = [line for line in told.lines if not line.standing.state.well]
    if not ill:
        return None
    counts = {state: sum(line.standing.state is state for line in ill) for state in State}
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    dates = {one: [line.standing.date for line in ill if line.next is one] for one in Next}
    commands = [_typed(told, one, days) for one, days in dates.items() if days]
    return NbactlError(
        f"{len(ill)} of {len(told.lines)} table-dates are not well: {said}", hint="\n".join(filter(None, commands))
    )


def _typed(told: Report, command: Next | None, dates: Sequence[date]) -> str | None:
    """A command with the dates that it is for."""
    if command is None:
        return None
    if command in (Next.LOAD, Next.RECONCILE):
        return f"{command}{told.options}"
    first, last = min(dates), max(dates)
    return f"{command} {f'--date {first}' if first == last else f'--start {first} --end {last}'}{told.options}"


def _why(same: Sequence[Standing]) -> str | None:
    """The reasons of some dates of a table that are in one state, in short."""
    reasons = list(dict.fromkeys(_short(one) for one in same if one.why))
    if len(reasons) <= 1:
        return reasons[0] if reasons else None
    more = len(reasons) - 1
    rest = " and later" if same[0].state is State.NOT_DUE else f"; {more} other reason{'s' if more > 1 else ''}"
    return f"{reasons[0]}{rest}"


def _short(standing: Standing) -> str:
    """Its reason, where it waits with fewer names and without its own date."""
    why = standing.why or ""
    if standing.state is not State.WAITING:
        return why
    needs = why.replace(f" {standing.date}", "").split(", ")
    more = len(needs) - _SHOWN
    return ", ".join(needs[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _said(what: str, dates: Sequence[date]) -> str:
    return f"{what} of {dates[0]}" if dates else f"no {what} known"
