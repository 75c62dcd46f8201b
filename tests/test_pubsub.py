"""Publishing and pulling on the real emulator, and what happens where there is none."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.api_core import exceptions as google
from google.auth.exceptions import DefaultCredentialsError
from google.pubsub_v1 import PublishResponse

from shared import errors, events, pubsub
from shared.pubsub import PubSub, answered
from tests.emulator import free_port
from tests.fakes.documented_pubsub import documented


@pytest.fixture(params=["emulator", "documented"])
def queue(emulator: str, project: str, request: pytest.FixtureRequest) -> Iterator[PubSub]:
    """A project with a topic `topic` and a subscription `queue` on it, also on a Pub/Sub as documented."""
    with ExitStack() as stack:
        if request.param == "documented":
            _, opened = stack.enter_context(documented(emulator, project))
        else:
            opened = PubSub(project, emulator)
        yield _with_queue(opened)
        opened.close()


def _with_queue(opened: PubSub) -> PubSub:
    opened.publisher.create_topic(name=opened.topic_path("topic"), timeout=10)
    opened.subscriber.create_subscription(
        name=opened.subscription_path("queue"), topic=opened.topic_path("topic"), timeout=10
    )
    return opened


@contextmanager
def server(answer: Callable[[str, grpc.ServicerContext], bytes]) -> Iterator[PubSub]:
    """A server that says to every call what the test wants it to."""

    class Handler(grpc.GenericRpcHandler):
        def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
            return grpc.unary_unary_rpc_method_handler(lambda _request, context: answer(call.method, context))

    running = grpc.server(ThreadPoolExecutor(4), handlers=[Handler()])
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    opened = PubSub("p", f"127.0.0.1:{port}")
    yield opened
    opened.close()
    running.stop(None).wait()


def test_what_is_published_is_pulled(queue: PubSub) -> None:
    before = datetime.now(UTC)
    event = events.Fallback(phase=4)
    message = events.encode(event)
    message_id = queue.publish("topic", message.data, message.attributes)
    (pulled,) = queue.pull("queue", wait=5)
    assert (pulled.data, pulled.attributes, pulled.message_id) == (message.data, message.attributes, message_id)
    assert pulled.attempt is None
    assert abs(pulled.publish_time - before) < timedelta(minutes=1)
    assert events.parse_data(pulled.data, 4).event == event


def test_nothing_pulled_means_that_there_was_nothing(queue: PubSub) -> None:
    assert queue.pull("queue") == ()
    began = time.monotonic()
    assert queue.pull("queue", wait=0.5) == ()
    assert 0.5 <= time.monotonic() - began < 3


def test_given_back_comes_again_and_acknowledged_does_not(queue: PubSub) -> None:
    queue.publish("topic", b"x", {})
    (first,) = queue.pull("queue", wait=5)
    assert queue.pull("queue") == ()
    queue.modify("queue", [first.ack_id], 0)
    (again,) = queue.pull("queue", wait=5)
    assert again.message_id == first.message_id
    queue.acknowledge("queue", [again.ack_id])
    queue.modify("queue", [again.ack_id], 0)
    assert queue.pull("queue", wait=0.5) == ()


def test_a_pull_brings_no_more_than_it_is_asked_for(queue: PubSub) -> None:
    for number in range(5):
        queue.publish("topic", str(number).encode(), {})
    assert len(queue.pull("queue", 2, wait=5)) <= 2


def test_what_does_not_exist_is_not_found(queue: PubSub) -> None:
    for call in (
        lambda: queue.publish("nowhere", b"x", {}),
        lambda: queue.pull("nowhere"),
        lambda: queue.modify("nowhere", ["a"], 0),
        lambda: queue.acknowledge("nowhere", ["a"]),
    ):
        with pytest.raises(errors.NotFound, match="does not exist") as caught:
            call()
        assert caught.value.hint == "nbactl infra plan"


def test_a_dead_port_is_an_answer_within_seconds() -> None:
    opened = PubSub("p", f"127.0.0.1:{free_port()}")
    began = time.monotonic()
    with pytest.raises(errors.TimedOut, match="could not publish to topic") as caught:
        opened.publish("topic", b"x", {})
    assert time.monotonic() - began < 5
    assert "PUBSUB_EMULATOR_HOST" in (caught.value.hint or "")
    with pytest.raises(errors.TimedOut, match="could not pull"):
        opened.pull("queue", wait=5)
    opened.close()


def test_a_publish_is_tried_three_times() -> None:
    calls = []

    def unavailable(method: str, context: grpc.ServicerContext) -> bytes:
        calls.append(method)
        context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

    with server(unavailable) as opened, pytest.raises(errors.TimedOut, match="no usable answer"):
        opened.publish("topic", b"x", {})
    assert calls == ["/google.pubsub.v1.Publisher/Publish"] * 3


def test_a_publish_that_succeeds_the_second_time_has_succeeded(queue: PubSub) -> None:
    calls = []

    def once(_method: str, context: grpc.ServicerContext) -> bytes:
        calls.append(1)
        if len(calls) == 1:
            context.abort(grpc.StatusCode.INTERNAL, "oops")
        return PublishResponse.serialize(PublishResponse(message_ids=["7"]))

    assert queue
    with server(once) as opened:
        assert opened.publish("topic", b"x", {}) == "7"


def test_what_is_refused_is_not_tried_again() -> None:
    calls = []

    def refuse(method: str, context: grpc.ServicerContext) -> bytes:
        calls.append(method)
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "lacks pubsub.topics.publish")

    with server(refuse) as opened, pytest.raises(errors.AccessDenied) as caught:
        opened.publish("topic", b"x", {})
    assert len(calls) == 1
    assert "lacks pubsub.topics.publish" in (caught.value.why or "")


def test_a_server_that_says_nothing_costs_the_time_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubsub, "PUBLISH_SECONDS", 1.0)
    monkeypatch.setattr(pubsub, "CALL_SECONDS", 0.5)

    def sleep(_method: str, _context: grpc.ServicerContext) -> bytes:
        time.sleep(2)
        return b""

    with server(sleep) as opened:
        began = time.monotonic()
        with pytest.raises(errors.TimedOut, match="no answer in time"):
            opened.publish("topic", b"x", {})
        assert time.monotonic() - began < 1.5
        with pytest.raises(errors.TimedOut, match="no answer in time"):
            opened.pull("queue")


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (google.Unauthenticated("who"), errors.AccessDenied),
        (google.PermissionDenied("no"), errors.AccessDenied),
        (google.Forbidden("no"), errors.AccessDenied),
        (DefaultCredentialsError("none"), errors.AccessDenied),
        (google.ServiceUnavailable("Getting metadata from plugin failed: expired"), errors.AccessDenied),
        (google.NotFound("nothing"), errors.NotFound),
        (google.AlreadyExists("there"), errors.PreconditionFailed),
        (google.FailedPrecondition("not so"), errors.PreconditionFailed),
        (google.DeadlineExceeded("late"), errors.TimedOut),
        (google.RetryError("late", None), errors.TimedOut),
        (google.ServiceUnavailable("down"), errors.TimedOut),
        (google.InternalServerError("oops"), errors.TimedOut),
        (google.Unknown("?"), errors.TimedOut),
        (google.ResourceExhausted("quota"), errors.TimedOut),
        (google.Aborted("race"), errors.TimedOut),
        (google.InvalidArgument("what"), errors.NbactlError),
        (google.MethodNotImplemented("what"), errors.NbactlError),
    ],
)
def test_google_s_errors_are_ours(raised: Exception, kind: type[errors.NbactlError]) -> None:
    with pytest.raises(errors.NbactlError, match="could not do it") as caught, answered("do it", "the server"):
        raise raised
    assert type(caught.value) is kind
    assert caught.value.transient == (kind is errors.TimedOut)
    assert caught.value.why


def test_importing_it_is_cheap() -> None:
    code = "import sys, shared.pubsub; print([name for name in sys.modules if name.startswith(('google', 'grpc'))])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"  # noqa: S603


def test_publishing_imports_no_more_than_it_needs() -> None:
    code = "import sys, google.pubsub_v1; print('google.cloud.pubsub_v1' in sys.modules, 'pandas' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout  # noqa: S603
    assert said == "False False\n"
