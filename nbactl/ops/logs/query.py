"""Which entries are meant: as a test of an entry, and as a filter in Cloud Logging's query language.

The test decides, for local files and for Cloud Logging alike. The filter only spares us entries that the test would
refuse, so it may let through too much and never too little. Regular expressions are RE2's in both: they mean the same,
and there is none that takes longer than its text is long.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from nbactl.ops.logs.entry import ALIASES, SEVERITIES, Entry
from shared.clock import EASTERN
from shared.errors import UsageError
from shared.topology import service_called

if TYPE_CHECKING:
    from re2 import _Regexp

_LATELY = timedelta(hours=1)
_LONG = timedelta(days=7)

_TEXTS = ("textPayload", "jsonPayload.message", "jsonPayload.exception")
"""Where Cloud Logging has what `Entry.message` and `Entry.exception` say."""

_SENDABLE = 1_000
"""Characters of an expression that a filter has room for; a longer one is ours alone."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression.

    Attributes:
        text: as it was typed.
        compiled: by RE2.
    """

    text: str
    compiled: _Regexp

    def is_found_in(self, text: str) -> bool:
        """Whether any part of a text matches."""
        return self.compiled.search(text.encode("utf-8", "replace")) is not None


@dataclass(frozen=True, slots=True)
class Query:
    """What entries must be; what is None or empty says nothing.

    Attributes:
        services: full names.
        since: included.
        until: not included.
        level: the least severity.
        grep: found in the message or the exception.
        exclude: found in neither.
        processors: full names; one of them must have run.
        day: the game date that the entry is about.
    """

    services: tuple[str, ...]
    since: datetime
    until: datetime | None = None
    level: str | None = None
    grep: Expression | None = None
    exclude: Expression | None = None
    processors: tuple[str, ...] = ()
    day: date | None = None
    correlation_id: str | None = None

    def matches(self, entry: Entry) -> bool:
        """Whether an entry is meant."""
        return (
            entry.time >= self.since
            and (self.until is None or entry.time < self.until)
            and entry.service in self.services
            and (self.level is None or SEVERITIES[entry.severity] >= SEVERITIES[self.level])
            and (self.correlation_id is None or entry.correlation_id == self.correlation_id)
            and (not self.processors or not _processors(entry).isdisjoint(self.processors))
            and (self.day is None or self.day.isoformat() in _dates(entry))
            and (self.grep is None or _found(self.grep, entry))
            and (self.exclude is None or not _found(self.exclude, entry))
        )

    def cloud_filter(self) -> str:
        """The same in Cloud Logging's query language, one condition a line."""
        return "\n".join(self._conditions())

    def _conditions(self) -> Iterator[str]:
        yield 'resource.type="cloud_run_revision"'
        yield _any(["resource.labels.service_name"], "=", self.services)
        yield f'timestamp>="{_rfc3339(self.since)}"'
        if self.until:
            yield f'timestamp<"{_rfc3339(self.until)}"'
        if self.level:
            yield f"severity>={self.level}"
        if self.correlation_id is not None:
            yield _any(["labels.correlation_id", "jsonPayload.correlation_id"], "=", [self.correlation_id])
        if self.processors:
            yield _any(["jsonPayload.processor", "jsonPayload.results.processor"], "=", self.processors)
        if self.day:
            yield _any(["jsonPayload.game_date", "jsonPayload.results.date"], "=", [self.day.isoformat()])
        if self.grep and len(self.grep.text) <= _SENDABLE:
            # a request that the platform logs has no text but the one we give it
            yield f"({_any(_TEXTS, '=~', [self.grep.text])} OR httpRequest.requestMethod:*)"
        if self.exclude and len(self.exclude.text) <= _SENDABLE:
            yield f"NOT {_any(_TEXTS, '=~', [self.exclude.text])}"


def named(names: Iterable[str]) -> tuple[str, ...]:
    """The services that are called so: `analytics`, `3` or the full name; no names are all services.

    Raises:
        UnknownName: no service is called so.
    """
    return tuple(dict.fromkeys(service_called(name.casefold()).name for name in names)) or tuple(ALIASES)


def processors(names: Iterable[str]) -> tuple[str, ...]:
    """The full names of processors.

    Raises:
        UnknownName: no processor is called so.
    """
    from processors import graph

    wanted = tuple(names)
    if not wanted:
        return ()
    return tuple(one.name for one in graph.select(wanted, {one.phase for one in graph.processors_in_order()}))


def expression(text: str | None, option: str) -> Expression | None:
    """Read a regular expression.

    Raises:
        UsageError: it is none of RE2's, which knows no look-around and no back-references.
    """
    if text is None:
        return None
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return Expression(text, re2.compile(text, options))
    except (re2.error, UnicodeEncodeError) as error:
        (reason, *_) = error.args
        raise UsageError(
            f"{option}: {text!r} is no regular expression",
            why=reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(error),
            hint=f"for the text itself: {option} {shlex.quote(re2.escape(text))}",
        ) from error


def period(
    since: datetime | None, until: datetime | None, *, day: date | None, narrow: bool, now: datetime
) -> tuple[datetime, datetime | None]:
    """From when to when to look.

    Where no beginning is given it is an hour ago; who asks for something particular wants it found, so then it is a
    week ago, or when the game date began.

    Raises:
        UsageError: that is no time, or all of it is still to come.
    """
    if since is None:
        since = (until or now) - (_LONG if narrow or day else _LATELY)
        since = min(since, datetime.combine(day, time(), EASTERN)) if day else since
    if until is not None and until <= since:
        raise UsageError(f"--until {_rfc3339(until)} is not after --since {_rfc3339(since)}", hint="nbactl logs --help")
    if since > now:
        raise UsageError(f"--since {_rfc3339(since)} is still to come", hint="nbactl logs --since 1h")
    return since, until


def quoted(text: str) -> str:
    """A string in Cloud Logging's query language, whatever it holds."""
    sendable = text.encode("utf-8", "replace").decode("utf-8")
    return '"' + "".join(map(_escaped, sendable)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() or char > "\x9f" else f"\\u{ord(char):04x}"


def _any(fields: Iterable[str], operator: str, values: Iterable[str]) -> str:
    texts = [quoted(value) for value in values]
    value = texts[0] if len(texts) == 1 else f"({' OR '.join(texts)})"
    said = [f"{field}{operator}{value}" for field in fields]
    return said[0] if len(said) == 1 else f"({' OR '.join(said)})"


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _found(wanted: Expression, entry: Entry) -> bool:
    return any(wanted.is_found_in(text) for text in (entry.message, entry.exception) if text)


def _processors(entry: Entry) -> set[object]:
    return {_plain(one.get("processor")) for one in (entry.fields, *entry.results)}


def _dates(entry: Entry) -> set[object]:
    return {_plain(entry.fields.get("game_date")), *(_plain(one.get("date")) for one in entry.results)}


def _plain(value: object) -> str | None:
    """Only text is compared; what a hostile line holds in its place may not even be hashable."""
    return value if isinstance(value, str) else None
