"""Dead letters on a Pub/Sub that does all that its documentation allows: none lost, each counted, no end mistaken."""

from __future__ import annotations

import base64
import json
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbactl.gcp.cloud import Target, connect
from nbactl.gcp.leaser import AckId, Leaser
from nbactl.gcp.peeking import peeking
from nbactl.ops import infra_canary, letter_file, letters, taking
from nbactl.ops.inspecting import Look
from nbactl.ops.letters import Box, Reasons
from nbactl.ops.watching import Watcher
from nbactl.session import Session
from shared.errors import NbactlError
from shared.events import Message
from shared.pubsub import PubSub
from shared.topology import Profile, Retry, declared
from tests.cli.conftest import Type
from tests.cli.test_dlq import struck
from tests.fakes.documented_pubsub import DocumentedPubSub, Plan, documented

BOXES = letters.boxes(3)
BOX = BOXES[0]
KNOWN = Reasons(None, datetime.now(UTC))


class Office:
    """A project with the boxes of Phase 3, on a Pub/Sub as documented, and a way around it."""

    def __init__(self, fake: DocumentedPubSub, pubsub: PubSub, emulator: str) -> None:
        self.fake = fake
        self.pubsub = pubsub
        self.direct = PubSub(pubsub.project, emulator)
        for box in BOXES:
            for topic, queue in ((box.dead_letters, box.subscription), (box.topic, f"heard-{box.topic}")):
                names = {"name": self.direct.topic_path(topic), "message_retention_duration": timedelta(days=7)}
                self.direct.publisher.create_topic(request=names, timeout=10)
                request = {
                    "name": self.direct.subscription_path(queue),
                    "topic": self.direct.topic_path(topic),
                    "ack_deadline_seconds": 600,
                }
                self.direct.subscriber.create_subscription(request=request, timeout=10)

    def die(self, count: int, first: int = 0, box: Box = BOX) -> Counter[bytes]:
        """Put letters where Pub/Sub would."""
        data = [b"letter %d of %s" % (number, box.topic.encode()) for number in range(first, first + count)]
        source = {"CloudPubSubDeadLetterSourceSubscription": box.source}
        self.direct.publish_all(box.dead_letters, [Message(one, source) for one in data])
        return Counter(data)

    def sent(self) -> Counter[bytes]:
        """What was published on the topics that letters come from."""
        pulled = [one for box in BOXES for one in self.direct.pull(f"heard-{box.topic}", 1000)]
        return Counter(one.data for one in pulled)

    def held(self) -> Counter[bytes]:
        """What the boxes hold, whoever has it for the moment."""
        found: Counter[bytes] = Counter()
        for box in BOXES:
            with peeking(self.direct, box.subscription, box.dead_letters) as batches:
                found += Counter(one.data for batch in batches for one in batch)
        return found


@contextmanager
def office(emulator: str, plan: Plan) -> Iterator[Office]:
    with documented(emulator, f"test-{uuid.uuid4().hex[:12]}", plan) as (fake, pubsub):
        opened = Office(fake, pubsub, emulator)
        yield opened
        opened.direct.close()


def everything(batch: list[letters.Letter]) -> list[letters.Letter]:
    return batch


def silent(_count: int) -> None:
    """Watch nothing."""


MOSTLY_EMPTY = 0.8
"""Where so many pulls give nothing, or letters come late, nobody can tell a pause from the end without a snapshot."""
shares = st.sampled_from([0.0, 0.0, 0.3, MOSTLY_EMPTY])
fair_plans = st.builds(
    Plan,
    seed=st.integers(0, 1000),
    empty=shares,
    short=st.booleans(),
    shuffled=st.booleans(),
    late=st.sampled_from([0.0, 0.3]),
    repeated=st.sampled_from([0.0, 0.2]),
    snapshots_refused=st.booleans(),
    seek_seconds=st.sampled_from([0.0, 0.3]),
)
"""All that hides letters for a while, and loses no answer."""
plans = st.builds(
    replace,
    fair_plans,
    failing=st.sampled_from([0.0, 0.05, 0.3]),
    unanswered=st.sampled_from([0.0, 0.05, 0.2]),
    returning=st.sampled_from([0.0, 0.3]),
    hurry=st.sampled_from([1.0, 100.0, 1000.0]),
)
chaotic = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# ---------------------------------------------------------------- what hides letters


@chaotic
@given(plan=fair_plans, count=st.integers(0, 25))
def test_whatever_a_pull_gives_every_letter_is_shown_once_and_sent_once(emulator: str, plan: Plan, count: int) -> None:
    with office(emulator, plan) as here:
        dead = here.die(count) if count else Counter[bytes]()
        dead += here.die(3, box=BOXES[1])
        with Look(here.pubsub, BOXES, KNOWN) as look:
            shown = Counter(one.message.data for batch in look for one in batch)
        look.check()
        assert not shown - dead
        if not (plan.snapshots_refused or plan.late or plan.empty >= MOSTLY_EMPTY):
            assert shown == dead
        tally = taking.replay(here.pubsub, BOXES, everything, limit=None, rate=None, watch=silent)
        assert (tally.error, tally.failures, tally.withheld, tally.is_whole) == (None, {}, [], True)
        sent, held = here.sent(), here.held()
        assert (sent + held, sent.total()) == (dead, tally.replayed)
        if not plan.snapshots_refused:  # the server says whether there are more
            assert not held


@chaotic
@given(plan=plans, count=st.integers(1, 20), verb=st.sampled_from(["replay", "drain", "stop"]))
def test_whatever_fails_nothing_is_lost_and_each_letter_is_counted(
    emulator: str, tmp_path: Path, plan: Plan, count: int, verb: str
) -> None:
    file = tmp_path / f"{uuid.uuid4().hex}.jsonl"
    with office(emulator, plan) as here:
        dead = here.die(count)
        tally = act(here, verb, file)
        here.fake.plan = Plan()
        sent, held = here.sent(), here.held()
        filed = Counter(one.message.data for one in letter_file.read_letters(file)) if file.exists() else Counter()
        assert tally.is_whole, tally
        assert dead <= sent + held + filed, f"lost {dead - (sent + held + filed)}"
        ended = not (tally.error or tally.failures or tally.withheld or tally.lost)
        assert not ended or verb == "stop" or dead <= sent + filed, f"{tally}, and {dead - sent - filed} are left"
        # what was sent or written was counted, but for what nobody answered to
        assert plan.unanswered or (sent + filed).total() == tally.done
        twice = [data for data, times in (sent + filed).items() if times > 1]
        # one whose answer was lost is published again
        assert not twice or plan.unanswered
        # one that is left though it was sent: its acknowledgement was lost, late, or not heeded
        assert not held & (sent + filed) or plan.unanswered or plan.returning or plan.hurry > 1 or tally.late


def act(here: Office, verb: str, file: Path) -> taking.Tally:
    if verb == "drain":
        with letter_file.new_file(file) as to:
            return taking.drain(here.pubsub, BOXES, everything, write=to.write, watch=silent)

    def stop(_count: int) -> None:
        raise KeyboardInterrupt

    watch = stop if verb == "stop" else silent
    return taking.replay(here.pubsub, BOXES, everything, limit=None, rate=50, watch=watch)


def test_a_seek_that_takes_longer_than_we_wait_is_no_empty_queue(emulator: str) -> None:
    with office(emulator, Plan(seek_seconds=30)) as here:
        here.die(2)
        with Look(here.pubsub, BOXES, KNOWN) as look:
            assert list(look) == []
        with pytest.raises(NbactlError, match="may be dead letters") as caught:
            look.check()
        assert caught.value.exit_code == 7


def test_a_queue_that_gives_nothing_that_it_holds_is_not_done(emulator: str) -> None:
    with office(emulator, Plan(empty=1, most_empty=10_000)) as here:
        dead = here.die(2)
        tally = taking.replay(here.pubsub, BOXES, everything, limit=None, rate=None, watch=silent)
        assert (tally.pulled, tally.withheld) == (0, [BOX.subscription])
        here.fake.plan = Plan()
        assert here.held() == dead


# ---------------------------------------------------------------- what was dead when it began


def test_what_dies_while_a_replay_runs_is_given_back_and_counted(emulator: str) -> None:
    with office(emulator, Plan(empty=0.9, short=True)) as here:
        dead, later = here.die(5), Counter[bytes]()
        stopped = threading.Event()

        def die() -> None:
            while not stopped.wait(0.05):
                later.update(here.die(1, first=1000 + later.total()))

        thread = threading.Thread(target=die)
        ends = time.monotonic() + 20

        def choose(batch: list[letters.Letter]) -> list[letters.Letter]:
            assert time.monotonic() < ends, "it does not end"
            if not thread.is_alive():
                thread.start()
            return batch

        tally = taking.replay(here.pubsub, BOXES, choose, limit=None, rate=20, watch=silent)
        stopped.set()
        thread.join()
        assert here.sent() == dead
        assert (tally.replayed, tally.kept, tally.error) == (5, tally.newer, None)
        assert tally.newer > 0
        assert here.held() == later


def test_what_dies_again_because_of_a_replay_is_not_replayed_though_no_snapshot_tells_the_time(emulator: str) -> None:
    with office(emulator, Plan(snapshots_refused=True)) as here:
        dead = here.die(6)
        again: list[Counter[bytes]] = []

        def watch(_count: int) -> None:
            again.append(here.die(1, first=100 + len(again)))

        tally = taking.replay(here.pubsub, BOXES, everything, limit=None, rate=20, watch=watch)
        assert (tally.replayed, tally.kept) == (6, 0)
        assert here.sent() == dead


# ---------------------------------------------------------------- leases


def test_leases_are_renewed_by_time_whatever_the_work_waits_for(emulator: str) -> None:
    with office(emulator, Plan()) as here:
        here.die(3)
        with Leaser(here.pubsub, seconds=2) as leaser:
            ids = [AckId(BOX.subscription, one.ack_id) for one in here.pubsub.pull(BOX.subscription)]
            leaser.hold(ids)
            time.sleep(3)
            assert here.pubsub.pull(BOX.subscription) == ()
            assert leaser.secured(ids) == set(ids)
        time.sleep(2.2)
        assert leaser.secured(ids) == set()
        assert len(here.pubsub.pull(BOX.subscription)) == 3


class Slow(PubSub):
    """Takes its time to renew a lease."""

    delay = 0.0

    def modify(self, subscription: str, ack_ids: Sequence[str], seconds: int) -> None:
        time.sleep(self.delay)
        super().modify(subscription, ack_ids, seconds)


def test_a_renewal_that_is_answered_after_the_lease_was_over_is_none(emulator: str) -> None:
    with office(emulator, Plan()) as here:
        here.die(1)
        slow = Slow(here.pubsub.project, emulator)
        leaser = Leaser(slow, seconds=2)
        ids = [AckId(BOX.subscription, one.ack_id) for one in slow.pull(BOX.subscription)]
        leaser.hold(ids)
        time.sleep(1)
        slow.delay = 1.2
        assert leaser.secured(ids) == set()
        slow.close()


def test_a_letter_whose_lease_was_lost_is_neither_sent_nor_acknowledged(
    emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with office(emulator, Plan()) as here:
        dead = here.die(4)
        monkeypatch.setattr(taking, "Leaser", lambda pubsub: Leaser(pubsub, seconds=2))

        def watch(_count: int) -> None:
            # the network is away for longer than a lease
            here.fake.plan = Plan(failing=1)
            time.sleep(2.6)
            here.fake.plan = Plan()

        tally = taking.replay(here.pubsub, BOXES, everything, limit=None, rate=10, watch=watch)
        assert (tally.replayed, tally.kept, tally.lost) == (1, 3, 3)
        sent = here.sent()
        assert sent.total() == 1
        assert here.held() == dead - sent


# ---------------------------------------------------------------- the tool


@pytest.fixture
def desk(done: Path, emulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """What the commands work on: all of phase 3's boxes, on a Pub/Sub as documented."""
    assert done
    with office(emulator, Plan(empty=0.7, short=True, shuffled=True, repeated=0.1)) as here:
        monkeypatch.setattr(Session, "pubsub", lambda _session: here.pubsub)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", here.pubsub.project)
        yield here


def test_commands_take_every_letter_and_say_what_they_cannot_know(typed: Type, desk: Office, tmp_path: Path) -> None:
    dead = desk.die(9)
    said = typed("dlq", "inspect", "--phase", "3", "-o", "json")
    assert (said.code, len(said.json)) == (0, 9)
    assert "at least 9 dead letters" in said.err
    assert typed("dlq", "export", "kept.jsonl", "--phase", "3").code == 0
    said = typed("dlq", "replay", "--phase", "3", "--limit", "4", "--yes", "-o", "json")
    assert (said.code, said.json[0]["replayed"]) == (0, 4)
    said = typed("dlq", "drain", "--phase", "3", "--confirm", desk.pubsub.project, "--to", "gone.jsonl", "-o", "json")
    assert (said.code, said.json) == (0, [{"pulled": 5, "replayed": 0, "kept": 0, "drained": 5}])
    lines = (tmp_path / "gone.jsonl").read_text().splitlines()
    assert desk.sent() + Counter(base64.b64decode(json.loads(line)["data"]) for line in lines) == dead
    said = typed("dlq", "inspect", "--phase", "3")
    assert (said.code, "0 dead letters" in said.err) == (0, True)


def test_a_queue_that_is_too_old_for_a_snapshot_is_borrowed_and_all_of_it_is_back(typed: Type, desk: Office) -> None:
    desk.fake.plan = Plan(snapshots_refused=True, short=True)
    dead = desk.die(5)
    said = typed("dlq", "inspect", "--phase", "3", "-o", "json")
    assert (said.code, len(said.json)) == (0, 5)
    assert "nearly seven days old" in said.err
    assert "dlq export" in said.err
    desk.fake.plan = Plan()
    assert Counter(one.data for one in desk.pubsub.pull(BOX.subscription, 100)) == dead


def test_a_box_that_cannot_be_read_hides_no_other_and_is_named(typed: Type, desk: Office) -> None:
    desk.die(2)
    desk.fake.plan = Plan(detached=frozenset({BOXES[1].subscription}))
    said = typed("dlq", "replay", "--phase", "3", "--yes", "-o", "json")
    assert (said.code, said.json[0]["replayed"]) == (3, 2)
    assert BOXES[1].subscription in said.err


@pytest.mark.parametrize(("verb", "border"), [("replay", "dlq.published"), ("drain", "dlq.exported")])
def test_who_is_killed_on_such_a_pubsub_loses_nothing(
    done: Path, emulator: str, tmp_path: Path, verb: str, border: str
) -> None:
    assert done
    with office(emulator, Plan(short=True, shuffled=True, repeated=0.1)) as here:
        dead = here.die(8)
        project = here.pubsub.project
        words = ("--rate", "20", "--yes") if verb == "replay" else ("--to", "gone.jsonl", "--confirm", project)
        env = {"PUBSUB_EMULATOR_HOST": here.fake.address, "GOOGLE_CLOUD_PROJECT": project}
        assert struck(border, "dlq", verb, "--phase", "3", *words, env=env).returncode == -signal.SIGKILL
        file = tmp_path / "gone.jsonl"
        filed = Counter(one.message.data for one in letter_file.read_letters(file)) if file.exists() else Counter()
        assert dead <= here.sent() + here.held() + filed


def test_publish_test_survives_answers_that_do_not_come(typed: Type, desk: Office) -> None:
    desk.fake.plan = Plan(failing=0.3, seed=3)
    said = typed("publish-test", "--table", "nbac_gamebook_player_stats", "--date", "2024-11-08", "-o", "json")
    assert said.code == 0, said.err
    assert desk.sent().total() == len(said.json)


# ---------------------------------------------------------------- watching, and the canary


def test_what_is_watched_is_seen_once_however_often_it_is_delivered(emulator: str) -> None:
    plan = Plan(empty=0.5, short=True, shuffled=True, late=0.2, repeated=0.3, returning=0.3)
    with documented(emulator, f"test-{uuid.uuid4().hex[:12]}", plan) as (fake, pubsub):
        for topic in declared(Profile.LOCAL).topics:
            pubsub.publisher.create_topic(name=pubsub.topic_path(topic.name), timeout=10)
        running: Any = SimpleNamespace(project=pubsub.project, emulator=fake.address, logs={})
        with closing(Watcher(running)) as watcher:
            pubsub.publish_all(BOX.topic, [Message(b"%d" % number, {}) for number in range(10)])
            seen = [event for _ in range(25) for event in watcher.look()]
        assert len(seen) == 10
        left = pubsub.subscriber.list_subscriptions(request={"project": f"projects/{pubsub.project}"}, timeout=10)
        assert list(left) == []


def test_the_canary_lives_on_such_a_pubsub(emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(empty=0.3, short=True, shuffled=True, late=0.2, repeated=0.2)
    quick = Retry(timedelta(seconds=0), timedelta(seconds=0.1))
    topology = declared(Profile.LOCAL)
    hasty = replace(topology, subscriptions=tuple(replace(one, retry=quick) for one in topology.subscriptions))
    monkeypatch.setattr(infra_canary, "declared", lambda _profile: hasty)
    with documented(emulator, f"test-{uuid.uuid4().hex[:12]}", plan) as (_, pubsub):
        cloud = connect(Target(pubsub.project, "us-west2", emulator), {})
        here = replace(cloud, admin=replace(cloud.admin, pubsub=pubsub))
        proof = infra_canary.prove(here, lambda _what: None)
        assert proof.healthy_deliveries >= 1
        assert proof.poison_deliveries >= 1
        assert here.admin.topics() == {}
