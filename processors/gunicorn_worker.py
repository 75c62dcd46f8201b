"""gunicorn's worker with threads, and a time limit for sending a request, which it lacks.

A client that sends slowly, or stops in the middle, would otherwise keep a thread for as long as it likes.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from processors.admission import BODY_IS_READ

READ_SECONDS = 10.0
"""How long a client has for a request, from its first byte to its last."""


class DeadlineWorker(ThreadWorker):
    """Answers requests in threads, and ends connections whose request does not arrive in time."""

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 -- gunicorn's own
        super().__init__(*given, **named)
        self._due: dict[socket.socket, float] = {}

    def load_wsgi(self) -> None:
        """Load the application, and let it say when it has read a body."""
        super().load_wsgi()
        application: Callable[[Any, Any], Iterable[bytes]] = self.wsgi

        def timed(environ: MutableMapping[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 -- gunicorn's
            environ[BODY_IS_READ] = lambda: self._due.pop(environ["gunicorn.socket"], None)
            return application(environ, start_response)

        self.wsgi = timed

    def handle(self, conn: Any) -> Any:  # noqa: ANN401 -- gunicorn's own
        """Answer the next request of a connection; runs in a thread."""
        self._due[conn.sock] = time.monotonic() + READ_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._due.pop(conn.sock, None)

    def notify(self) -> None:
        """Say that the worker lives, as it does every second, and end what has taken too long."""
        super().notify()
        now = time.monotonic()
        late = [connection for connection, due in list(self._due.items()) if due < now]
        for connection in late:
            if self._due.pop(connection, None):
                # whoever reads from it finds that nothing more comes
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
        if late:
            self.log.warning("%s clients took more than %s s to send a request", len(late), READ_SECONDS)
