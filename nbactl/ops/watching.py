"""What happens in the local pipeline, as it happens: events, deliveries, runs and dead letters."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from google.pubsub_v1 import types

from nbactl.gcp.cleanup import Cleanup
from nbactl.gcp.pubsub_admin import PubSubAdmin
from nbactl.ops.logs.tail import Tail
from shared import events
from shared.clock import utc_now
from shared.errors import NbactlError
from shared.events import Completion, Rejected
from shared.local import Local
from shared.pubsub import PubSub
from shared.topology import WATCH_PREFIX, Profile, Topic, declared

if TYPE_CHECKING:
    from shared.pubsub import Pulled


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """One thing that happened.

    Attributes:
        kind: event, delivery, run or dead letter.
        bad: whether somebody should look.
    """

    at: datetime
    kind: str
    where: str
    what: str
    bad: bool = False


class Watcher:
    """Looks at a pipeline through subscriptions of its own and the services' logs; takes nothing from anybody."""

    def __init__(self, running: Local) -> None:
        self._admin = PubSubAdmin(PubSub(running.project, running.emulator))
        prefix = f"{WATCH_PREFIX}{os.getpid()}-"
        self._topics = {f"{prefix}{one.name}": one for one in declared(Profile.LOCAL).topics}
        self._logs = {name: Tail(path, from_end=True) for name, path in running.logs.items()}
        self._known: set[str] = set()
        self._stack = ExitStack()
        with ExitStack() as stack:
            cleanup = stack.enter_context(Cleanup())
            for name, topic in self._topics.items():
                pubsub = self._admin.pubsub
                paths = {"name": pubsub.subscription_path(name), "topic": pubsub.topic_path(topic.name)}
                with cleanup.making(name, self._admin.delete_subscription):
                    self._admin.create_subscription(types.Subscription(paths))
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Take the subscriptions away; one that cannot be expires."""
        self._stack.close()

    def look(self) -> list[Seen]:
        """What has happened since the last look, in order of time."""
        published = [one for name, topic in self._topics.items() for one in self._published(name, topic)]
        logged = [one for name, tail in self._logs.items() for line in _new_lines(tail) for one in _logged(name, line)]
        return sorted([*published, *logged])

    def _published(self, name: str, topic: Topic) -> Iterator[Seen]:
        pulled = self._admin.pubsub.pull(name)
        if pulled:
            self._admin.pubsub.acknowledge(name, [one.ack_id for one in pulled])
        for one in pulled:
            # Pub/Sub may deliver a message more than once; it was published once
            if one.message_id not in self._known:
                self._known.add(one.message_id)
                yield _event(topic, one)


def _new_lines(tail: Tail) -> list[bytes]:
    with suppress(OSError):
        return list(tail.lines())
    return []


def _event(topic: Topic, pulled: Pulled) -> Seen:
    content, phase = dict(topic.labels)["content"], int(dict(topic.labels)["phase"])
    dead = content == "dlq"
    source = topic.name.removesuffix("-dlq")
    try:
        received = events.parse_data(pulled.data, phase if "fallback" in source else phase + 1)
        event = received.event
        subject = event.table if isinstance(event, Completion) else f"fallback of phase {phase}"
        what = f"{subject} {event.game_date or ''}  {received.correlation_id}"
    except Rejected as rejected:
        what = f"not understood: {rejected}"
    return Seen(pulled.publish_time, "dead letter" if dead else "event", source, what, bad=dead)


def _logged(service: str, line: bytes) -> Iterator[Seen]:
    try:
        record: Mapping[str, Any] = json.loads(line)
        at = datetime.fromisoformat(record["time"])
    except (ValueError, KeyError, TypeError):
        return
    if "http_status" not in record:
        yield Seen(at, "log", service, str(record.get("message")), bad=record.get("severity") == "ERROR")
        return
    for one in record.get("results", ()):
        if one["status"] not in ("SKIPPED_UNCHANGED", "SKIPPED_EXPECTED", "NOT_READY"):
            rows = f"{one['rows_written']}/{one['rows_expected']}"
            what = f"{one['processor']} {one['date']}  {one['status']}  {rows}"
            yield Seen(at, "run", service, what, bad=one["status"].startswith("FAILED"))
    bad = record["http_status"] >= 400  # noqa: PLR2004 -- the message comes again
    yield Seen(at, "delivery", service, f"{record['message']}  ({record['http_status']})", bad=bad)


def watched(watcher: Watcher) -> list[Seen]:
    """A look that fails is itself worth showing."""
    try:
        return watcher.look()
    except NbactlError as error:
        return [Seen(utc_now(), "watch", "", f"{error.message}: {error.why}", bad=True)]
