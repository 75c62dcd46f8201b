# ruff: noqa: S603 -- the processes are ours, and so are their arguments
"""Dead letters as an operator has them, on the real emulator: seen, sent again, kept and taken away, and none lost."""

from __future__ import annotations

import base64
import errno
import getpass
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import pytest

from nbactl.cli import cli
from nbactl.gcp.cloud import Target, connect
from nbactl.gcp.peeking import peeking
from nbactl.ops import infra, infra_apply, letter_file, letters, taking
from processors import runner
from shared import events
from shared.clock import parse_date
from shared.errors import TimedOut
from shared.events import Message, limits
from shared.ledger import DELIVERIES
from shared.pubsub import PubSub, Pulled
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

    def dies(self, data: bytes, phase: int = 3, number: int = 0, key: str = "", **attributes: str) -> None:
        """Put a letter where Pub/Sub would, as it would."""
        (box, *_) = letters.boxes(phase)
        source = {
            "CloudPubSubDeadLetterSourceSubscription": box.source,
            "CloudPubSubDeadLetterSourceSubscriptionProject": self.pubsub.project,
            "CloudPubSubDeadLetterSourceDeliveryCount": "5",
            "CloudPubSubDeadLetterSourceTopicPublishTime": _at(number).isoformat().replace("+00:00", "Z"),
        }
        self.pubsub.publish_all(box.dead_letters, [Message(data, attributes | source, key)])

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


def test_slips_are_usage_errors(typed: Type, post: Post, project: str) -> None:
    post.dies(good())
    assert typed("dlq", "drain", "--confirm", project, "--reason", "--dry-run").code == 2
    assert post.free() == 1
    assert "did you mean 'reason'" in typed("dlq", "inspect", "--where", "reson=x").err
    for word in ("reason", "reason=", "date=2024-13-01", "date=20241108", "phase=9", "table=a b"):
        assert typed("dlq", "inspect", "--where", word).code == 2, word
    said = typed("dlq", "inspect", "--where", "processor=PlayerGameSumaryProcessor")
    assert (said.code, "did you mean 'PlayerGameSummaryProcessor'" in said.err) == (5, True)
    said = typed("dlq", "inspect", "--where", "subscription=nba-phase3-analytics-sup")
    assert (said.code, "did you mean 'nba-phase3-analytics-sub'" in said.err) == (5, True)


@pytest.mark.parametrize(
    ("typed_value", "meant"),
    [
        ("table=nba_raw.nbac_gamebook_player_stats", "table=nbac_gamebook_player_stats"),
        ("table=my-project.nba_raw.NBAC_gamebook_player_stats", "table=nbac_gamebook_player_stats"),
        ("date=2024-11-08", "date=2024-11-08"),
        ("processor=pgs", "processor=PlayerGameSummaryProcessor"),
        ("processor=player_game_summary", "processor=PlayerGameSummaryProcessor"),
        ("processor=PLAYERGAMESUMMARYPROCESSOR", "processor=PlayerGameSummaryProcessor"),
        ("subscription=projects/p/subscriptions/nba-phase3-analytics-sub", "subscription=nba-phase3-analytics-sub"),
        ("subscription=nba-phase2-raw-complete-dlq-sub", "subscription=nba-phase3-analytics-sub"),
        ("phase=4", "phase=4"),
        ("reason=bad_json", "reason=bad_json"),
        ("correlation_id=C-1", "correlation_id=C-1"),
        ("table=-", "table=-"),
        ("date=-", "date=-"),
    ],
)
def test_values_are_read_as_everywhere_else(typed_value: str, meant: str) -> None:
    name, _, value = meant.partition("=")
    assert letters.conditions([typed_value]) == {name: value}


def test_days_have_names_in_conditions_too() -> None:
    assert letters.conditions(["date=yesterday"]) == {"date": str(parse_date("yesterday"))}


def test_no_letter_that_matches_is_not_no_letter(typed: Type, post: Post, project: str) -> None:
    for number in range(3):
        post.dies(good(number), number=number)
    for words in (
        ("inspect",),
        ("export", "kept.jsonl"),
        ("replay", "--dry-run"),
        ("replay", "--yes"),
        ("drain", "--confirm", project),
    ):
        said = typed("dlq", *words, "--where", "table=nbac_gamebook_player_stat")
        assert said.code == 0
        assert "0 of 3 dead letters" in said.err, words
        assert "did you mean 'nbac_gamebook_player_stats'" in said.err, words
        assert " 0 dead letters" not in said.err.replace("would replay 0", ""), words
    assert post.held().total() == 3


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


# ---------------------------------------------------------------- letters of a file


def test_exported_and_drained_letters_are_sent_again_as_they_were(
    typed: Type, post: Post, project: str, tmp_path: Path
) -> None:
    post.dies(b"\xff\0[/x]", colour="blue", key="a key")
    post.dies(good(1), number=1)
    post.answered(good(1), "failed", "so", 1)
    assert typed("dlq", "drain", "--confirm", project, "--to", "gone.jsonl").code == 0
    before = (tmp_path / "gone.jsonl").read_bytes()
    words = ("dlq", "replay", "--from", "gone.jsonl")
    dry = typed(*words, "--dry-run", "--where", "reason=failed", "-o", "json")
    assert (dry.code, [one["data"] for one in dry.json], post.sent()) == (0, [good(1).decode()], [])
    assert "1 of 2 dead letters of the file" in dry.err
    said = typed(*words, "--where", "reason=failed", "--yes", "-o", "json")
    assert (said.code, said.json) == (0, [{"pulled": 2, "replayed": 1, "kept": 1, "drained": 0}])
    assert [data for data, _ in post.sent(wait=2)] == [good(1)]
    assert typed(*words, "--yes", "--reason", "mended").code == 0
    (pulled,) = [one for one in post.pubsub.pull("heard", 10, wait=2) if one.data != good(1)]
    assert (pulled.data, dict(pulled.attributes), pulled.ordering_key) == (b"\xff\0[/x]", {"colour": "blue"}, "a key")
    assert (tmp_path / "gone.jsonl").read_bytes() == before
    noted = rows(post.warehouse, "SELECT reason FROM nba_orchestration.deliveries WHERE decision = 'replayed'")
    assert ("pulled 2 = replayed 2 + kept 0 + drained 0: mended",) in noted


def test_letters_of_a_file_are_rehearsed_limited_and_needed_like_others(typed: Type, post: Post) -> None:
    post.dies(good())
    post.dies(b"no json", number=1)
    assert typed("dlq", "export", "kept.jsonl").code == 0
    words = ("dlq", "replay", "--from", "kept.jsonl", "--yes", "-o", "json")
    assert typed(*words, "--rehearse").json == [{"pulled": 2, "replayed": 1, "kept": 1, "drained": 0}]
    assert typed(*words, "--only-needed").json == [{"pulled": 2, "replayed": 0, "kept": 2, "drained": 0}]
    assert typed(*words, "--limit", "1").json == [{"pulled": 2, "replayed": 1, "kept": 1, "drained": 0}]
    assert typed(*words, "--phase", "4").json == [{"pulled": 0, "replayed": 0, "kept": 0, "drained": 0}]
    assert typed("dlq", "replay", "--from", "kept.jsonl").code == 2


def test_a_file_of_before_there_were_versions_is_read(typed: Type, post: Post, tmp_path: Path) -> None:
    post.dies(good())
    assert typed("dlq", "export", "kept.jsonl").code == 0
    line = json.loads((tmp_path / "kept.jsonl").read_text())
    assert line["version"] == letter_file.VERSION
    old = {name: value for name, value in line.items() if name not in ("version", "message_id", "ordering_key")}
    (tmp_path / "old.jsonl").write_text(json.dumps(old) + "\n")
    assert typed("dlq", "replay", "--from", "old.jsonl", "--yes").code == 0
    assert [data for data, _ in post.sent(wait=2)] == [good()]


SPOILT = {
    "version 2": {"version": 2},
    "version '1'": {"version": "1"},
    "is none that is declared": {"topic": "somebody-elses"},
    "'x' on topic": {"subscription": "x"},
    "not base64": {"data": "%"},
    "data is 7": {"data": 7},
    "died_at": {"died_at": "yesterday"},
    "attributes": {"attributes": {"a": 1}},
}


@pytest.mark.parametrize("text", SPOILT)
def test_a_line_that_is_no_letter_is_named_and_nothing_is_sent(
    typed: Type, post: Post, tmp_path: Path, text: str
) -> None:
    post.dies(good())
    assert typed("dlq", "export", "kept.jsonl").code == 0
    line = (tmp_path / "kept.jsonl").read_text()
    (tmp_path / "spoilt.jsonl").write_text(line + json.dumps(json.loads(line) | SPOILT[text]) + "\n")
    said = typed("dlq", "replay", "--from", "spoilt.jsonl", "--yes")
    assert (said.code, "line 2 of spoilt.jsonl" in said.err, text in said.err) == (1, True, True)
    assert post.sent() == []


def test_a_file_that_is_cut_or_not_there_says_so(typed: Type, post: Post, tmp_path: Path) -> None:
    post.dies(good())
    assert typed("dlq", "export", "kept.jsonl").code == 0
    (tmp_path / "cut.jsonl").write_bytes((tmp_path / "kept.jsonl").read_bytes()[:-20])
    assert "it is not JSON" in typed("dlq", "replay", "--from", "cut.jsonl", "--yes").err
    assert typed("dlq", "replay", "--from", "nowhere.jsonl", "--yes").code == 5
    assert typed("dlq", "replay", "--from", "", "--yes").code == 2


def test_an_ordering_key_comes_back(typed: Type, post: Post) -> None:
    for number, key in enumerate(("a", "b", "", "a")):
        post.dies(good(number), number=number, key=key)
    assert typed("dlq", "replay", "--yes").code == 0
    pulled = post.pubsub.pull("heard", 10, wait=2)
    assert {one.data: one.ordering_key for one in pulled} == {
        good(0): "a",
        good(1): "b",
        good(2): "",
        good(3): "a",
    }


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


def struck(
    border: str, *words: str, how: str = "SIGKILL", nth: int = 1, env: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[bytes]:
    code = KILLED.replace("SIGNAL", how)
    command = [sys.executable, "-c", code, border, str(nth), *words]
    return subprocess.run(command, capture_output=True, timeout=60, env={**os.environ, **env}, check=False)


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
@pytest.mark.parametrize("border", LOOKING)
def test_who_dies_looking_has_taken_nothing(post: Post, border: str, how: str) -> None:
    for number in range(3):
        post.dies(good(number), number=number)
    assert struck(border, "dlq", "inspect", how=how).returncode == (-signal.SIGKILL if how == "SIGKILL" else 130)
    assert post.free() == 3


@pytest.mark.parametrize(("verb", "border"), TAKING)
def test_who_dies_replaying_or_draining_loses_nothing_and_repeats_one_batch_at_most(
    post: Post, project: str, tmp_path: Path, verb: str, border: str
) -> None:
    everything = Counter(good(number) for number in range(6))
    for number, data in enumerate(everything):
        post.dies(data, number=number)
    how = ("--rate", "20", "--yes") if verb == "replay" else ("--to", "gone.jsonl", "--confirm", project)
    assert struck(border, "dlq", verb, *how).returncode == -signal.SIGKILL
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


def test_a_full_disk_ends_with_the_tally_and_the_file_holds_whole_letters(
    typed: Type, post: Post, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "BATCH", 2)
    dead = Counter(good(number) for number in range(6))
    for number, data in enumerate(dead):
        post.dies(data, number=number)
    honest, calls = os.fsync, [0]

    def full(file: int) -> None:
        calls[0] += 1
        if calls[0] > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        honest(file)

    monkeypatch.setattr(os, "fsync", full)
    said = typed("dlq", "drain", "--confirm", project, "--to", "gone.jsonl", "-o", "json")
    assert (said.code, said.json) == (3, [{"pulled": 6, "replayed": 0, "kept": 2, "drained": 4}])
    assert "No space left on device" in said.err
    kept = Counter(one.message.data for one in letter_file.read_letters(tmp_path / "gone.jsonl"))
    assert (kept.total(), kept + post.held()) == (4, dead)
    assert post.free() == 2
    calls[0] = 10
    nothing = typed("dlq", "export", "all.jsonl")
    assert (nothing.code, (tmp_path / "all.jsonl").exists()) == (1, False)
    noted = rows(post.warehouse, "SELECT reason FROM nba_orchestration.deliveries WHERE decision = 'drained'")
    assert noted == [("pulled 6 = replayed 0 + kept 2 + drained 4",)]


@pytest.mark.parametrize("border", ["dlq.held", "dlq.published", "dlq.acknowledged"])
def test_ctrl_c_ends_with_the_tally_and_gives_the_rest_back(post: Post, border: str) -> None:
    dead = Counter(good(number) for number in range(6))
    for number, data in enumerate(dead):
        post.dies(data, number=number)
    ended = struck(border, "dlq", "replay", "--rate", "20", "--yes", "-o", "json", how="SIGINT")
    assert ended.returncode == 130
    (tally,) = json.loads(ended.stdout)
    assert tally["pulled"] == tally["replayed"] + tally["kept"]
    sent = Counter(data for data, _ in post.sent(wait=0.5))
    assert sent.total() == tally["replayed"] == (0 if border == "dlq.held" else 2)
    assert post.free() == tally["kept"]
    (noted,) = rows(post.warehouse, "SELECT reason FROM nba_orchestration.deliveries WHERE decision = 'replayed'")
    assert noted[0].startswith(f"pulled {tally['pulled']} =")


def test_a_rate_is_one_from_the_first_letter_on_and_after_a_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    monkeypatch.setattr(taking.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(taking.time, "sleep", sleep)
    pace = taking.Pace(2)
    for took in (0.1, 0.0, 5.0, 0.0, 0.0):
        pace.wait(1)
        now[0] += took
    assert slept == [0.0, 0.4, 0.5, 0.0, 0.5]


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


def test_what_pubsub_would_refuse_is_left_out_of_a_letter_that_is_sent_again() -> None:
    data = json.dumps({"source_table": "x", "correlation_id": "c" * 2_000}).encode()
    pulled = Pulled("ack", data, {"googclient_schemaencoding": "JSON", "mine": "2"}, "1", datetime.now(UTC), None)
    (letter,) = letters.opened(letters.boxes(3)[0], [pulled])
    assert letter.again().attributes == {"mine": "2"}
    limits.check_message(letter.again())
