"""Log entries of a project, a page at a time, on Google's client.

`tail_log_entries` is left alone: it is known to give nothing for hours. Whoever follows asks for pages again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

from nbactl.gcp.pubsub_admin import undetermined
from shared.errors import AccessDenied, TimedOut
from shared.pubsub import answered

if TYPE_CHECKING:
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
    from grpc import Channel

PAGE_ENTRIES = 1000
"""As many as Cloud Logging gives at once; the quota counts calls, 60 a minute for all readers of a project."""

CALL_SECONDS = 30.0
_PACKAGE = "google.cloud.logging_v2"
_SERVER = "Cloud Logging"


@dataclass(frozen=True)
class LogReader:
    """Reads the log entries of one project."""

    project: str
    client: LoggingServiceV2Client

    def page(self, query: str, *, newest_first: bool, token: str = "") -> tuple[Sequence[Any], str]:
        """One page of entries, as protobuf has them, and the token of the next; an empty page may have a next.

        Raises:
            AccessDenied: not allowed to read them.
            TimedOut: no answer, or too many questions; asking again may help.
            Undetermined: they did not come, which is not the same as no entries.
        """
        request = {
            "resource_names": [f"projects/{self.project}"],
            "filter": query,
            "order_by": "timestamp desc" if newest_first else "timestamp asc",
            "page_size": PAGE_ENTRIES,
            "page_token": token,
        }
        with _reading(self.project):
            listed = self.client.list_log_entries(request=request, timeout=CALL_SECONDS, retry=None)
            answer = next(iter(listed.pages))
        # the entries underneath: proto-plus takes longer for each than everything else that is done to it
        page = type(answer).pb(answer)
        return page.entries, page.next_page_token


def connect(project: str, channel: Channel | None = None) -> LogReader:
    """Return a reader of a project's logs; nothing is asked yet.

    Args:
        project: whose logs.
        channel: to a server other than Google's.

    Raises:
        AccessDenied: there are no credentials.
    """
    _skip_init()
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client as Client

    with answered("reach Cloud Logging", _SERVER):
        if channel is None:
            return LogReader(project, Client())
        return LogReader(project, Client(transport=Client.get_transport_class("grpc")(channel=channel)))


def hit_quota(error: TimedOut) -> bool:
    """Whether an error says that too much was asked within a minute."""
    return getattr(error.__cause__, "code", None) == HTTPStatus.TOO_MANY_REQUESTS


def _skip_init() -> None:
    """Let the parts of Google's package be imported without the whole.

    Its `__init__` is for programs that write logs: it brings Flask, and takes as long as the client itself.
    """
    spec = None if _PACKAGE in sys.modules else find_spec(_PACKAGE)
    if spec:
        sys.modules[_PACKAGE] = module_from_spec(spec)


@contextmanager
def _reading(project: str) -> Iterator[None]:
    try:
        with undetermined(f"read the logs of project {project}", _SERVER):
            yield
    except AccessDenied as error:
        if getattr(error.__cause__, "code", None) == HTTPStatus.FORBIDDEN:
            error.hint = f"ask for roles/logging.viewer on project {project}"
        raise
    except TimedOut as error:
        error.hint = "try again in a minute, or ask for less: a shorter --since, one SERVICE, -n 100"
        raise
