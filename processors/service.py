"""The HTTP service of a phase: what Pub/Sub pushes to.

`POST /process` answers one message, `GET /health` says that the process is alive, `GET /ready` that it can work. For
gunicorn: `processors.service:create_app(3)`, or in a container, which is told by its environment,
`processors.service:create_app_from_environment()`.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from flask import Flask, Response, jsonify, request

from processors import graph, readiness
from processors.admission import BODY_IS_READ, Admission
from processors.asking import trigger_source
from processors.handling import Answer, Decision, Handler
from processors.request import Outcome
from shared import logs
from shared.clock import utc_now
from shared.errors import NbactlError, UsageError, WarehouseLocked
from shared.google_auth import ON_CLOUD_RUN, PUSH_AUDIENCE, PushTokens, Refusal
from shared.local import INSTANCE
from shared.pubsub import PubSub
from shared.settings import Settings, load
from shared.text import shorten
from shared.topology import account, service_of_phase
from shared.version import code_version
from shared.warehouse.connect import connect

PHASE = "NBACTL_PHASE"
"""The variable by which a container is told which service it is."""

_BODY_BYTES = 16 * 1024**2
"""More than the 10 MB that a message may have, as base64 in an envelope."""

Answered = tuple[Response, int] | tuple[Response, int, dict[str, str]]
_UNAVAILABLE = int(HTTPStatus.SERVICE_UNAVAILABLE)
_RETRY_AFTER_SECONDS = 10
"""As Pub/Sub waits before it sends a message again."""

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
    return routes(Flask(__name__), handler, project, tokens=_push_tokens(project))


def create_app_from_environment() -> Flask:
    """The service of the phase that NBACTL_PHASE names.

    Raises:
        UsageError: it names none that has processors, or a setting is no such value.
    """
    named = os.environ.get(PHASE, "")
    if named not in map(str, phases()):
        raise UsageError(f"{PHASE} is {named!r}; it must be one of {', '.join(map(str, phases()))}")
    return create_app(int(named))


def _push_tokens(project: str) -> PushTokens | None:
    """What judges the tokens of pushes, where the environment names their audiences."""
    audiences = frozenset(os.environ.get(PUSH_AUDIENCE, "").split())
    return PushTokens(audiences, account(project), unsigned=ON_CLOUD_RUN in os.environ) if audiences else None


def phases() -> list[int]:
    """The phases that have processors, in order."""
    return sorted({one.phase for one in graph.processors_in_order()})


def routes(
    app: Flask,
    handler: Handler,
    project: str,
    admission: Admission | None = None,
    tokens: PushTokens | None = None,
) -> Flask:
    """Let an app answer for a handler.

    Args:
        app: without routes.
        handler: answers messages.
        project: where its traces are.
        admission: which messages are worked on, and which wait; None for the usual.
        tokens: judges who pushes; None where nobody asks.
    """
    admission = admission or Admission()
    identity: dict[str, object] = {
        "service": service_of_phase(handler.phase).name,
        "phase": handler.phase,
        "code_version": code_version(),
        "processors": [one.name for one in graph.processors_in_order() if one.phase == handler.phase],
    }
    if instance := os.environ.get(INSTANCE):
        identity["instance"] = instance

    @app.post("/process")
    def process() -> Answered:
        size = _BODY_BYTES if request.content_length is None else min(request.content_length, _BODY_BYTES)
        with logs.traced(request.headers.get, project), admission.place(size) as admitted:
            if tokens and (refusal := tokens.refusal(request.headers.get("Authorization"))):
                return _turned_away(refusal)
            if not admitted:
                return _sent_back(f"{admission.held} messages are at work or waiting")
            body = _body()
            with admission.turn() as waited:
                if waited is None:
                    return _sent_back(f"other messages are at work since more than {admission.patience:.0f} s")
                answer = replace(handler, budget=handler.budget - waited).push(body)
            _note(answer)
        return jsonify(answer.body()), answer.http_status

    @app.get("/health")
    def health() -> Response:
        return jsonify({"status": "healthy", "timestamp": utc_now().isoformat(), **identity})

    @app.get("/ready")
    def ready() -> Answered:
        if reason := _why_unready(handler, admission):
            return jsonify({"status": "not ready", "reason": reason, **identity}), _UNAVAILABLE
        return jsonify({"status": "ready", **identity}), HTTPStatus.OK

    for status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        app.register_error_handler(status, partial(_refused, status))
    return app


def _refused(status: HTTPStatus, _error: Exception) -> Answered:
    """The answer to a request that none of the routes has seen."""
    return jsonify({"status": str(Decision.REJECTED), "reason": status.phrase}), status


def _why_unready(handler: Handler, admission: Admission) -> str | None:
    """What keeps a service from working on a message; None where nothing does."""
    try:
        readiness.require_ready(handler.warehouse, handler.phase)
    except WarehouseLocked as locked:
        # where messages are held, it is one of them that has the warehouse
        return None if admission.held else locked.sentence
    except NbactlError as error:
        return error.sentence
    except Exception as error:  # noqa: BLE001 -- whatever keeps it from working, it is not ready
        return shorten(f"{type(error).__name__}: {error}")
    return None


def _body() -> bytes:
    """The body of the request; nothing where it is longer than any message."""
    try:
        if (request.content_length or 0) > _BODY_BYTES:
            return b""
        # it need not say how long it is
        body = request.stream.read(_BODY_BYTES + 1)
        return body if len(body) <= _BODY_BYTES else b""
    finally:
        request.environ.get(BODY_IS_READ, _nothing)()


def _nothing() -> None:
    """Nobody limits how long a body may take."""


def _turned_away(refusal: Refusal) -> Answered:
    """The answer to a push that is not known to come from Pub/Sub."""
    status = int(refusal.status)
    decision = Decision.RETRY if status == _UNAVAILABLE else Decision.REJECTED
    fields = {"status": str(decision), "http_status": status, "reason": refusal.reason}
    _log.error("push turned away: %s", refusal.reason, extra={"fields": fields})
    return jsonify({"status": str(decision), "reason": refusal.reason}), status


def _sent_back(reason: str) -> Answered:
    """The answer to a message that is not even looked at: Pub/Sub sends it again."""
    _log.warning("message sent back: %s", reason, extra={"fields": {"status": "retry", "http_status": _UNAVAILABLE}})
    headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
    return jsonify({"status": str(Decision.RETRY), "reason": reason}), _UNAVAILABLE, headers


def _note(answer: Answer) -> None:
    """Log an answer, and each run that it began: an error where a message comes again, or where a run has failed."""
    level = logging.INFO if answer.http_status == HTTPStatus.OK else logging.ERROR
    fields = {key: value for key, value in answer.body().items() if value not in (None, [])}
    fields |= {"http_status": answer.http_status, "message_id": answer.delivery.message_id}
    subject = f"{answer.table or 'message'} {answer.game_date or ''}".strip()
    reason = f": {answer.reason}" if answer.reason else ""
    _log.log(level, "%s %s%s", subject, answer.decision, reason, extra={"fields": fields})
    for outcome in answer.outcomes:
        if outcome.run_id and outcome.status.ran:
            _note_run(answer, outcome)


def _note_run(answer: Answer, outcome: Outcome) -> None:
    """Log a run, in a line of its own: metrics of a log count lines, and see nothing of a list in one."""
    processor = outcome.processor
    fields = {
        "event": "run",
        "processor": processor.name,
        "output_table": processor.output.name,
        "status": str(outcome.status),
        "trigger_source": trigger_source(answer.received.event) if answer.received else None,
        "phase": processor.phase,
        "game_date": outcome.date.isoformat(),
        "rows": outcome.rows,
        "rows_expected": outcome.expected,
        "duration_ms": round(outcome.seconds * 1000),
        "reason_code": outcome.reason_code,
        "reason": outcome.reason,
        "error_type": outcome.error_type,
        "correlation_id": answer.correlation_id,
        "run_id": outcome.run_id,
        "request_id": answer.request_id,
    }
    level = logging.ERROR if outcome.status.failed else logging.INFO
    text = "%s %s %s, %s rows in %s ms"
    values = (processor.name, outcome.date, outcome.status, outcome.rows, fields["duration_ms"])
    known = {name: value for name, value in fields.items() if value is not None}
    _log.log(level, text, *values, extra={"fields": known})
