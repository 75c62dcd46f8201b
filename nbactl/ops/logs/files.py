"""The logs of the local pipeline: a file of JSON lines for each service."""

from __future__ import annotations

import heapq
import json
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path

from nbactl.ops.logs.entry import DEFAULT, SEVERITIES, Entry
from nbactl.ops.logs.query import Query
from nbactl.ops.logs.tail import Tail
from shared.errors import AccessDenied, NotFound, Undetermined

POLL_SECONDS = 0.3
_BATCH = 500
_SLACK = 64
"""Threads of one service may write this many lines out of order."""

_NEVER = datetime.min.replace(tzinfo=UTC)
_SOURCE = "logging.googleapis.com/sourceLocation"
_TRACE = "logging.googleapis.com/trace"
_LABELS = "logging.googleapis.com/labels"
_PROMOTED = frozenset(
    {
        "severity",
        "message",
        "time",
        _SOURCE,
        _TRACE,
        _LABELS,
        "logging.googleapis.com/spanId",
        "logging.googleapis.com/trace_sampled",
    }
)
"""What Cloud Logging takes out of a JSON line; here it is taken out alike."""


class Files:
    """The files, and how far each has been read.

    Args:
        logs: the file of each service.
        ended: whether nobody writes to them any more.
        whole: take a last line that has no end as one; who follows waits for its end.
    """

    def __init__(self, logs: Mapping[str, Path], *, ended: bool, whole: bool) -> None:
        self._ended = ended
        self._whole = whole
        self._tails = {name: _Entries(path) for name, path in logs.items()}

    @property
    def where(self) -> str:
        """What is read, in words."""
        return "the ended pipeline" if self._ended else "the pipeline that nbactl up started here"

    def read(self, query: Query, limit: int | None) -> Iterator[list[Entry]]:
        """What is there, in order of time.

        Args:
            query: which entries.
            limit: only the newest.

        Raises:
            AccessDenied: not allowed to read a file.
            NotFound: a service that was named does not run here.
            Undetermined: a file cannot be read.
        """
        each = (_in_order(tail.entries(name, whole=self._whole)) for name, tail in self._of(query))
        meant = filter(query.matches, heapq.merge(*each, key=attrgetter("time")))
        if limit is not None:
            yield list(deque(meant, maxlen=limit))
            return
        while batch := list(islice(meant, _BATCH)):
            yield batch

    def follow(self, query: Query) -> Iterator[list[Entry]]:
        """What is written from now on, without end; see `read`."""
        while True:
            new = [one for name, tail in self._of(query) for one in tail.entries(name) if query.matches(one)]
            yield sorted(new, key=attrgetter("time"))
            time.sleep(POLL_SECONDS)

    def _of(self, query: Query) -> list[tuple[str, _Entries]]:
        """The files that are asked for; of all services only some may run."""
        found = [(name, tail) for name, tail in self._tails.items() if name in query.services]
        if not found:
            raise NotFound(
                f"{', '.join(query.services)} does not run here",
                why=f"nbactl up started {', '.join(self._tails) or 'no service'}",
                hint="nbactl logs, or nbactl logs --project PROJECT for Google Cloud",
            )
        return found


class _Entries:
    """The entries that a log has gained."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tail = Tail(path)

    def entries(self, service: str, *, whole: bool = False) -> Iterator[Entry]:
        """New lines as entries; a line that says no time has that of the one before.

        At the end of the file it has the file's: a service that dies as it starts leaves a traceback and nothing else.
        """
        last, held = _NEVER, list[Entry]()
        for line in self._lines(whole=whole):
            entry = parsed(line, service)
            if entry.time == _NEVER:
                held.append(entry)
                if len(held) == _BATCH:
                    yield from _dated(held, last if last != _NEVER else self._changed())
                    held = []
                continue
            yield from _dated(held, last if last != _NEVER else entry.time)
            held, last = [], entry.time
            yield entry
        if held:
            yield from _dated(held, self._changed())

    def _lines(self, *, whole: bool) -> Iterator[bytes]:
        try:
            yield from self._tail.lines(whole=whole)
        except PermissionError as error:
            raise AccessDenied(f"not allowed to read {self._path}", hint=f"ls -l {self._path}") from error
        except OSError as error:
            raise Undetermined(
                f"cannot read {self._path}",
                why=error.strerror,
                hint="nbactl down, then nbactl up starts it anew",
            ) from error

    def _changed(self) -> datetime:
        return datetime.fromtimestamp(self._path.stat().st_mtime, UTC)


def parsed(line: bytes, service: str) -> Entry:
    """A line as Cloud Run would take it: JSON with its special fields, or text; `time` is the least where it has none.

    It may be anything, for whatever a service prints is in its log.
    """
    text = line.decode("utf-8", "replace")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        return Entry(_NEVER, DEFAULT, service, text)
    message, severity, labels = record.get("message", ""), record.get("severity"), record.get(_LABELS)
    return Entry(
        time=_moment(record.get("time")),
        severity=severity if isinstance(severity, str) and severity in SEVERITIES else DEFAULT,
        service=service,
        message=message if isinstance(message, str) else json.dumps(message),
        fields={key: value for key, value in record.items() if key not in _PROMOTED},
        labels={key: str(value) for key, value in labels.items()} if isinstance(labels, dict) else {},
        source=_source(record.get(_SOURCE)),
        trace=trace if isinstance(trace := record.get(_TRACE), str) else None,
    )


def _moment(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return _NEVER


def _source(location: object) -> str | None:
    return f"{location.get('file')}:{location.get('line')}" if isinstance(location, dict) else None


def _dated(entries: Iterable[Entry], moment: datetime) -> Iterator[Entry]:
    return (replace(one, time=moment) for one in entries)


def _in_order(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Put right what lies a few lines apart, without reading to the end."""
    heap: list[tuple[datetime, int, Entry]] = []
    for number, entry in enumerate(entries):
        one = (entry.time, number, entry)
        if number < _SLACK:
            heapq.heappush(heap, one)
        else:
            yield heapq.heappushpop(heap, one)[-1]
    yield from (entry for _, _, entry in sorted(heap))
