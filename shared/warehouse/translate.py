"""GoogleSQL to DuckDB: sqlglot, plus the few rewrites it lacks, remembered on disk.

The texts are the project's own and few; parsing them costs more than running them, so a translation is kept in the
user's cache folder under a digest of everything it depends on: the text, sqlglot's version and this module.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


class UnportableSQLError(ValueError):
    """A statement says something that the two engines would understand differently."""


def to_duckdb(sql: str) -> str:
    """The DuckDB text of a GoogleSQL query, from the cache where it is known.

    Raises:
        UnportableSQLError: the text breaks a rule of this module.
        sqlglot.errors.SqlglotError: the text cannot be parsed or has no translation.
    """
    known = cache_folder() / f"{_key(sql)}.sql"
    try:
        return known.read_text(encoding="utf-8")
    except OSError:
        text = translate(sql)
    _remember(known, text)
    return text


@cache
def cache_folder() -> Path:
    """Where translations are kept; `NBACTL_CACHE` names another folder."""
    if folder := os.environ.get("NBACTL_CACHE"):
        return Path(folder)
    from platformdirs import user_cache_path

    return user_cache_path("nbactl") / "sql"


def translate(sql: str) -> str:
    """The DuckDB text of a GoogleSQL query."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(sql, read="bigquery")
    for division in tree.find_all(exp.Div):
        _refuse_unsafe_division(division)
    return tree.transform(_rewrite).sql("duckdb", pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE)


def _rewrite(node: exp.Expression) -> exp.Expression:
    from sqlglot import exp

    # DuckDB makes a timestamp of a date plus an interval, and then compares dates with timestamps
    if isinstance(node, exp.DateAdd | exp.DateSub) and not isinstance(node.parent, exp.Cast):
        return exp.cast(node, "DATE")
    return node


def _refuse_unsafe_division(division: exp.Div) -> None:
    """BigQuery fails on a division by zero and DuckDB gives infinity, so only sure divisors may stand bare."""
    from sqlglot import exp

    divisor = division.expression.unnest()
    counted = divisor.this if isinstance(divisor, exp.Window) else divisor
    sure = isinstance(divisor, exp.Literal) and float(divisor.name) != 0
    if not (sure or isinstance(counted, exp.Count)):
        raise UnportableSQLError(f"{division.sql('bigquery')}: use SAFE_DIVIDE, the divisor may be zero")


def _key(sql: str) -> str:
    return hashlib.sha256("\0".join((sql, *_translator())).encode()).hexdigest()


@cache
def _translator() -> tuple[str, ...]:
    """What else a translation depends on, read without importing sqlglot, which costs more than the run."""
    spec = importlib.util.find_spec("sqlglot")
    if spec is None or spec.origin is None:
        raise ImportError("sqlglot is not installed")
    version = Path(spec.origin).with_name("_version.py")
    return version.read_text(encoding="utf-8"), Path(__file__).read_text(encoding="utf-8")


def _remember(path: Path, text: str) -> None:
    """Keep a translation for the next process; a full disk or a read-only home costs only time."""
    _quietly(lambda: path.parent.mkdir(parents=True, exist_ok=True))
    _quietly(lambda: _write_atomically(path, text))


def _write_atomically(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(path)


def _quietly(action: Callable[[], object]) -> None:
    try:
        action()
    except OSError:
        return
