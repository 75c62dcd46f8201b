"""Every function and construct that the pipeline's SQL uses means the same on DuckDB as in GoogleSQL."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import chain

import pytest
import sqlglot
from sqlglot import exp

from processors import graph, statements
from shared.tables.model import (
    BOOL,
    DATE,
    FLOAT64,
    INT64,
    INTS,
    STRING,
    STRINGS,
    TIMESTAMP,
    Table,
    nullable,
    required,
)
from tests.googlesql.conftest import Both, differences
from tests.googlesql.oracle import Engine, Oracle

EDGES = Table(
    dataset="test",
    name="edges",
    row="values at the edge of their types",
    key=("n",),
    columns=(
        required("n", INT64, "unique"),
        nullable("g", STRING, "group"),
        nullable("i", INT64),
        nullable("j", INT64),
        nullable("x", FLOAT64),
        nullable("y", FLOAT64),
        nullable("s", STRING),
        nullable("m", STRING, "minutes, more or less"),
        nullable("b", BOOL),
        nullable("d", DATE),
        nullable("e", DATE),
        nullable("t", TIMESTAMP),
        nullable("l", INTS),
        nullable("w", STRINGS),
    ),
)


SPRING, AUTUMN = date(2025, 3, 9), date(2024, 11, 3)
"""Days on which clocks change in New York."""
_SMALL = {
    "i": (0, -7, 7, 7, None, 3, None, 10**15, 1),
    "j": (5, 2, -2, 0, 3, None, None, 10**15 + 1, 1),
    "x": (0.0, -1.5, 2.5, 0.5, None, -0.0, None, 1e300, 1 / 3),
    "y": (2.5, 0.1, -0.1, 1e9, 0.3, None, None, 1e-3, 2 / 3),
}
_TEXTS = {
    "g": ("a", "a", "a", "a", "b", "b", "c", None, None),
    "s": ("", "a,b", ",", "ab%c", None, "technical", None, "é,ü", "double technical"),
    "m": ("12:34", "0:00", "34:5", "48", None, "-3:10", None, "\u0663:\u0661\u0660", f"1{'0' * 20}:00"),
    "w": (["x"], [], ["a", "b"], [""], None, ["x", ""], None, ["é"], ["y"]),
}
_TIMES = {
    "d": (
        SPRING,
        AUTUMN,
        date(2024, 2, 29),
        date(2024, 12, 31),
        None,
        date(2025, 1, 16),
        None,
        date(1999, 12, 31),
        SPRING,
    ),
    "e": (date(2025, 3, 1), SPRING, date(2024, 3, 1), date(2025, 1, 1), AUTUMN, None, None, date(2000, 1, 1), SPRING),
    "t": (
        datetime(2025, 3, 9, 6, 59, 59, tzinfo=UTC),
        datetime(2024, 11, 3, 5, 30, tzinfo=UTC),
        datetime(2025, 3, 9, 7, tzinfo=UTC),
        datetime(2024, 11, 3, 6, tzinfo=UTC),
        None,
        datetime(2025, 1, 1, tzinfo=UTC),
        None,
        datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2025, 3, 9, 4, tzinfo=UTC),
    ),
}
_CELLS = {
    "n": range(1, 10),
    "b": (True, False, None, True, True, False, None, False, True),
    "l": ([1, 2], [], [3], [2, 1, 1], None, [0], None, [-1], [5]),
    **_SMALL,
    **_TEXTS,
    **_TIMES,
}
"""Nine rows, column by column; the seventh knows nothing but its group."""
ROWS = [dict(zip(_CELLS, cells, strict=True)) for cells in zip(*_CELLS.values(), strict=True)]

EACH = (
    # numbers
    "i + j",
    "i - j",
    "-i * 2",
    "x / 7",
    "(i + 1) / 2",
    "i / 60",
    "(i - 240) / 25",
    "0.5 * i - 1.07 * j",
    "0.44 * i + 0.56 * i = i",
    "ABS(i)",
    "ABS(x)",
    "SAFE_DIVIDE(i, j)",
    "SAFE_DIVIDE(x, y)",
    "SAFE_DIVIDE(i, 0)",
    "100 * SAFE_DIVIDE(x, i)",
    "MOD(i, 2)",
    "DIV(i, 2)",
    "MOD(i + DIV(j, 3), 5)",
    "GREATEST(i, j)",
    "GREATEST(x, 0)",
    "GREATEST(-2.0, LEAST(2.0, x))",
    "LEAST(i, j, 3)",
    "LEAST(x, y)",
    "SQRT(ABS(x))",
    "POW(SIN(y), 2)",
    "COS(y)",
    "ACOS(-1) / 180",
    "ASIN(LEAST(1.0, SQRT(POW(SIN(y), 2))))",
    "CAST(FLOOR(y * 1099511627776 / 1000000000 + 0.5) AS INT64)",
    "CAST(FLOOR(ABS(y) * 10 + 0.5) AS INT64)",
    "FLOOR(x)",
    "CAST(i AS FLOAT64)",
    "CAST(y * 5 AS INT64)",
    "CAST((i - 240) / 25 AS INT64)",
    "CAST(i AS INT64)",
    "CAST(i AS STRING)",
    "CAST(n AS STRING)",
    "CAST(NULL AS INT64)",
    # conditions
    "b AND i > 0",
    "b OR x < 0",
    "NOT b",
    "i <= 3 AND j >= 1 OR x != y",
    "i <> j",
    "i IN (1, 3, 7)",
    "s NOT IN ('', 'a,b')",
    "i BETWEEN -7 AND 3",
    "i NOT BETWEEN 0 AND 5",
    "d BETWEEN DATE_SUB(e, INTERVAL 7 DAY) AND DATE_ADD(e, INTERVAL 1 DAY)",
    "i IS NULL",
    "x IS NOT NULL",
    "IF(b, i, j)",
    "IF(x > 0, 'up,', '')",
    "IF(b IS NULL, NULL, IF(b, 1.0, 0.0))",
    "CASE WHEN i > 0 THEN 'a' WHEN i < 0 THEN 'b' END",
    "CASE s WHEN '' THEN 1 WHEN 'technical' THEN 2 ELSE 3 END",
    "CASE i WHEN j THEN 'same' WHEN 7 THEN 'seven' END",
    "COALESCE(i, j, -1)",
    "COALESCE(b AND i > 3, FALSE)",
    "'a' IN (s, m)",
    "CAST(b AS BOOL)",
    # strings
    "CONCAT(g, '/', s)",
    "CONCAT('a', CAST(i AS STRING), ',')",
    "SUBSTR(s, 1, 3)",
    "SUBSTR(s, 3, 2)",
    "SUBSTR(m, 14, 3)",
    "RTRIM(s, ',')",
    "RTRIM('x,,', ',')",
    "SPLIT(s, ',')",
    "SPLIT(RTRIM(s, ','), ',')",
    "SPLIT(m, ':')[SAFE_OFFSET(0)]",
    "SPLIT(m, ':')[SAFE_OFFSET(1)]",
    "SPLIT(m, ':')[SAFE_OFFSET(2)]",
    "IF(s = '', [], SPLIT(RTRIM(s, ','), ','))",
    "s LIKE '%technical%'",
    "s LIKE 'ab%'",
    "s NOT LIKE '%b%'",
    "s < m",
    r"REGEXP_CONTAINS(m, r'^\d+:\d\d$')",
    r"REGEXP_CONTAINS(m, r'^\d+$')",
    "SAFE_CAST(m AS FLOAT64)",
    r"CASE WHEN REGEXP_CONTAINS(m, r'^\d+$') THEN SAFE_CAST(m AS INT64) * 60 END",
    r"IF(REGEXP_CONTAINS(m, r'^\d+:\d+$'), SAFE_CAST(SPLIT(m, ':')[SAFE_OFFSET(0)] AS INT64), NULL)",
    # dates and times
    "DATE_ADD(d, INTERVAL 1 DAY)",
    "DATE_SUB(d, INTERVAL 370 DAY)",
    "DATE_SUB(d, INTERVAL 1 DAY) = e",
    "DATE_DIFF(d, e, DAY)",
    "EXTRACT(MONTH FROM d)",
    "CAST(d AS DATE)",
    "d < e",
    "TIMESTAMP(d, 'America/New_York')",
    "TIMESTAMP(DATE_ADD(d, INTERVAL 1 DAY), 'America/New_York')",
    "TIMESTAMP(DATETIME(d, TIME(0, 0, 0)), 'America/New_York')",
    "TIMESTAMP(DATETIME(d, TIME(1, 0, 0)), 'America/New_York')",
    "TIMESTAMP(DATETIME(d, TIME(2, 0, 0)), 'America/New_York')",
    "TIMESTAMP(DATETIME(d, TIME(3, 0, 0)), 'America/New_York')",
    "TIMESTAMP(DATETIME(d, TIME(n, 0, 0)), 'America/New_York')",
    "TIMESTAMP(DATETIME(d, TIME(23, 0, 0)), 'America/New_York') <= t",
    "CAST(t AS TIMESTAMP)",
    "GREATEST(COALESCE(t, NULL), t)",
    # arrays
    "ARRAY_LENGTH(l)",
    "IF(ARRAY_LENGTH(l) > 0, l, NULL)",
    "TO_JSON_STRING(l)",
    "TO_JSON_STRING(w)",
    "[i, j, 0][SAFE_OFFSET(0)]",
    "EXISTS(SELECT 1 FROM test.edges AS o WHERE o.i = e1.j AND o.n < e1.n)",
    # windows
    "COUNT(*) OVER (PARTITION BY g)",
    "COUNT(i) OVER (PARTITION BY g ORDER BY n ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
    "COUNT(i) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)",
    "COUNTIF(b) OVER (PARTITION BY g)",
    "COUNTIF(b) OVER (PARTITION BY g ORDER BY n)",
    "COUNTIF(b) OVER (PARTITION BY g ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
    "COUNTIF(b) OVER (PARTITION BY g ORDER BY n ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)",
    "SUM(i) OVER (PARTITION BY g ORDER BY n ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
    "SUM(i) OVER (PARTITION BY g ORDER BY n ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)",
    "SUM(i) OVER (PARTITION BY g) / COUNT(*) OVER (PARTITION BY g)",
    "SUM(IF(b, i, 0)) OVER (PARTITION BY g)",
    "AVG(j) OVER (PARTITION BY g)",
    "MAX(IF(b, n, NULL)) OVER (PARTITION BY g ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
    "MIN(s) OVER (PARTITION BY g)",
    "ROW_NUMBER() OVER (PARTITION BY g ORDER BY n)",
    "ROW_NUMBER() OVER (PARTITION BY g ORDER BY i, n)",
    "ROW_NUMBER() OVER (PARTITION BY g ORDER BY i DESC, n DESC)",
    "ROW_NUMBER() OVER (ORDER BY s, n)",
    "ROW_NUMBER() OVER (ORDER BY s DESC, n)",
    "ROW_NUMBER() OVER (ORDER BY x, n)",
    "ROW_NUMBER() OVER (ORDER BY d DESC, t, b, n)",
    "RANK() OVER (PARTITION BY g ORDER BY i)",
    "DENSE_RANK() OVER (ORDER BY CASE g WHEN 'b' THEN 1 ELSE 2 END, g)",
    "LAG(i) OVER (PARTITION BY g ORDER BY n)",
    "LEAD(d) OVER (PARTITION BY g ORDER BY n)",
    "LEAD(d) OVER (PARTITION BY g ORDER BY i, n)",
    "FIRST_VALUE(i) OVER (PARTITION BY g ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
    "FIRST_VALUE(i IGNORE NULLS) OVER (ORDER BY n DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
    "LAST_VALUE(i IGNORE NULLS) OVER (PARTITION BY g ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
    "LAST_VALUE(IF(b, s, NULL) IGNORE NULLS) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)",
)
"""Values of a row, windows included; asked as `SELECT n, ... FROM test.edges AS e1`."""

GROUPS = (
    "COUNT(*)",
    "COUNT(i)",
    "COUNT(DISTINCT i)",
    "COUNTIF(b)",
    "COUNTIF(i > 100)",
    "2 * COUNTIF(b) >= COUNT(*)",
    "SUM(i)",
    "SUM(i) / COUNT(*)",
    "SUM(y)",
    "SUM(IF(b, i, 0))",
    "MIN(i)",
    "MAX(t)",
    "MIN(x)",
    "(MIN(j) + MAX(j)) / 2",
    "AVG(j)",
    "LOGICAL_OR(b)",
    "LOGICAL_OR(b AND i > 5)",
    "COALESCE(MIN(i), MIN(j))",
    "IF(COUNT(j) >= 2, SUM(j) / COUNT(j), NULL)",
    "ARRAY_AGG(n ORDER BY n)",
    "ARRAY_AGG(IF(b, s, NULL) IGNORE NULLS ORDER BY s)",
    "ARRAY_AGG(s IGNORE NULLS ORDER BY s DESC, n)",
)
"""Values of a group; asked as `SELECT g, ... FROM test.edges GROUP BY g`."""

STATEMENTS = (
    "SELECT n, g FROM test.edges WHERE i > 0 QUALIFY ROW_NUMBER() OVER (PARTITION BY g ORDER BY i DESC, n) = 1",
    "SELECT n FROM test.edges QUALIFY j = MAX(j) OVER (PARTITION BY g)",
    "SELECT n FROM test.edges WHERE i NOT IN (SELECT j FROM test.edges WHERE j IS NOT NULL)",
    "SELECT n FROM test.edges WHERE i NOT IN (SELECT j FROM test.edges)",
    "SELECT n FROM test.edges WHERE i IN (SELECT j FROM test.edges)",
    "SELECT g, COUNT(*) AS c FROM test.edges GROUP BY g HAVING COUNT(*) = 2",
    "SELECT COUNT(*) AS c, SUM(i) AS s, COUNTIF(b) AS t, MAX(n) AS m FROM test.edges WHERE FALSE",
    "SELECT DISTINCT g, b FROM test.edges",
    "SELECT n, item FROM test.edges CROSS JOIN UNNEST(l) AS item",
    "SELECT n, item FROM test.edges CROSS JOIN UNNEST([g, s]) AS item",
    "SELECT n, item FROM test.edges CROSS JOIN UNNEST(w) AS item",
    "SELECT * EXCEPT (l, w) FROM test.edges",
    "SELECT o.* EXCEPT (l, w, n), e.n FROM test.edges AS e LEFT JOIN test.edges AS o ON o.i = e.j AND e.b",
    "SELECT e.n, o.n AS other FROM test.edges AS e INNER JOIN test.edges AS o ON o.g = e.g AND o.d < e.d",
    "SELECT n, i, NULL AS z FROM test.edges UNION ALL SELECT n, j, s FROM test.edges",
    "WITH a AS (SELECT n, i FROM test.edges WHERE b) SELECT x.n, y.i FROM a AS x INNER JOIN a AS y ON y.n = x.n",
    """SELECT n, SUM(i) OVER so_far AS s, COUNT(*) OVER last_2 - COUNT(i) OVER last_2 AS c FROM test.edges
    WINDOW
      playing AS (PARTITION BY g ORDER BY n),
      so_far AS (playing ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
      last_2 AS (PARTITION BY g ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)""",
    "SELECT @day AS day, n FROM test.edges WHERE d BETWEEN DATE_SUB(@day, INTERVAL 370 DAY) AND @day AND t < @moment",
    "SELECT g, b, COUNT(*) AS c FROM test.edges GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT t > @moment AS later, CASE WHEN t IS NULL THEN @moment ELSE t END AS moment FROM test.edges",
)

CORPUS = (
    *(f"SELECT n, {value} AS value FROM test.edges AS e1" for value in EACH),
    *(f"SELECT g, {value} AS value FROM test.edges GROUP BY g" for value in GROUPS),
    *STATEMENTS,
)
PARAMS = {"day": SPRING, "moment": datetime(2025, 1, 1, tzinfo=UTC)}


@pytest.fixture(scope="module")
def both(engine: Engine) -> Both:
    return Both(Oracle(engine, [EDGES]), [EDGES])


@pytest.mark.parametrize("sql", CORPUS, ids=lambda sql: sql.removeprefix("SELECT n, ").removeprefix("SELECT g, "))
def test_engines_agree(both: Both, sql: str) -> None:
    params = {name: value for name, value in PARAMS.items() if f"@{name}" in sql}
    assert differences(*both.answers(sql, {"test.edges": ROWS}, params)) == []


def test_the_corpus_covers_the_pipeline() -> None:
    used = set(chain.from_iterable(map(_constructs, _pipeline())))
    tried = set(chain.from_iterable(map(_constructs, CORPUS)))
    assert used - tried == set()


def _pipeline() -> Iterator[str]:
    for one in graph.processors_in_order():
        for statement in (
            statements.candidate,
            statements.counts,
            statements.absent_games,
            statements.issue_counts,
            statements.broken_rows,
        ):
            yield statement(one)


def _constructs(sql: str) -> Iterator[str]:
    """The kinds of nodes of a statement, with what else decides what they mean."""
    for node in sqlglot.parse_one(sql, read="bigquery").walk():
        kind = node.name.upper() if isinstance(node, exp.Anonymous) else type(node).__name__
        yield kind
        if isinstance(node, exp.Cast):
            yield f"{kind} AS {node.to.sql('bigquery')}"
        if unit := node.args.get("unit"):
            yield f"{kind} {unit.sql('bigquery')}"
        if isinstance(node, exp.Window):
            yield f"{type(node.this).__name__} OVER"
