"""Both engines over the same tables, and what it means that they agree."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from processors import graph, statements
from processors.declaration import Processor
from shared.tables.model import Column, Table
from shared.warehouse.duckdb import DuckDBSession
from tests.googlesql.oracle import Engine, Oracle, Params, Row, Rows

PARAMS = {
    "start_date": date(2025, 1, 15),
    "end_date": date(2025, 1, 16),
    "as_of": datetime(2025, 1, 16, 22, tzinfo=UTC),
}
"""What a processor's statements are asked with."""

Records = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by qualified name of their table; columns that a row lacks are NULL."""


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="session")
def oracle(engine: Engine) -> Oracle:
    return Oracle(engine, graph.tables().values())


def with_stage(engine: Engine, oracle: Oracle, processor: Processor) -> Oracle:
    """An oracle that knows the processor's exchanged rows as well."""
    columns = oracle.analyze(statements.candidate(processor), PARAMS).columns
    stage = Table(
        dataset="", name="stage", row="candidate", key=(), columns=tuple(Column(*column) for column in columns)
    )
    return Oracle(engine, [*graph.tables().values(), stage])


class Both:
    """DuckDB, as the pipeline uses it, and the oracle, over the same tables."""

    def __init__(self, oracle: Oracle, tables: Iterable[Table]) -> None:
        self._oracle = oracle
        self._tables = {table.id: table for table in tables}
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET threads = 1")
        self._session = DuckDBSession(self._connection)
        self._session.create(replace(table, constant=()) for table in self._tables.values())

    @contextmanager
    def holding(self, records: Records) -> Iterator[tuple[DuckDBSession, Rows]]:
        """The rows, as a session that holds them and as the oracle wants them."""
        self._connection.execute("BEGIN")
        try:
            for name, rows in records.items():
                self._session.insert(self._tables[name], rows)
            yield (
                self._session,
                {
                    name: [[row.get(column) for column in self._tables[name].column_names] for row in rows]
                    for name, rows in records.items()
                },
            )
        finally:
            self._connection.execute("ROLLBACK")

    def answers(self, sql: str, records: Records, params: Params) -> tuple[list[Row], list[Row]]:
        """What each of them answers: DuckDB, oracle."""
        with self.holding(records) as (session, rows):
            return list(session.query(sql, params).rows), self._oracle.query(sql, rows, params)


def differences(ours: list[Row], theirs: list[Row]) -> list[tuple[Any, Any]]:
    """Rows of two multisets that have no partner: floats may differ by 1e-9 of their size, nothing else may."""
    if len(ours) != len(theirs):
        return [(ours, theirs)]
    pairs = zip(sorted(ours, key=_place), sorted(theirs, key=_place), strict=True)
    return [(mine, its) for mine, its in pairs if not all(map(same, mine, its))]


def same(mine: Any, its: Any) -> bool:  # noqa: ANN401 -- any value of any column
    """Whether two values are one."""
    if isinstance(mine, float) and isinstance(its, float):
        return math.isclose(mine, its, rel_tol=1e-9, abs_tol=1e-12) or (math.isnan(mine) and math.isnan(its))
    if isinstance(mine, list) and isinstance(its, list):
        return len(mine) == len(its) and all(map(same, mine, its))
    return type(mine) is type(its) and mine == its


def _place(row: Row) -> tuple[str, ...]:
    """Where a row stands in an order that near floats do not change."""
    exact = [str(value) for value in row if not isinstance(value, float)]
    return (*exact, *(f"{value:.4g}" for value in row if isinstance(value, float)))
