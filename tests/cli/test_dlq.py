# ruff: noqa: S603 -- the processes are ours, and so are their arguments
"""Dead letters as an operator has them, on the real emulator: seen, sent again, kept and taken away, and none lost."""

from __future__ import annotations

import base64
import getpass
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nbactl.cli import cli
from nbactl.gcp.cloud import Target, connect
from nbactl.gcp.peeking import peeking
from nbactl.ops import infra, infra_apply, letters, taking
from processors import runner
from shared import events
from shared.errors import TimedOut
from shared.events import Message
from shared.ledger import DELIVERIES
from shared.pubsub import PubSub
from shared.topology import WATCH_PREFIX
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.builders import FINAL_DATES, SLATE
from tests.cli.conftest import Type
from tests.conftest import at, rows

LAST = FINAL_DATES[-1]
PUBLISHED = datetime(2024, 11, 9, 6, 30, 0, 123000, tzinfo=UTC)
HOSTILE = "[/x] \x1b[31mred\x1b[0m \0 \u202egnorw [bold]\r\nline"
HARMFUL = ("\x1b", "\0", "\u202e", "\r")
GOOD = {"source_table": "nbac_gamebook_player_stats", "game_date": str(LAST)}


@dataclass
class Post:
    """The project's messages, and its ledger."""

    pubsub: PubSub
    warehouse: DuckDBWarehouse

    def dies(self, data: bytes, phase: int = 3, number: int = 0, **attributes: str) -> None:
        """Put a letter where Pub/Sub would, as it would."""
        (box, *_) = letters.boxes(phase)
        source = {
            "CloudPubSubDeadLetterSourceSubscription": box.source,
            "CloudPubSubDeadLetterSourceSubscriptionProject": self.pubsub.project,
            "CloudPubSubDeadLetterSourceDeliveryCount": "5",
            "CloudPubSubDeadLetterSourceTopicPublishTime": _at(number).isoformat().replace("+00:00", "Z"),
        }
        self.pubsub.publish(box.dead_letters, data, attributes | source)

    def answered(self, data: bytes, decision: str, reason: str, number: int = 0, **columns: object) -> None:
        """Let the service of Phase 3 have written down what it said to a message."""
        said = {
            "request_id": f"r{time.monotonic_ns()}",
            "received_date": datetime.now(UTC).date(),
            "received_at": datetime.now(UTC),
            "route": "/process",
            "subscription": self.pubsub.subscription_path(letters.boxes(3)[0].source),
            "publish_time": _at(number),
            "payload_sha256": events.payload_digest(data),
            "http_status": 400 if decision == "rejected" else 500,
            "decision": decision,
            "reason": reason,
            "actor": "service",
            "code_version": "1",
        }
        with self.warehouse.writing(runner.all_tables()) as session:
            session.insert(DELIVERIES, [said | columns])

    def held(self, phase: int = 3) -> Counter[bytes]:
        """What the first box of a phase holds, whoever has it for the moment."""
        (box, *_) = letters.boxes(phase)
        with peeking(self.pubsub, box.subscription, box.dead_letters) as batches:
            return Counter(one.data for batch in batches for one in batch)

    def free(self, phase: int = 3) -> int:
        """How many letters of a box anybody may have at once."""
        (box, *_) = letters.boxes(phase)
        return len(self.pubsub.pull(box.subscription, 1000))

    def sent(self, wait: float = 0) -> list[tuple[bytes, dict[str, str]]]:
        """What was published on the topic of Phase 2 since the test began."""
        pulled = self.pubsub.pull("heard", 1000, wait=wait)
        if pulled:
            self.pubsub.acknowledge("heard", [one.ack_id for one in pulled])
        return [(one.data, dict(one.attributes)) for one in pulled]


def _at(number: int) -> datetime:
    return PUBLISHED.replace(microsecond=(123 + number) * 1000)


@pytest.fixture
def post(done: Path, emulator: str, project: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """A project with everything declared, nothing in it, and the small league, all computed."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", project)
    cloud = connect(Target(project, "here", emulator), {})
    infra_apply.apply(infra.build(cloud), cloud, lambda _: None)
    opened = PubSub(project, emulator)
    heard = {"name": opened.subscription_path("heard"), "topic": opened.topic_path(letters.boxes(3)[0].topic)}
    opened.subscriber.create_subscription(request=heard)
    yield Post(opened, at(done))
    opened.close()
    cloud.pubsub.close()


def good(number: int = 0) -> bytes:
    return json.dumps(GOOD | {"correlation_id": f"c-{number}"}).encode()


# ---------------------------------------------------------------- inspect


def test_letters_are_shown_decoded_with_their_reason_and_none_is_taken(typed: Type, post: Post) -> None:
    post.dies(good())
    post.answered(good(), "failed", "2 rows fail points: a, b")
    post.dies(b"no json", number=1, colour="blue")
    post.answered(b"no json", "rejected", "bad_json: the data is not JSON in UTF-8", 1)
    post.dies(good(2), number=2)
    said = typed("dlq", "inspect", "-o", "json")
    assert said.code == 0
    found = {one["data"]: one for one in said.json}
    failed = found[good().decode()]
    assert (failed["table"], failed["date"], failed["correlation_id"]) == (GOOD["source_table"], str(LAST), "c-0")
    assert (failed["subscription"], failed["attempts"]) == ("nba-phase3-analytics-sub", 5)
    assert (failed["reason"], failed["why"]) == ("failed", "2 rows fail points: a, b")
    assert failed["published_at"] == "2024-11-09T06:30:00.123000Z"
    unread = found["no json"]
    assert (unread["reason"], unread["table"], unread["attributes"]) == ("bad_json", None, {"colour": "blue"})
    assert found[good(2).decode()]["reason"] == "unanswered"
    assert "3 dead letters of project" in said.err
    assert post.free() == 3
    assert not [name for name in _subscriptions(post) if name.startswith(WATCH_PREFIX)]


def _subscriptions(post: Post) -> list[str]:
    listed = post.pubsub.subscriber.list_subscriptions(request={"project": f"projects/{post.pubsub.project}"})
    return [one.name.rpartition("/")[2] for one in listed]


def test_of_several_answers_to_a_message_the_newest_counts_and_others_messages_are_others(
    typed: Type, post: Post
) -> None:
    post.dies(good())
    post.answered(good(), "retry", "the warehouse is locked")
    post.answered(good(), "failed", "newer")
    post.answered(good(), "failed", "the same data at another time", 7)
    post.answered(good(), "failed", "another subscription", subscription="projects/p/subscriptions/other")
    (one,) = typed("dlq", "inspect", "-o", "json").json
    assert one["why"] == "newer"


def test_a_failed_run_names_its_processor_and_code(typed: Type, post: Post) -> None:
    ((run_id,),) = rows(
        post.warehouse,
        f"SELECT run_id FROM nba_orchestration.processor_runs WHERE processor_name = 'PlayerGameSummaryProcessor'"
        f" AND game_date = DATE '{LAST}'",
    )
    with post.warehouse.writing([]) as session:
        change = "SET status = 'FAILED_PERMANENT', reason_code = 'team_points' WHERE run_id = @run_id"
        session.execute(f"UPDATE nba_orchestration.processor_runs {change}", {"run_id": run_id})
    post.dies(good())
    post.answered(good(), "failed", "so", run_ids=["another", run_id])
    (one,) = typed("dlq", "inspect", "-o", "json").json
    assert (one["processor"], one["reason"]) == ("PlayerGameSummaryProcessor", "team_points")
    (group,) = typed("dlq", "inspect", "--group-by", "processor", "-o", "json").json
    assert (group["processor"], group["letters"]) == ("PlayerGameSummaryProcessor", 1)
    assert group["next"] == "nbactl dlq replay --rehearse --where processor=PlayerGameSummaryProcessor"


@pytest.mark.parametrize("field", letters.FIELDS)
def test_every_group_ends_with_a_command_that_there_is_and_that_means_its_letters(
    typed: Type, post: Post, field: str
) -> None:
    post.dies(good())
    post.answered(good(), "failed", "so")
    post.dies(b"no json", number=1)
    post.answered(b"no json", "rejected", "bad_json: so", 1)
    post.dies(good(2), number=2)
    groups = typed("dlq", "inspect", "--group-by", field, "-o", "json").json
    assert sum(group["letters"] for group in groups) == 3
    for group in groups:
        command = group["next"].rpartition("then ")[2]
        assert command.startswith("nbactl dlq ")
        words = command.removeprefix("nbactl ").split()
        cli.commands.get(words[0])
        where = words[words.index("--where") + 1]
        shown = typed("dlq", "inspect", "--where", where, "-o", "json").json
        assert len(shown) == group["letters"]


def test_each_phase_has_its_letters(typed: Type, post: Post) -> None:
    post.dies(good())
    post.dies(b"{}", phase=4)
    assert [one["phase"] for one in typed("dlq", "inspect", "-o", "json").json] == [3, 4]
    assert [one["phase"] for one in typed("dlq", "inspect", "--phase", "4", "-o", "json").json] == [4]
    assert typed("dlq", "inspect", "--phase", "9").code == 2


def test_without_a_ledger_letters_are_shown_and_nobody_can_tell_why(typed: Type, post: Post) -> None:
    post.dies(good())
    post.warehouse.path.unlink()
    (one,) = typed("dlq", "inspect", "-o", "json").json
    assert (one["reason"], one["why"]) == ("unanswered", "there is no ledger to ask")


def test_what_cannot_be_read_is_never_empty(typed: Type, post: Post) -> None:
    post.pubsub.subscriber.delete_subscription(
        subscription=post.pubsub.subscription_path(letters.boxes(3)[0].subscription)
    )
    said = typed("dlq", "inspect")
    assert said.code == 3
    assert "it does not exist" in said.err
    assert "0 dead letters" not in said.err


@pytest.mark.parametrize("output", ["table", "csv", "json", "jsonl"])
def test_hostile_text_is_printed_harmlessly(typed: Type, post: Post, output: str) -> None:
    body = json.dumps(GOOD | {"correlation_id": HOSTILE, "source_table": HOSTILE}).encode()
    for number, data in enumerate((body, HOSTILE.encode(), b"\xff\xfe")):
        post.dies(data, number=number, hostile=HOSTILE)
        post.answered(data, "failed", HOSTILE, number)
    for words in (("inspect",), ("inspect", "--group-by", "reason"), ("replay", "--dry-run")):
        said = typed("dlq", *words, "-o", output)
        assert said.code == 0
        assert not any(harm in said.out + said.err for harm in HARMFUL)


def test_slips_are_usage_errors(typed: Type, post: Post) -> None:
    assert post
    assert "did you mean 'reason'" in typed("dlq", "inspect", "--where", "reson=x").err
    assert typed("dlq", "inspect", "--where", "reason").code == 2


# ---------------------------------------------------------------- replay


def test_replayed_letters_are_as_they_were_published_and_their_chains_keep_their_names(typed: Type, post: Post) -> None:
    post.dies(good(), source_table=GOOD["source_table"])
    nameless = json.dumps(GOOD).encode()
    post.dies(nameless, number=1)
    post.answered(nameless, "failed", "so", 1, correlation_id="message-17")
    said = typed("dlq", "replay", "--yes", "--reason", "the box is mended", "-o", "json")
    assert (said.code, said.json) == (0, [{"pulled": 2, "replayed": 2, "kept": 0, "drained": 0}])
    assert sorted(post.sent(wait=2)) == sorted(
        [
            (good(), {"source_table": GOOD["source_table"], "correlation_id": "c-0"}),
            (nameless, {"correlation_id": "message-17"}),
        ]
    )
    again = events.push_body(Message(nameless, {"correlation_id": "message-17"}), events.Delivery(message_id="18"))
    assert events.parse_push(again, 3).correlation_id == "message-17"
    assert not post.held()
    ((route, actor, reason),) = rows(
        post.warehouse, "SELECT route, actor, reason FROM nba_orchestration.deliveries WHERE decision = 'replayed'"
    )
    assert (route, actor.partition("@")[0]) == ("nbactl dlq replay", getpass.getuser())
    assert reason == "pulled 2 = replayed 2 + kept 0 + drained 0: the box is mended"


def test_only_the_letters_that_are_meant_are_replayed_and_the_others_are_free_at_once(typed: Type, post: Post) -> None:
    for number in range(5):
        post.dies(good(number), number=number)
    post.dies(b"no json", number=5)
    post.answered(b"no json", "rejected", "bad_json: so", 5)
    dry = typed("dlq", "replay", "--where", "reason=unanswered", "--limit", "2", "--dry-run", "-o", "json")
    assert (dry.code, len(dry.json), post.sent()) == (0, 2, [])
    said = typed("dlq", "replay", "--where", "reason=unanswered", "--limit", "2", "--yes", "-o", "json")
    assert said.json == [{"pulled": 6, "replayed": 2, "kept": 4, "drained": 0}]
    assert len(post.sent(wait=2)) == 2
    assert post.free() == 4


def test_without_a_terminal_replaying_needs_a_yes(typed: Type, post: Post) -> None:
    post.dies(good())
    assert typed("dlq", "replay").code == 2
    assert post.free() == 1


def test_work_that_was_done_since_is_not_needed(typed: Type, post: Post) -> None:
    with post.warehouse.writing([]) as session:
        lost = f"game_date = DATE '{SLATE}' AND output_table = 'upcoming_player_game_context'"
        session.execute(f"DELETE FROM nba_orchestration.processor_runs WHERE {lost}", {})
    earlier = {"game_date": str(FINAL_DATES[1])}
    post.dies(json.dumps(GOOD | earlier).encode())
    post.dies(json.dumps({"trigger_type": "fallback", "phase": 3, **earlier}).encode(), number=1)
    post.dies(json.dumps(GOOD | {"source_table": "nobody_reads_it"}).encode(), number=2)
    post.dies(b"no json", number=3)
    post.dies(good(), number=4)
    said = typed("dlq", "replay", "--only-needed", "--yes", "-o", "json")
    assert said.json == [{"pulled": 5, "replayed": 1, "kept": 4, "drained": 0}]
    assert [data for data, _ in post.sent(wait=2)] == [good()]


def test_a_rehearsal_says_what_would_happen_and_only_what_would_succeed_is_sent(typed: Type, post: Post) -> None:
    slate = {"analytics_table": "player_game_summary", "game_date": str(FINAL_DATES[2])}
    with post.warehouse.writing([]) as session:
        session.execute(
            f"DELETE FROM nba_orchestration.processor_runs WHERE game_date = DATE '{FINAL_DATES[3]}'"
            " AND output_table IN ('upcoming_player_game_context', 'player_composite_factors')",
            {},
        )
    post.dies(good())
    post.dies(b"no json", number=1)
    post.dies(json.dumps(slate).encode(), phase=4)
    before = rows(post.warehouse, "SELECT COUNT(*) FROM nba_orchestration.deliveries")
    said = typed("dlq", "replay", "--rehearse", "--dry-run")
    wait = f"1 still wait for upcoming_player_game_context {FINAL_DATES[3]}"
    assert f"1 of 3 would now succeed; {wait}; 1 would fail again" in said.err
    assert (post.sent(), rows(post.warehouse, "SELECT COUNT(*) FROM nba_orchestration.deliveries")) == ([], before)
    assert typed("dlq", "replay", "--rehearse", "--yes").code == 0
    assert [data for data, _ in post.sent(wait=2)] == [good()]
    assert (post.held(3), post.held(4)) == (Counter([b"no json"]), Counter([json.dumps(slate).encode()]))


# ---------------------------------------------------------------- export and drain


def test_exported_letters_can_be_had_back_to_the_byte_and_none_is_taken(
    typed: Type, post: Post, tmp_path: Path
) -> None:
    post.dies(b"\xff\0[/x]", colour="blue")
    post.dies(good(), number=1)
    assert typed("dlq", "export", "letters.jsonl").code == 0
    lines = [json.loads(line) for line in (tmp_path / "letters.jsonl").read_text().splitlines()]
    assert {base64.b64decode(one["data"]) for one in lines} == {b"\xff\0[/x]", good()}
    assert {one["topic"] for one in lines} == {"nba-phase2-raw-complete"}
    assert post.free() == 2
    assert "exists already" in typed("dlq", "export", "letters.jsonl").err


def test_drained_letters_are_in_a_file_and_nowhere_else(typed: Type, post: Post, project: str, tmp_path: Path) -> None:
    post.dies(good())
    post.dies(b"no json", number=1)
    post.answered(b"no json", "rejected", "bad_json: so", 1)
    words = ("dlq", "drain", "--where", "reason=bad_json", "--to", "gone.jsonl", "-o", "json")
    assert typed(*words).code == typed(*words, "--confirm", "another").code == 2
    assert [one["data"] for one in typed(*words, "--dry-run").json] == ["no json"]
    assert post.held().total() == 2
    said = typed(*words, "--confirm", project)
    assert said.code == 0
    lines = (tmp_path / "gone.jsonl").read_text().splitlines()
    assert [base64.b64decode(json.loads(line)["data"]) for line in lines] == [b"no json"]
    assert post.held() == Counter([good()])


# ---------------------------------------------------------------- what must survive

KILLED = """
import os, signal, sys
border, left = sys.argv[1], int(sys.argv[2])
def hear(event, arguments):
    global left
    if event == "nbactl.border" and arguments[0] == border:
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGNAL)
sys.addaudithook(hear)
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a process in the background does not have
sys.argv = ["nbactl", *sys.argv[3:]]
from nbactl.__main__ import main
sys.exit(main())
"""


LOOKING = ("peek.remembered", "peek.subscribed", "peek.pulled")
TAKING = (
    *(("replay", f"dlq.{one}") for one in ("pulled", "held", "published", "acknowledged", "returned")),
    *(("drain", f"dlq.{one}") for one in ("exported", "acknowledged")),
)


def struck(border: str, *words: str, how: str = "SIGKILL", nth: int = 1) -> int:
    code = KILLED.replace("SIGNAL", how)
    command = [sys.executable, "-c", code, border, str(nth), *words]
    return subprocess.run(command, capture_output=True, timeout=60, env={**os.environ}, check=False).returncode


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
@pytest.mark.parametrize("border", LOOKING)
def test_who_dies_looking_has_taken_nothing(post: Post, border: str, how: str) -> None:
    for number in range(3):
        post.dies(good(number), number=number)
    assert struck(border, "dlq", "inspect", how=how) == (-signal.SIGKILL if how == "SIGKILL" else 130)
    assert post.free() == 3


@pytest.mark.parametrize(("verb", "border"), TAKING)
def test_who_dies_replaying_or_draining_loses_nothing_and_repeats_one_batch_at_most(
    post: Post, project: str, tmp_path: Path, verb: str, border: str
) -> None:
    everything = Counter(good(number) for number in range(6))
    for number, data in enumerate(everything):
        post.dies(data, number=number)
    how = ("--rate", "20", "--yes") if verb == "replay" else ("--to", "gone.jsonl", "--confirm", project)
    assert struck(border, "dlq", verb, *how) == -signal.SIGKILL
    held, sent = post.held(), Counter(data for data, _ in post.sent(wait=1 if border == "dlq.published" else 0))
    if (file := tmp_path / "gone.jsonl").exists():
        sent += Counter(base64.b64decode(json.loads(line)["data"]) for line in file.read_text().splitlines())
    assert everything <= held + sent
    twice = (held + sent) - everything
    assert twice.total() <= (2 if verb == "replay" else 6)


class Flaky(PubSub):
    """Publishes, or says that it could not, whether it did or not."""

    failing = 0.0
    dice = random.Random(1)  # noqa: S311 -- to be repeatable

    def publish_all(self, topic: str, messages: Sequence[Message]) -> list[str]:
        if self.dice.random() >= self.failing:
            return super().publish_all(topic, messages)
        if self.dice.random() < 0.5:
            super().publish_all(topic, messages)
        raise TimedOut("could not publish", why="planted")


@pytest.mark.parametrize("failing", [0.0, 0.3, 0.7, 1.0])
def test_a_publisher_that_fails_loses_nothing_and_repeats_one_batch_at_most_each_time(
    post: Post, failing: float
) -> None:
    everything = Counter(good(number) for number in range(20))
    for number, data in enumerate(everything):
        post.dies(data, number=number)
    flaky = Flaky(post.pubsub.project, post.pubsub.emulator)
    flaky.failing, repeated, sent = failing, 0, Counter[bytes]()
    for _ in range(8):
        tally = taking.replay(flaky, letters.boxes(3), lambda batch: batch, limit=None, rate=40, watch=lambda _: None)
        assert tally.is_whole
        repeated += 4 * bool(tally.error)
        sent += Counter(data for data, _ in post.sent(wait=0.2))
    flaky.close()
    held = post.held()
    assert everything <= held + sent
    assert ((held + sent) - everything).total() <= repeated
    assert (not held) or failing > 0


def test_looking_and_giving_back_burn_no_attempts(typed: Type, post: Post) -> None:
    post.dies(good())
    for _ in range(7):
        assert len(typed("dlq", "inspect", "-o", "json").json) == 1
        typed("dlq", "replay", "--where", "reason=none", "--yes")
    (one,) = typed("dlq", "inspect", "-o", "json").json
    assert one["attempts"] == 5
    assert post.free() == 1


def test_every_letter_is_counted_where_it_went() -> None:
    assert taking.Tally(9, 7, 0, 2).is_whole
    lost = taking.Tally(9, 7, 0, 1)
    assert not lost.is_whole
    assert "IS NOT" in str(lost)
