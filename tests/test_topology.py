"""The declared topology is the contract's, and its lint finds what would fail in operation."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared import topology
from shared.topology import Binding, DeadLetter, Kind, Member, Profile, Push, Resource, Retry, Topology
from shared.topology_lint import lint

CLOUD = topology.declared(Profile.CLOUD)
LOCAL = topology.declared(Profile.LOCAL)
PUSHED = "nba-phase4-precompute-sub"

DLQS = {
    "nba-phase2-raw-complete-dlq",
    "nba-phase3-analytics-complete-dlq",
    "nba-phase4-precompute-complete-dlq",
    "nba-phase3-fallback-trigger-dlq",
    "nba-phase4-fallback-trigger-dlq",
    "nba-phase5-fallback-trigger-dlq",
    "nba-phase5-prediction-request-dlq",
}
SOURCES = {name.removesuffix("-dlq") for name in DLQS}


def test_topics_are_the_contract_s() -> None:
    labels = {topic.name: dict(topic.labels) for topic in CLOUD.topics}
    assert set(labels) == DLQS | SOURCES | {"nba-phase5-predictions-complete"}
    assert labels["nba-phase3-analytics-complete"] == {"phase": "3", "content": "complete"}
    assert labels["nba-phase3-analytics-complete-dlq"] == {"phase": "3", "content": "dlq"}
    assert labels["nba-phase4-fallback-trigger"] == {"phase": "4", "content": "fallback"}
    assert labels["nba-phase5-prediction-request"] == {"phase": "5", "content": "request"}
    assert {topic.retention for topic in CLOUD.topics} == {timedelta(days=7)}


def test_subscriptions_are_the_contract_s() -> None:
    pushed = {one.name: one for one in CLOUD.subscriptions if one.push}
    assert {one.topic for one in pushed.values()} == SOURCES
    assert {(one.topic, one.dead_letter) for one in pushed.values()} == {
        (name, DeadLetter(f"{name}-dlq", 5)) for name in SOURCES
    }
    assert pushed["nba-phase3-analytics-sub"].push == Push("nba-phase3-analytics-processors", "/process")
    assert pushed["nba-phase4-fallback-sub"].push == Push("nba-phase4-precompute-processors", "/process")
    assert pushed["nba-phase5-prediction-request-sub"].push == Push("nba-phase5-predictions", "/predict")
    kept = {one.name: one.topic for one in CLOUD.subscriptions if not one.push}
    assert kept == {f"{name}-sub": name for name in DLQS}


def test_settings_are_the_contract_s() -> None:
    for one in CLOUD.subscriptions:
        assert one.ack_deadline == timedelta(seconds=600)
        assert one.retention == timedelta(days=7)
        assert one.expires is None
        assert (one.filter, one.ordered, one.exactly_once) == ("", False, False)
        retry = Retry(timedelta(seconds=10), timedelta(seconds=600)) if one.push else None
        assert one.retry == retry


def test_the_profiles_differ_in_the_retry_policy_only() -> None:
    quick = Retry(timedelta(seconds=1), timedelta(seconds=5))
    patient = tuple(replace(one, retry=quick) if one.retry else one for one in CLOUD.subscriptions)
    assert replace(CLOUD, subscriptions=patient) == LOCAL
    assert CLOUD != LOCAL


def test_roles_are_the_contract_s() -> None:
    given: dict[tuple[Member, str], set[str]] = {}
    for binding in CLOUD.bindings:
        given.setdefault((binding.member, binding.role), set()).add(str(binding.resource))
    pushed = {f"subscription {one.name}" for one in CLOUD.subscriptions if one.push}
    assert given == {
        (Member.PIPELINE, "roles/run.invoker"): {f"service {service.name}" for service in CLOUD.services},
        (Member.PUBSUB_AGENT, "roles/iam.serviceAccountTokenCreator"): {"service account nba-pipeline"},
        (Member.PUBSUB_AGENT, "roles/pubsub.publisher"): {f"topic {name}" for name in DLQS},
        (Member.PUBSUB_AGENT, "roles/pubsub.subscriber"): pushed,
        (Member.PIPELINE, "roles/pubsub.publisher"): {
            "topic nba-phase3-analytics-complete",
            "topic nba-phase4-precompute-complete",
            "topic nba-phase5-predictions-complete",
            "topic nba-phase5-prediction-request",
        },
        (Member.PIPELINE, "roles/bigquery.jobUser"): {"project"},
        (Member.PIPELINE, "roles/bigquery.dataViewer"): {"dataset nba_raw", "dataset nba_static"},
        (Member.PIPELINE, "roles/bigquery.dataEditor"): {
            f"dataset nba_{name}" for name in ("analytics", "precompute", "predictions", "orchestration")
        },
        (Member.SCHEDULER_AGENT, "roles/pubsub.publisher"): {
            f"topic nba-phase{phase}-fallback-trigger" for phase in (3, 4, 5)
        },
        (Member.DEPLOYER, "roles/iam.serviceAccountUser"): {"service account nba-pipeline"},
    }


def test_members_are_written_as_iam_has_them() -> None:
    assert Member.PIPELINE.address("p", "42") == "serviceAccount:nba-pipeline@p.iam.gserviceaccount.com"
    assert Member.PUBSUB_AGENT.address("p", "42") == "serviceAccount:service-42@gcp-sa-pubsub.iam.gserviceaccount.com"
    assert Member.DEPLOYER.address("p", "42") is None


def test_names_of_topics_follow_from_the_phase() -> None:
    assert topology.completion_topic(2) == "nba-phase2-raw-complete"
    assert topology.completion_topic(4) == "nba-phase4-precompute-complete"
    assert topology.fallback_topic(3) == "nba-phase3-fallback-trigger"
    assert topology.service_of_phase(4).name == "nba-phase4-precompute-processors"


# ---------------------------------------------------------------- lint


def altered(name: str, **fields: Any) -> Topology:  # noqa: ANN401 -- fields of any type
    """The cloud's topology with one subscription changed."""
    changed = tuple(replace(one, **fields) if one.name == name else one for one in CLOUD.subscriptions)
    return replace(CLOUD, subscriptions=changed)


def without(binding: Callable[[Binding], bool]) -> Topology:
    return replace(CLOUD, bindings=tuple(one for one in CLOUD.bindings if not binding(one)))


@pytest.mark.parametrize("declared", [CLOUD, LOCAL])
def test_the_declared_topology_has_nothing_wrong(declared: Topology) -> None:
    assert lint(declared) == []


@pytest.mark.parametrize(
    ("wrong", "name", "problem"),
    [
        (
            replace(CLOUD, subscriptions=tuple(one for one in CLOUD.subscriptions if one.push)),
            "nba-phase3-analytics-complete-dlq",
            "no subscription",
        ),
        (
            replace(CLOUD, subscriptions=tuple(one for one in CLOUD.subscriptions if one.name != PUSHED)),
            "nba-phase3-analytics-complete",
            "no subscription",
        ),
        (altered(PUSHED, ack_deadline=timedelta(seconds=540)), PUSHED, "not above the time-out"),
        (altered(PUSHED, ack_deadline=timedelta(seconds=601)), PUSHED, "outside 10 to 600 s"),
        (altered(PUSHED, expires=timedelta(days=31)), PUSHED, "expires after 31 idle days"),
        (
            altered(PUSHED, push=Push("nba-phase4-precompute-processors", "/proces")),
            PUSHED,
            "pushes to /proces, which nba-phase4-precompute-processors does not answer",
        ),
        (altered(PUSHED, push=Push("elsewhere", "/process")), PUSHED, "elsewhere, which is no declared service"),
        (altered(PUSHED, retry=None), PUSHED, "no retry policy"),
        (altered(PUSHED, dead_letter=None), PUSHED, "no dead letter topic"),
        (altered(PUSHED, dead_letter=DeadLetter("nowhere")), PUSHED, "topic nowhere is not declared"),
        (altered(PUSHED, topic="nowhere"), PUSHED, "topic nowhere is not declared"),
        (
            altered(PUSHED, dead_letter=DeadLetter("nba-phase3-analytics-complete-dlq", 4)),
            PUSHED,
            "attempts outside 5 to 100",
        ),
        (replace(CLOUD, topics=CLOUD.topics + CLOUD.topics[:1]), "nba-phase2-raw-complete", "declared twice"),
        (
            without(lambda one: one.role == "roles/run.invoker"),
            PUSHED,
            "the pipeline's account lacks roles/run.invoker",
        ),
        (
            without(lambda one: one.resource == Resource(Kind.TOPIC, "nba-phase3-analytics-complete-dlq")),
            PUSHED,
            "Pub/Sub's service agent lacks roles/pubsub.publisher on topic nba-phase3-analytics-complete-dlq",
        ),
        (
            without(lambda one: one.resource.kind is Kind.SUBSCRIPTION),
            PUSHED,
            "Pub/Sub's service agent lacks roles/pubsub.subscriber",
        ),
    ],
)
def test_lint_finds_what_would_fail(wrong: Topology, name: str, problem: str) -> None:
    found = [finding for finding in lint(wrong) if finding.table == name]
    assert any(problem in finding.problem for finding in found), lint(wrong)
