"""The GoogleSQL that a processor's declaration and SQL file amount to.

A processor's SQL names the shared definitions it builds on in a line `-- uses: a, b`; each is a file of
`processors/definitions` and becomes a common table expression of the statement. So a statistic is defined once,
whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from processors.declaration import Issue, Processor

_HERE = Path(__file__).parent
_USES = re.compile(r"^-- uses: (.+)$", re.MULTILINE)


@cache
def definition(name: str) -> str:
    """The text of one shared definition."""
    return (_HERE / "definitions" / f"{name}.sql").read_text(encoding="utf-8")


def used(text: str) -> list[str]:
    """The definitions that a statement builds on, each after those it builds on itself."""

    def visit(names: list[str]) -> Iterator[str]:
        for name in names:
            yield from visit(_named(definition(name)))
            yield name

    return list(dict.fromkeys(visit(_named(text))))


def _named(text: str) -> list[str]:
    return [name.strip() for line in _USES.findall(text) for name in line.split(",")]


def compose(text: str, **results: str) -> str:
    """`text` with its definitions, and the named `results`, in front of it as common table expressions.

    Args:
        text: a SELECT that does not begin with WITH.
        results: more expressions, by name; `text` may read them, and they may use definitions.
    """
    names = used("\n".join([*results.values(), text]))
    parts = [(name, definition(name)) for name in names] + list(results.items())
    if not parts:
        return text
    body = ",\n".join(f"{name} AS (\n{part.strip()}\n)" for name, part in parts)
    return f"WITH {body}\n{text}"


def source(processor: Processor) -> str:
    """The processor's own SQL."""
    return processor.sql.read_text(encoding="utf-8")


def candidate(processor: Processor) -> str:
    """Rows to exchange: the declared columns without stamps, then `_id` and `_broken`.

    `_id` identifies the row among the expected ones; `_broken` holds the codes of the hard checks that the row
    fails, each followed by a comma, but for that of its key. Every column is cast to its declared type.
    """
    columns = [
        f"CAST({column.name} AS {column.type}) AS {column.name}" if not column.type.startswith("ARRAY") else column.name
        for column in processor.result_columns
    ]
    text = f"""SELECT
  {_lines(columns)},
  IF(_issues = '', [], SPLIT(RTRIM(_issues, ','), ',')) AS quality_issues,
  {processor.identity} AS _id,
  _broken
FROM (
  SELECT
    *,
    {_codes([_issue(issue) for issue in sorted(processor.issues, key=lambda issue: issue.code)])} AS _issues,
    {_codes([f"IF({holds}, '', '{code},')" for code, holds in _hard(processor)])} AS _broken
  FROM result
)"""
    return compose(text, result=source(processor))


def expected(processor: Processor) -> str:
    """What should be there: a row per `date` with `rows_expected`, and the ids that `stage` lacks.

    Reads the exchanged rows as the table `stage`.
    """
    date_column = processor.output.date_column
    text = f"""SELECT
  w.date,
  COUNT(*) AS rows_expected,
  ARRAY_AGG(IF(s._id IS NULL, w.id, NULL) IGNORE NULLS ORDER BY w.id) AS missing
FROM wanted AS w
LEFT JOIN stage AS s ON s.{date_column} = w.date AND s._id = w.id
GROUP BY w.date"""
    return compose(text, wanted=processor.expected)


def counts(processor: Processor) -> str:
    """Per date of `stage`: rows, and how many are of a tier, ready for production, with issues, and broken."""
    return f"""SELECT
  date,
  COUNT(*) AS row_count,
  COUNTIF(tier = 'high') AS high,
  COUNTIF(tier = 'medium') AS medium,
  COUNTIF(is_ready) AS ready,
  COUNTIF(has_issues) AS marked,
  COUNTIF(broken != '') AS broken
FROM (
  {_checked(processor)}
)
GROUP BY date"""


def issue_counts(processor: Processor) -> str:
    """Per date of `stage`, issue codes without their numbers and the rows that carry them."""
    date_column = processor.output.date_column
    return f"""SELECT {date_column} AS date, SPLIT(issue, ':')[SAFE_OFFSET(0)] AS code, COUNT(*) AS row_count
FROM stage
CROSS JOIN UNNEST(quality_issues) AS issue
GROUP BY 1, 2
ORDER BY 1, 2"""


def broken_rows(processor: Processor) -> str:
    """The rows of `stage` that fail a hard check."""
    return f"""SELECT date, id, RTRIM(broken, ',') AS codes
FROM (
  {_checked(processor)}
)
WHERE broken != ''"""


def _checked(processor: Processor) -> str:
    """The rows of `stage`, a few columns wide, with the codes of every hard check that fails.

    Whether a key is there twice is asked here: a window over all the columns of a result costs ten times as much.
    """
    table = processor.output
    return f"""SELECT
    {table.date_column} AS date,
    _id AS id,
    data_quality_tier AS tier,
    {"is_production_ready" if "is_production_ready" in table.column_names else "FALSE"} AS is_ready,
    ARRAY_LENGTH(quality_issues) > 0 AS has_issues,
    CONCAT(IF(COUNT(*) OVER (PARTITION BY {", ".join(table.key)}) = 1, '', 'duplicate_key,'), _broken) AS broken
  FROM stage"""


def _hard(processor: Processor) -> Iterator[tuple[str, str]]:
    """The checks of a row that every table has, then the processor's own."""
    table = processor.output
    must = [column.name for column in processor.result_columns if column.mode == "REQUIRED"]
    yield "null_in_required_column", " AND ".join(f"{name} IS NOT NULL" for name in must)
    yield "wrong_date", f"{table.date_column} BETWEEN @start_date AND @end_date"
    for check in processor.checks:
        yield check.code, f"COALESCE({check.holds}, TRUE)"


def _issue(issue: Issue) -> str:
    if issue.count is None:
        return f"IF({issue.when}, '{issue.code},', '')"
    return f"IF({issue.when}, CONCAT('{issue.code}:', CAST({issue.count} AS STRING), ','), '')"


def _codes(terms: list[str]) -> str:
    return f"CONCAT(\n      {', '.join(terms) or repr('')}\n    )"


def _lines(items: list[str]) -> str:
    return ",\n  ".join(items)
