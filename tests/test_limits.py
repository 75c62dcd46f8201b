"""Pub/Sub's documented limits: what is over one is refused before it is sent, and by a type of its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from google.pubsub_v1.types import PublishRequest, PublishResponse
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MessageRefused
from shared.events import Message, limits
from shared.pubsub import PubSub

FULL = "x" * limits.VALUE_BYTES


@contextmanager
def publisher(status: grpc.StatusCode | None = None) -> Iterator[tuple[PubSub, list[PublishRequest]]]:
    """A server for topics that takes everything, or answers everything by a status; and the requests it was sent."""
    requests: list[PublishRequest] = []

    def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
        if status:
            context.abort(status, "A message is too long")
        requests.append(PublishRequest.deserialize(body))
        ids = [str(number) for number, _ in enumerate(requests[-1].messages)]
        return PublishResponse.serialize(PublishResponse(message_ids=ids))

    class Handler(grpc.GenericRpcHandler):
        def service(self, _call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(answer)

    # everything but our own check is as generous as the emulator
    unlimited = [("grpc.max_receive_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(1), handlers=[Handler()], options=unlimited)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = PubSub("p", f"127.0.0.1:{port}")
    try:
        yield client, requests
    finally:
        client.close()
        server.stop(None).wait()


def refusal(message: Message) -> str:
    with pytest.raises(MessageRefused) as caught:
        limits.check_message(message)
    assert not caught.value.transient
    assert len(caught.value.why or "") < 300
    return caught.value.why or ""


@pytest.mark.parametrize(
    "message",
    [
        Message(b"x" * limits.MESSAGE_BYTES, {}),
        Message(b"x" * (limits.MESSAGE_BYTES - 6), {"key": "abc"}),
        Message(b"", {"key": ""}),
        Message(b"x", {str(number): FULL for number in range(limits.ATTRIBUTES)}),
        Message(b"x", {"k" * limits.KEY_BYTES: FULL}),
        Message(b"x", {"é" * (limits.KEY_BYTES // 2): "é" * (limits.VALUE_BYTES // 2)}),
        Message(b"x", {"not-goog": "goog"}),
    ],
    ids=["largest", "largest with attributes", "attribute alone", "most attributes", "longest", "bytes", "prefix"],
)
def test_what_is_just_within_a_limit_is_taken(message: Message) -> None:
    limits.check_message(message)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (Message(b"", {}), "neither data nor attributes"),
        (Message(b"x" * (limits.MESSAGE_BYTES + 1), {}), "10,000,001 bytes"),
        (Message(b"x" * (limits.MESSAGE_BYTES - 5), {"key": "abc"}), "10,000,001 bytes"),
        (Message(b"x", dict.fromkeys(map(str, range(101)), "")), "101 attributes"),
        (Message(b"x", {"k" * 257: ""}), "257 bytes; 256"),
        (Message(b"x", {"é" * 129: ""}), "258 bytes; 256"),
        (Message(b"x", {"correlation_id": FULL + "x"}), "'correlation_id' has 1,025 bytes; 1,024"),
        (Message(b"x", {"correlation_id": "é" * 513}), "1,026 bytes"),
        (Message(b"x", {"googclient_x": ""}), "Google's own"),
        (Message(b"x", {"GOOG": ""}), "Google's own"),
        (Message(b"x", {"": ""}), "empty"),
        (Message(b"x", {}, "o" * 1_025), "ordering key has 1,025 bytes; 1,024"),
        (Message(b"x", {"key": "\ud800"}), "UTF-8"),
        (Message(b"x", {"\udfff": ""}), "UTF-8"),
    ],
)
def test_what_is_over_a_limit_is_refused_by_its_name(message: Message, why: str) -> None:
    assert why in refusal(message)


def test_a_message_over_a_limit_never_reaches_pubsub() -> None:
    with publisher() as (client, requests):
        with pytest.raises(MessageRefused):
            client.publish_all("topic", [Message(b"good", {}), Message(b"bad", {"key": FULL + "x"})])
        assert requests == []
        assert client.publish("topic", b"good", {}) == "0"


def test_what_pubsub_itself_calls_invalid_is_refused_and_not_tried_again() -> None:
    with (
        publisher(grpc.StatusCode.INVALID_ARGUMENT) as (client, _requests),
        pytest.raises(MessageRefused, match="topic") as caught,
    ):
        client.publish("topic", b"x", {})
    assert not caught.value.transient
    assert "A message is too long" in (caught.value.why or "")


def test_messages_go_out_in_requests_that_pubsub_takes() -> None:
    large = [Message(bytes([number]) * 4_000_000, {}) for number in range(5)]
    small = [Message(b"x", {"key": FULL})] * 2_500
    with publisher() as (client, requests):
        assert len(client.publish_all("topic", [*large, *small])) == 2_505
    assert all(len(request.messages) <= limits.REQUEST_MESSAGES for request in requests)
    assert all(len(PublishRequest.serialize(request)) <= limits.REQUEST_BYTES for request in requests)
    assert [message.data for request in requests for message in request.messages][:5] == [one.data for one in large]


@given(st.lists(st.integers(0, 3_000_000), max_size=30))
def test_a_split_leaves_nothing_out_and_keeps_the_order(sizes: list[int]) -> None:
    messages = [Message(memoryview(bytes(3_000_000))[:size].tobytes(), {"key": str(size)}) for size in sizes]
    requests = list(limits.split_requests(messages))
    assert [message for request in requests for message in request] == messages
    assert all(requests)
    assert all(sum(map(limits.message_bytes, request)) <= limits.REQUEST_BYTES for request in requests)
