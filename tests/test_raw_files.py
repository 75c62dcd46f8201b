"""Loading raw tables: every form gives the same rows, dates are replaced, and nothing wrong is half-loaded."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from processors import runner
from processors.graph import tables
from shared.clock import DateRange
from shared.errors import DataError, Finding
from shared.ledger import RAW_VERSIONS
from shared.tables.raw import (
    GAME_LINES,
    INJURY_REPORT,
    PLAY_BY_PLAY,
    PLAYER_BOX,
    POINTS_PROPS,
    RAW_TABLES,
    SCHEDULE,
    TEAM_BOX,
)
from shared.warehouse.duckdb import DuckDBWarehouse
from shared.warehouse.raw_files import Loaded
from tests import builders
from tests.builders import LOADED, Row, Tables, game_id, league, played, scheduled, with_market, write
from tests.conftest import analytics, at, contents, copied, differing, made_once

DAY, NEXT = date(2024, 11, 1), date(2024, 11, 3)
GAME = scheduled(DAY, "NYK", "BOS")

Load = Callable[[Path], Loaded]
Change = Callable[[Row], object]


@pytest.fixture(scope="session")
def two_dates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(path: Path) -> None:
        load(at(path), write(path.with_suffix(".raw"), two_days()))

    return made_once(tmp_path_factory, "two_dates", make)


@pytest.fixture
def warehouse(two_dates: Path, tmp_path: Path) -> DuckDBWarehouse:
    """A warehouse that holds two dates, so that there is something to lose."""
    return copied(two_dates, tmp_path)


@cache
def _two_days() -> Tables:
    return with_market(league((DAY, NEXT), ()))


def two_days(*names: str) -> Tables:
    """Fresh rows of two dates; of all tables, or of some."""
    return {name: [dict(row) for row in rows] for name, rows in _two_days().items() if not names or name in names}


def load(warehouse: DuckDBWarehouse, folder: Path) -> Loaded:
    with warehouse.writing(runner.all_tables()) as session:
        return session.load(folder, RAW_TABLES)


def rows(warehouse: DuckDBWarehouse, select: str) -> list[tuple[object, ...]]:
    with warehouse.reading() as session:
        return list(session.query(select).rows)


def refused(warehouse: DuckDBWarehouse, folder: Path) -> tuple[Finding, ...]:
    """What is said of a folder that cannot be loaded; the warehouse must be as it was."""
    before = contents(warehouse, *runner.all_tables())
    with pytest.raises(DataError) as caught:
        load(warehouse, folder)
    assert contents(warehouse, *runner.all_tables()) == before
    assert caught.value.findings or caught.value.why
    return caught.value.findings


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize("form", ["ndjson", "jsonl", "csv", "ndjson.gz", "csv.gz"])
def test_every_form_gives_the_rows_that_parquet_gives(two_dates: Path, tmp_path: Path, form: str) -> None:
    raw, other = two_days(), at(tmp_path / "other.duckdb")
    load(other, write(tmp_path / "texts", raw, form))
    assert differing(at(two_dates), other, RAW_TABLES) == {}
    with other.reading() as session:
        assert sum(size.rows for size in session.sizes(RAW_TABLES)) == sum(map(len, raw.values()))


def test_a_folder_per_table_may_hold_files_of_several_forms(tmp_path: Path) -> None:
    days = [DAY + timedelta(days=gap) for gap in range(3)]
    raw: list[Tables] = [{SCHEDULE.name: [scheduled(day, "NYK", "BOS")]} for day in days]
    write(tmp_path / "raw", raw[0], "parquet", name="a")
    write(tmp_path / "raw", raw[1], "ndjson.gz", name="deeper/b")
    write(tmp_path / "raw", raw[2], "csv")
    warehouse = at(tmp_path / "w.duckdb")
    (staged,) = load(warehouse, tmp_path / "raw").staged
    assert (staged.rows, staged.dates) == (3, 3)
    assert rows(warehouse, f"SELECT game_date FROM {SCHEDULE.id} ORDER BY 1") == [(day,) for day in days]


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_texts_come_out_of_text_files_as_they_stand(tmp_path: Path, form: str) -> None:
    """No type is guessed: minutes are no time of day, and one number among texts spoils nothing."""
    game = played(DAY, "NYK", "BOS")
    boxes = game[PLAYER_BOX.name]
    minutes: list[object] = ["12:30", 30, "07:05"]
    names = ["2024-11-01T00:00:00Z", "550E8400-E29B-11D4-A716-446655440000", 'Ünal "Ü", Jr.']
    for box, text, name in zip(boxes, minutes, names, strict=False):
        box |= {"minutes": text, "player_name": name}
    warehouse = at(tmp_path / "w.duckdb")
    load(warehouse, write(tmp_path / "raw", {PLAYER_BOX.name: boxes}, form))
    told = rows(warehouse, f"SELECT player_name, minutes FROM {PLAYER_BOX.id}")
    assert set(told) > set(zip(names, map(str, minutes), strict=True))


def test_the_quote_in_a_folder_name_is_no_sql(tmp_path: Path) -> None:
    assert load(at(tmp_path / "w.duckdb"), write(tmp_path / "it's [1]", {SCHEDULE.name: [GAME]})).staged[0].rows == 1


def test_columns_that_nobody_asked_for_are_passed_over_and_absent_ones_are_named(tmp_path: Path) -> None:
    game = {name: value for name, value in GAME.items() if name != "neutral_site"} | {"arena": "Garden"}
    warehouse = at(tmp_path / "w.duckdb")
    loaded = load(warehouse, write(tmp_path / "raw", {SCHEDULE.name: [game]}, "csv"))
    assert loaded.staged[0].absent == ("neutral_site",)
    assert [table.name for table in loaded.absent] == [table.name for table in RAW_TABLES if table is not SCHEDULE]
    assert rows(warehouse, f"SELECT neutral_site FROM {SCHEDULE.id}") == [(None,)]


def test_files_that_are_no_table_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "raw", {SCHEDULE.name: [GAME]})
    (folder / "nbac_shedule.csv").write_text("game_id\n")
    (folder / "notes.txt").write_text("hello")
    assert load(at(tmp_path / "w.duckdb"), folder).ignored == ("nbac_shedule.csv", "notes.txt")


def test_the_team_locations_are_never_loaded_over(tmp_path: Path) -> None:
    warehouse = at(tmp_path / "w.duckdb")
    load(warehouse, write(tmp_path / "raw", {SCHEDULE.name: [GAME]}))
    assert len(rows(warehouse, "SELECT team_abbr FROM nba_static.team_locations")) == 30


# ---------------------------------------------------------------- replacing


def test_the_dates_in_the_files_are_replaced_and_others_stay(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    before = contents(warehouse, *RAW_TABLES)
    (lost, *kept) = league((DAY,), ())[PLAYER_BOX.name]
    kept[0]["points"] = 99
    load(warehouse, write(tmp_path / "again", {PLAYER_BOX.name: kept}))
    after = contents(warehouse, *RAW_TABLES)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {PLAYER_BOX.id}
    dates = f"SELECT game_date, COUNT(*) FROM {PLAYER_BOX.id} GROUP BY 1 ORDER BY 1"
    assert rows(warehouse, dates) == [(DAY, 39), (NEXT, 40)]
    gone = f"SELECT player_lookup FROM {PLAYER_BOX.id} WHERE game_id = '{lost['game_id']}'"
    assert (lost["player_lookup"],) not in rows(warehouse, gone)


def test_loading_the_same_twice_changes_nothing(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    before = contents(warehouse, *RAW_TABLES)
    load(warehouse, write(tmp_path / "again", two_days()))
    assert contents(warehouse, *RAW_TABLES) == before


def test_a_report_is_kept_by_the_day_of_the_report(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    game = scheduled(DAY, "NYK", "BOS")
    earlier = [builders.injured(game, "Al Bos", "BOS", "out", report_date=DAY - timedelta(days=1))]
    count = f"SELECT COUNT(*) FROM {INJURY_REPORT.id}"
    ((before,),) = rows(warehouse, count)
    load(warehouse, write(tmp_path / "again", {INJURY_REPORT.name: earlier}))
    assert isinstance(before, int)
    assert rows(warehouse, count) == [(before + 1,)]


def test_a_second_season_adds_to_the_first(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    before = contents(warehouse, SCHEDULE, PLAYER_BOX, TEAM_BOX, PLAY_BY_PLAY)
    load(warehouse, write(tmp_path / "next", league((date(2025, 11, 1),), (), season=2025)))
    after = contents(warehouse, SCHEDULE, PLAYER_BOX, TEAM_BOX, PLAY_BY_PLAY)
    for name, held in before.items():
        assert set(held) < set(after[name])
    seasons = f"SELECT season_year, COUNT(*) FROM {SCHEDULE.id} GROUP BY 1 ORDER BY 1"
    assert rows(warehouse, seasons) == [(2024, 4), (2025, 2)]


def test_the_newest_load_of_a_key_counts_in_the_computed_tables(tmp_path: Path) -> None:
    """Two loads of one row in one file: whichever stands first, the greater processed_at wins."""
    raw = league((DAY,), ())
    old: dict[str, list[Row]] = {}
    for name, changes in STALE.items():
        old[name] = [row | changes | {"processed_at": LOADED - timedelta(hours=1)} for row in raw[name]]
    done = []
    for nth, order in enumerate(((raw, old), (old, raw))):
        warehouse = at(tmp_path / f"{nth}.duckdb")
        both = {name: [*order[0].get(name, ()), *order[1].get(name, ())] for name in raw}
        load(warehouse, write(tmp_path / f"raw{nth}", both))
        outcomes = analytics(warehouse, DateRange(DAY, DAY))
        assert [str(one.status) for one in outcomes] == ["SUCCESS"] * 3
        done.append(contents(warehouse, *COMPUTED, without=STAMPS))
    plain = at(tmp_path / "plain.duckdb")
    load(plain, write(tmp_path / "raw", raw))
    analytics(plain, DateRange(DAY, DAY))
    assert done[0] == done[1] == contents(plain, *COMPUTED, without=STAMPS)


STALE: Mapping[str, Row] = {
    SCHEDULE.name: {"home_team_score": 1, "away_team_score": 0},
    PLAYER_BOX.name: {"points": 77, "minutes": "01:00", "player_status": "active"},
    TEAM_BOX.name: {"points": 50, "fg_made": 0},
    PLAY_BY_PLAY.name: {"shot_made": True, "event_type": "turnover"},
}
COMPUTED = tuple(table for table in tables().values() if table.dataset == "nba_analytics")
STAMPS = ("run_id", "processed_at", "code_version")


# ---------------------------------------------------------------- what is noted


def noted(warehouse: DuckDBWarehouse) -> list[tuple[object, ...]]:
    return rows(warehouse, f"SELECT table_name, game_date, row_count FROM {RAW_VERSIONS.id} ORDER BY 1, 2")


def test_a_load_notes_how_many_rows_each_date_holds(warehouse: DuckDBWarehouse) -> None:
    held = [
        (table.name, day, count)
        for table in RAW_TABLES
        for day, count in rows(warehouse, f"SELECT game_date, COUNT(*) FROM {table.id} GROUP BY 1")
    ]
    assert noted(warehouse) == sorted(held)
    assert (PLAYER_BOX.name, DAY, 40) in held


def test_a_load_says_which_dates_have_another_content(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    raw = two_days()
    assert dict(load(at(tmp_path / "new.duckdb"), write(tmp_path / "raw", raw)).changed) == {
        name: [DAY, NEXT] for name in raw
    }
    next(box for box in raw[PLAYER_BOX.name] if box["game_date"] == NEXT)["points"] = 99
    for box in raw[TEAM_BOX.name]:
        box["processed_at"] += timedelta(days=1)
    changed_ = load(warehouse, write(tmp_path / "again", raw)).changed
    assert {name: days for name, days in changed_.items() if days} == {PLAYER_BOX.name: [NEXT]}


def test_an_older_load_of_a_row_is_no_other_content(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    raw = two_days(TEAM_BOX.name)
    before, boxes = noted(warehouse), raw[TEAM_BOX.name]
    boxes += [box | {"points": 0, "processed_at": LOADED - timedelta(hours=1)} for box in boxes]
    assert dict(load(warehouse, write(tmp_path / "again", raw)).changed) == {TEAM_BOX.name: []}
    assert noted(warehouse) == before


def test_every_row_of_a_player_without_key_counts(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    raw = two_days(PLAYER_BOX.name)
    game = raw[PLAYER_BOX.name][0]["game_id"]
    unknown = [box for box in raw[PLAYER_BOX.name] if box["game_id"] == game and not box["minutes"]][:2]
    for box in unknown:
        box["player_lookup"] = None
    load(warehouse, write(tmp_path / "again", raw))
    assert (PLAYER_BOX.name, DAY, 40) in noted(warehouse)


def test_a_date_whose_rows_have_left_it_is_forgotten(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """The report of one day now speaks of the next day's game alone."""
    report = builders.injured(scheduled(NEXT, "BOS", "LAL"), "Al Bos", "BOS", "out", report_date=DAY)
    loaded = load(warehouse, write(tmp_path / "again", {INJURY_REPORT.name: [report]}))
    assert dict(loaded.changed) == {INJURY_REPORT.name: [DAY, NEXT]}
    assert [row[1:] for row in noted(warehouse) if row[0] == INJURY_REPORT.name] == [(NEXT, 5)]


# ---------------------------------------------------------------- refusing


def changed(table: str, number: int, **values: object) -> Tables:
    """A table of the two dates again, with other values in one row, beside one in which all is well."""
    raw = two_days(table, GAME_LINES.name)
    raw[table][number - 1] |= values
    return raw


WRONG_VALUES: dict[str, tuple[str, int, str, object, str]] = {
    "a word for a count": (PLAYER_BOX.name, 3, "points", "many", "INT64"),
    "a fraction for a count": (PLAYER_BOX.name, 4, "points", 3.7, "INT64"),
    "a word for a date": (SCHEDULE.name, 2, "game_date", "Friday", "DATE"),
    "a word for a time": (SCHEDULE.name, 2, "game_start_time", "soon", "TIMESTAMP"),
    "a word for a flag": (SCHEDULE.name, 2, "neutral_site", "perhaps", "BOOL"),
    "a word for a number": (POINTS_PROPS.name, 5, "points_line", "high", "FLOAT64"),
    "NaN": (POINTS_PROPS.name, 5, "points_line", float("nan"), "FLOAT64"),
    "infinity": (POINTS_PROPS.name, 5, "over_price", float("inf"), "FLOAT64"),
    "no list of ids": (PLAY_BY_PLAY.name, 9, "players_on_court", "ten men", "ARRAY<INT64>"),
    "a count beyond 64 bits": (PLAYER_BOX.name, 3, "points", 10**30, "INT64"),
}


@pytest.mark.parametrize(
    ("case", "form"),
    [
        *((case, "csv") for case in WRONG_VALUES),
        *((case, "ndjson") for case in list(WRONG_VALUES)[:2]),
        ("NaN", "ndjson"),
    ],
)
def test_a_wrong_value_is_named_with_its_file_and_row(
    warehouse: DuckDBWarehouse, tmp_path: Path, case: str, form: str
) -> None:
    table, number, column, value, type_ = WRONG_VALUES[case]
    folder = write(tmp_path / "bad", changed(table, number, **{column: value}), form)
    (finding,) = refused(warehouse, folder)
    assert (finding.table, finding.column) == (table, column)
    assert finding.problem == f"1 of its values are no {type_}"
    assert finding.example
    assert finding.example.endswith(f"{folder / table}.{form}, row {number}")
    if not isinstance(value, float | int):
        assert str(value) in finding.example


@pytest.mark.parametrize(
    ("column", "value", "type_"),
    [("points", 3.7, pa.float64()), ("points", "many", pa.string()), ("is_starter", "perhaps", pa.string())],
)
def test_a_wrong_type_in_parquet_is_named(
    warehouse: DuckDBWarehouse, tmp_path: Path, column: str, value: object, type_: pa.DataType
) -> None:
    boxes = [row | {column: None} for row in league((DAY,), ())[PLAYER_BOX.name]]
    boxes[6][column] = value
    path = tmp_path / "bad" / f"{PLAYER_BOX.name}.parquet"
    path.parent.mkdir()
    builders.write_parquet(path, boxes, **{column: type_})
    (finding,) = refused(warehouse, path.parent)
    assert (finding.table, finding.column) == (PLAYER_BOX.name, column)
    assert finding.example == f"'{value}' in {path}, row 7"


def test_a_whole_number_may_be_written_as_a_float(tmp_path: Path) -> None:
    boxes = [row | {"points": 4.0} for row in league((DAY,), ())[PLAYER_BOX.name]]
    path = tmp_path / "raw" / f"{PLAYER_BOX.name}.parquet"
    path.parent.mkdir()
    builders.write_parquet(path, boxes, points=pa.float64())
    warehouse = at(tmp_path / "w.duckdb")
    load(warehouse, path.parent)
    assert rows(warehouse, f"SELECT DISTINCT points FROM {PLAYER_BOX.id}") == [(4,)]


@pytest.mark.parametrize("form", ["parquet", "ndjson", "csv"])
def test_a_missing_required_column_is_named(warehouse: DuckDBWarehouse, tmp_path: Path, form: str) -> None:
    raw = two_days(SCHEDULE.name, TEAM_BOX.name)
    for row in raw[SCHEDULE.name]:
        del row["home_team_id"]
    (finding,) = refused(warehouse, write(tmp_path / "bad", raw, form))
    assert (finding.table, finding.column) == (SCHEDULE.name, "home_team_id")
    assert "missing" in finding.problem
    assert f"{SCHEDULE.name}.{form}" in str(finding)


@pytest.mark.parametrize("form", ["parquet", "ndjson", "csv"])
@pytest.mark.parametrize("column", ["season_year", "home_team_abbr", "processed_at"])
def test_no_value_where_every_row_must_have_one(
    warehouse: DuckDBWarehouse, tmp_path: Path, column: str, form: str
) -> None:
    folder = write(tmp_path / "bad", changed(SCHEDULE.name, 3, **{column: None}), form)
    (finding,) = refused(warehouse, folder)
    assert (finding.table, finding.column) == (SCHEDULE.name, column)
    assert finding.problem.startswith("1 rows have no value")
    assert finding.example == f"{folder / SCHEDULE.name}.{form}, row 3"


def test_a_key_that_stands_twice_with_one_load_time(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    raw = two_days(TEAM_BOX.name)
    raw[TEAM_BOX.name].append(raw[TEAM_BOX.name][1] | {"points": 1})
    folder = write(tmp_path / "bad", raw)
    (finding,) = refused(warehouse, folder)
    assert (finding.table, finding.column) == (TEAM_BOX.name, "game_id, team_abbr")
    assert "stand twice" in finding.problem
    twice = raw[TEAM_BOX.name][1]
    assert finding.example
    assert f"{twice['game_id']}, {twice['team_abbr']}" in finding.example
    assert f"{TEAM_BOX.name}.parquet, rows 2 and 9" in finding.example


def test_names_that_could_not_be_resolved_are_no_key(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    raw = two_days(PLAYER_BOX.name)
    for box in raw[PLAYER_BOX.name][8:10]:
        box["player_lookup"] = None
    load(warehouse, write(tmp_path / "good", raw))
    assert rows(warehouse, f"SELECT COUNT(*) FROM {PLAYER_BOX.id} WHERE player_lookup IS NULL") == [(2,)]


@pytest.mark.parametrize(
    "wrong",
    [
        "20241101_BOS",
        "2024-11-01_NYK_BOS",
        "20241102_NYK_BOS",
        "20241101_nyk_BOS",
        "20241101_NYK_BOS ",
        "20241101_NYK_XYZ",
    ],
)
def test_a_bad_game_id_is_refused(warehouse: DuckDBWarehouse, tmp_path: Path, wrong: str) -> None:
    raw = two_days(TEAM_BOX.name)
    row = builders.one(raw[TEAM_BOX.name], game_id=game_id(DAY, "NYK", "BOS"), team_abbr="BOS")
    row["game_id"] = wrong
    number = raw[TEAM_BOX.name].index(row) + 1
    folder = write(tmp_path / "bad", raw)
    finding = refused(warehouse, folder)[0]
    assert finding.table == TEAM_BOX.name
    assert "game_id" in finding.problem
    assert finding.example == f"{folder / TEAM_BOX.name}.parquet, row {number}"


def test_home_and_away_the_other_way_round_are_refused(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    raw = league((DAY,), ())
    for row in raw[PLAYER_BOX.name]:
        row["game_id"] = row["game_id"][:9] + row["game_id"][13:] + "_" + row["game_id"][9:12]
    (finding,) = refused(warehouse, write(tmp_path / "bad", {PLAYER_BOX.name: raw[PLAYER_BOX.name]}))
    assert (finding.table, finding.column) == (PLAYER_BOX.name, "game_id")
    assert finding.example in {row["game_id"] for row in raw[PLAYER_BOX.name]}


DAMAGED: dict[str, tuple[str, bytes]] = {
    "a parquet of no bytes": ("parquet", b""),
    "a CSV of no bytes": ("csv", b""),
    "an NDJSON of no bytes": ("ndjson", b""),
    "a parquet that is text": ("parquet", b"game_id,game_date\n" * 9),
    "an NDJSON cut short": ("ndjson", b'{"game_id": "20241101_NYK_BOS"}\n{"game_id": "202'),
    "a CSV with a short row": ("csv", (",".join(GAME) + "\na,b\n").encode()),
    "a CSV with an open quote": ("csv", (",".join(GAME) + '\n"a' + "," * 13 + "\n").encode()),
    "no gzip": ("csv.gz", b"game_id,game_date\n"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_named(warehouse: DuckDBWarehouse, tmp_path: Path, case: str) -> None:
    form, content = DAMAGED[case]
    folder = write(tmp_path / "bad", two_days(TEAM_BOX.name))
    path = folder / f"{SCHEDULE.name}.{form}"
    path.write_bytes(content)
    findings = refused(warehouse, folder)
    assert {finding.table for finding in findings} == {SCHEDULE.name}
    assert path.name in str(findings[0])


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_parquet_is_named(warehouse: DuckDBWarehouse, tmp_path: Path, share: float) -> None:
    folder = write(tmp_path / "bad", two_days(PLAY_BY_PLAY.name, GAME_LINES.name))
    path = folder / f"{PLAY_BY_PLAY.name}.parquet"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    (finding,) = refused(warehouse, folder)
    assert finding.table == PLAY_BY_PLAY.name
    assert path.name in finding.problem


def test_everything_wrong_in_a_folder_is_told_at_once(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    raw = two_days(SCHEDULE.name, PLAYER_BOX.name)
    raw[PLAYER_BOX.name][0] |= {"points": "x", "assists": "y"}
    raw[SCHEDULE.name][0]["season_year"] = None
    findings = refused(warehouse, write(tmp_path / "bad", raw, "csv"))
    assert {(finding.table, finding.column) for finding in findings} == {
        (PLAYER_BOX.name, "points"),
        (PLAYER_BOX.name, "assists"),
        (SCHEDULE.name, "season_year"),
    }


def test_the_row_of_a_large_file_is_its_row(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """DuckDB reads large files in pieces side by side; a number counted in any order would mislead."""
    event = league((DAY,), ())[PLAY_BY_PLAY.name][0]
    required = [column.name for column in PLAY_BY_PLAY.columns if column.mode == "REQUIRED"]
    said = {name: f"'{event[name]}'" for name in required} | {
        "event_sequence": "range",
        "clock_seconds_remaining": "CASE WHEN range = 234567 THEN 'NaN'::DOUBLE ELSE 1.5 END",
    }
    columns = ", ".join(f"{value} AS {name}" for name, value in said.items())
    for form in ("parquet", "csv"):
        path = tmp_path / form / f"{PLAY_BY_PLAY.name}.{form}"
        path.parent.mkdir()
        duckdb.sql(f"COPY (SELECT {columns} FROM range(1, 300000)) TO '{path}'")
        (finding,) = refused(warehouse, path.parent)
        assert str(finding.example).endswith(f"{path}, row 234567")


@pytest.mark.parametrize("name", ["empty", "missing", "file.txt"])
def test_a_folder_without_tables_says_what_belongs_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("hello")
    with pytest.raises(DataError) as caught:
        load(at(tmp_path / "w.duckdb"), tmp_path / name)
    assert str(tmp_path / name) in caught.value.message
    assert caught.value.hint
    assert f"{SCHEDULE.name}.parquet" in caught.value.hint
    assert "is in it" in str(caught.value.why) if name == "empty" else "no folder" in str(caught.value.why)


def test_times_without_a_zone_are_utc(tmp_path: Path) -> None:
    game = GAME | {"game_start_time": "2024-11-01 23:30:00", "processed_at": "2024-11-02T05:00:00-04:00"}
    warehouse = at(tmp_path / "w.duckdb")
    load(warehouse, write(tmp_path / "raw", {SCHEDULE.name: [game]}, "csv"))
    ((start, loaded),) = rows(warehouse, f"SELECT game_start_time, processed_at FROM {SCHEDULE.id}")
    assert start == datetime(2024, 11, 1, 23, 30, tzinfo=UTC)
    assert loaded == datetime(2024, 11, 2, 9, tzinfo=UTC)


# ---------------------------------------------------------------- odd, and loaded


def test_odd_games_are_loaded_and_named(tmp_path: Path) -> None:
    raw = league((DAY, NEXT), ())
    gone = raw[SCHEDULE.name].pop(0)["game_id"]
    lonely = raw[TEAM_BOX.name].pop()["game_id"]
    unusable = raw[SCHEDULE.name][0]["game_id"]
    for event in raw[PLAY_BY_PLAY.name]:
        if event["game_id"] == unusable and event["event_type"] == "2pt":
            event["shot_made"] = False
    loaded = load(at(tmp_path / "w.duckdb"), write(tmp_path / "raw", raw))
    told = {(finding.table, finding.example) for finding in loaded.odd}
    assert {(PLAYER_BOX.name, gone), (TEAM_BOX.name, lonely), (PLAY_BY_PLAY.name, unusable)} <= told
