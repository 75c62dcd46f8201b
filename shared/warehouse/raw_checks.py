"""What can be wrong with raw rows: types, missing values, rules of one table, and rules between tables.

Works on the temporary tables that `raw_files` makes: `raw_rows` as read, `cast_rows` as declared, and
`staged_<table>` for each table that has passed. Errors keep a folder from being loaded; oddities are reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import duckdb

from shared.errors import Finding
from shared.tables.model import Column, Table
from shared.tables.raw import PLAY_BY_PLAY, SCHEDULE, TEAM_BOX
from shared.warehouse.duckdb_types import duckdb_type

_SHOWN = 100
"""Characters of a value that are enough to look for it."""


def check_values(connection: duckdb.DuckDBPyConnection, table: Table, present: set[str]) -> Iterator[Finding]:
    """Values of `raw_rows` that are not of their declared type, or missing where they must not be."""
    columns = [column for column in table.columns if column.name in present]
    faults = ", ".join(f"count_if({_misfit(column)}), count_if({_missing(column)})" for column in columns)
    numbers = one_row(connection, f"SELECT {faults} FROM raw_rows")
    for column, misfits, missing in zip(columns, numbers[::2], numbers[1::2], strict=True):
        if misfits:
            problem = f"{misfits} of its values are no {column.type}"
            yield Finding(table.name, problem, column.name, _example(connection, column, _misfit(column)))
        if missing:
            problem = f"{missing} rows have no value, and every row must"
            yield Finding(table.name, problem, column.name, _example(connection, column, _missing(column)))


def check_rows(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[Finding]:
    """Rows of `cast_rows` that break a rule of their table, and keys that stand twice in one load."""
    yield from broken_rules(connection, table, table.accepts)
    key = ", ".join(table.key)
    shown = ", ".join(f"left({name}::VARCHAR, {_SHOWN})" for name in table.key)
    doubled = connection.execute(
        f"SELECT concat_ws(', ', {shown}), count(*) OVER (),"
        f" min(_file), min(_row), max(_row) FROM cast_rows"
        f" WHERE {' AND '.join(f'{name} IS NOT NULL' for name in table.key)}"
        f" GROUP BY {key}, processed_at HAVING count(*) > 1 ORDER BY 4 LIMIT 1"
    ).fetchall()
    for example, count, file, first, last in doubled:
        where = f"{example} in {file}, rows {first} and {last}"
        yield Finding(table.name, f"{count} keys stand twice with one processed_at; keep the right row", key, where)


def broken_rules(
    connection: duckdb.DuckDBPyConnection, table: Table, rules: Iterable[tuple[str, str]]
) -> Iterator[Finding]:
    """Rows of `cast_rows` that break some rules, a finding per rule."""
    for problem, rule in rules:
        breaks = f"NOT coalesce({rule}, true)"
        count, file, row = one_row(
            connection, f"SELECT count(*), min_by(_file, _row), min(_row) FROM cast_rows WHERE {breaks}"
        )
        if count:
            yield Finding(table.name, f"{count} rows: {problem}", example=f"{file}, row {row}")


def reversed_games(connection: duckdb.DuckDBPyConnection, tables: Collection[Table]) -> Iterator[Finding]:
    """Games that the schedule knows with home and away the other way round."""
    for table in tables:
        count, example = one_row(
            connection,
            f"SELECT count(DISTINCT game_id), min(game_id) FROM staged_{table.name} WHERE game_id NOT IN ({_GAMES}) AND"
            f" substr(game_id, 1, 9) || substr(game_id, 14, 3) || '_' || substr(game_id, 10, 3) IN ({_GAMES})",
        )
        if count:
            problem = f"{count} games have home and away the other way round than the schedule"
            yield Finding(table.name, f"{problem}; game_id is YYYYMMDD_AWAY_HOME", "game_id", example)


def oddities(connection: duckdb.DuckDBPyConnection, tables: Collection[Table]) -> Iterator[Finding]:
    """What does not fit together between tables; a game that is odd is computed as far as it can be."""
    for table in tables:
        count, example = one_row(
            connection,
            f"SELECT count(DISTINCT game_id), min(game_id) FROM staged_{table.name} WHERE game_id NOT IN ({_GAMES})",
        )
        if count:
            yield Finding(
                table.name, f"{count} games are not in the schedule and will not be computed", "game_id", example
            )
    if TEAM_BOX in tables:
        count, example = one_row(connection, _LONELY_BOXES)
        if count:
            yield Finding(TEAM_BOX.name, f"{count} games have the box of one team only", "game_id", example)
    if TEAM_BOX in tables and PLAY_BY_PLAY in tables:
        count, example = one_row(connection, _UNUSABLE_PLAYS)
        if count:
            problem = f"{count} games disagree with the team box; their zones and possessions will come from the box"
            yield Finding(PLAY_BY_PLAY.name, problem, "game_id", example)


_GAMES = f"SELECT game_id FROM {SCHEDULE.id}"
_LONELY_BOXES = """
SELECT count(*), min(game_id)
FROM (SELECT game_id FROM staged_nbac_team_boxscore GROUP BY game_id HAVING count(DISTINCT team_abbr) != 2)
"""
_UNUSABLE_PLAYS = """
SELECT count(DISTINCT b.game_id), min(b.game_id)
FROM staged_nbac_team_boxscore AS b
JOIN (
  SELECT game_id, team_abbr, count(*) AS attempts, count_if(shot_made) AS makes
  FROM staged_nbac_play_by_play
  WHERE event_type IN ('2pt', '3pt')
  GROUP BY ALL
) AS e USING (game_id, team_abbr)
WHERE e.makes != b.fg_made OR abs(e.attempts - b.fg_attempted) > 3
"""


def value(column: Column) -> str:
    """The value as declared; an empty text is no value, as CSV cannot tell them apart."""
    name, text = f'"{column.name}"', _text(column)
    if column.type == "STRING":
        return text
    if column.type.startswith("ARRAY"):
        return f"TRY_CAST({name} AS {duckdb_type(column.type)})"
    if column.type == "INT64":
        # a file that holds 3.7 where a count belongs is wrong, and rounding would hide it
        return f"CASE WHEN regexp_matches({text}, '^[-+]?[0-9]+(\\.0*)?$') THEN TRY_CAST({name} AS BIGINT) END"
    return f"TRY_CAST({text} AS {duckdb_type(column.type)})"


def _text(column: Column) -> str:
    return f"nullif(\"{column.name}\"::VARCHAR, '')"


def _misfit(column: Column) -> str:
    infinite = f" OR NOT isfinite({value(column)})" if column.type == "FLOAT64" else ""
    return f"{_text(column)} IS NOT NULL AND ({value(column)} IS NULL{infinite})"


def _missing(column: Column) -> str:
    return f"{_text(column)} IS NULL" if column.mode == "REQUIRED" else "false"


def _example(connection: duckdb.DuckDBPyConnection, column: Column, condition: str) -> str:
    value, file, row = one_row(
        connection,
        f'SELECT left("{column.name}"::VARCHAR, {_SHOWN}), _file, _row FROM raw_rows'
        f" WHERE {condition} ORDER BY 2, 3 LIMIT 1",
    )
    return f"{value!r} in {file}, row {row}" if value is not None else f"{file}, row {row}"


def one_row(connection: duckdb.DuckDBPyConnection, sql: str, params: Sequence[object] = ()) -> tuple[Any, ...]:
    """The only row of an aggregate."""
    row = connection.execute(sql, params).fetchone()
    return row or ()
