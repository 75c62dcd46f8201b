"""Nights taken out of a warehouse, to be lived through once more: their raw rows, and the warehouse before them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from processors import calendar as calendars
from processors import graph, planner, runner, survey
from processors.declaration import Dated
from processors.planner import Asked, Plan
from shared import versions
from shared.clock import DateRange
from shared.errors import PreconditionFailed
from shared.ledger import DELIVERIES, PROCESSOR_RUNS
from shared.tables.model import Table
from shared.tables.raw import FALLBACK_BOX, PLAY_BY_PLAY, PLAYER_BOX, RAW_TABLES, SCHEDULE, TEAM_BOX
from shared.warehouse.base import Session

_AFTER_THE_GAMES = (TEAM_BOX, PLAYER_BOX, FALLBACK_BOX, PLAY_BY_PLAY)
_BEFORE_THE_GAMES = tuple(table for table in RAW_TABLES if table not in (*_AFTER_THE_GAMES, SCHEDULE))


@dataclass(frozen=True, slots=True)
class Night:
    """What comes in after the games of a day: their results, and what is said of the next slate."""

    day: date
    slate: date


def latest(session: Session, count: int) -> list[Night]:
    """The last nights whose games are all over and that a slate follows.

    Raises:
        PreconditionFailed: there are not so many.
    """
    (size,) = session.sizes([SCHEDULE])
    if size.first is None or size.last is None:
        raise PreconditionFailed("the schedule is empty", hint="nbactl data sample")
    calendar = calendars.read(session, DateRange(size.first, size.last))
    over = [day.date for day in calendar.days if day.final == day.games]
    nights = [Night(day, slate) for day in over if (slate := calendar.next_slate(day))]
    if len(nights) <= count:
        raise PreconditionFailed(
            f"there are {len(nights)} nights, and {count} with one before them are wanted",
            hint="nbactl data sample --weeks N makes more",
        )
    return nights[-count:]


def rows(session: Session, night: Night) -> Iterator[tuple[Table, list[dict[str, object]]]]:
    """The raw rows that a night brings, by table; tables without any are left out."""
    spans = [
        *((table, night.day, night.day) for table in (SCHEDULE, *_AFTER_THE_GAMES)),
        *((table, night.day + timedelta(days=1), night.slate) for table in _BEFORE_THE_GAMES),
    ]
    for table, start, end in spans:
        text = f"SELECT {', '.join(table.column_names)} FROM {table.id} WHERE {_between(table)}"
        if found := session.query(text, {"start_date": start, "end_date": end}).records():
            yield table, found


def take_back(session: Session, nights: Sequence[Night]) -> None:
    """Make a warehouse what it was before the first of some nights, with the slate of that day computed."""
    first, last = nights[0].day, max(night.slate for night in nights)
    until = {"start_date": first, "end_date": last}
    for table in _AFTER_THE_GAMES:
        session.execute(f"DELETE FROM {table.id} WHERE {_between(table)}", until)
    for table in _BEFORE_THE_GAMES:
        session.execute(
            f"DELETE FROM {table.id} WHERE {_between(table)}", until | {"start_date": first + timedelta(days=1)}
        )
    session.execute(
        f"UPDATE {SCHEDULE.id} SET game_status = 1, home_team_score = NULL, away_team_score = NULL"
        f" WHERE {_between(SCHEDULE)} AND game_status = 3",
        until,
    )
    for processor in graph.processors_in_order():
        table = processor.output
        session.execute(f"DELETE FROM {table.id} WHERE {table.date_column} >= @start_date", until)
    session.execute(f"DELETE FROM {PROCESSOR_RUNS.id} WHERE game_date >= @start_date", until)
    session.execute(f"DELETE FROM {DELIVERIES.id} WHERE received_at IS NOT NULL", {})
    versions.renew_all(session)
    _run(session, planner.precompute(session, Asked(DateRange(first, first))))


def live_quietly(session: Session, night: Night) -> None:
    """Compute all that a night brings, in order and undisturbed."""
    results, slate = (DateRange(day, day) for day in (night.day, night.slate))
    _run(session, planner.analytics(session, Asked(results)))
    # planned only now: what it builds upon must be there
    _run(session, planner.backfill(session, Asked(slate), [4]))


def _run(session: Session, plan: Plan) -> None:
    runner.run(session, plan.survey, plan.request, lambda _what, _done: None)


def differing(one: Session, other: Session, dates: DateRange) -> list[tuple[str, date]]:
    """The computed table-dates whose rows are not the same, cell for cell, in two warehouses."""
    window = {"start_date": dates.start, "end_date": dates.end}
    found = []
    for processor in graph.processors_in_order():
        sides = [session.digests(processor.output.content, window) for session in (one, other)]
        days = sorted({*sides[0], *sides[1]})
        found += [(processor.output.name, day) for day in days if sides[0].get(day) != sides[1].get(day)]
    return found


def unwell(session: Session, night: Night) -> list[str]:
    """What of a night is not as it should be in the end, table-date by table-date."""
    seen = survey.take(session, DateRange(night.day, night.slate))
    standings = [
        seen.standing(one, night.day if one.dated is Dated.RESULTS else night.slate)
        for one in graph.processors_in_order()
    ]
    return [
        f"{one.processor.output.name} {one.date}: {one.state}" + (f", {one.why}" if one.why else "")
        for one in standings
        if not one.state.well
    ]


def _between(table: Table) -> str:
    return f"{table.date_column} BETWEEN @start_date AND @end_date"
