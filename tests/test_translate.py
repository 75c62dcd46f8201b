"""What the translation refuses, rewrites and remembers; that both engines then agree, `tests/googlesql` shows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from processors import graph, statements
from shared.warehouse import translate
from shared.warehouse.portable import UnportableSQLError
from shared.warehouse.translate import to_duckdb

UNPORTABLE = {
    "1 / x": "SAFE_DIVIDE",
    "1 / (x - 1)": "SAFE_DIVIDE",
    "x / 0": "SAFE_DIVIDE",
    "ROUND(x, 1)": "ties",
    "FORMAT('%d', i)": "differently",
    "FORMAT_DATE('%F', d)": "differently",
    "FORMAT_TIMESTAMP('%F', t, 'America/New_York')": "differently",
    "PARSE_DATE('%F', s)": "differently",
    "STRING(t, 'America/New_York')": "differently",
    "CAST(x / 2 AS STRING)": "FLOAT64",
    "CAST(0.5 * i AS STRING)": "FLOAT64",
    "CAST(SAFE_DIVIDE(x, y) AS STRING)": "FLOAT64",
    "CAST(AVG(x) AS STRING)": "FLOAT64",
    "SAFE_CAST(s AS INT64)": "REGEXP_CONTAINS",
    "EXTRACT(DAYOFWEEK FROM d)": "days and weeks",
    "EXTRACT(WEEK FROM d)": "days and weeks",
    "DATE_TRUNC(d, MONTH)": "type",
    "TIMESTAMP_TRUNC(t, DAY)": "type",
    "DATE_DIFF(d, e, WEEK)": "only DAY",
    "TIMESTAMP_DIFF(t, u, HOUR)": "boundaries",
    "ANY_VALUE(x)": "decides for itself",
    "ANY_VALUE(x HAVING MAX y)": "decides for itself",
    "ARRAY_AGG(x ORDER BY y LIMIT 1)": "no LIMIT",
    "ARRAY_AGG(x ORDER BY y NULLS LAST)": "NULLs first",
    "STRING_AGG(s, ',' ORDER BY y DESC NULLS FIRST)": "NULLs first",
    "ROW_NUMBER() OVER (PARTITION BY x)": "without ORDER BY",
    "l[OFFSET(0)]": "SAFE_OFFSET",
    "l[ORDINAL(1)]": "SAFE_OFFSET",
    "STRUCT(1, x)": "name every field",
    "IEEE_DIVIDE(x, y)": "does not know",
    "(SELECT MAX(o) FROM UNNEST(l) AS item WITH OFFSET AS o)": "begins at 1",
}
"""What must not be said, and a word of the reason."""

PORTABLE = (
    "x / 2",
    "SUM(x) / COUNT(*)",
    "SUM(x) OVER w / COUNT(*) OVER w",
    "SAFE_DIVIDE(x, y)",
    "CAST(i AS STRING)",
    "CAST(COUNT(*) AS STRING)",
    r"CASE WHEN REGEXP_CONTAINS(s, r'^\d+$') THEN SAFE_CAST(s AS INT64) END",
    "SAFE_CAST(s AS FLOAT64)",
    "EXTRACT(MONTH FROM d)",
    "DATE_DIFF(d, e, DAY)",
    "ARRAY_AGG(x ORDER BY y)",
    "ARRAY_AGG(x ORDER BY y NULLS FIRST)",
    "ARRAY_AGG(x ORDER BY y DESC)",
    "ROW_NUMBER() OVER w",
    "ROW_NUMBER() OVER (PARTITION BY x ORDER BY y)",
    "SPLIT(s, ',')[SAFE_OFFSET(0)]",
    "STRUCT(1 AS a)",
)

REWRITTEN = {
    "DATE_ADD(d, INTERVAL 1 DAY)": "CAST(d + INTERVAL '1' DAY AS DATE)",
    "0.44 * x": "0.44e0 * x",
    "1e9": "1e9",
    "'0.44'": "'0.44'",
    "COUNTIF(x > 0.5)": "COUNT(CASE WHEN x > 0.5e0 THEN 1 END)",
    "CAST(x / 25 AS INT64)": "CAST(ROUND(x / 25) AS BIGINT)",
    "CAST(FLOOR(x) AS INT64)": "CAST(FLOOR(x) AS BIGINT)",
    "CAST(x AS INT64)": "CAST(x AS BIGINT)",
    "TO_JSON_STRING(l)": "COALESCE(CAST(TO_JSON(l) AS TEXT), 'null')",
}
"""What sqlglot alone translates otherwise, and a few neighbours that stay."""


@pytest.mark.parametrize(("value", "reason"), UNPORTABLE.items(), ids=UNPORTABLE)
def test_what_engines_understand_differently_is_refused(value: str, reason: str) -> None:
    with pytest.raises(UnportableSQLError, match=reason):
        translate.translate(f"SELECT {value} FROM somewhere")


@pytest.mark.parametrize("value", PORTABLE)
def test_what_engines_agree_on_is_not(value: str) -> None:
    assert translate.translate(f"SELECT {value} FROM somewhere WINDOW w AS (ORDER BY i)")


@pytest.mark.parametrize(("googlesql", "duckdb"), REWRITTEN.items(), ids=REWRITTEN)
def test_rewrites(googlesql: str, duckdb: str) -> None:
    text = translate.translate(f"SELECT {googlesql} FROM somewhere")
    assert " ".join(text.split()) == f"SELECT {duckdb} FROM somewhere"


def test_a_rewrite_reaches_into_a_rewrite() -> None:
    text = translate.translate("SELECT DATE_ADD(DATE_SUB(d, INTERVAL 2 DAY), INTERVAL 1 DAY)")
    assert text.count("AS DATE)") == 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, which is not there yet."""
    path = tmp_path / "cache"
    monkeypatch.setattr(translate, "cache_folder", lambda: path)
    return path


def test_a_translation_is_remembered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = to_duckdb("SELECT 1")
    monkeypatch.setattr(translate, "translate", lambda _: pytest.fail("translated again"))
    assert to_duckdb("SELECT 1") == first
    assert [path.suffix for path in folder.iterdir()] == [".sql"]


def test_another_translator_has_other_translations(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to_duckdb("SELECT 1")
    monkeypatch.setattr(translate, "_translator", lambda: ("sqlglot of next year",))
    to_duckdb("SELECT 1")
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("cut", [slice(0), slice(-3), slice(3, None)], ids=["empty", "cut short", "garbled"])
def test_a_damaged_cache_file_is_replaced(folder: Path, cut: slice) -> None:
    whole = to_duckdb("SELECT 1")
    (file,) = folder.iterdir()
    kept = file.read_bytes()
    file.write_bytes(kept[cut] + b"\xff" * (cut.start is not None))
    assert to_duckdb("SELECT 1") == whole
    assert file.read_bytes() == kept


def test_a_cache_folder_that_cannot_be_written_costs_only_time(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    assert to_duckdb("SELECT 1") == to_duckdb("SELECT 1")


def test_a_read_only_cache_folder_costs_only_time(folder: Path) -> None:
    folder.mkdir(mode=0o555)
    assert to_duckdb("SELECT 1") == to_duckdb("SELECT 1")


def test_what_is_remembered_needs_no_sqlglot(tmp_path: Path) -> None:
    texts = [statements.candidate(processor) for processor in graph.processors_in_order()[:2]]
    script = f"""
import sys
from shared.warehouse.translate import to_duckdb
for text in {texts!r}:
    to_duckdb(text)
print("sqlglot" in sys.modules)
"""
    first, second = (
        subprocess.run(  # noqa: S603 -- this Python, and a script of its own
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[1],
            env={**os.environ, "NBACTL_CACHE": str(tmp_path)},
        ).stdout.strip()
        for _ in range(2)
    )
    assert (first, second) == ("True", "False")
