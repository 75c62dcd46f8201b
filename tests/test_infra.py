"""The plan of the topology, on the real emulator, and with IAM on a server that speaks the real protocol."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import NotFound as GoogleNotFound
from google.iam.v1 import policy_pb2
from google.pubsub_v1 import types

from nbactl.gcp import pubsub_admin, shapes
from nbactl.gcp.cloud import Cloud, Target, connect
from nbactl.ops import infra_canary
from nbactl.ops.infra import Action, Change, Plan, build
from nbactl.ops.infra_apply import Done, apply, plan_removal, remove, verdict
from shared import errors
from shared.topology import SERVICES, Kind, Profile, Resource, declared
from tests.emulator import free_port
from tests.fakes.google_cloud import NUMBER, READS, FakeGoogleCloud, serving

URLS = {service.name: f"http://127.0.0.1:{9000 + service.phase}" for service in SERVICES}
SUB, DLQ_SUB, TOPIC = (
    "nba-phase4-precompute-sub",
    "nba-phase3-analytics-complete-dlq-sub",
    "nba-phase3-analytics-complete",
)
AGENT = f"serviceAccount:service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"


def quiet(_what: str) -> None:
    """Watch nothing."""


@pytest.fixture
def cloud(emulator: str, project: str) -> Iterator[Cloud]:
    """An empty project on the emulator; all services run somewhere."""
    opened = connect(Target(project, "us-west2", emulator), URLS)
    yield opened
    opened.pubsub.close()


@pytest.fixture
def made(cloud: Cloud) -> Cloud:
    """A project with the whole topology."""
    create(cloud)
    return cloud


@pytest.fixture
def google(emulator: str, project: str) -> Iterator[tuple[FakeGoogleCloud, Cloud]]:
    """An empty project in a cloud that has IAM, with all services deployed."""
    with serving(emulator, project) as (fake, opened):
        fake.deploy(*(service.name for service in SERVICES))
        yield fake, opened


def create(cloud: Cloud) -> list[Done]:
    plan = build(cloud)
    results = apply(plan, cloud, quiet)
    assert verdict(plan, results) is None
    assert len(results) == len(plan.changes)
    return results


def subscription(cloud: Cloud, name: str) -> types.Subscription:
    path = cloud.pubsub.subscription_path(name)
    return cloud.pubsub.subscriber.get_subscription(subscription=path, timeout=10)


def topic(cloud: Cloud, name: str) -> types.Topic:
    return cloud.pubsub.publisher.get_topic(topic=cloud.pubsub.topic_path(name), timeout=10)


# ---------------------------------------------------------------- making


def test_from_nothing_everything_is_made_and_then_nothing_is_left_to_do(cloud: Cloud) -> None:
    plan = build(cloud)
    assert {step.action for step in plan.steps} == {Action.CREATE}
    assert len(plan.steps) == len(declared(Profile.LOCAL).topics) + len(declared(Profile.LOCAL).subscriptions)
    create(cloud)
    again = build(cloud)
    assert {step.action for step in again.steps} == {Action.OK}
    assert again.summary.startswith("0 changes")
    assert apply(again, cloud, quiet) == []


def test_a_plan_changes_nothing(cloud: Cloud) -> None:
    build(cloud)
    assert cloud.admin.topics() == {}


@pytest.mark.parametrize("seed", range(6))
def test_from_any_part_of_it_and_any_drift_one_creation_is_enough(made: Cloud, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 -- not for secrets
    for name in chance.sample(sorted(made.admin.subscriptions()), chance.randint(0, 14)):
        made.admin.delete_subscription(name)
    attached = {shapes.short(one.topic) for one in made.admin.subscriptions().values()}
    for name in sorted(set(made.admin.topics()) - attached):
        if chance.random() < 0.5:
            made.admin.delete_topic(name)
    for name in sorted(made.admin.subscriptions()):
        if chance.random() < 0.5:
            chance.choice(DRIFTS)(made, name)
    create(made)
    assert build(made).changes == ()
    assert create(made) == []


def test_what_the_api_describes_is_what_the_contract_says(made: Cloud) -> None:
    project = made.target.project
    shown = subscription(made, SUB)
    assert shown.topic == f"projects/{project}/topics/nba-phase3-analytics-complete"
    assert shown.push_config.push_endpoint == f"{URLS['nba-phase4-precompute-processors']}/process"
    token = shown.push_config.oidc_token
    assert token.service_account_email == f"nba-pipeline@{project}.iam.gserviceaccount.com"
    assert token.audience == URLS["nba-phase4-precompute-processors"]
    assert shown.ack_deadline_seconds == 600
    assert shown.message_retention_duration == timedelta(days=7)
    assert "expiration_policy" in shown
    assert not shown.expiration_policy.ttl
    assert shown.retry_policy.minimum_backoff == timedelta(seconds=1)
    assert shown.retry_policy.maximum_backoff == timedelta(seconds=5)
    letters = shown.dead_letter_policy
    assert letters.dead_letter_topic == f"projects/{project}/topics/nba-phase3-analytics-complete-dlq"
    assert letters.max_delivery_attempts == 5
    assert (shown.filter, shown.enable_message_ordering, shown.enable_exactly_once_delivery) == ("", False, False)
    kept = subscription(made, DLQ_SUB)
    assert kept.push_config.push_endpoint == ""
    assert "dead_letter_policy" not in kept
    assert "retry_policy" not in kept
    one = topic(made, TOPIC)
    assert (dict(one.labels), one.message_retention_duration) == (
        {"phase": "3", "content": "complete"},
        timedelta(days=7),
    )


def test_all_that_is_shown_equals_all_that_was_declared(made: Cloud) -> None:
    for one in declared(Profile.LOCAL).subscriptions:
        root = URLS[one.push.service] if one.push else None
        assert subscription(made, one.name) == shapes.subscription_message(one, made.target.project, root)
    for one in declared(Profile.LOCAL).topics:
        assert topic(made, one.name) == shapes.topic_message(one, made.target.project)


def test_a_service_that_is_not_there_is_waited_for(emulator: str, project: str) -> None:
    phase3, phase4, phase5 = (service.name for service in SERVICES)
    cloud = connect(Target(project, "us-west2", emulator), {phase3: URLS[phase3]})
    create(cloud)
    plan = build(cloud)
    waiting = {step.name: str(step) for step in plan.having(Action.WAITS)}
    assert waiting[SUB] == f". waits for {phase4}"
    assert waiting["nba-phase5-prediction-request-sub"] == f". waits for {phase5}"
    assert len(waiting) == 5
    assert plan.changes == ()
    assert set(cloud.admin.subscriptions()).isdisjoint(waiting)
    # its topics, and what keeps its dead letters, are there
    assert "nba-phase5-prediction-request-dlq-sub" in cloud.admin.subscriptions()


def test_a_service_that_has_gone_leaves_its_subscription_as_it_is(made: Cloud, emulator: str) -> None:
    without = connect(Target(made.target.project, "us-west2", emulator), {})
    step = found(build(without), SUB)
    assert str(step) == (". waits for nba-phase4-precompute-processors; pushes to http://127.0.0.1:9004/process")
    update(made, SUB, "ack_deadline_seconds", ack_deadline_seconds=10)
    create(without)
    assert subscription(made, SUB).ack_deadline_seconds == 600
    assert subscription(made, SUB).push_config.push_endpoint == "http://127.0.0.1:9004/process"


def test_a_service_that_has_moved_is_followed(made: Cloud, emulator: str) -> None:
    name = "nba-phase4-precompute-processors"
    moved = connect(Target(made.target.project, "us-west2", emulator), {**URLS, name: "http://127.0.0.1:1"})
    assert found(build(moved), SUB).changes == (
        Change("push.endpoint", "http://127.0.0.1:9004/process", "http://127.0.0.1:1/process"),
        Change("push.audience", "http://127.0.0.1:9004", "http://127.0.0.1:1"),
    )
    create(moved)
    assert subscription(moved, SUB).push_config.push_endpoint == "http://127.0.0.1:1/process"


def test_subscriptions_that_nobody_declared_are_named_and_left_alone(made: Cloud) -> None:
    add(made, "an-old-one", topic=TOPIC, push_config={"push_endpoint": "http://127.0.0.1:1/old"})
    assert build(made).undeclared == (f"an-old-one on {TOPIC}, pushing to http://127.0.0.1:1/old",)
    create(made)
    assert "an-old-one" in made.admin.subscriptions()


# ---------------------------------------------------------------- drift


def update(cloud: Cloud, name: str, path: str, **fields: Any) -> None:  # noqa: ANN401 -- fields of any type
    cloud.admin.update_subscription(types.Subscription(name=cloud.pubsub.subscription_path(name), **fields), [path])


def add(cloud: Cloud, name: str, *, topic: str, **fields: Any) -> None:  # noqa: ANN401 -- fields of any type
    path = cloud.pubsub.subscription_path(name)
    cloud.admin.create_subscription(types.Subscription(name=path, topic=cloud.pubsub.topic_path(topic), **fields))


def remade(cloud: Cloud, name: str, **fields: Any) -> None:  # noqa: ANN401 -- fields of any type
    """Plant what cannot be changed: the subscription again, with other fields."""
    held = subscription(cloud, name)
    cloud.admin.delete_subscription(name)
    for field, value in fields.items():
        setattr(held, field, value)
    cloud.admin.create_subscription(held)


def pushing(cloud: Cloud, **other: Any) -> dict[str, Any]:  # noqa: ANN401 -- fields of any type
    """The push settings of SUB, with some of them changed."""
    push = subscription(cloud, SUB).push_config
    endpoint = other.get("endpoint", push.push_endpoint)
    account = other.get("account", push.oidc_token.service_account_email)
    token = {"service_account_email": account, "audience": other.get("audience", push.oidc_token.audience)}
    return {"push_endpoint": endpoint, "oidc_token": token, **other.get("more", {})}


def drift_push(cloud: Cloud, **other: Any) -> None:  # noqa: ANN401 -- fields of any type
    update(cloud, SUB, "push_config", push_config=pushing(cloud, **other))


def drift_retry(cloud: Cloud, minimum: int, maximum: int, name: str = SUB) -> None:
    policy = {"minimum_backoff": timedelta(seconds=minimum), "maximum_backoff": timedelta(seconds=maximum)}
    update(cloud, name, "retry_policy", retry_policy=policy)


def drift_letters(cloud: Cloud, dead_letters: str, attempts: int) -> None:
    policy = {"dead_letter_topic": cloud.pubsub.topic_path(dead_letters), "max_delivery_attempts": attempts}
    update(cloud, SUB, "dead_letter_policy", dead_letter_policy=policy)


def drift_topic(cloud: Cloud, **fields: Any) -> None:  # noqa: ANN401 -- fields of any type
    held = topic(cloud, TOPIC)
    cloud.admin.delete_topic(TOPIC)
    for field, value in fields.items():
        setattr(held, field, value)
    cloud.admin.create_topic(held)


DRIFTS: list[Callable[[Cloud, str], None]] = [
    lambda cloud, name: update(cloud, name, "ack_deadline_seconds", ack_deadline_seconds=17),
    lambda cloud, name: update(
        cloud, name, "message_retention_duration", message_retention_duration=timedelta(hours=3)
    ),
    lambda cloud, name: update(cloud, name, "dead_letter_policy"),
    lambda cloud, name: update(cloud, name, "retry_policy"),
    lambda cloud, name: update(cloud, name, "push_config"),
    lambda cloud, name: update(
        cloud, name, "push_config", push_config={"push_endpoint": "http://127.0.0.1:1/elsewhere"}
    ),
    lambda cloud, name: update(cloud, name, "enable_exactly_once_delivery", enable_exactly_once_delivery=True),
]

CHANGEABLE: dict[str, Callable[[Cloud], None]] = {
    "ack_deadline": lambda cloud: update(cloud, SUB, "ack_deadline_seconds", ack_deadline_seconds=10),
    "retention": lambda cloud: update(
        cloud, SUB, "message_retention_duration", message_retention_duration=timedelta(days=1)
    ),
    "exactly_once": lambda cloud: update(cloud, SUB, "enable_exactly_once_delivery", enable_exactly_once_delivery=True),
    "retry.minimum": partial(drift_retry, minimum=2, maximum=5),
    "retry.maximum": partial(drift_retry, minimum=1, maximum=600),
    "dead_letter.topic": partial(drift_letters, dead_letters="nba-phase2-raw-complete-dlq", attempts=5),
    "dead_letter.attempts": partial(drift_letters, dead_letters=f"{TOPIC}-dlq", attempts=6),
    "push.endpoint": partial(drift_push, endpoint="http://127.0.0.1:9004/old"),
    "push.service_account": partial(drift_push, account="somebody@else"),
    "push.audience": partial(drift_push, audience="http://127.0.0.1:1"),
    "push.wrapped": partial(drift_push, more={"no_wrapper": {"write_metadata": True}}),
}
FIXED: dict[str, Callable[[Cloud], None]] = {
    "topic": lambda cloud: remade(cloud, SUB, topic=cloud.pubsub.topic_path("nba-phase2-raw-complete")),
    "filter": lambda cloud: remade(cloud, SUB, filter='attributes.success = "true"'),
    "ordering": lambda cloud: remade(cloud, SUB, enable_message_ordering=True),
    "expiration": lambda cloud: remade(cloud, SUB, expiration_policy={"ttl": timedelta(days=31)}),
}
OF_TOPICS: dict[str, Callable[[Cloud], None]] = {
    "label.phase": partial(drift_topic, labels={"phase": "9", "content": "complete"}),
    "label.content": partial(drift_topic, labels={"phase": "3"}),
}


def found(plan: Plan, name: str) -> Any:  # noqa: ANN401 -- a step
    return next(step for step in plan.steps if step.name == name)


@pytest.mark.parametrize("field", CHANGEABLE)
def test_drift_is_found_and_repaired(field: str, made: Cloud) -> None:
    CHANGEABLE[field](made)
    plan = build(made)
    (step,) = plan.changes
    assert (step.name, step.action, [change.field for change in step.changes]) == (SUB, Action.CHANGE, [field])
    assert str(step).startswith(f"~ change {field}: ")
    create(made)
    assert build(made).changes == ()


@pytest.mark.parametrize("field", FIXED)
def test_drift_that_cannot_be_changed_is_named_and_nothing_is_deleted(field: str, made: Cloud) -> None:
    FIXED[field](made)
    before = subscription(made, SUB)
    plan = build(made)
    step = found(plan, SUB)
    assert (step.action, [change.field for change in step.changes]) == (Action.RECREATE, [field])
    assert str(step).startswith("! needs recreation (would lose an unknown number of messages)")
    assert plan.changes == ()
    error = verdict(plan, apply(plan, made, quiet))
    assert isinstance(error, errors.PreconditionFailed)
    assert f"nbactl infra destroy {SUB} --confirm {made.target.project}" in (error.hint or "")
    assert subscription(made, SUB) == before
    # what the hint says puts it right
    remove(plan_removal(made, [SUB]), made)
    create(made)
    assert build(made).having(Action.OK) == build(made).steps


@pytest.mark.parametrize("field", OF_TOPICS)
def test_drift_of_labels_is_found(field: str, made: Cloud) -> None:
    OF_TOPICS[field](made)
    step = found(build(made), TOPIC)
    assert (step.action, [change.field for change in step.changes]) == (Action.RECREATE, [field])


def test_drift_of_a_topic_s_retention_is_repaired(made: Cloud) -> None:
    changed = types.Topic(name=made.pubsub.topic_path(TOPIC), message_retention_duration=timedelta(days=1))
    made.admin.update_topic(changed, ["message_retention_duration"])
    assert str(found(build(made), TOPIC)) == "~ change retention: 1 d -> 7 d"
    create(made)
    assert topic(made, TOPIC).message_retention_duration == timedelta(days=7)


def test_every_field_that_is_compared_is_drifted_here() -> None:
    # the emulator detaches nothing and exports nothing
    assert {*CHANGEABLE, *FIXED, *OF_TOPICS, "detached", "kind"} == set(shapes.PATHS)
    everything = {*shapes.topic_facts(types.Topic()), *shapes.subscription_facts(types.Subscription())}
    assert everything == set(shapes.PATHS)


@pytest.mark.parametrize(
    ("field", "live"),
    [("detached", {"detached": True}), ("kind", {"bigquery_config": {}}), ("kind", {"cloud_storage_config": {}})],
)
def test_what_the_emulator_does_not_do_is_seen_all_the_same(field: str, live: dict[str, Any]) -> None:
    facts = shapes.subscription_facts(types.Subscription(**live))
    assert facts[field] != shapes.subscription_facts(types.Subscription())[field]
    assert shapes.PATHS[field] is None


def test_a_topic_that_was_deleted_and_made_again_leaves_its_subscription_deaf(made: Cloud) -> None:
    made.admin.delete_topic(TOPIC)
    create_topic = found(build(made), TOPIC)
    assert create_topic.action is Action.CREATE
    assert str(found(build(made), SUB)).endswith(f"topic: _deleted-topic_ -> {TOPIC}")


def test_labels_of_others_stay(google: tuple[FakeGoogleCloud, Cloud]) -> None:
    _, cloud = google
    message = shapes.topic_message(declared(Profile.CLOUD).topics[0], cloud.target.project, {"team": "x", "phase": "9"})
    assert dict(message.labels) == {"team": "x", "phase": "2", "content": "complete"}


# ---------------------------------------------------------------- taking down


def test_destroying_takes_what_was_declared_and_nothing_else(made: Cloud) -> None:
    made.admin.create_topic(types.Topic(name=made.pubsub.topic_path("somebody-else-s")))
    remove(plan_removal(made, []), made)
    assert list(made.admin.topics()) == ["somebody-else-s"]
    assert made.admin.subscriptions() == {}
    assert plan_removal(made, []).topics == ()
    remove(plan_removal(made, []), made)


def test_only_the_named_ones_go(made: Cloud) -> None:
    removal = plan_removal(made, [SUB])
    assert (removal.topics, removal.subscriptions) == ((), (SUB,))
    with pytest.raises(errors.UnknownName) as caught:
        plan_removal(made, ["nba-phase4-precompute-sup"])
    assert SUB in (caught.value.hint or "")


# ---------------------------------------------------------------- the canary


def test_the_canary_lives_and_leaves_nothing_behind(made: Cloud) -> None:
    before = (set(made.admin.topics()), set(made.admin.subscriptions()))
    proof = infra_canary.prove(made, quiet)
    assert (proof.healthy_deliveries, proof.poison_deliveries) == (1, 5)
    assert (set(made.admin.topics()), set(made.admin.subscriptions())) == before


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), errors.NbactlError("no more")])
def test_the_canary_is_removed_whatever_happens(cloud: Cloud, stop: BaseException) -> None:
    def interrupt(_what: str) -> None:
        assert cloud.admin.topics()
        raise stop

    with pytest.raises(type(stop)):
        infra_canary.prove(cloud, interrupt)
    assert cloud.admin.topics() == {}
    assert cloud.admin.subscriptions() == {}


def test_a_canary_whose_poison_gets_lost_has_died(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def acknowledge(pubsub: Any, place: Any, message: Any) -> None:  # noqa: ANN401 -- as the original
        pubsub.acknowledge(place.subscription, [message.ack_id])

    monkeypatch.setattr(infra_canary, "_answer", acknowledge)
    monkeypatch.setattr(infra_canary, "_patience", lambda _template: timedelta(seconds=1))
    with pytest.raises(errors.TimedOut, match="no dead letter after 1 s"):
        infra_canary.prove(cloud, quiet)
    assert cloud.admin.topics() == {}


def test_a_canary_that_is_acknowledged_in_vain_has_died(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pubsub: Any, place: Any, message: Any) -> None:  # noqa: ANN401 -- as the original
        pubsub.modify(place.subscription, [message.ack_id], 0)

    monkeypatch.setattr(infra_canary, "_answer", refuse)
    with pytest.raises(errors.NbactlError, match="the canary died"):
        infra_canary.prove(cloud, quiet)


# ---------------------------------------------------------------- IAM


def test_roles_are_given_once_and_are_the_declared_ones(google: tuple[FakeGoogleCloud, Cloud]) -> None:
    fake, cloud = google
    create(cloud)
    project = f"projects/{cloud.target.project}"
    pipeline = f"serviceAccount:nba-pipeline@{cloud.target.project}.iam.gserviceaccount.com"
    for name in URLS:
        assert fake.members(f"{project}/locations/us-west2/services/{name}", "roles/run.invoker") == {pipeline}
    assert fake.members(f"{project}/topics/{TOPIC}-dlq", "roles/pubsub.publisher") == {AGENT}
    assert fake.members(f"{project}/topics/{TOPIC}", "roles/pubsub.publisher") == {pipeline}
    assert fake.members(f"{project}/subscriptions/{SUB}", "roles/pubsub.subscriber") == {AGENT}
    account = f"{project}/serviceAccounts/nba-pipeline@{cloud.target.project}.iam.gserviceaccount.com"
    assert fake.members(account, "roles/iam.serviceAccountTokenCreator") == {AGENT}
    assert fake.members(project, "roles/bigquery.jobUser") == {pipeline}
    again = build(cloud)
    assert {step.action for step in again.steps} == {Action.OK}
    assert create(cloud) == []


def test_push_goes_to_the_url_that_follows_from_the_name(google: tuple[FakeGoogleCloud, Cloud]) -> None:
    fake, cloud = google
    create(cloud)
    name = "nba-phase4-precompute-processors"
    root = f"https://{name}-{NUMBER}.us-west2.run.app"
    push = subscription(cloud, SUB).push_config
    assert (push.push_endpoint, push.oidc_token.audience) == (f"{root}/process", root)
    assert subscription(cloud, SUB).retry_policy.minimum_backoff == timedelta(seconds=10)
    # a service that does not answer to it is taken at its word
    fake.deploy(name, number="1")
    assert found(build(cloud), SUB).changes[0].after == f"https://{name}-hash-wl.a.run.app/process"


def test_a_service_that_is_not_deployed_is_waited_for_with_its_roles(google: tuple[FakeGoogleCloud, Cloud]) -> None:
    fake, cloud = google
    fake.services = {"nba-phase3-analytics-processors": [], "nba-phase5-predictions": ["https://x"]}
    create(cloud)
    waiting = {(step.kind, step.name): str(step) for step in build(cloud).having(Action.WAITS)}
    for service in ("nba-phase3-analytics-processors", "nba-phase4-precompute-processors"):
        assert waiting["role", f"roles/run.invoker on service {service}"] == f". waits for {service}"
    assert ("role", f"roles/pubsub.subscriber on subscription {SUB}") in waiting
    assert build(cloud).changes == ()


@pytest.mark.parametrize(
    "resource",
    [
        f"topics/{TOPIC}-dlq",
        f"subscriptions/{SUB}",
        "locations/us-west2/services/nba-phase5-predictions",
        "serviceAccounts/nba-pipeline@{project}.iam.gserviceaccount.com",
    ],
)
def test_a_role_that_was_taken_away_is_found_and_given_back(
    resource: str, google: tuple[FakeGoogleCloud, Cloud]
) -> None:
    fake, cloud = google
    create(cloud)
    project = cloud.target.project
    path = f"projects/{project}/{resource.format(project=project)}"
    held = fake.policies[path]
    (taken,) = held.bindings
    fake.policies[path] = policy_pb2.Policy(
        version=3, etag=held.etag, bindings=[policy_pb2.Binding(role="roles/viewer", members=["user:a@b"])]
    )
    (step,) = build(cloud).changes
    assert (step.kind, step.grant) == ("role", (taken.role, taken.members[0]))
    create(cloud)
    assert fake.members(path, taken.role) == set(taken.members)
    assert fake.members(path, "roles/viewer") == {"user:a@b"}
    assert build(cloud).changes == ()


def test_a_role_under_a_condition_is_not_the_role(google: tuple[FakeGoogleCloud, Cloud]) -> None:
    fake, cloud = google
    create(cloud)
    path = f"projects/{cloud.target.project}/topics/{TOPIC}-dlq"
    fake.policies[path].bindings[0].condition.expression = "request.time < timestamp('2020-01-01T00:00:00Z')"
    assert len(build(cloud).changes) == 1
    create(cloud)
    assert len(fake.policies[path].bindings) == 2


def test_somebody_else_s_grant_at_the_same_moment_is_kept(google: tuple[FakeGoogleCloud, Cloud]) -> None:
    fake, cloud = google
    path = f"projects/{cloud.target.project}/topics/{TOPIC}"
    rivals = iter(["user:first@x", "user:second@x"])

    def rival() -> None:
        for member in rivals:
            policy = fake.policies.setdefault(path, policy_pb2.Policy(etag=b"0"))
            policy.bindings.add(role="roles/viewer", members=[member])
            policy.etag = str(int(policy.etag) + 1).encode()
            return

    fake.before_set = rival
    assert cloud.policies
    cloud.policies.grant(Resource(Kind.TOPIC, TOPIC), [("roles/pubsub.publisher", AGENT)])
    assert fake.members(path, "roles/pubsub.publisher") == {AGENT}
    assert fake.members(path, "roles/viewer") == {"user:first@x", "user:second@x"}


def test_roles_that_cannot_be_looked_at_are_said(google: tuple[FakeGoogleCloud, Cloud], made: Cloud) -> None:
    unread = build(google[1]).unread
    assert "roles/bigquery.dataViewer on dataset nba_raw for the pipeline's account" in unread
    assert "roles/iam.serviceAccountUser on service account nba-pipeline for whoever deploys" in unread
    assert build(made).unread == ("33 roles: the emulator has no IAM",)


def test_the_canary_gives_its_dead_letters_their_way(
    google: tuple[FakeGoogleCloud, Cloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, cloud = google
    monkeypatch.setattr(infra_canary, "_follow", lambda *_: infra_canary.Proof(1, 5, 0.0))
    infra_canary.prove(cloud, quiet)
    given = {path.rpartition("/")[2]: policy.bindings[0].members[0] for path, policy in fake.policies.items()}
    assert len(given) == 2
    assert set(given.values()) == {AGENT}


# ---------------------------------------------------------------- unknown is not ok


UNKNOWN = {
    "403": (grpc.StatusCode.PERMISSION_DENIED, errors.AccessDenied),
    "401": (grpc.StatusCode.UNAUTHENTICATED, errors.AccessDenied),
    "404": (grpc.StatusCode.NOT_FOUND, errors.Undetermined),
    "429": (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.Undetermined),
    "500": (grpc.StatusCode.INTERNAL, errors.Undetermined),
    "501": (grpc.StatusCode.UNIMPLEMENTED, errors.Undetermined),
    "503": (grpc.StatusCode.UNAVAILABLE, errors.Undetermined),
    "504": (grpc.StatusCode.DEADLINE_EXCEEDED, errors.Undetermined),
    "400": (grpc.StatusCode.INVALID_ARGUMENT, errors.Undetermined),
    "499": (grpc.StatusCode.CANCELLED, errors.Undetermined),
}


@pytest.mark.parametrize("code", UNKNOWN)
@pytest.mark.parametrize("method", READS)
def test_what_cannot_be_read_is_never_ok(method: str, code: str, whole: tuple[FakeGoogleCloud, Cloud]) -> None:
    fake, cloud = whole
    status, kind = UNKNOWN[code]
    fake.failing = {method: (status, "because")}
    with pytest.raises(kind) as caught:
        build(cloud)
    assert caught.value.exit_code in {4, 7}
    assert "because" in (caught.value.why or "")
    assert method in fake.calls


@pytest.fixture(scope="module")
def whole(emulator: str) -> Iterator[tuple[FakeGoogleCloud, Cloud]]:
    """A cloud in which everything is as declared, so that every read is made."""
    with serving(emulator, f"test-{secrets.token_hex(6)}") as (fake, opened):
        fake.deploy(*(service.name for service in SERVICES))
        create(opened)
        yield fake, opened


def test_everything_that_is_read_is_in_the_list(whole: tuple[FakeGoogleCloud, Cloud]) -> None:
    fake, cloud = whole
    fake.failing, fake.calls = {}, []
    build(cloud)
    assert set(fake.calls) == set(READS)


def test_removal_needs_to_know_what_is_there(whole: tuple[FakeGoogleCloud, Cloud]) -> None:
    fake, cloud = whole
    for method in READS[:2]:
        fake.failing = {method: (grpc.StatusCode.UNAVAILABLE, "because")}
        with pytest.raises(errors.Undetermined):
            plan_removal(cloud, [])
    fake.failing = {}


def test_a_dead_port_is_no_empty_project() -> None:
    cloud = connect(Target("p", "us-west2", f"127.0.0.1:{free_port()}"), {})
    with pytest.raises(errors.TimedOut, match="could not list the topics of project p"):
        build(cloud)
    cloud.pubsub.close()


def test_a_server_that_says_nothing_is_no_empty_project(
    whole: tuple[FakeGoogleCloud, Cloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, cloud = whole
    monkeypatch.setattr(pubsub_admin, "CALL_SECONDS", 0.001)
    fake.failing = {}
    with pytest.raises(errors.TimedOut, match="no answer in time"):
        build(cloud)


# ---------------------------------------------------------------- failures on the way


def test_a_step_that_fails_stops_what_depends_on_it(google: tuple[FakeGoogleCloud, Cloud]) -> None:
    fake, cloud = google
    fake.failing = {"/google.pubsub.v1.Subscriber/CreateSubscription": (grpc.StatusCode.PERMISSION_DENIED, "lacks it")}
    plan = build(cloud)
    results = apply(plan, cloud, quiet)
    error = verdict(plan, results)
    assert isinstance(error, errors.PartlyFailed)
    assert error.message.startswith("7 steps failed; the first: could not create subscription")
    assert sum(one.done for one in results) == 15
    assert len(results) == len(plan.changes)
    assert not any(policy.bindings for policy in fake.policies.values())
    fake.failing = {}
    create(cloud)
    assert build(cloud).changes == ()


def test_a_topic_that_somebody_else_made_meanwhile_is_not_taken_for_ours(cloud: Cloud) -> None:
    plan = build(cloud)
    create(cloud)
    results = apply(plan, cloud, quiet)
    assert isinstance(results[0].error, errors.PreconditionFailed)
    assert not any(one.done for one in results)


def test_nothing_that_could_be_done_is_the_error_itself(google: tuple[FakeGoogleCloud, Cloud]) -> None:
    fake, cloud = google
    fake.failing = {"/google.pubsub.v1.Publisher/CreateTopic": (grpc.StatusCode.PERMISSION_DENIED, "lacks it")}
    plan = build(cloud)
    error = verdict(plan, apply(plan, cloud, quiet))
    assert isinstance(error, errors.AccessDenied)
    assert cloud.admin.topics() == {}


def test_removal_that_fails_in_part_says_so(google: tuple[FakeGoogleCloud, Cloud]) -> None:
    fake, cloud = google
    create(cloud)
    removal = plan_removal(cloud, [])
    fake.failing = {"/google.pubsub.v1.Publisher/DeleteTopic": (grpc.StatusCode.UNAVAILABLE, "down")}
    with pytest.raises(errors.PartlyFailed, match="15 steps failed"):
        remove(removal, cloud)
    with pytest.raises(GoogleNotFound):
        subscription(cloud, SUB)
