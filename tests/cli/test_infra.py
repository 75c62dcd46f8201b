# ruff: noqa: S603 -- the processes are ours, and so are their arguments
"""`nbactl infra` as an operator types it, on the real emulator."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import grpc
import pytest

from nbactl.gcp import cloud as connecting
from nbactl.gcp.pubsub_admin import PubSubAdmin
from shared.errors import AccessDenied, TimedOut
from shared.pubsub import PubSub
from shared.topology import SERVICES, Profile, declared
from tests.cli.conftest import Run, Said, Type, heed_ctrl_c
from tests.emulator import free_port
from tests.fakes.google_cloud import READS, serving

TOPICS = len(declared(Profile.LOCAL).topics)
SUBSCRIPTIONS = len(declared(Profile.LOCAL).subscriptions)
SERVED = [word for one in SERVICES for word in ("--service", f"{one.name}=http://127.0.0.1:{9000 + one.phase}/")]
SUB = "nba-phase4-precompute-sub"


@pytest.fixture
def infra(typed: Type, emulator: str, project: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Type]:
    """Type `nbactl infra ...` in this process, against an empty project of the emulator."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", project)

    def run(*words: str) -> Said:
        return typed("infra", *words)

    yield run
    run("destroy", "--confirm", project)


@pytest.fixture
def pubsub(emulator: str, project: str) -> Iterator[PubSub]:
    """The same project, to look into and to spoil."""
    opened = PubSub(project, emulator)
    yield opened
    opened.close()


def spoil(pubsub: PubSub) -> None:
    held = {"name": pubsub.subscription_path(SUB), "ack_deadline_seconds": 10}
    request: dict[str, object] = {"subscription": held, "update_mask": {"paths": ["ack_deadline_seconds"]}}
    pubsub.subscriber.update_subscription(request=request, timeout=10)


def test_plan_create_plan(infra: Type, project: str, emulator: str) -> None:
    before = infra("plan", *SERVED)
    assert before.code == 0
    assert before.out.splitlines()[0].split() == ["plan", "kind", "name"]
    assert before.out.splitlines()[1].split() == ["+", "create", "topic", "nba-phase2-raw-complete"]
    target = f"project {project} on the Pub/Sub emulator at {emulator}"
    assert f"{target}: {TOPICS + SUBSCRIPTIONS} changes; 0 ok" in before.err
    assert "not looked at: 33 roles: the emulator has no IAM" in before.err

    created = infra("create", "--yes", *SERVED)
    assert created.code == 0
    assert created.out.count("+ created") == TOPICS + SUBSCRIPTIONS

    again = infra("create", *SERVED)
    assert again.code == 0
    assert again.out.count("= ok") == TOPICS + SUBSCRIPTIONS
    assert f"0 changes; {TOPICS + SUBSCRIPTIONS} ok" in again.err
    assert infra("plan", "--check", *SERVED).code == 0
    assert infra("verify", *SERVED).code == 0


def test_drift_is_shown_with_both_values_and_repaired(infra: Type, pubsub: PubSub) -> None:
    infra("create", "--yes", *SERVED)
    spoil(pubsub)
    for words in (("plan", "--check"), ("verify",), ("verify", "--canary")):
        shown = infra(*words, *SERVED)
        assert shown.code == 6
        assert "~ change ack_deadline: 10 s -> 600 s" in shown.out + shown.err
        assert "next: nbactl infra create" in shown.err
    assert infra("plan", *SERVED).code == 0
    repaired = infra("create", "--yes", "-o", "json", *SERVED)
    (row,) = [row for row in repaired.json if row["outcome"] == "done"]
    assert row == {
        "action": "change",
        "kind": "subscription",
        "name": SUB,
        "changes": [{"field": "ack_deadline", "before": "10 s", "after": "600 s"}],
        "waits_for": None,
        "member": None,
        "outcome": "done",
        "error": None,
    }
    assert infra("verify", *SERVED).code == 0


@pytest.mark.parametrize("output", ["json", "jsonl", "csv"])
def test_every_form_has_every_row(output: str, infra: Type) -> None:
    shown = infra("plan", "-o", output).out
    rows = json.loads(shown) if output == "json" else shown.splitlines()[output == "csv" :]
    assert len(rows) == TOPICS + SUBSCRIPTIONS


def test_without_services_their_subscriptions_wait(infra: Type) -> None:
    created = infra("create", "--yes")
    assert created.code == 0
    assert ". waits for nba-phase4-precompute-processors" in created.out
    waiting = [row for row in infra("plan", "-o", "json").json if row["action"] == "waits"]
    assert {row["waits_for"] for row in waiting} == {service.name for service in SERVICES}
    assert infra("plan", "--check").code == 0


def test_a_dry_run_changes_nothing(infra: Type, pubsub: PubSub) -> None:
    shown = infra("create", "--dry-run", "--yes")
    assert (shown.code, shown.out) == (0, infra("plan").out)
    assert not list(pubsub.publisher.list_topics(project=f"projects/{pubsub.project}", timeout=10))


def test_without_a_terminal_creating_needs_a_yes(infra: Type, pubsub: PubSub) -> None:
    refused = infra("create")
    assert (refused.code, refused.out) == (2, "")
    assert "next: add --yes" in refused.err
    assert not list(pubsub.publisher.list_topics(project=f"projects/{pubsub.project}", timeout=10))


@pytest.mark.parametrize(("answer", "code", "topics"), [("y", 0, TOPICS), ("n", 130, 0)])
def test_on_a_terminal_it_asks(answer: str, code: int, topics: int, infra: Type, pubsub: PubSub) -> None:
    assert infra
    sent, status = on_terminal(["infra", "create"], "]: ", answer)
    assert status == code
    assert "+ create  topic nba-phase2-raw-complete" in sent
    assert f"Change project {pubsub.project}" in sent
    assert len(list(pubsub.publisher.list_topics(project=f"projects/{pubsub.project}", timeout=10))) == topics


@pytest.mark.parametrize(("wrong", "code"), [(False, 0), (True, 2)])
def test_on_a_terminal_destroying_wants_the_name(wrong: bool, code: int, infra: Type, project: str) -> None:  # noqa: FBT001
    infra("create", "--yes")
    sent, status = on_terminal(["infra", "destroy"], "project: ", "other" if wrong else project)
    assert status == code, sent
    assert infra("plan", "-o", "json").json[0]["action"] == ("ok" if wrong else "create")


def on_terminal(words: list[str], prompt: str, answer: str) -> tuple[str, int]:
    """Run the tool on a terminal of its own, answer its question, and return what it showed and how it ended."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "nbactl", *words]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": "200"}
    )
    os.close(theirs)
    sent, answered = "", False
    while chunk := read(ours):
        sent += chunk.decode()
        if not answered and prompt in sent:
            os.write(ours, f"{answer}\n".encode())
            answered = True
    os.close(ours)
    return sent, process.wait(60)


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how a terminal says that the other side has closed it
        return b""


def test_destroying_wants_the_name_of_the_project(infra: Type, project: str) -> None:
    infra("create", "--yes")
    for words in ((), ("--confirm", "another")):
        refused = infra("destroy", *words)
        assert refused.code == 2
        assert f"next: --confirm {project}" in refused.err
    assert "--confirm is empty" in infra("destroy", "--confirm", "").err
    dry = infra("destroy", "--dry-run", "-o", "json")
    assert (dry.code, len(dry.json)) == (0, TOPICS + TOPICS // 2)
    assert infra("plan", "--check").code == 0
    gone = infra("destroy", "--confirm", project)
    assert gone.code == 0
    assert "deleted, with the messages that they held" in gone.err
    assert {row["action"] for row in infra("plan", "-o", "json").json} == {"create", "waits"}


def test_destroying_one_leaves_the_others(infra: Type, project: str) -> None:
    infra("create", "--yes", *SERVED)
    gone = infra("destroy", SUB, "--confirm", project)
    assert gone.out.splitlines()[1:] == [f"subscription  {SUB}"]
    assert [row["name"] for row in infra("plan", "-o", "json", *SERVED).json if row["action"] == "create"] == [SUB]
    slip = infra("destroy", "nba-phase4-precompute-sup", "--confirm", project)
    assert slip.code == 5
    assert f"did you mean '{SUB}'" in slip.err


def test_the_canary_lives(infra: Type) -> None:
    infra("create", "--yes")
    proved = infra("verify", "--canary", "-o", "json")
    assert proved.code == 0
    (row,) = proved.json
    assert (row["healthy_deliveries"], row["poison_deliveries"]) == (1, 5)
    assert "the canary lives" in proved.err


def test_ctrl_c_removes_the_canary(infra: Type, pubsub: PubSub) -> None:
    infra("create", "--yes")
    process = subprocess.Popen(
        [sys.executable, "-m", "nbactl", "infra", "verify", "--canary"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 -- no other thread runs here
    )
    assert process.stderr
    while "delivery" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said.splitlines()[-1]) == (130, "error: interrupted")
    topics = pubsub.publisher.list_topics(project=f"projects/{pubsub.project}", timeout=10)
    assert len(list(topics)) == TOPICS
    held = pubsub.subscriber.list_subscriptions(project=f"projects/{pubsub.project}", timeout=10)
    assert not [one.name for one in held if "canary" in one.name]


def test_refusal_that_ended_the_canary_is_what_is_told(infra: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    infra("create", "--yes")

    def refuse(*_: object) -> None:
        raise AccessDenied("could not create the subscription: not allowed")

    def lose(*_: object) -> None:
        raise TimedOut("could not delete it: no usable answer")

    with monkeypatch.context() as planted:
        planted.setattr(PubSubAdmin, "create_subscription", refuse)
        planted.setattr(PubSubAdmin, "delete_topic", lose)
        said = infra("verify", "--canary")
        machine = infra("verify", "--canary", "-o", "json")
    assert said.code == machine.code == 4
    error, *warnings = (line for line in said.err.splitlines() if line.startswith(("error", "warning")))
    assert error == "error: could not create the subscription: not allowed"
    assert len(warnings) == 2
    assert all("nba-canary-" in warning and "was left behind: could not delete it" in warning for warning in warnings)
    assert "was left behind" in machine.error["why"]


def test_what_nobody_declared_is_a_warning(infra: Type, pubsub: PubSub) -> None:
    infra("create", "--yes")
    path = pubsub.subscription_path("an-old-one")
    pubsub.subscriber.create_subscription(name=path, topic=pubsub.topic_path("nba-phase2-raw-complete"), timeout=10)
    shown = infra("plan", "--check", "--quiet")
    assert shown.code == 0
    warning = "not declared, and left alone: subscription an-old-one on nba-phase2-raw-complete"
    assert shown.err == f"warning: {warning}\n"
    pubsub.subscriber.delete_subscription(subscription=path, timeout=10)


def test_what_needs_recreation_ends_in_an_error_that_says_how(infra: Type, pubsub: PubSub, project: str) -> None:
    infra("create", "--yes", *SERVED)
    held = pubsub.subscriber.get_subscription(subscription=pubsub.subscription_path(SUB), timeout=10)
    pubsub.subscriber.delete_subscription(subscription=held.name, timeout=10)
    held.filter = 'attributes.success = "true"'
    pubsub.subscriber.create_subscription(request=held, timeout=10)
    created = infra("create", "--yes", *SERVED)
    assert created.code == 5
    assert "! needs recreation (would lose an unknown number of messages) filter: attributes.success" in created.out
    assert f"next: nbactl infra destroy {SUB} --confirm {project}, then nbactl infra create" in created.err
    assert infra("plan", "--check", *SERVED).code == 6


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("plan", "--service", "nba-phase3-analytics-processors"), "is not NAME=URL"),
        (("plan", "--service", "nba-phase3-analytics-processors=ftp://x"), "is not NAME=URL"),
    ],
)
def test_slips_in_services_are_usage_errors(words: tuple[str, ...], part: str, infra: Type) -> None:
    assert infra(*words).code == 2
    assert part in infra(*words).err


def test_an_unknown_service_brings_the_right_one_to_mind(infra: Type) -> None:
    slip = infra("plan", "--service", "nba-phase3-analytics-processor=http://x")
    assert slip.code == 5
    assert "did you mean 'nba-phase3-analytics-processors'" in slip.err


def test_services_of_google_cloud_are_its_own(infra: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "")
    refused = infra("plan", *SERVED)
    assert refused.code == 2
    assert "--service is for an emulator" in refused.err


@pytest.mark.parametrize("words", [("plan",), ("plan", "--check"), ("create", "--yes"), ("verify",), ("destroy",)])
def test_a_dead_emulator_is_no_empty_project(
    words: tuple[str, ...], infra: Type, emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    began = time.monotonic()
    dead = infra(*words, "-o", "json")
    assert (dead.code, dead.out) == (7, "")
    assert json.loads(dead.err)["error"] == "TimedOut"
    assert time.monotonic() - began < 10
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator)


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize(("status", "code"), [("PERMISSION_DENIED", 4), ("NOT_FOUND", 7), ("INTERNAL", 7)])
def test_what_cannot_be_read_is_never_ok(  # noqa: PLR0913, PLR0917 -- fixtures
    method: str, status: str, code: int, infra: Type, emulator: str, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(emulator, project) as (fake, opened):
        fake.deploy(*(service.name for service in SERVICES))
        monkeypatch.setattr(connecting, "connect", lambda _target, _given: opened)
        if "IamPolicy" in method:
            assert infra("create", "--yes").code == 0
        fake.failing = {method: (grpc.StatusCode[status], "because")}
        said = infra("plan")
        assert (said.code, said.out) == (code, "")
        assert "because" in said.err
        fake.failing = {}


def test_roles_are_part_of_the_plan(infra: Type, emulator: str, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(emulator, project) as (fake, opened):
        fake.deploy(*(service.name for service in SERVICES))
        monkeypatch.setattr(connecting, "connect", lambda _target, _given: opened)
        rows = infra("create", "--yes", "-o", "json").json
        invoker = next(row for row in rows if row["name"].startswith("roles/run.invoker"))
        assert invoker["member"] == f"serviceAccount:nba-pipeline@{project}.iam.gserviceaccount.com"
        assert infra("plan", "--check").code == 0
        assert "not looked at: roles/bigquery.dataViewer on dataset nba_raw" in infra("plan").err
        monkeypatch.undo()


def test_help_imports_no_google(nbactl: Run) -> None:
    for words in (("infra", "--help"), ("infra", "create", "--help")):
        assert nbactl(*words).returncode == 0
    command = [sys.executable, "-X", "importtime", "-m", "nbactl", "infra", "create", "--help"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    assert "nbactl.params" in listing
    assert " google" not in listing
    assert " grpc" not in listing
