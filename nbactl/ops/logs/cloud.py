"""The logs of the services on Google Cloud."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from nbactl.gcp.logging import LogReader, hit_quota
from nbactl.ops.logs.ahead import ahead
from nbactl.ops.logs.entry import DEFAULT, SEVERITIES, Entry
from nbactl.ops.logs.query import Query
from shared.clock import utc_now
from shared.errors import TimedOut

POLL_SECONDS = 2.0
"""Half of the quota's 60 calls a minute, which all readers of a project share."""

OVERLAP = timedelta(seconds=30)
"""Entries arrive late and out of order; each look goes back this far, and what was seen is left out."""

LATENESS = timedelta(minutes=10)
"""How late an entry may come, and how far this machine's clock and Google's may lie apart, without it being lost."""

LOOKS = 10
"""Every so many looks goes back as far as that: most entries that are late are so by seconds."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
TRIES, QUOTA_TRIES = 3, 7
"""How often one page is asked for; a quota is free again after a minute, which is when the last try comes."""

Said = Callable[[str], None]
"""Told why nothing comes for a while."""

_EPOCH = datetime.fromtimestamp(0, UTC)
_NAMES = {number: name for name, number in SEVERITIES.items()}


class Cloud:
    """The logs of a project, and how far they have been read."""

    def __init__(self, reader: LogReader, said: Said) -> None:
        self._reader = reader
        self._said = said
        self._seen = _Seen()
        self._asked = self._newest = utc_now()
        self._oldest: datetime | None = None

    @property
    def where(self) -> str:
        """What is read, in words."""
        return f"project {self._reader.project} on Cloud Logging"

    def read(self, query: Query, limit: int | None) -> Iterator[list[Entry]]:
        """What is there, in order of time.

        Args:
            query: which entries.
            limit: only the newest.

        Raises:
            AccessDenied: not allowed to read them.
            TimedOut: no answer, after several tries.
            Undetermined: they cannot be read.
        """
        self._asked, self._newest = utc_now(), query.since
        if limit is not None:
            yield self._last(query, limit)
            return
        for page in ahead(self._pages(query, newest_first=False, ask=self._patiently)):
            yield self._new(page, query)
            self._seen.forget(self._asked - LATENESS)

    def follow(self, query: Query) -> Iterator[list[Entry]]:
        """What is written from now on, without end; an answer that does not come is waited for.

        Raises:
            AccessDenied: not allowed to read them.
            Undetermined: they cannot be read.
        """
        wait, looks = 0.0, 0
        while True:
            time.sleep(wait or POLL_SECONDS)
            began = utc_now()
            floor = self._floor() if looks % LOOKS else self._asked - LATENESS
            window = replace(query, since=max(query.since, self._oldest or query.since, floor))
            try:
                for page in self._pages(window, newest_first=False, ask=self._reader.page):
                    yield self._new(page, window)
            except TimedOut as error:
                wait = min(wait * 2 or FIRST_WAIT, LONGEST_WAIT)
                self._say(error, wait)
                continue
            if wait:
                self._said("Cloud Logging answers again; nothing was missed")
            wait, looks, self._asked = 0.0, looks + 1, began
            self._seen.forget(began - LATENESS)

    def _last(self, query: Query, limit: int) -> list[Entry]:
        found: list[Entry] = []
        for page in self._pages(query, newest_first=True, ask=self._patiently):
            found += reversed(self._new(page, query))
            if len(found) >= limit:
                break
        last = found[:limit][::-1]
        if len(found) >= limit:
            # what lies before is not among the newest, and must not come up while we follow
            self._oldest = last[0].time
        return last

    def _new(self, page: Sequence[Any], query: Query) -> list[Entry]:
        """What of a page is meant and was not seen, in order of time."""
        entries = list(map(entry_of, page))
        self._newest = max((one.time for one in entries), default=self._newest)
        return sorted(filter(self._seen.is_new, filter(query.matches, entries)), key=attrgetter("time"))

    def _floor(self) -> datetime:
        """From when on something may still come: behind what came last, whatever an entry from the future says."""
        return max(min(self._newest, self._asked) - OVERLAP, self._asked - LATENESS)

    def _pages(
        self, query: Query, *, newest_first: bool, ask: Callable[..., tuple[Sequence[Any], str]]
    ) -> Iterator[Sequence[Any]]:
        text, token = query.cloud_filter(), ""
        while True:
            page, token = ask(text, newest_first=newest_first, token=token)
            yield page
            if not token:
                return

    def _patiently(self, text: str, *, newest_first: bool, token: str) -> tuple[Sequence[Any], str]:
        """Ask for a page again where that may help."""
        failures, wait = 0, FIRST_WAIT
        while True:
            try:
                return self._reader.page(text, newest_first=newest_first, token=token)
            except TimedOut as error:
                failures += 1
                if failures >= (QUOTA_TRIES if hit_quota(error) else TRIES):
                    raise
                self._say(error, wait)
            time.sleep(wait)
            wait *= 2

    def _say(self, error: TimedOut, wait: float) -> None:
        self._said(f"{error.message}; asking again in {wait:g} s ({error.why})")


class _Seen:
    """Which entries have been given out, as far back as they may come again."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, datetime], datetime] = {}
        self._tidy_at = 10_000

    def is_new(self, entry: Entry) -> bool:
        """Take note of an entry; whether it is the first time."""
        key = (entry.insert_id or f"{entry.service} {entry.message}", entry.time)
        if key in self._times:
            return False
        self._times[key] = entry.time
        return True

    def forget(self, before: datetime) -> None:
        """Forget what will not come again, once there is much of it."""
        if len(self._times) > self._tidy_at:
            self._times = {key: moment for key, moment in self._times.items() if moment >= before}
            self._tidy_at = max(10_000, 2 * len(self._times))


class _Fields(Mapping[str, object]):
    """A payload, or an object in it; a field is made Python's when it is asked for, and most never are."""

    __slots__ = ("_fields",)

    def __init__(self, struct: Any) -> None:  # noqa: ANN401 -- a message of protobuf has no type of its own
        self._fields = struct.fields

    def __getitem__(self, name: str) -> object:
        # protobuf makes a field that is not there
        if name not in self._fields:
            raise KeyError(name)
        return _value(self._fields[name])

    # the base class has one, a quarter as fast
    def get(self, name: str, default: object = None) -> object:
        """A field, if it is there."""
        fields = self._fields
        return _value(fields[name]) if name in fields else default

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._fields))

    def __len__(self) -> int:
        return len(self._fields)

    def items(self) -> ItemsView[str, object]:
        """Everything, which is had faster at once than one by one."""
        return _whole(self._fields).items()


def entry_of(found: Any) -> Entry:  # noqa: ANN401 -- a message of protobuf has no type of its own
    """An entry of Cloud Logging as one of ours."""
    message, fields = _payload(found)
    at, location = found.timestamp, found.source_location
    return Entry(
        time=_EPOCH + timedelta(seconds=at.seconds, microseconds=at.nanos // 1000),
        severity=_NAMES.get(found.severity, DEFAULT),
        service=found.resource.labels.get("service_name", ""),
        message=message,
        fields=fields,
        labels=found.labels,
        source=f"{location.file}:{location.line}" if location.file else None,
        trace=found.trace or None,
        insert_id=found.insert_id or None,
    )


def _payload(found: Any) -> tuple[str, Mapping[str, object]]:  # noqa: ANN401 -- as above
    match found.WhichOneof("payload"):
        case "json_payload":
            fields = _Fields(found.json_payload)
            said = fields.get("message", "")
            return said if isinstance(said, str) else json.dumps(said, default=dict), fields
        case "text_payload":
            return found.text_payload, {}
        case "proto_payload":
            return _audited(found.proto_payload), {}
    request = found.http_request
    said = (request.request_method, request.request_url, str(request.status or ""))
    return " ".join(filter(None, said)), {"http_status": request.status} if request.status else {}


def _audited(payload: Any) -> str:  # noqa: ANN401 -- as above
    """Who did what to a service, which is what Google's own entries about it are."""
    from google.cloud.audit.audit_log_pb2 import AuditLog  # type: ignore[import-untyped]

    log = AuditLog()
    if not payload.Unpack(log):
        return str(payload.type_url)
    by = log.authentication_info.principal_email
    return f"{log.method_name}{f' by {by}' if by else ''}{f': {log.status.message}' if log.status.message else ''}"


def _value(value: Any) -> object:  # noqa: ANN401 -- as above
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "struct_value":
        return _Fields(value.struct_value)
    if kind == "list_value":
        return [_value(inner) for inner in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return value.bool_value if kind == "bool_value" else None


def _whole(fields: Any) -> dict[str, object]:  # noqa: ANN401 -- as above
    # protobuf's order differs from one process to the next
    return {name: _deep(_value(fields[name])) for name in sorted(fields)}


def _deep(value: object) -> object:
    if isinstance(value, _Fields):
        return dict(value.items())
    return [_deep(inner) for inner in value] if isinstance(value, list) else value
