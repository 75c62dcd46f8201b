"""Processors of one request at work at the same time: when each begins, and what an end of one means to the other."""

import threading
import time
from collections.abc import Collection
from itertools import combinations

import pytest

from processors import planner, runner
from processors.graph import processors_in_order
from processors.planner import Asked
from processors.request import Outcome
from shared.ledger import PROCESSOR_RUNS, Status
from shared.warehouse.base import Exchange
from shared.warehouse.duckdb import DuckDBSession, DuckDBWarehouse
from tests.builders import FINAL_DATES
from tests.conftest import at_statements, contents, one_day, silent

ALL = {one.short: one for one in processors_in_order()}
DAY = FINAL_DATES[2]
OUTPUTS = [one.output for one in processors_in_order()]
LONG = (
    "SELECT COUNT(*) AS n FROM UNNEST(GENERATE_ARRAY(1, 60000)) AS a CROSS JOIN UNNEST(GENERATE_ARRAY(1, 60000)) AS b"
)


def forced(warehouse: DuckDBWarehouse, *names: str) -> list[Outcome]:
    """Everything, or some processors, of a date that is done, once more."""
    with warehouse.writing(runner.all_tables()) as session:
        plan = planner.backfill(session, Asked(one_day(DAY), processors=names, force="to see"), [3, 4])
        return runner.run(session, plan.survey, plan.request, silent)


def read_by(short: str, among: Collection[str]) -> set[str]:
    tables = {one.table for one in ALL[short].inputs}
    return {name for name in among if ALL[name].output.name in tables}


def ledger(warehouse: DuckDBWarehouse) -> dict[str, tuple[str, str | None]]:
    """Status and reason of every forced run, by the processor's short name."""
    of = {one.output.name: one.short for one in ALL.values()}
    text = f"SELECT output_table, status, reason_code FROM {PROCESSOR_RUNS.id} WHERE forced"
    with warehouse.reading() as session:
        return {of[table]: (status, reason) for table, status, reason in session.query(text).rows}


def test_two_that_do_not_read_each_other_are_at_work_at_once(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = threading.Barrier(2, timeout=20)

    def beginning(_session: DuckDBSession, short: str) -> None:
        if short in {"TOG", "TGC"}:
            meeting.wait()

    at_statements(monkeypatch, beginning)
    before = contents(tiny_done, *OUTPUTS, without=("run_id", "processed_at"))
    assert {one.status for one in forced(tiny_done)} == {Status.SUCCESS}
    assert contents(tiny_done, *OUTPUTS, without=("run_id", "processed_at")) == before


@pytest.mark.parametrize("left_out", [(), *combinations(("TOG", "PGS", "UPC", "PDC"), 1), ("PGS", "UPC")], ids=str)
def test_none_begins_before_those_have_ended_that_it_reads(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch, left_out: tuple[str, ...]
) -> None:
    asked = [short for short in ALL if short not in left_out]
    ended: set[str] = set()
    lacking: dict[str, set[str]] = {}
    honest = DuckDBSession.exchange

    def exchange(session: DuckDBSession, work: Exchange) -> None:
        honest(session, work)
        ended.update(one.short for one in ALL.values() if one.output is work.table)

    def beginning(_session: DuckDBSession, short: str) -> None:
        lacking[short] = read_by(short, asked) - ended

    monkeypatch.setattr(DuckDBSession, "exchange", exchange)
    at_statements(monkeypatch, beginning)
    outcomes = forced(tiny_done, *asked)
    assert lacking == {short: set() for short in asked}
    assert [one.processor.short for one in outcomes] == asked


def test_where_one_fails_the_other_goes_on(tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def beginning(_session: DuckDBSession, short: str) -> None:
        if short == "TOG":
            raise ValueError("it broke")

    at_statements(monkeypatch, beginning)
    found = {one.processor.short: one.status for one in forced(tiny_done, "TOG", "TDG", "TGC")}
    assert found == {
        "TOG": Status.FAILED_PERMANENT,
        "TDG": Status.NOT_READY,
        "TGC": Status.SUCCESS,
    }


def test_an_interrupt_ends_all_that_is_at_work_and_begins_nothing_more(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def beginning(_session: DuckDBSession, short: str) -> str | None:
        if short == "TGC":
            begun.set()
            return LONG
        begun.wait(20)
        time.sleep(0.2)
        raise KeyboardInterrupt

    at_statements(monkeypatch, beginning)
    before = contents(tiny_done, *OUTPUTS)
    clock = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        forced(tiny_done)
    assert time.monotonic() - clock < 10
    assert ledger(tiny_done) == dict.fromkeys(("TOG", "TGC"), ("FAILED_TRANSIENT", "interrupted"))
    assert contents(tiny_done, *OUTPUTS) == before
