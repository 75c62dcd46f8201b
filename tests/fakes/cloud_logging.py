"""Cloud Logging as far as reading goes: a gRPC server that speaks the real protocol, for the real client.

It keeps the times, the order and the pages that are asked for, and gives every entry of the services, whatever else the
filter says: what the filter says is to be tested as text, and that nothing depends on it by this fake. It can be told
to fail, to repeat itself, and to have entries appear late.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import grpc
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse, LogEntry

from nbactl.gcp.logging import LogReader, connect

METHOD = "/google.logging.v2.LoggingServiceV2/ListLogEntries"
PROJECT = "fake-project"
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0))


class FakeCloudLogging(grpc.GenericRpcHandler):
    """A project's entries.

    Attributes:
        entries: what there is, in any order; may be added to at any time.
        failing: how the next calls end, in order; None answers. What stands in `always` is the end of all later ones.
        page_size: so many entries at once.
        repeats: whether each page begins with the end of the one before.
        requests: what was asked.
        pages: gives any page and says whether it is the last, in place of `entries`.
    """

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.failing: deque[tuple[grpc.StatusCode, str] | None] = deque()
        self.always: tuple[grpc.StatusCode, str] | None = None
        self.page_size = 1000
        self.repeats = False
        self.requests: list[Any] = []
        self.pages: Callable[[int], tuple[bytes, bool]] | None = None
        self.before_answer: Callable[[int], None] = lambda _call: None

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        return grpc.unary_unary_rpc_method_handler(self._answer) if call.method == METHOD else None

    def _answer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        asked = ListLogEntriesRequest.deserialize(request)
        self.requests.append(asked)
        self.before_answer(len(self.requests))
        failing = self.failing.popleft() if self.failing else self.always
        if failing:
            context.abort(*failing)
        page = int(asked.page_token or 0)
        if self.pages:
            body, more = self.pages(page)
            return body + (b"\x12" + bytes([len(str(page + 1))]) + str(page + 1).encode() if more else b"")
        return self._page(asked, page)

    def _page(self, asked: Any, page: int) -> bytes:  # noqa: ANN401 -- a message of proto-plus
        found = self._found(asked)
        first, end = page * self.page_size, (page + 1) * self.page_size
        answer = ListLogEntriesResponse(next_page_token=str(page + 1) if end < len(found) else "")
        filled = ListLogEntriesResponse.pb(answer)
        filled.entries.extend(found[max(0, first - 3 * self.repeats) : end])
        return bytes(filled.SerializeToString())

    def _found(self, asked: Any) -> list[Any]:  # noqa: ANN401 -- as above
        since = _nanos(re.search(r'timestamp>="([^"]+)"', asked.filter))
        until = _nanos(re.search(r'timestamp<"([^"]+)"', asked.filter))
        found = [one for one in self.entries if since <= one.timestamp.ToNanoseconds() < (until or 1 << 63)]
        if self.repeats:
            return found
        return sorted(found, key=lambda one: one.timestamp.ToNanoseconds(), reverse=asked.order_by.endswith("desc"))


def _nanos(found: re.Match[str] | None) -> int:
    return round((datetime.fromisoformat(found[1])).timestamp() * 1_000_000) * 1000 if found else 0


def entry(  # noqa: PLR0913 -- the parts of an entry
    at: datetime,
    message: object,
    *,
    service: str = "nba-phase3-analytics-processors",
    severity: str = "INFO",
    insert_id: str = "",
    labels: dict[str, str] | None = None,
    **fields: object,
) -> Any:  # noqa: ANN401 -- a message of protobuf
    """An entry as Cloud Run makes it of a JSON line."""
    made = LogEntry.pb(LogEntry(severity=severity, insert_id=insert_id or f"{at.timestamp()}-{message}"[:60]))
    made.timestamp.FromDatetime(at)
    made.resource.type = "cloud_run_revision"
    made.resource.labels["service_name"] = service
    made.labels.update(labels or {})
    made.json_payload.update({"message": message, **fields})
    return made


def million(count: int, began: datetime, per_page: int = 1000) -> Callable[[int], tuple[bytes, bool]]:
    """Pages of so many entries, made one at a time; nothing is kept."""
    result = {"processor": "TeamOffense", "date": "2025-01-15", "status": "SKIPPED_UNCHANGED", "rows_written": 30}
    fields = {"status": "completed", "http_status": 200, "message_id": "7", "results": [result, result]}
    pattern = entry(began, "", correlation_id="c-20250115-7d1a0b2c", **fields)

    def page(number: int) -> tuple[bytes, bool]:
        answer = ListLogEntriesResponse.pb(ListLogEntriesResponse())
        last = min((number + 1) * per_page, count)
        for one in range(number * per_page, last):
            made = answer.entries.add()
            made.CopyFrom(pattern)
            made.insert_id = f"i{one}"
            made.timestamp.FromDatetime(began + timedelta(milliseconds=one))
            made.json_payload.fields["message"].string_value = f"nbac_team_boxscore 2025-01-15 completed {one}"
        return bytes(answer.SerializeToString()), last < count

    return page


@contextmanager
def serving(fake: FakeCloudLogging, port: int = 0) -> Iterator[tuple[str, LogReader]]:
    """Run the fake for as long as the block lasts, with the real client connected to it."""
    server = grpc.server(ThreadPoolExecutor(4), handlers=[fake], options=OPTIONS)
    address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    server.start()
    channel = grpc.insecure_channel(address, options=OPTIONS)
    try:
        yield address, connect(PROJECT, channel)
    finally:
        channel.close()
        server.stop(None).wait()
