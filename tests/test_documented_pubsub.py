"""Pub/Sub as documented: it does what its plan says, and without one what the emulator does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from google.api_core import exceptions as google

from nbactl.gcp.cleanup import Cleanup
from nbactl.gcp.peeking import mark, peeking
from shared import errors
from shared.events import Message
from shared.pubsub import PubSub, Pulled
from tests.fakes.documented_pubsub import DocumentedPubSub, Plan, documented

MESSAGES = [Message(b"%d" % number, {}) for number in range(12)]


@pytest.fixture
def documentation(emulator: str, project: str) -> Iterator[tuple[DocumentedPubSub, PubSub]]:
    """Pub/Sub with a topic `topic`, a subscription `queue` on it, and twelve messages."""
    with documented(emulator, project) as (fake, pubsub):
        # without retention, the emulator gives to a copy nothing from before it was made
        topic = {"name": pubsub.topic_path("topic"), "message_retention_duration": timedelta(days=7)}
        pubsub.publisher.create_topic(request=topic, timeout=10)
        pubsub.subscriber.create_subscription(
            name=pubsub.subscription_path("queue"), topic=pubsub.topic_path("topic"), timeout=10
        )
        pubsub.publish_all("topic", MESSAGES)
        yield fake, pubsub


def pulls(pubsub: PubSub, count: int) -> list[tuple[Pulled, ...]]:
    return [pubsub.pull("queue") for _ in range(count)]


def test_without_a_plan_it_gives_what_the_emulator_gives(documentation: tuple[DocumentedPubSub, PubSub]) -> None:
    _, pubsub = documentation
    first, second = pulls(pubsub, 2)
    assert sorted(one.data for one in first) == sorted(one.data for one in MESSAGES)
    assert second == ()
    pubsub.acknowledge("queue", [one.ack_id for one in first[:6]])
    pubsub.modify("queue", [one.ack_id for one in first[6:]], 0)
    (third,) = pulls(pubsub, 1)
    assert sorted(one.data for one in third) == sorted(one.data for one in first[6:])
    with peeking(pubsub, "queue", "topic") as batches:
        assert sum(map(len, batches)) == 6
    with pytest.raises(errors.NotFound):
        pubsub.pull("nowhere")


def test_pulls_give_nothing_and_less_than_there_is(documentation: tuple[DocumentedPubSub, PubSub]) -> None:
    fake, pubsub = documentation
    fake.plan = Plan(empty=1, most_empty=3, short=True, shuffled=True)
    counts = [len(pulled) for pulled in pulls(pubsub, 8)]
    assert counts[:3] == counts[4:7] == [0, 0, 0]
    assert counts[3] > 0


def test_messages_come_twice_and_one_acknowledgement_is_enough(documentation: tuple[DocumentedPubSub, PubSub]) -> None:
    fake, pubsub = documentation
    fake.plan = Plan(repeated=1)
    (pulled,) = pulls(pubsub, 1)
    assert len(pulled) > len({one.message_id for one in pulled}) == 12
    pubsub.acknowledge("queue", list({one.message_id: one.ack_id for one in pulled}.values()))
    fake.plan = Plan()
    assert pulls(pubsub, 1) == [()]


def test_what_was_acknowledged_may_come_again(documentation: tuple[DocumentedPubSub, PubSub]) -> None:
    fake, pubsub = documentation
    fake.plan = Plan(returning=1)
    (pulled,) = pulls(pubsub, 1)
    pubsub.acknowledge("queue", [one.ack_id for one in pulled])
    (again,) = pulls(pubsub, 1)
    assert {one.message_id for one in again} == {one.message_id for one in pulled}


def test_a_lease_ends_and_a_late_acknowledgement_is_ignored(documentation: tuple[DocumentedPubSub, PubSub]) -> None:
    fake, pubsub = documentation
    fake.plan = Plan(hurry=100)
    (pulled,) = pulls(pubsub, 1)
    pubsub.modify("queue", [one.ack_id for one in pulled], 30)
    assert pulls(pubsub, 1) == [()]
    time.sleep(0.4)
    pubsub.acknowledge("queue", [one.ack_id for one in pulled])
    pubsub.modify("queue", [one.ack_id for one in pulled], 600)
    (again,) = pulls(pubsub, 1)
    assert {one.message_id for one in again} == {one.message_id for one in pulled}


def test_a_backlog_is_too_old_for_a_snapshot(documentation: tuple[DocumentedPubSub, PubSub]) -> None:
    fake, pubsub = documentation
    fake.plan = Plan(snapshots_refused=True)
    with pytest.raises(errors.PreconditionFailed, match="look into queue"), peeking(pubsub, "queue", "topic"):
        pass
    assert mark(pubsub, {"queue": "topic"}) is None


def test_a_seek_takes_its_time(documentation: tuple[DocumentedPubSub, PubSub]) -> None:
    fake, pubsub = documentation
    fake.plan = Plan(seek_seconds=0.7)
    with peeking(pubsub, "queue", "topic") as batches:
        assert sum(map(len, batches)) == 12


def test_a_detached_subscription_cannot_be_pulled_from(documentation: tuple[DocumentedPubSub, PubSub]) -> None:
    fake, pubsub = documentation
    fake.plan = Plan(detached=frozenset({"queue"}))
    with pytest.raises(errors.PreconditionFailed, match="pull from queue"):
        pubsub.pull("queue")


def test_a_call_fails_with_and_without_having_had_effect(documentation: tuple[DocumentedPubSub, PubSub]) -> None:
    fake, pubsub = documentation
    fake.plan = Plan(failing=1)
    with pytest.raises(errors.TimedOut):
        pubsub.acknowledge("queue", ["x"])
    assert fake.calls["Acknowledge"] == 3
    fake.plan = Plan(unanswered=1)
    with pytest.raises(errors.TimedOut):
        pubsub.pull("queue")
    fake.plan = Plan()
    assert pulls(pubsub, 1) == [()]


@pytest.mark.parametrize("error", [None, errors.NbactlError("the first error")])
def test_tidying_up_is_tried_again_and_never_takes_the_place_of_the_first_error(error: Exception | None) -> None:
    tried: list[str] = []

    def delete(name: str) -> None:
        tried.append(name)
        if name == "denied" or len(tried) < 3:
            raise errors.AccessDenied("no") if name == "denied" else errors.TimedOut("not now")

    def work() -> Cleanup:
        with Cleanup() as cleanup:
            for name in ("slow", "denied"):
                with cleanup.making(name, delete):
                    pass
            with suppress(errors.NotFound), cleanup.making("never made", delete):
                raise errors.NotFound("no such topic")
            if error:
                raise error
        return cleanup

    if error:
        with pytest.raises(errors.NbactlError, match="the first error"):
            work()
    else:
        assert list(work().failures) == ["denied"]
    assert sorted(set(tried)) == ["denied", "slow"]


BAD: dict[str, list[dict[str, Any]]] = {
    "larger than": [{"data": b"x" * 9_999_995, "attributes": {"key": "value"}}],
    "more than 100 attributes": [{"attributes": {str(number): "" for number in range(101)}}],
    "keys are invalid": [{"attributes": {"k" * 257: ""}}],
    "values exceed": [{"attributes": {"key": "é" * 513}}],
    "no data and no attributes": [{}],
    "same ordering key": [{"data": b"1", "ordering_key": "a"}, {"data": b"2", "ordering_key": "b"}],
    "1 to 1000 messages": [{"data": b"1"}] * 1001,
}


@pytest.mark.parametrize("text", BAD)
def test_the_limits_of_what_is_published_hold(documentation: tuple[DocumentedPubSub, PubSub], text: str) -> None:
    _, pubsub = documentation
    with pytest.raises(google.InvalidArgument, match=text if text != "larger than" else "payload size"):
        pubsub.publisher.publish(request={"topic": pubsub.topic_path("topic"), "messages": BAD[text]}, timeout=10)
    good = {"data": b"x", "attributes": {"k" * 256: "v" * 1024} | {str(number): "" for number in range(99)}}
    pubsub.publisher.publish(request={"topic": pubsub.topic_path("topic"), "messages": [good]}, timeout=10)


def test_many_ids_are_acknowledged_in_calls_that_are_short_enough(
    documentation: tuple[DocumentedPubSub, PubSub],
) -> None:
    fake, pubsub = documentation
    pubsub.acknowledge("queue", ["x" * 200] * 4000)
    assert fake.calls["Acknowledge"] == 4
