"""One test event, and what `--wait` makes of what becomes of it: both services answer in this process."""

from __future__ import annotations

import base64
import json
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from nbactl.ops import event_chain
from nbactl.ops.testing import Published, publish
from nbactl.session import Session
from processors import graph, planner
from processors.handling import Handler
from shared.errors import TimedOut
from shared.events import Message
from shared.tables.raw import PLAYER_BOX, TEAM_BOX
from shared.topology import completion_topic, fallback_topic
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.builders import FINAL_DATES, SLATE
from tests.cli.conftest import Type
from tests.conftest import alter, analytics, at, copied, one_day

LAST = FINAL_DATES[-1]
_PHASES = {completion_topic(2): 3, completion_topic(3): 4, fallback_topic(3): 3, fallback_topic(4): 4}
_ATTEMPTS = 5


@dataclass
class Wire:
    """Pub/Sub in this process: what is published goes at once and in order to the services, five times at most.

    Attributes:
        lost: topics whose messages nobody gets.
        broken: topics to which nothing can be published.
        attempts: how often a message is delivered that is not taken.
        garbled: whether what arrives is not what was sent.
    """

    warehouse: DuckDBWarehouse
    lost: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    attempts: int = _ATTEMPTS
    garbled: bool = False
    published: list[str] = field(default_factory=list)
    queue: deque[tuple[int, str, Message]] = field(default_factory=deque)
    is_delivering: bool = False

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        if topic in self.broken:
            raise TimedOut(f"could not publish to {topic}", why="nobody answers")
        self.published.append(topic)
        message_id = f"m-{len(self.published)}"
        if topic in _PHASES and topic not in self.lost:
            self.queue.append((_PHASES[topic], message_id, Message(b"{" if self.garbled else data, attributes)))
        if not self.is_delivering:
            self.deliver()
        return message_id

    def deliver(self) -> None:
        """Deliver everything that waits, and what is published meanwhile."""
        self.is_delivering = True
        while self.queue:
            self.deliver_next()
        self.is_delivering = False

    def deliver_next(self) -> None:
        """Deliver the message that has waited longest."""
        phase, message_id, message = self.queue.popleft()
        handler = Handler(phase, self.warehouse, self.publish, "tests")
        for attempt in range(1, self.attempts + 1):
            if handler.push(_body(message, message_id, attempt)).http_status == 200:
                break


def _body(message: Message, message_id: str, attempt: int) -> bytes:
    sent = {
        "message": {
            "data": base64.b64encode(message.data).decode(),
            "attributes": dict(message.attributes),
            "messageId": message_id,
            "publishTime": "2024-11-08T12:00:00Z",
        },
        "subscription": "projects/p/subscriptions/s",
        "deliveryAttempt": attempt,
    }
    return json.dumps(sent).encode()


@pytest.fixture
def wire(last_night_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The small league in the night after its last games, in this folder, and a Pub/Sub that delivers at once."""
    (tmp_path / ".nbactl").mkdir()
    path = copied(last_night_file, tmp_path / ".nbactl").path
    here = Wire(at(path.rename(tmp_path / ".nbactl" / "warehouse.duckdb")))
    monkeypatch.setattr(Session, "pubsub", lambda _session: here)
    # nobody else is at work here
    monkeypatch.setattr(event_chain, "_QUIET_SECONDS", 0)
    return here


# ---------------------------------------------------------------- what is published


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--table", "foo"), "Phase 2 writes no table called 'foo'"),
        (("--table", "nbac_gamebok_player_stats"), "did you mean 'nbac_gamebook_player_stats'?"),
        (("--table", "nba_raw.nbac_gamebok_player_stats"), "did you mean 'nbac_gamebook_player_stats'?"),
        (("--table", "player_game_summary"), "next: --phase 3 --table player_game_summary"),
        (("--phase", "3", "--table", "ml_feature_store"), "next: --phase 4 --table ml_feature_store"),
        (("--phase", "4", "--table", "nbac_schedule"), "next: --phase 2 --table nbac_schedule"),
        (("--table", ""), "--table is empty"),
        (("--table", "BAD NAME!"), "Phase 2 writes no table called 'BAD NAME!'"),
        (("--table", "x" * 5000), "Phase 2 writes no table called"),
        (("--fallback", "3", "--table", "nbac_schedule"), "--fallback excludes"),
        (("--phase", "4", "--wait"), "Phase 5 has no processors"),
        (("--wait", "--timeout", "nan"), "is no number of seconds"),
    ],
)
def test_what_no_phase_would_publish_is_a_usage_error_and_nothing_is_published(
    typed: Type, wire: Wire, words: tuple[str, ...], said: str
) -> None:
    refused = typed("publish-test", "--date", LAST, *words)
    assert (refused.code, refused.out, wire.published) == (2, "", [])
    assert said in refused.err


@pytest.mark.parametrize("day", ["1945-12-31", "2101-01-01", "9999-12-31", "2024-13-01"])
def test_a_date_without_reason_is_a_usage_error(typed: Type, wire: Wire, day: str) -> None:
    assert (typed("publish-test", "--date", day).code, wire.published) == (2, [])


def test_without_a_warehouse_nothing_is_published_that_could_not_be_followed(typed: Type, wire: Wire) -> None:
    Path(wire.warehouse.path).unlink()
    assert typed("publish-test", "--date", LAST, "--wait").code == 5
    assert wire.published == []


@pytest.mark.parametrize("name", ["player_game_summary", "nba_analytics.player_game_summary", " player_game_summary "])
def test_a_table_may_carry_its_dataset(typed: Type, wire: Wire, name: str) -> None:
    wire.lost.add(completion_topic(3))
    said = typed("publish-test", "--phase", 3, "--table", name, "--date", LAST, "-o", "json")
    assert (said.code, said.json[0]["table"]) == (0, "player_game_summary")
    assert list(said.json[0]) == ["topic", "table", "date", "message_id", "correlation_id"]
    assert len(said.json[0]["correlation_id"].encode()) <= 128


# ---------------------------------------------------------------- what became of it


def test_it_ends_well_when_everything_is_written_and_announced(typed: Type, wire: Wire) -> None:
    said = typed("publish-test", "--date", LAST, "--wait", "-o", "json")
    assert said.code == 0, said.err
    assert f"delivery  phase 3  {PLAYER_BOX.name} {LAST}  completed" in said.err
    assert all(f"{one.name} " in said.err for one in graph.processors_in_order())
    assert len(wire.published) == 1 + len(graph.processors_in_order())
    # and where nothing is owed any more
    again = typed("publish-test", "--date", LAST, "--wait", "--timeout", 0)
    assert (again.code, "completed  nothing is owed" in again.err) == (0, True)


def test_what_is_not_ready_says_what_it_waits_for(typed: Type, wire: Wire) -> None:
    alter(wire.warehouse, f"DELETE FROM {TEAM_BOX.id} WHERE game_date = DATE '{LAST}'")
    said = typed("publish-test", "--date", LAST, "--wait", "-o", "json")
    assert said.code == 5
    assert "Phase 3 answered not_ready" in said.error["message"]
    assert f"{TEAM_BOX.name} {LAST} to be loaded" in said.error["why"]
    assert said.error["hint"] == f"nbactl status --date {LAST}"


def test_of_a_date_that_the_schedule_does_not_reach_it_cannot_tell(typed: Type, wire: Wire) -> None:
    said = typed("publish-test", "--date", "2030-01-01", "--wait", "-o", "json")
    assert said.code == 7
    assert said.error["message"] == "cannot tell if anything should exist for 2030-01-01"
    assert "the schedule does not reach 2030-01-01" in said.error["why"]
    assert len(wire.published) == 1


def test_what_failed_for_good_ends_at_once_with_its_reason(typed: Type, wire: Wire) -> None:
    change = f"WHERE game_date = DATE '{LAST}' AND minutes IS NOT NULL"
    alter(wire.warehouse, f"UPDATE {PLAYER_BOX.id} SET points = points + 1 {change}")
    said = typed("publish-test", "--date", LAST, "--wait", "-o", "json")
    assert said.code == 1
    assert said.error["message"] == f"PlayerGameSummaryProcessor {LAST} failed"
    assert "points_add_up" in said.error["why"]
    assert said.error["hint"] == f"nbactl runs --failed --date {LAST}"
    # answered from the ledger, without a run of its own
    again = typed("publish-test", "--date", LAST, "--wait", "-o", "json")
    assert (again.code, "was failed by the service of Phase 3" in again.error["message"]) == (1, True)
    assert "points_add_up" in again.error["why"]


def test_what_a_service_cannot_read_is_found_by_its_message(typed: Type, wire: Wire) -> None:
    wire.garbled = True
    said = typed("publish-test", "--date", LAST, "--wait", "-o", "json")
    assert said.code == 1
    assert "was rejected by the service of Phase 3" in said.error["message"]
    assert said.error["why"].startswith("bad_json")


def test_what_is_made_of_too_little_is_partly_failed(typed: Type, wire: Wire) -> None:
    alter(
        wire.warehouse,
        f"DELETE FROM {PLAYER_BOX.id} WHERE game_date = DATE '{LAST}' AND game_id = '{LAST:%Y%m%d}_NYK_GSW'",
    )
    said = typed("publish-test", "--phase", 2, "--date", LAST, "--wait", "-o", "json")
    assert said.code == 3, said.err
    assert f"player_game_summary {LAST}: DEGRADED" in said.error["why"]


def test_without_any_answer_it_cannot_tell(typed: Type, wire: Wire) -> None:
    wire.lost.add(completion_topic(2))
    said = typed("publish-test", "--date", LAST, "--wait", "--timeout", 0, "-o", "json")
    assert said.code == 7
    assert said.error["message"] == "no service answered in 0 s"
    assert said.error["hint"].startswith("nbactl infra plan")


def test_rows_without_their_announcements_are_not_all(typed: Type, wire: Wire) -> None:
    wire.broken.add(completion_topic(4))
    wire.attempts = 1
    said = typed("publish-test", "--date", LAST, "--wait", "--timeout", 0, "-o", "json")
    assert said.code == 7
    assert "5 announcements are owed" in said.error["message"]
    assert said.error["hint"] == "nbactl reconcile"


def test_a_message_that_was_delivered_in_vain_for_the_last_time_is_given_up(typed: Type, wire: Wire) -> None:
    wire.broken.add(completion_topic(3))
    said = typed("publish-test", "--date", LAST, "--wait", "-o", "json")
    assert said.code == 1
    assert "was given up by the service of Phase 3" in said.error["message"]
    assert "nobody answers" in said.error["why"]
    assert "nbactl dlq inspect" in said.error["hint"]


def test_a_service_that_asks_again_is_named_as_what_is_waited_for(typed: Type, wire: Wire) -> None:
    wire.broken.add(completion_topic(3))
    wire.attempts = 1
    said = typed("publish-test", "--date", LAST, "--wait", "--timeout", 0, "-o", "json")
    assert said.code == 7
    assert "Phase 3 still answers retry" in said.error["message"]
    assert "nobody answers" in said.error["why"]


def test_a_chain_that_has_ended_without_everything_is_no_success(typed: Type, wire: Wire) -> None:
    """Phase 3 was computed by hand and not announced: the event finds nothing owed, and Phase 4 hears nothing."""
    analytics(wire.warehouse, one_day(LAST))
    said = typed("publish-test", "--date", LAST, "--wait", "-o", "json")
    assert said.code == 1
    assert said.error["message"] == "5 of 10 table-dates were not made, and nothing is under way"
    assert said.error["hint"] == f"nbactl status --date {SLATE}"


def test_a_fallback_is_followed_like_an_event(typed: Type, wire: Wire) -> None:
    said = typed("publish-test", "--fallback", 3, "--date", LAST, "--wait")
    assert said.code == 0, said.err
    assert f"delivery  phase 3  fallback {LAST}  completed" in said.err
    assert len(wire.published) == 1 + len(graph.processors_in_order())


# ---------------------------------------------------------------- nothing is called done that is not


@pytest.fixture
def at_borders() -> Iterator[Callable[[Callable[[str], None]], None]]:
    """Have a function called at every border between steps, while the test lasts."""
    heard: list[Callable[[str], None]] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        for listen in heard if event == "nbactl.border" else ():
            listen(str(arguments[0]))

    sys.addaudithook(hook)
    yield heard.append
    heard.clear()


def test_at_no_border_before_the_last_announcement_is_noted_is_a_chain_complete(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, at_borders: Callable[[Callable[[str], None]], None]
) -> None:
    """Also on a day when the slate is not due: that nobody misses a table does not mean that it is there."""
    monkeypatch.setattr("processors.survey.utc_now", lambda: datetime(2024, 11, 9, 12, tzinfo=UTC))
    wire.is_delivering = True
    sent = publish(wire, 2, PLAYER_BOX.name, LAST)
    seen: list[bool] = []

    def look(border: str) -> None:
        if border == "outbox.sent":
            seen.append(_is_complete(wire.warehouse, sent))

    at_borders(look)
    assert not _is_complete(wire.warehouse, sent)
    wire.deliver_next()
    # what Phase 4 has heard of, it has not computed
    assert not _is_complete(wire.warehouse, sent)
    wire.deliver()
    assert seen == [False] * len(graph.processors_in_order())
    assert _is_complete(wire.warehouse, sent)


def _is_complete(warehouse: DuckDBWarehouse, sent: Published) -> bool:
    with warehouse.reading() as session:
        chain = event_chain.read(session, sent)
    assert not (chain.is_complete and not chain.has_ended)
    return chain.is_complete


def test_minted_ids_are_within_their_bound(wire: Wire) -> None:
    wire.lost.add(completion_topic(2))
    for day in (date(1946, 1, 1), date(2100, 12, 31)):
        sent = publish(wire, 2, PLAYER_BOX.name, day)
        assert len(sent.correlation_id.encode()) <= 128


def test_what_is_waited_for_is_what_the_event_causes_and_not_what_the_clock_would_mend(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older slate that is stale is left to a fallback: no event of a later date brings it."""
    alter(tiny_done, f"UPDATE {TEAM_BOX.id} SET turnovers = turnovers + 1 WHERE game_date = DATE '{FINAL_DATES[1]}'")
    analytics(tiny_done, one_day(FINAL_DATES[1]))
    monkeypatch.setattr(planner, "utc_now", lambda: datetime(2024, 11, 10, 9, tzinfo=UTC))
    sent = publish(Wire(tiny_done, lost=set(_PHASES)), 2, PLAYER_BOX.name, LAST)
    with tiny_done.reading() as session:
        chain = event_chain.read(session, sent)
    assert {standing.date for standing in chain.absent} == {SLATE}
