"""The HTTP service of a phase: what Pub/Sub pushes to.

`POST /process` answers one message, `GET /health` says that the process is alive, `GET /ready` that it can work. For
gunicorn: `processors.service:create_app(3)`, or in a container, which is told by its environment,
`processors.service:create_app_from_environment()`.
"""

from __future__ import annotations

import logging
import os
import threading
from http import HTTPStatus

from flask import Flask, Response, jsonify, request

from processors import graph
from processors.handling import Answer, Handler
from shared import logs
from shared.clock import utc_now
from shared.errors import NbactlError, UsageError
from shared.local import INSTANCE
from shared.pubsub import PubSub
from shared.settings import Settings, load
from shared.topology import account, service_of_phase
from shared.version import code_version
from shared.warehouse.connect import connect

PHASE = "NBACTL_PHASE"
"""The variable by which a container is told which service it is."""

_BODY_BYTES = 16 * 1024**2
"""More than the 10 MB that a message may have, as base64 in an envelope."""

_log = logging.getLogger(__name__)


def create_app(phase: int, settings: Settings | None = None) -> Flask:
    """The service of a phase; settings come from the environment where none are given.

    Raises:
        UsageError: a setting is no such value.
        PreconditionFailed: nothing names the project.
    """
    logs.configure()
    settings = settings or load({})
    project = settings.require_project()
    pubsub = PubSub(project, settings.emulator or None)
    warehouse = connect(settings.warehouse, wait=settings.wait_seconds)
    handler = Handler(phase, warehouse, pubsub.publish, account(project))
    # the first announcement need not wait for the client to be imported
    threading.Thread(target=lambda: pubsub.publisher, daemon=True).start()
    return routes(Flask(__name__), handler, project)


def create_app_from_environment() -> Flask:
    """The service of the phase that NBACTL_PHASE names.

    Raises:
        UsageError: it names none that has processors, or a setting is no such value.
    """
    named = os.environ.get(PHASE, "")
    if named not in map(str, phases()):
        raise UsageError(f"{PHASE} is {named!r}; it must be one of {', '.join(map(str, phases()))}")
    return create_app(int(named))


def phases() -> list[int]:
    """The phases that have processors, in order."""
    return sorted({one.phase for one in graph.processors_in_order()})


def routes(app: Flask, handler: Handler, project: str) -> Flask:
    """Let an app answer for a handler; `project` is where its traces are."""
    identity: dict[str, object] = {
        "service": service_of_phase(handler.phase).name,
        "phase": handler.phase,
        "code_version": code_version(),
        "processors": [one.name for one in graph.processors_in_order() if one.phase == handler.phase],
    }
    if instance := os.environ.get(INSTANCE):
        identity["instance"] = instance
    app.config["MAX_CONTENT_LENGTH"] = _BODY_BYTES

    @app.post("/process")
    def process() -> tuple[Response, int]:
        too_large = (request.content_length or 0) > _BODY_BYTES
        with logs.traced(request.headers.get, project):
            answer = handler.push(b"" if too_large else request.get_data())
            _note(answer)
        return jsonify(answer.body()), answer.http_status

    @app.get("/health")
    def health() -> Response:
        return jsonify({"status": "healthy", "timestamp": utc_now().isoformat(), **identity})

    @app.get("/ready")
    def ready() -> tuple[Response, int]:
        try:
            with handler.warehouse.reading() as session:
                session.query("SELECT 1 AS one")
        except Exception as error:  # noqa: BLE001 -- whatever keeps it from working, it is not ready
            reason = str(error)
            if isinstance(error, NbactlError) and error.why:
                reason = f"{reason}: {error.why}"
            return jsonify({"status": "not ready", "reason": reason, **identity}), HTTPStatus.SERVICE_UNAVAILABLE
        return jsonify({"status": "ready", **identity}), HTTPStatus.OK

    return app


def _note(answer: Answer) -> None:
    """Log an answer: an error where the message comes again, a line where it does not."""
    level = logging.INFO if answer.http_status == HTTPStatus.OK else logging.ERROR
    fields = {key: value for key, value in answer.body().items() if value not in (None, [])}
    fields |= {"http_status": answer.http_status, "message_id": answer.delivery.message_id}
    subject = f"{answer.table or 'message'} {answer.game_date or ''}".strip()
    reason = f": {answer.reason}" if answer.reason else ""
    _log.log(level, "%s %s%s", subject, answer.decision, reason, extra={"fields": fields})
