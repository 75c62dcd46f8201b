"""A warehouse that an earlier version made opens, says the same of every table-date, and goes on."""

from pathlib import Path

import duckdb
import pytest

from processors import runner
from processors.graph import processors_in_order
from processors.survey import State
from shared.errors import PreconditionFailed
from shared.ledger import FENCES, NEWEST_FIRST, PROCESSOR_RUNS, Status
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.conftest import copied, rows
from tests.test_survey import ALL, repaired, states

ADDED = ("publish_refused", "sequence", "noted_at")


@pytest.fixture
def earlier(tiny_done_file: Path, tmp_path: Path) -> DuckDBWarehouse:
    """The small league as the version before runs had a sequence would have left it."""
    warehouse = copied(tiny_done_file, tmp_path)
    with duckdb.connect(warehouse.path) as connection:
        for column in ADDED:
            connection.execute(f"ALTER TABLE {PROCESSOR_RUNS.id} DROP COLUMN {column}")
        connection.execute(f"COMMENT ON TABLE {PROCESSOR_RUNS.id} IS 'layout of an earlier version'")
        connection.execute(f"DROP TABLE {FENCES.id}")
    return warehouse


def test_whoever_reads_first_finds_everything_done(earlier: DuckDBWarehouse) -> None:
    assert states(earlier) == dict.fromkeys(ALL, State.DONE)


def test_runs_keep_the_order_in_which_they_were_committed_whatever_their_clocks_said(earlier: DuckDBWarehouse) -> None:
    with duckdb.connect(earlier.path) as connection:
        # a run of long ago whose clock was a year ahead, and the one after it that wrote what is stored
        connection.execute(f"""CREATE TABLE moved AS SELECT * FROM {PROCESSOR_RUNS.id} WHERE phase = 3;
UPDATE {PROCESSOR_RUNS.id} SET run_id = 'ahead-' || run_id, started_at = started_at + INTERVAL 1 YEAR WHERE phase = 3;
INSERT INTO {PROCESSOR_RUNS.id} SELECT * FROM moved; DROP TABLE moved""")
    assert states(earlier) == dict.fromkeys(ALL, State.DONE)
    assert {one.status for one in repaired(earlier)} == {Status.SKIPPED_UNCHANGED}
    repaired(earlier, force="to see")
    newest = rows(
        earlier,
        f"SELECT forced FROM {PROCESSOR_RUNS.id} QUALIFY ROW_NUMBER() OVER"
        f" (PARTITION BY output_table, game_date ORDER BY {NEWEST_FIRST}) = 1",
    )
    assert set(newest) == {(True,)}
    fences = dict(rows(earlier, f"SELECT output_table, sequence FROM {FENCES.id}"))
    made = dict(rows(earlier, f"SELECT output_table, MAX(sequence) FROM {PROCESSOR_RUNS.id} GROUP BY output_table"))
    assert fences == made
    assert fences.keys() == {one.output.name for one in processors_in_order()}


def test_what_differs_in_more_than_added_columns_is_refused_and_left_as_it_was(earlier: DuckDBWarehouse) -> None:
    with duckdb.connect(earlier.path) as connection:
        connection.execute(f"ALTER TABLE {PROCESSOR_RUNS.id} RENAME COLUMN attempt TO tries")
    with pytest.raises(PreconditionFailed, match="another version"), earlier.writing(runner.all_tables()):
        pass
    with duckdb.connect(earlier.path, read_only=True) as connection:
        columns = {name for name, *_ in connection.execute(f"DESCRIBE {PROCESSOR_RUNS.id}").fetchall()}
    assert "tries" in columns
    assert not columns & set(ADDED)
