"""The proof that a slate knows nothing of its own day: change what happens from that day on, and nothing changes.

The slate is computed three times on copies of the warehouse: as it is; with everything that its day and later days
brought removed; and with those rows kept, but their values moved among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from processors import graph, runner, survey
from processors.declaration import Dated, Processor
from processors.request import Request, Trigger
from shared.clock import DateRange
from shared.errors import NotFound, PreconditionFailed, Undetermined
from shared.tables.model import STAMPS, Table
from shared.tables.raw import (
    FALLBACK_BOX,
    GAME_LINES,
    INJURY_REPORT,
    PLAY_BY_PLAY,
    PLAYER_BOX,
    POINTS_PROPS,
    SCHEDULE,
    TEAM_BOX,
)
from shared.warehouse.base import Session, Warehouse

Cells = dict[tuple[str, tuple[Any, ...]], Mapping[str, Any]]
"""Rows by table and key."""

_AFTER_CUTOFF = """game_date >= @slate AND game_id IN (
  SELECT s.game_id
  FROM nba_raw.nbac_schedule AS s
  WHERE {moment} > COALESCE(s.game_start_time, TIMESTAMP(DATE_ADD(s.game_date, INTERVAL 1 DAY), 'America/New_York'))
    AND s.game_id = {table}.game_id
)"""
_REPORT_MOMENT = "TIMESTAMP(DATETIME(report_date, TIME(report_hour, 0, 0)), 'America/New_York')"


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell of the slate that depends on what came after.

    Attributes:
        change: `removed` or `shuffled`.
        table: bare name.
        key: of the row.
        column: None where the whole row is there on one side only.
    """

    change: str
    table: str
    key: tuple[Any, ...]
    column: str | None
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared, and what differs.

    Attributes:
        rows: rows of the slate's tables.
        cells: their values.
        differences: empty where the slate knows nothing of its day.
    """

    slate: date
    tables: int
    rows: int
    cells: int
    differences: tuple[Difference, ...]


def prove(warehouse: Warehouse, slate: date, as_of: datetime, watch: runner.Watch) -> Proof:
    """Compute a slate with and without its future.

    Raises:
        NotFound: there is no slate on the date.
        PreconditionFailed: the slate cannot be computed in the first place.
    """
    with warehouse.copied() as copy:
        watch("as it is", 0)
        before = _compute(copy, slate, as_of)
        watch("as it is", 1)
        differences: list[Difference] = []
        for change, alter in (("removed", _remove), ("shuffled", _shuffle)):
            watch(f"what came after, {change}", 0)
            with copy.copied() as altered:
                with altered.writing(runner.all_tables()) as session:
                    alter(session, slate)
                differences += _differences(change, before, _compute(altered, slate, as_of))
            watch(f"what came after, {change}", 1)
    cells = sum(len(row) for row in before.values())
    return Proof(slate, len(_slate_processors()), len(before), cells, tuple(differences))


def _slate_processors() -> tuple[Processor, ...]:
    return tuple(one for one in graph.processors_in_order() if one.dated is Dated.SLATE)


def _compute(warehouse: Warehouse, slate: date, as_of: datetime) -> Cells:
    """The slate's rows in every table, computed now, without stamps."""
    with warehouse.writing(runner.all_tables()) as session:
        seen = survey.take(session, DateRange(slate, slate))
        if why := seen.calendar.unknown(DateRange(slate, slate)):
            raise Undetermined(f"cannot tell if there are games on {slate}", why=why)
        if not seen.calendar.day(slate):
            following = seen.calendar.next_slate(slate)
            raise NotFound(
                f"there are no games on {slate}", hint=f"the next slate is {following}" if following else None
            )
        work = tuple((one, (slate,)) for one in _slate_processors())
        request = Request(work, Trigger("verify"), as_of, force="with and without its future")
        for outcome in runner.run(session, seen, request, lambda _what, _done: None):
            if not outcome.status.wrote:
                raise PreconditionFailed(
                    f"{outcome.processor.output.name} of {slate} cannot be computed: {outcome.status}",
                    why=outcome.reason,
                    hint=f"nbactl run-precompute --date {slate}",
                )
        return dict(_rows(session, slate))


def _rows(session: Session, slate: date) -> Iterator[tuple[tuple[str, tuple[Any, ...]], Mapping[str, Any]]]:
    stamps = {column.name for column in STAMPS}
    for processor in _slate_processors():
        table = processor.output
        columns = ", ".join(name for name in table.column_names if name not in stamps)
        text = f"SELECT {columns} FROM {table.id} WHERE {table.date_column} = @slate"
        for row in session.query(text, {"slate": slate}).records():
            yield (table.name, tuple(row[name] for name in table.key)), row


def _later() -> Iterator[tuple[Table, str]]:
    """Rows that a slate must not know: what the games of its day and later ones brought, and late lines."""
    results = (one.output for one in graph.processors_in_order() if one.dated is Dated.RESULTS)
    for table in (PLAYER_BOX, FALLBACK_BOX, TEAM_BOX, PLAY_BY_PLAY, *results):
        yield table, "game_date >= @slate"
    for table, moment in (
        (POINTS_PROPS, "snapshot_timestamp"),
        (GAME_LINES, "snapshot_timestamp"),
        (INJURY_REPORT, _REPORT_MOMENT),
    ):
        yield table, _AFTER_CUTOFF.format(moment=moment, table=table.name)


def _remove(session: Session, slate: date) -> None:
    for table, condition in _later():
        session.execute(f"DELETE FROM {table.id} WHERE {condition}", {"slate": slate})
    session.execute(
        f"""UPDATE {SCHEDULE.id}
SET game_status = IF(game_status = 4, 4, 1), home_team_score = NULL, away_team_score = NULL
WHERE game_date >= @slate""",
        {"slate": slate},
    )


def _shuffle(session: Session, slate: date) -> None:
    for table, condition in _later():
        kept = {*table.key, table.date_column}
        _rotate(session, slate, table, condition, [name for name in table.column_names if name not in kept])
    _rotate(
        session,
        slate,
        SCHEDULE,
        "game_date >= @slate AND game_status != 4",
        ["game_status", "home_team_score", "away_team_score"],
    )


def _rotate(session: Session, slate: date, table: Table, condition: str, moved: list[str]) -> None:
    """Give every row the moved values of another one, a third of the rows further on."""
    columns = ", ".join(f"b.{name}" if name in moved else f"a.{name}" for name in table.column_names)
    key = ", ".join(table.key)
    session.stage(
        f"""WITH numbered AS (
  SELECT *, ROW_NUMBER() OVER (ORDER BY {key}) - 1 AS row_index, COUNT(*) OVER () AS row_count
  FROM {table.id}
  WHERE {condition}
)
SELECT {columns}
FROM numbered AS a
INNER JOIN numbered AS b ON b.row_index = MOD(a.row_index + DIV(a.row_count, 3) + 1, a.row_count)""",
        {"slate": slate},
    )
    session.execute(f"DELETE FROM {table.id} WHERE {condition}", {"slate": slate})
    names = ", ".join(table.column_names)
    session.execute(f"INSERT INTO {table.id} ({names}) SELECT {names} FROM stage", {})


def _differences(change: str, before: Cells, after: Cells) -> Iterator[Difference]:
    for table, key in sorted({*before, *after}, key=str):
        old, new = before.get((table, key)), after.get((table, key))
        if old is None or new is None:
            here, there = ("a row", None) if new is None else (None, "a row")
            yield Difference(change, table, key, None, here, there)
            continue
        for column, value in old.items():
            if value != new[column]:
                yield Difference(change, table, key, column, value, new[column])
