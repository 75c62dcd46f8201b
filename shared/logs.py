"""Logs as JSON lines on stdout, in the words that Cloud Logging understands: severity, message, time, and fields.

Lines that are written while a request is answered carry its trace, so that the console shows them below the request;
lines about a chain of events carry its correlation id as a label, which Cloud Logging keeps an index of.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from shared.text import shorten, shorten_middle

TRACE_HEADERS = ("traceparent", "X-Cloud-Trace-Context")
"""Where Cloud Run says which trace a request belongs to; the first is the W3C's."""

_W3C = re.compile(
    r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?:-.*)?", re.ASCII
)
_GOOGLE = re.compile(r"(?P<trace>[0-9a-fA-F]{32})(?:/(?P<span>[0-9]{1,20}))?(?:;o=(?P<sampled>[01]))?", re.ASCII)
_NO_TRACE = "0" * 32
_TRACEBACK_CHARACTERS = 20_000
"""Cloud Logging cuts an entry of more than 256 KB into pieces that are JSON no more."""

_trace: ContextVar[Mapping[str, object]] = ContextVar("trace", default=MappingProxyType({}))


class JSONFormatter(logging.Formatter):
    """One JSON object per record; what stands in `extra={"fields": {...}}` becomes fields of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the record as one line, whatever its message holds."""
        fields: Mapping[str, object] = _bounded(getattr(record, "fields", {}))
        line: dict[str, object] = {
            "severity": record.levelname,
            "message": shorten(record.getMessage()),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            "logging.googleapis.com/sourceLocation": {
                "file": record.pathname,
                "line": str(record.lineno),
                "function": record.funcName,
            },
            **_trace.get(),
            **_labels(fields),
            **fields,
        }
        if record.exc_info:
            line["exception"] = shorten_middle(self.formatException(record.exc_info), _TRACEBACK_CHARACTERS)
        return json.dumps(line, default=str)


def configure(level: int = logging.INFO) -> None:
    """Write every record of this process as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JSONFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


@contextmanager
def traced(header: Callable[[str], str | None], project: str) -> Iterator[None]:
    """Write down with every record of the block which trace the request belongs to.

    Args:
        header: gives a header of the request; without a trace that can be read, nothing is added.
        project: that the trace belongs to.
    """
    token = _trace.set(_trace_fields(header, project))
    try:
        yield
    finally:
        _trace.reset(token)


def _trace_fields(header: Callable[[str], str | None], project: str) -> Mapping[str, object]:
    found = _parsed(header)
    if found is None:
        return {}
    trace, span, sampled = found
    fields: dict[str, object] = {
        "logging.googleapis.com/trace": f"projects/{project}/traces/{trace}",
        "logging.googleapis.com/trace_sampled": sampled,
    }
    return fields | ({"logging.googleapis.com/spanId": span} if span else {})


def _parsed(header: Callable[[str], str | None]) -> tuple[str, str | None, bool] | None:
    """Trace and span, both in hexadecimal, and whether the trace is kept."""
    w3c, google = (header(name) or "" for name in TRACE_HEADERS)
    if (one := _W3C.fullmatch(w3c)) and one["trace"] != _NO_TRACE:
        return one["trace"], one["span"], bool(int(one["flags"], 16) & 1)
    if (one := _GOOGLE.fullmatch(google)) and one["trace"] != _NO_TRACE:
        # Google's header has the span as a decimal number
        return one["trace"].lower(), f"{int(one['span']):016x}" if one["span"] else None, one["sampled"] == "1"
    return None


def _bounded(value: Any) -> Any:  # noqa: ANN401 -- whatever JSON holds
    """A value with every text in it of a known length."""
    if isinstance(value, str):
        return shorten(value)
    if isinstance(value, Mapping):
        return {key: _bounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_bounded(part) for part in value]
    return value


def _labels(fields: Mapping[str, object]) -> dict[str, object]:
    known = fields.get("correlation_id")
    return {"logging.googleapis.com/labels": {"correlation_id": str(known)}} if known else {}
