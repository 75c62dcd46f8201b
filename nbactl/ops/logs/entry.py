"""One entry of a log, wherever it was kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from shared.topology import SERVICES

DEFAULT = "DEFAULT"
"""The severity of a line whose writer gave none."""

SEVERITIES: Mapping[str, int] = MappingProxyType(
    {
        DEFAULT: 0,
        "DEBUG": 100,
        "INFO": 200,
        "NOTICE": 300,
        "WARNING": 400,
        "ERROR": 500,
        "CRITICAL": 600,
        "ALERT": 700,
        "EMERGENCY": 800,
    }
)
"""Cloud Logging's names with its numbers, which say what is graver."""

ALIASES = {service.name: service.alias for service in SERVICES}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a service, or its platform, wrote down.

    Attributes:
        service: its full name.
        message: may have several lines, and may hold anything.
        fields: what else was written, as it was written: nothing about its shape is certain.
        trace: full name of the request's trace.
        insert_id: Cloud Logging's own; together with the time it tells entries apart.
    """

    time: datetime
    severity: str
    service: str
    message: str
    fields: Mapping[str, object] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    trace: str | None = None
    insert_id: str | None = None

    @property
    def exception(self) -> str | None:
        """The traceback, if there is one."""
        return _text(self.fields.get("exception"))

    @property
    def correlation_id(self) -> str | None:
        """Of the chain that the entry belongs to."""
        return _text(self.fields.get("correlation_id")) or self.labels.get("correlation_id")

    @property
    def http_status(self) -> int | None:
        """What the request was answered with."""
        status = self.fields.get("http_status")
        return status if isinstance(status, int) else None

    @property
    def results(self) -> Iterator[Mapping[str, object]]:
        """What each processor did for each date, where the entry is an answer to a message."""
        results = self.fields.get("results")
        return (one for one in results if isinstance(one, Mapping)) if isinstance(results, list) else iter(())

    def record(self) -> dict[str, object]:
        """The entry for machines; the keys are the same for every entry."""
        return {
            "time": self.time,
            "severity": self.severity,
            "service": self.service,
            "message": self.message,
            "correlation_id": self.correlation_id,
            "http_status": self.http_status,
            "exception": self.exception,
            "fields": {name: value for name, value in self.fields.items() if name not in _SAID},
            "labels": self.labels,
            "source": self.source,
            "trace": self.trace,
            "insert_id": self.insert_id,
        }


_OWN_KEYS = ("correlation_id", "http_status", "exception")
_SAID = frozenset({"message", *_OWN_KEYS})

KEYS = (
    "time",
    "severity",
    "service",
    "message",
    *_OWN_KEYS,
    "fields",
    "labels",
    "source",
    "trace",
    "insert_id",
)
"""The keys of a record, in their order."""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
