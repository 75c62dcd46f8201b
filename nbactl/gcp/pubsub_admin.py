"""Topics and subscriptions of a project: read, made, changed, deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from nbactl.gcp.shapes import short
from shared import errors
from shared.clock import utc_now
from shared.pubsub import CALL_SECONDS, PubSub, answered

if TYPE_CHECKING:
    from google.pubsub_v1 import types


@dataclass(frozen=True)
class PubSubAdmin:
    """What an operator does to topics and subscriptions."""

    pubsub: PubSub

    def topics(self) -> dict[str, types.Topic]:
        """Every topic by its short name.

        Raises:
            AccessDenied: not allowed to list them.
            Undetermined: the list did not come, which is not the same as no topics.
        """
        request = {"project": f"projects/{self.pubsub.project}"}
        with self._reading("list the topics"):
            listed = self.pubsub.publisher.list_topics(request=request, timeout=CALL_SECONDS, retry=None)
            return {short(topic.name): topic for topic in listed}

    def subscriptions(self) -> dict[str, types.Subscription]:
        """Every subscription by its short name.

        Raises:
            AccessDenied: not allowed to list them.
            Undetermined: the list did not come, which is not the same as no subscriptions.
        """
        request = {"project": f"projects/{self.pubsub.project}"}
        with self._reading("list the subscriptions"):
            listed = self.pubsub.subscriber.list_subscriptions(request=request, timeout=CALL_SECONDS, retry=None)
            return {short(one.name): one for one in listed}

    def create_topic(self, topic: types.Topic) -> None:
        """Make a topic; NbactlError says why not."""
        with self._asking(f"create topic {short(topic.name)}"):
            self.pubsub.publisher.create_topic(request=topic, timeout=CALL_SECONDS, retry=None)

    def update_topic(self, topic: types.Topic, paths: Collection[str]) -> None:
        """Change the named fields of a topic; NbactlError says why not."""
        request: dict[str, object] = {"topic": topic, "update_mask": {"paths": sorted(paths)}}
        with self._asking(f"change topic {short(topic.name)}"):
            self.pubsub.publisher.update_topic(request=request, timeout=CALL_SECONDS, retry=None)

    def delete_topic(self, name: str) -> None:
        """Delete a topic; one that is gone is fine."""
        with self._deleting(f"delete topic {name}"):
            path = self.pubsub.topic_path(name)
            self.pubsub.publisher.delete_topic(topic=path, timeout=CALL_SECONDS, retry=None)

    def create_subscription(self, one: types.Subscription) -> None:
        """Make a subscription; NbactlError says why not."""
        with self._asking(f"create subscription {short(one.name)}"):
            self.pubsub.subscriber.create_subscription(request=one, timeout=CALL_SECONDS, retry=None)

    def update_subscription(self, one: types.Subscription, paths: Collection[str]) -> None:
        """Change the named fields of a subscription; NbactlError says why not."""
        request: dict[str, object] = {"subscription": one, "update_mask": {"paths": sorted(paths)}}
        with self._asking(f"change subscription {short(one.name)}"):
            self.pubsub.subscriber.update_subscription(request=request, timeout=CALL_SECONDS, retry=None)

    def delete_subscription(self, name: str) -> None:
        """Delete a subscription and the messages it holds; one that is gone is fine."""
        with self._deleting(f"delete subscription {name}"):
            path = self.pubsub.subscription_path(name)
            self.pubsub.subscriber.delete_subscription(subscription=path, timeout=CALL_SECONDS, retry=None)

    def create_snapshot(self, name: str, subscription: str) -> datetime:
        """Remember which messages a subscription has not acknowledged, and return when that is forgotten, UTC.

        NbactlError says why not; PreconditionFailed that a message is too old.
        """
        request = {
            "name": self._snapshot(name),
            "subscription": self.pubsub.subscription_path(subscription),
        }
        with self._asking(f"look into {subscription}"):
            snapshot = self.pubsub.subscriber.create_snapshot(request=request, timeout=CALL_SECONDS, retry=None)
        expires = type(snapshot).pb(snapshot).expire_time
        return cast("datetime", expires.ToDatetime(UTC))

    def seek(self, subscription: str, snapshot: str) -> None:
        """Let a subscription have the messages that a snapshot remembers; NbactlError says why not."""
        request = {
            "subscription": self.pubsub.subscription_path(subscription),
            "snapshot": self._snapshot(snapshot),
        }
        with self._asking(f"go to snapshot {snapshot}"):
            self.pubsub.subscriber.seek(request=request, timeout=CALL_SECONDS, retry=None)

    def purge(self, subscription: str) -> None:
        """Let a subscription have none of the messages that were published so far; NbactlError says why not."""
        request = {
            "subscription": self.pubsub.subscription_path(subscription),
            "time": utc_now() + timedelta(days=3650),  # whatever our clock says
        }
        with self._asking(f"empty {subscription}"):
            self.pubsub.subscriber.seek(request=request, timeout=CALL_SECONDS, retry=None)

    def delete_snapshot(self, name: str) -> None:
        """Forget a snapshot; one that is gone is fine."""
        with self._deleting(f"delete snapshot {name}"):
            self.pubsub.subscriber.delete_snapshot(snapshot=self._snapshot(name), timeout=CALL_SECONDS, retry=None)

    def _snapshot(self, name: str) -> str:
        return f"projects/{self.pubsub.project}/snapshots/{name}"

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        with answered(what, self.pubsub.server):
            yield

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        with undetermined(f"{what} of project {self.pubsub.project}", self.pubsub.server):
            yield

    @contextmanager
    def _deleting(self, what: str) -> Iterator[None]:
        try:
            with answered(what, self.pubsub.server):
                yield
        except errors.NotFound:
            return


@contextmanager
def undetermined(what: str, server: str) -> Iterator[None]:
    """As `answered`, for reading what is live: whatever stops it but a refusal leaves the question open.

    Raises:
        AccessDenied: not allowed to read it.
        Undetermined: it could not be read.
    """
    try:
        with answered(what, server):
            yield
    except (errors.AccessDenied, errors.Undetermined):
        raise
    except errors.NbactlError as error:
        raise errors.Undetermined(error.message, why=error.why, hint="nbactl -v names the project") from error
