"""Which content each raw table has for each date: digests, computed when rows change and never when they are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from shared.clock import DateRange, utc_now
from shared.ledger import RAW_VERSIONS
from shared.tables.model import Table
from shared.tables.raw import RAW_TABLES, SCHEDULE
from shared.warehouse.base import Session

_LOAD_STAMP = "processed_at"
_CALENDAR = """SELECT
  game_date AS date, game_id, nba_game_id, season_year, game_status = 4 AS cancelled, game_start_time,
  home_team_abbr, away_team_abbr, neutral_site
FROM nba_raw.nbac_schedule
WHERE game_date BETWEEN @start_date AND @end_date
QUALIFY ROW_NUMBER() OVER (PARTITION BY game_id ORDER BY processed_at DESC) = 1"""
"""What is known of games before they are played: scores and whether they are over do not count."""


def renew(session: Session, table: Table, dates: DateRange, *, announce: bool = False) -> list[date]:
    """Note the content that a raw table has now for some dates.

    Args:
        session: a writing session; the caller's transaction, if any, makes it one step with the change.
        table: raw, with a `game_date`.
        dates: whose content may have changed.
        announce: whether what changed is to be announced.

    Returns:
        The dates whose content differs from what was noted before, in order.
    """
    now, noted = _now(session, table, dates), _noted(session, table, dates)
    changed = sorted(day for day in {*now, *noted} if _hashes(now.get(day)) != noted.get(day))
    gone = [day for day in changed if day not in now]
    if gone:
        forget = f"""DELETE FROM {RAW_VERSIONS.id}
WHERE table_name = @name AND game_date IN (SELECT one FROM UNNEST(@dates) AS one)"""
        session.execute(forget, {"name": table.name, "dates": gone})
    session.put(RAW_VERSIONS, [{**now[day], "announce": announce} for day in changed if day in now])
    return changed


def renew_all(session: Session) -> None:
    """Note the content that every raw table has now, for what was changed otherwise than by a load."""
    for table, dates in _spans(session):
        renew(session, table, dates)


def renew_since(session: Session, start: date) -> None:
    """Note the content that every raw table has now from a date on."""
    for table, dates in _spans(session):
        if dates.end >= start:
            renew(session, table, DateRange(max(dates.start, start), dates.end))


def unnoted(session: Session) -> dict[str, list[date]]:
    """By table, the dates whose content is not the one that was noted; changes nothing."""
    found = {}
    for table, dates in _spans(session):
        now, noted = _now(session, table, dates), _noted(session, table, dates)
        if changed := sorted(day for day in {*now, *noted} if _hashes(now.get(day)) != noted.get(day)):
            found[table.name] = changed
    return found


def _spans(session: Session) -> Iterator[tuple[Table, DateRange]]:
    """Every raw table with the dates that it holds, or once held."""
    for table in RAW_TABLES:
        ends = [*_span(session, table.id, ""), *_span(session, RAW_VERSIONS.id, f"table_name = '{table.name}' AND ")]
        known = [day for day in ends if day]
        if known:
            yield table, DateRange(min(known), max(known))


def _span(session: Session, table: str, where: str) -> tuple[date | None, date | None]:
    text = f"SELECT MIN(game_date), MAX(game_date) FROM {table} WHERE {where}game_date >= DATE '1946-01-01'"
    ((first, last),) = session.query(text).rows
    return first, last


def _content(table: Table) -> str:
    """The rows that count: the newest load of each key, without its stamp."""
    columns = ", ".join(name for name in table.column_names if name not in (_LOAD_STAMP, "game_date"))
    keys = [column for column in table.columns if column.name in table.key]
    # a FLOAT64 may order a window, not partition it; as text it may
    key = ", ".join(f"TO_JSON_STRING({one.name})" if one.type == "FLOAT64" else one.name for one in keys)
    # who could not be resolved has no key: each of these rows counts
    keyless = "".join(f" OR {one.name} IS NULL" for one in keys if one.mode == "NULLABLE")
    return f"""SELECT game_date AS date, {columns}
FROM {table.id}
WHERE game_date BETWEEN @start_date AND @end_date
QUALIFY ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {_LOAD_STAMP} DESC) = 1{keyless}"""


def _noted(session: Session, table: Table, dates: DateRange) -> dict[date, tuple[str, str | None]]:
    text = f"""SELECT game_date, content_hash, calendar_hash
FROM {RAW_VERSIONS.id}
WHERE table_name = @name AND game_date BETWEEN @start_date AND @end_date"""
    rows = session.query(text, {"name": table.name, "start_date": dates.start, "end_date": dates.end}).rows
    return {day: (content, calendar) for day, content, calendar in rows}


def _now(session: Session, table: Table, dates: DateRange) -> dict[date, dict[str, object]]:
    """The ledger's row for each date, as the content is now."""
    window = {"start_date": dates.start, "end_date": dates.end}
    calendar = session.digests(_CALENDAR, window) if table is SCHEDULE else {}
    return {
        day: {
            "table_name": table.name,
            "game_date": day,
            "row_count": digest.rows,
            "content_hash": digest.hash,
            "calendar_hash": calendar[day].hash if day in calendar else None,
            "loaded_at": utc_now(),
        }
        for day, digest in session.digests(_content(table), window).items()
    }


def _hashes(record: dict[str, object] | None) -> tuple[object, object] | None:
    return (record["content_hash"], record["calendar_hash"]) if record else None
