"""The real season: the league's own figures, an independent recomputation, and the proof of no leak."""

import math
import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from processors import leakage, runner, statements
from processors.accuracy import compare
from processors.declaration import Dated, Processor
from processors.graph import processors_in_order, tables
from shared.clock import DateRange, utc_now
from shared.ledger import PROCESSOR_RUNS
from shared.tables.model import STAMPS
from shared.tables.raw import PLAY_BY_PLAY
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.conftest import analytics, at, made_once, precompute, silent, unequal
from tests.recompute import KEYS, recompute

pytestmark = pytest.mark.realdata

Row = dict[str, Any]

RECOMPUTED_FROM = (
    "nbac_schedule",
    "nbac_injury_report",
    "odds_api_player_points_props",
    "odds_api_game_lines",
    "team_locations",
    "player_game_summary",
    "team_offense_game_summary",
    "team_defense_game_summary",
)
OUTPUTS = tuple(one.output for one in processors_in_order())
STAMP_NAMES = tuple(column.name for column in STAMPS)
PROVED = (
    date(2024, 10, 22),
    date(2024, 10, 30),
    date(2024, 11, 19),
    date(2024, 12, 14),
    date(2024, 12, 15),
    date(2025, 1, 15),
    date(2025, 2, 5),
    date(2025, 2, 20),
    date(2025, 3, 16),
    date(2025, 4, 13),
)
"""Opening night, its second week, the cup, deadline day, after the all-star break, the last day of the season."""


def rows(warehouse: DuckDBWarehouse, select: str) -> list[tuple[Any, ...]]:
    with warehouse.reading() as session:
        return list(session.query(select).rows)


# ---------------------------------------------------------------- against the league


def test_every_figure_reaches_its_target(season_warehouse: DuckDBWarehouse, real_season: Path) -> None:
    with season_warehouse.reading() as session:
        comparisons = compare(session, real_season / "answers")
    assert [one for one in comparisons if not one.ok] == []
    compared = {one.figure: one.n for one in comparisons}
    assert compared["possessions"] == compared["pace"] == 2460
    assert compared["points_in_paint_player"] > 26_300
    assert len(compared) >= 18
    assert {one.missing for one in comparisons} == {0}


def test_every_hard_check_holds_and_every_row_is_there(season_warehouse: DuckDBWarehouse) -> None:
    runs = rows(season_warehouse, f"SELECT status, reason_code, game_date FROM {PROCESSOR_RUNS.id}")
    assert {(status, reason) for status, reason, _ in runs} == {("SUCCESS", None), ("SUCCESS_EMPTY", "empty_ok")}
    # on the first two days nobody who plays has been listed yet
    opening = {date(2024, 10, 22), date(2024, 10, 23)}
    assert {day for status, _, day in runs if status == "SUCCESS_EMPTY"} == opening
    counted = sizes(season_warehouse)
    assert counted["nba_analytics.team_offense_game_summary"] == counted["nba_analytics.team_defense_game_summary"]
    assert counted["nba_analytics.team_offense_game_summary"] == 2460
    assert counted["nba_analytics.upcoming_team_game_context"] == 2460
    assert counted["nba_precompute.player_composite_factors"] == counted["nba_predictions.ml_feature_store"] > 30_000


def test_boxes_sum_to_the_score(season_warehouse: DuckDBWarehouse) -> None:
    """Said again here in its own words, against the raw score."""
    wrong = rows(
        season_warehouse,
        """SELECT t.game_id, t.team_abbr
FROM nba_analytics.team_offense_game_summary AS t
INNER JOIN nba_raw.nbac_schedule AS g ON g.game_id = t.game_id
INNER JOIN (
  SELECT game_id, team_abbr, SUM(points) AS points, SUM(minutes_played) AS minutes, SUM(fg_attempts) AS attempts
  FROM nba_analytics.player_game_summary
  GROUP BY game_id, team_abbr
) AS p ON p.game_id = t.game_id AND p.team_abbr = t.team_abbr
WHERE p.points != IF(t.home_game, g.home_team_score, g.away_team_score)
  OR p.points != t.points_scored
  OR p.attempts != t.fg_attempts
  OR ABS(p.minutes - 240 - 25 * t.overtime_periods) > 0.2""",
    )
    assert wrong == []


# ---------------------------------------------------------------- against a recomputation


@pytest.fixture(scope="module")
def stored(season_warehouse: DuckDBWarehouse) -> Mapping[str, list[Row]]:
    with season_warehouse.reading() as session:
        return {name: session.query(f"SELECT * FROM {tables()[name].id}").records() for name in RECOMPUTED_FROM}


def slates(warehouse: DuckDBWarehouse) -> list[date]:
    return [day for (day,) in rows(warehouse, f"SELECT DISTINCT game_date FROM {tables()['nbac_schedule'].id}")]


def differences(ours: Mapping[str, Any], theirs: Row) -> dict[str, tuple[Any, Any]]:
    return {name: (ours[name], value) for name, value in theirs.items() if not same(plain(ours[name]), plain(value))}


def plain(value: Any) -> Any:  # noqa: ANN401 -- a cell is anything
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value


def same(ours: Any, theirs: Any) -> bool:  # noqa: ANN401 -- a cell is anything
    if isinstance(theirs, float) and isinstance(ours, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    return bool(ours == theirs)


@pytest.mark.parametrize("nth", range(5))
def test_windows_equal_an_independent_recomputation(
    season_warehouse: DuckDBWarehouse, stored: Mapping[str, list[Row]], nth: int
) -> None:
    slate = random.Random(20250413).sample(sorted(slates(season_warehouse)), 5)[nth]  # noqa: S311 -- no secret
    recomputed = recompute(slate, stored, utc_now())
    assert len(recomputed) == 7
    for name, theirs in recomputed.items():
        table = tables()[name]
        with season_warehouse.reading() as session:
            text = f"SELECT * FROM {table.id} WHERE {table.date_column} = @slate"
            ours = {key_of(name, row): row for row in session.query(text, {"slate": slate}).records()}
        assert {key_of(name, row) for row in theirs} == set(ours), (slate, name)
        assert set(theirs[0]) == set(table.column_names) - set(STAMP_NAMES)
        found = {key: diff for row in theirs if (diff := differences(ours[key := key_of(name, row)], row))}
        assert found == {}, (slate, name)


def key_of(name: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column] for column in KEYS[name])


def test_two_weeks_equal_their_dates_alone_and_together_in_any_order(
    season_warehouse: DuckDBWarehouse, season_copy: DuckDBWarehouse
) -> None:
    weeks = DateRange(date(2025, 1, 20), date(2025, 2, 2))
    with season_copy.writing(runner.all_tables()) as session:
        for table in (*OUTPUTS, PROCESSOR_RUNS):
            column = "game_date" if table is PROCESSOR_RUNS else table.date_column
            span = {"first": weeks.start, "last": weeks.end}
            session.execute(f"DELETE FROM {table.id} WHERE {column} BETWEEN @first AND @last", span)
    whole, left = sizes(season_warehouse), sizes(season_copy)
    assert all(left[name] < count for name, count in whole.items())
    dice = random.Random(7)  # noqa: S311 -- no secret
    for run, names in ((analytics, ("TOG", "TDG", "PGS")), (precompute, ())):
        for piece in pieces(weeks, dice):
            assert all(one.status.wrote for one in run(season_copy, piece, names))
    assert unequal(season_warehouse, season_copy, OUTPUTS) == {}


def sizes(warehouse: DuckDBWarehouse) -> dict[str, int]:
    with warehouse.reading() as session:
        return {size.table: size.rows for size in session.sizes(OUTPUTS)}


def pieces(weeks: DateRange, dice: random.Random) -> list[DateRange]:
    """Two weeks as two dates and three ranges, mixed up."""
    lengths = dice.sample((1, 1, 2, 4, 6), 5)
    starts = [weeks.start + timedelta(days=sum(lengths[:nth])) for nth in range(len(lengths))]
    cut = [DateRange(first, first + timedelta(days=days - 1)) for first, days in zip(starts, lengths, strict=True)]
    assert cut[-1].end == weeks.end
    return dice.sample(cut, len(cut))


# ---------------------------------------------------------------- no leak


@pytest.fixture(scope="session")
def light_season(season_file: Path, tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """The season without what a proof neither changes nor compares, and with the events of the proved days alone.

    A proof works on three copies: this one is a tenth as large.
    """
    computed = {one.output.id for one in processors_in_order() if one.dated is Dated.SLATE}

    def make(path: Path) -> None:
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH '{season_file}' AS season (READ_ONLY); ATTACH '{path}' AS light")
            connection.execute("SET TimeZone = 'UTC'; COPY FROM DATABASE season TO light (SCHEMA)")
            for table in (one for one in runner.all_tables() if one.id not in computed):
                where = f"game_date IN {tuple(map(str, PROVED))}" if table is PLAY_BY_PLAY else "TRUE"
                connection.execute(f"INSERT INTO light.{table.id} FROM season.{table.id} WHERE {where}")

    return at(made_once(tmp_path_factory, "light_season", make))


@pytest.mark.parametrize("slate", PROVED, ids=str)
def test_a_slate_knows_nothing_of_its_own_day(light_season: DuckDBWarehouse, slate: date) -> None:
    proof = leakage.prove(light_season, slate, utc_now(), silent)
    assert proof.differences == ()
    assert proof.tables == 7
    assert proof.rows > 0


@pytest.mark.usefixtures("fresh_definitions")
def test_a_planted_leak_is_found_and_named(light_season: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof is worth what it can find: a cache that looks at the box of its own night."""
    definition, source = statements.definition, statements.source

    def leaking_definition(name: str) -> str:
        text = definition(name)
        return text.replace("DATE_SUB(@end_date, INTERVAL 1 DAY)", "@end_date") if name == "team_pace_form" else text

    def leaking_source(processor: Processor) -> str:
        text = source(processor)
        if processor.short != "PDC":
            return text
        leak = text.replace("t.game_date < u.game_date", "t.game_date = u.game_date").replace(
            "u.game_date <= COALESCE(t.next_game_date, u.game_date)", "TRUE"
        )
        assert leak.count("t.game_date = u.game_date") == 1
        return leak

    monkeypatch.setattr(statements, "definition", leaking_definition)
    monkeypatch.setattr(statements, "source", leaking_source)
    proof = leakage.prove(light_season, date(2025, 1, 15), utc_now(), silent)
    found = {(one.change, one.table, one.column) for one in proof.differences}
    for change in ("removed", "shuffled"):
        assert (change, "player_daily_cache", "team_pace_last_10") in found
        assert (change, "ml_feature_store", "team_pace") in found
    assert {table for _, table, _ in found} == {"player_daily_cache", "ml_feature_store"}
