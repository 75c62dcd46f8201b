"""Translations of GoogleSQL, remembered on disk.

The texts are the project's own and few; parsing them costs more than running them, so a translation is kept in the
user's cache folder under a digest of everything it depends on: the text, sqlglot's version and the rules.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import tempfile
from functools import cache
from pathlib import Path

from shared.warehouse.portable import translate


def to_duckdb(sql: str) -> str:
    """The DuckDB text of a GoogleSQL query, from the cache where it is known.

    Raises:
        UnportableSQLError: the text breaks a rule of `portable`.
        sqlglot.errors.SqlglotError: the text cannot be parsed or has no translation.
    """
    known = cache_folder() / f"{_key(sql)}.sql"
    if (text := _recalled(known)) is None:
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


def _key(sql: str) -> str:
    return hashlib.sha256("\0".join((sql, *_translator())).encode()).hexdigest()


@cache
def _translator() -> tuple[str, ...]:
    """What else a translation depends on, read without importing sqlglot, which costs more than the run."""
    spec = importlib.util.find_spec("sqlglot")
    if spec is None or spec.origin is None:
        raise ImportError("sqlglot is not installed")
    version = Path(spec.origin).with_name("_version.py")
    rules = Path(__file__).with_name("portable.py")
    return version.read_text(encoding="utf-8"), rules.read_text(encoding="utf-8")


def _recalled(path: Path) -> str | None:
    """A translation of an earlier process, if it is there and whole."""
    try:
        seal, text = path.read_text(encoding="utf-8").split("\n", maxsplit=1)
    except (OSError, ValueError):
        return None
    return text if seal == _seal(text) else None


def _remember(path: Path, text: str) -> None:
    """Keep a translation for the next process; a full disk or a read-only home costs only time."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(f"{_seal(text)}\n{text}")
        Path(file.name).replace(path)


def _seal(text: str) -> str:
    """A first line that no cut or garbled text has."""
    return f"-- {hashlib.sha256(text.encode()).hexdigest()}"
