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
_HIDDEN = re.compile(r"\b_[a-z]\w*")


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
    """Rows to exchange: the declared columns without stamps, and what `counts` and `broken_rows` ask of each.

    `_id` identifies a row among the expected ones, `_expected` is the id that was expected of it on the date `_due`,
    and `_there` is TRUE. What was expected and is not there is a row as well, with nothing but `_expected` and `_due`:
    having no date, it is not exchanged.
    """
    columns = [
        f"CAST(r.{column.name} AS {column.type}) AS {column.name}"
        if not column.type.startswith("ARRAY")
        else f"r.{column.name}"
        for column in processor.result_columns
    ]
    text = f"""SELECT
  {_lines(columns)},
  IF(COALESCE(r._issues, '') = '', [], SPLIT(RTRIM(r._issues, ','), ',')) AS quality_issues,
  {_lines([f"r.{name}" for name in ("_id", "_there", *_hidden(processor))])},
  w.id AS _expected,
  w.date AS _due
FROM (
  SELECT
    *,
    {processor.identity} AS _id,
    TRUE AS _there,
    {_codes([_issue(issue) for issue in sorted(processor.issues, key=lambda issue: issue.code)])} AS _issues
  FROM result
) AS r
FULL JOIN wanted AS w ON w.date = r.{processor.output.date_column} AND w.id = r._id"""
    return compose(text, result=source(processor), wanted=processor.expected)


def _hidden(processor: Processor) -> list[str]:
    """Columns of the result that checks read and that are not stored."""
    return sorted({name for check in processor.checks for name in _HIDDEN.findall(check.holds)})


def counts(processor: Processor) -> str:
    """Per date of `stage`: how many rows, and how many are of a tier, ready, with issues, broken; what was expected.

    `missing` holds the expected ids that are not there.
    """
    return f"""SELECT
  date,
  COUNTIF(is_there) AS row_count,
  COUNTIF(tier = 'high') AS high,
  COUNTIF(tier = 'medium') AS medium,
  COUNTIF(is_ready) AS ready,
  COUNTIF(has_issues) AS marked,
  COUNTIF(broken != '') AS broken,
  COUNT(expected) AS expected,
  ARRAY_AGG(IF(is_there, NULL, expected) IGNORE NULLS ORDER BY expected) AS missing
FROM (
  {_checked(processor)}
)
GROUP BY date"""


def absent_games(processor: Processor) -> str:
    """The games of `stage` that were expected and of which no row is there, or none of one team.

    With the number of games of their date, and the team, NULL where it is both. Only of a processor whose rows are of
    games.
    """
    rows = f"""SELECT
  date,
  is_there,
  SPLIT(COALESCE(expected, id), '/')[SAFE_OFFSET(0)] AS game_id,
  SPLIT(COALESCE(expected, id), '/')[SAFE_OFFSET(1)] AS part
FROM (
  {_checked(processor)}
)"""
    games = """SELECT date, game_id, COUNTIF(is_there) AS row_count, COUNT(*) OVER (PARTITION BY date) AS games
FROM staged_rows
GROUP BY date, game_id"""
    text = """-- uses: schedule
SELECT
  g.date, g.games, g.game_id, s.nba_game_id, s.away_team_abbr, s.home_team_abbr, r.part AS team
FROM staged_games AS g
INNER JOIN schedule AS s ON s.game_id = g.game_id
LEFT JOIN staged_rows AS r
  ON
    r.date = g.date AND r.game_id = g.game_id AND g.row_count > 0
    AND NOT r.is_there AND r.part IN (s.away_team_abbr, s.home_team_abbr)
WHERE g.row_count = 0 OR r.part IS NOT NULL
ORDER BY g.date, g.game_id"""
    return compose(text, staged_rows=rows, staged_games=games)


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


def lost_games(processor: Processor) -> str:
    """Games of the dates whose stored rows rest on raw rows that are gone: with rows stored, and rows in `stage`.

    A game is lost where the schedule still has it and `stage` does not, or where its play-by-play was read and is gone.
    """
    table = processor.output
    return compose(f"""-- uses: schedule
SELECT o.date, o.game_id, o.stored_count, COALESCE(s.staged_count, 0) AS staged_count
FROM (
  SELECT
    {table.date_column} AS date, game_id, COUNT(*) AS stored_count, COUNT(shot_zones_source) AS zoned_count
  FROM {table.id}
  WHERE {table.date_column} BETWEEN @start_date AND @end_date
  GROUP BY 1, 2
) AS o
INNER JOIN schedule AS g ON g.game_id = o.game_id AND g.game_date = o.date AND g.is_final AND g.game_status != 4
LEFT JOIN (SELECT game_id, COUNT(*) AS staged_count FROM stage GROUP BY game_id) AS s ON s.game_id = o.game_id
LEFT JOIN (
  SELECT DISTINCT game_id FROM nba_raw.nbac_play_by_play WHERE game_date BETWEEN @start_date AND @end_date
) AS p ON p.game_id = o.game_id
WHERE s.game_id IS NULL OR (o.zoned_count > 0 AND p.game_id IS NULL)""")


def _checked(processor: Processor) -> str:
    """The rows of `stage`, a few columns wide, with the codes of every hard check that fails.

    Checks are asked here because many concern several rows: a window over all columns costs ten times one over some.
    """
    table = processor.output
    broken = [f"IF({holds}, '', '{code},')" for code, holds in _hard(processor)]
    return f"""SELECT
    COALESCE({table.date_column}, _due) AS date,
    _id AS id,
    _expected AS expected,
    COALESCE(_there, FALSE) AS is_there,
    data_quality_tier AS tier,
    {"is_production_ready" if "is_production_ready" in table.column_names else "FALSE"} AS is_ready,
    ARRAY_LENGTH(quality_issues) > 0 AS has_issues,
    IF(_there, {_codes(broken)}, '') AS broken
  FROM stage"""


def _hard(processor: Processor) -> Iterator[tuple[str, str]]:
    """The checks that every table has, then the processor's own."""
    table = processor.output
    must = [column.name for column in processor.result_columns if column.mode == "REQUIRED"]
    yield "duplicate_key", f"COUNT(*) OVER (PARTITION BY {', '.join(table.key)}) = 1"
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
