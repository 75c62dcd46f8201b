"""Topics and subscriptions as Google's messages, and as facts that can be compared.

What is declared and what is live go through the same two functions (`topic_facts`, `subscription_facts`), so no field
can be looked at on one side only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from shared.topology import Push, Subscription, Topic, account

if TYPE_CHECKING:
    from google.pubsub_v1 import types

Facts = Mapping[str, str]
"""Field -> value, in words. The fields are those of PATHS, and no other."""

NONE = "none"

PATHS: Mapping[str, str | None] = MappingProxyType(
    {
        "retention": "message_retention_duration",
        "label.content": "labels",
        "label.phase": "labels",
        "topic": None,
        "filter": None,
        "ordering": None,
        "detached": None,
        "kind": None,
        "exactly_once": "enable_exactly_once_delivery",
        "ack_deadline": "ack_deadline_seconds",
        "expiration": "expiration_policy",
        "retry.minimum": "retry_policy",
        "retry.maximum": "retry_policy",
        "dead_letter.topic": "dead_letter_policy",
        "dead_letter.attempts": "dead_letter_policy",
        "push.endpoint": "push_config",
        "push.service_account": "push_config",
        "push.audience": "push_config",
        "push.wrapped": "push_config",
    }
)
"""Field -> what an update calls it; None where Pub/Sub cannot change it."""

EMULATOR_FIXED = frozenset({"label.content", "label.phase", "expiration"})
"""Fields that Pub/Sub changes and the emulator refuses to."""


def topic_facts(topic: types.Topic) -> Facts:
    """The facts of a topic; of its labels only the declared ones, others are somebody else's."""
    return {
        "retention": _span(topic.message_retention_duration),
        "label.content": topic.labels.get("content", NONE),
        "label.phase": topic.labels.get("phase", NONE),
    }


def subscription_facts(one: types.Subscription) -> Facts:
    """The facts of a subscription."""
    retry, letters, push = one.retry_policy, one.dead_letter_policy, one.push_config
    return {
        "topic": short(one.topic),
        "filter": one.filter or NONE,
        "ordering": _yes(one.enable_message_ordering),
        "detached": _yes(one.detached),
        "kind": _kind(one),
        "exactly_once": _yes(one.enable_exactly_once_delivery),
        "ack_deadline": f"{one.ack_deadline_seconds} s",
        "retention": _span(one.message_retention_duration),
        "expiration": _expiration(one),
        "retry.minimum": _span(retry.minimum_backoff),
        "retry.maximum": _span(retry.maximum_backoff),
        "dead_letter.topic": short(letters.dead_letter_topic) if letters else NONE,
        "dead_letter.attempts": str(letters.max_delivery_attempts) if letters else NONE,
        "push.endpoint": push.push_endpoint or NONE,
        "push.service_account": push.oidc_token.service_account_email or NONE,
        "push.audience": push.oidc_token.audience or NONE,
        "push.wrapped": _yes("no_wrapper" not in push),
    }


def _kind(one: types.Subscription) -> str:
    if "bigquery_config" in one:
        return "to BigQuery"
    return "to Cloud Storage" if "cloud_storage_config" in one else "push or pull"


def _expiration(one: types.Subscription) -> str:
    if "expiration_policy" not in one:
        return "31 d"  # what Pub/Sub does where nobody says
    return _span(one.expiration_policy.ttl) if one.expiration_policy.ttl else "never"


def _span(span: timedelta | None) -> str:
    if span is None:
        return NONE
    return f"{span.days} d" if span.days and not span.seconds else f"{span.total_seconds():g} s"


def _yes(value: bool) -> str:  # noqa: FBT001 -- it is the value
    return "yes" if value else "no"


def short(path: str) -> str:
    """The last part of a full name: Pub/Sub's own word for a deleted topic has no other."""
    return path.rpartition("/")[2]


def topic_message(topic: Topic, project: str, labels: Mapping[str, str] = MappingProxyType({})) -> types.Topic:
    """A declared topic as Google's message; `labels` are somebody else's, and are kept."""
    from google.pubsub_v1 import types

    return types.Topic(
        name=f"projects/{project}/topics/{topic.name}",
        labels={**labels, **dict(topic.labels)},
        message_retention_duration=topic.retention,
    )


def subscription_message(one: Subscription, project: str, root: str | None) -> types.Subscription:
    """A declared subscription as Google's message; `root` is the URL of the service that it pushes to."""
    from google.pubsub_v1 import types

    retry, letters = one.retry, one.dead_letter
    return types.Subscription(
        name=f"projects/{project}/subscriptions/{one.name}",
        topic=f"projects/{project}/topics/{one.topic}",
        push_config=_push_message(one.push, project, root) if one.push else types.PushConfig(),
        ack_deadline_seconds=int(one.ack_deadline.total_seconds()),
        message_retention_duration=one.retention,
        expiration_policy=types.ExpirationPolicy(ttl=one.expires),
        filter=one.filter,
        enable_message_ordering=one.ordered,
        enable_exactly_once_delivery=one.exactly_once,
        retry_policy=types.RetryPolicy(minimum_backoff=retry.minimum, maximum_backoff=retry.maximum) if retry else None,
        dead_letter_policy=types.DeadLetterPolicy(
            dead_letter_topic=f"projects/{project}/topics/{letters.topic}", max_delivery_attempts=letters.attempts
        )
        if letters
        else None,
    )


def _push_message(push: Push, project: str, root: str | None) -> types.PushConfig:
    from google.pubsub_v1 import types

    token = types.PushConfig.OidcToken(service_account_email=account(project), audience=root or "")
    return types.PushConfig(push_endpoint=f"{root}{push.route}" if root else "", oidc_token=token)
