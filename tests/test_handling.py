"""What the services answer, on the small league: a push goes in, an answer and announcements come out."""

import base64
import itertools
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors import asking, graph, outbox, reconcile, survey
from processors.handling import Answer, Decision, Handler
from processors.survey import State
from shared import events
from shared.clock import DateRange, utc_now
from shared.errors import MessageRefused, NotFound, TimedOut
from shared.events import Message
from shared.ledger import DELIVERIES, PROCESSOR_RUNS, Status
from shared.tables.raw import PLAYER_BOX
from shared.topology import completion_topic
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.builders import FINAL_DATES, SLATE
from tests.conftest import at, differing
from tests.test_runner import OUTPUTS, alter, rows

FIRST, SECOND, *_, LAST = FINAL_DATES
NOW = datetime(2024, 11, 8, 12, tzinfo=UTC)


@dataclass
class Pipeline:
    """Both services on one warehouse; what they publish is kept, or refused."""

    warehouse: DuckDBWarehouse
    published: list[tuple[str, Message]] = field(default_factory=list)
    down: bool = False
    refusing: bool = False
    lost: str | None = None
    tries: int = 0
    seconds: float = 0

    def push(self, phase: int, message: Message, *, message_id: str = "1") -> Answer:
        return Handler(phase, self.warehouse, self._publish, "tests").push(body(message, message_id))

    def raw(self, table: str, day: date) -> Answer:
        return self.push(3, loaded(table, day))

    def drain(self) -> list[Answer]:
        """Deliver to Phase 4 what Phase 3 has published, in order."""
        due = [message for topic, message in self.published if topic == completion_topic(3)]
        self.published = [one for one in self.published if one[0] != completion_topic(3)]
        return [self.push(4, message) for message in due]

    def _publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        self.tries += 1
        time.sleep(self.seconds)
        if self.refusing and not (self.down and self.tries % 2):
            raise MessageRefused(f"{topic} takes no such message", why="it is too long")
        if topic == self.lost:
            raise NotFound(f"could not publish to {topic}: it does not exist")
        if self.down:
            raise TimedOut(f"could not publish to {topic}", why="nobody answers")
        self.published.append((topic, Message(data, attributes)))
        return f"m-{len(self.published)}"


@pytest.fixture
def pipeline(last_night: DuckDBWarehouse) -> Pipeline:
    """The small league: everything computed but the last night's results and the slate after them."""
    return Pipeline(last_night)


def body(message: Message, message_id: str = "1") -> bytes:
    pushed = {
        "message": {
            "data": base64.b64encode(message.data).decode(),
            "attributes": dict(message.attributes),
            "messageId": message_id,
            "publishTime": "2024-11-08T12:00:00Z",
        },
        "subscription": "projects/p/subscriptions/s",
        "deliveryAttempt": 1,
    }
    return json.dumps(pushed).encode()


def loaded(table: str, day: date) -> Message:
    return events.encode(
        events.raw_data_loaded(table, day, execution_id="load", correlation_id="c-1", record_count=1, timestamp=NOW)
    )


def raw_body(fields: Mapping[str, object]) -> bytes:
    return body(Message(json.dumps(fields).encode(), {}))


def statuses(answer: Answer) -> dict[tuple[str, date], Status]:
    return {(one.processor.short, one.date): one.status for one in answer.outcomes}


def computed(warehouse: DuckDBWarehouse, day: date) -> dict[str, int]:
    """Runs by processor for a date."""
    found = rows(
        warehouse,
        f"SELECT output_table, COUNT(*) FROM {PROCESSOR_RUNS.id} WHERE game_date = DATE '{day}' GROUP BY 1",
    )
    short = {one.output.name: one.short for one in graph.processors_in_order()}
    return {short[name]: count for name, count in found}


def states(warehouse: DuckDBWarehouse, results: date, slate: date) -> set[State]:
    with warehouse.reading() as session:
        seen = survey.take(session, DateRange(results, slate))
        return {
            seen.standing(one, results if one.dated == "results" else slate).state
            for one in graph.processors_in_order()
        }


def test_one_raw_event_ends_in_the_feature_store_of_the_next_slate(pipeline: Pipeline, tiny_done_file: Path) -> None:
    answer = pipeline.raw(PLAYER_BOX.name, LAST)
    assert (answer.decision, answer.http_status) == (Decision.COMPLETED, 200)
    assert statuses(answer) == {
        ("TOG", LAST): Status.SUCCESS,
        ("PGS", LAST): Status.SUCCESS,
        ("TDG", LAST): Status.SUCCESS,
        ("TGC", SLATE): Status.SUCCESS,
        ("UPC", SLATE): Status.SUCCESS,
    }
    announced = [json.loads(message.data) for _, message in pipeline.published]
    of = {one.processor.output.name: one for one in answer.outcomes}
    names = [one["analytics_table"] for one in announced]
    assert sorted(names) == sorted(of)
    for number, event in enumerate(announced):
        outcome = of[event["analytics_table"]]
        # what it was made from is known by then
        assert of.keys() & {one.table for one in outcome.processor.inputs} <= set(names[:number])
        assert event["execution_id"] == outcome.run_id
        assert (event["correlation_id"], event["trigger_source"]) == ("c-1", "pubsub")
        assert event["record_count"] == event["rows_expected"] == outcome.rows
        assert event["complete"] is True
    assert {one.http_status for one in pipeline.drain()} == {200}
    assert states(pipeline.warehouse, LAST, SLATE) == {State.DONE}
    assert differing(at(tiny_done_file), pipeline.warehouse, OUTPUTS) == {}


def test_in_any_order_of_the_completions_each_processor_computes_once_on_complete_inputs(
    pipeline: Pipeline, tmp_path: Path, tiny_done_file: Path
) -> None:
    pipeline.raw(PLAYER_BOX.name, LAST)
    due = [message for _, message in pipeline.published]
    orders = list(itertools.permutations(due))[::17]
    assert len(orders) == 8
    start = tmp_path / "start.duckdb"
    start.write_bytes(pipeline.warehouse.path.read_bytes())
    for number, order in enumerate(orders):
        path = tmp_path / f"order-{number}.duckdb"
        path.write_bytes(start.read_bytes())
        one = Pipeline(at(path))
        for message in (*order, order[0]):
            assert one.push(4, message).http_status == 200
        assert computed(one.warehouse, SLATE) == dict.fromkeys(("TGC", "UPC", "TDZA", "PSZA", "PDC", "PCF", "MLFS"), 1)
        assert differing(at(tiny_done_file), one.warehouse, OUTPUTS) == {}


def test_what_is_missing_is_named_and_comes_with_its_own_event(pipeline: Pipeline) -> None:
    kept = rows(pipeline.warehouse, f"SELECT * FROM {PLAYER_BOX.id} WHERE game_date = DATE '{LAST}'")
    assert kept
    alter(
        pipeline.warehouse,
        f"CREATE TABLE kept AS SELECT * FROM {PLAYER_BOX.id} WHERE game_date = DATE '{LAST}'",
        f"DELETE FROM {PLAYER_BOX.id} WHERE game_date = DATE '{LAST}'",
    )
    early = pipeline.raw("nbac_team_boxscore", LAST)
    assert (early.decision, early.http_status) == (Decision.NOT_READY, 200)
    assert statuses(early)["TOG", LAST] is Status.SUCCESS
    assert statuses(early)["PGS", LAST] is Status.NOT_READY
    assert f"{PLAYER_BOX.name} {LAST} to be loaded" in str(early.reason)
    waiting = {one.decision for one in pipeline.drain()}
    assert waiting == {Decision.NOT_READY}
    alter(pipeline.warehouse, f"INSERT INTO {PLAYER_BOX.id} SELECT * FROM kept")
    assert pipeline.raw(PLAYER_BOX.name, LAST).decision is Decision.COMPLETED
    pipeline.drain()
    assert states(pipeline.warehouse, LAST, SLATE) == {State.DONE}


def test_a_duplicate_computes_and_announces_nothing(pipeline: Pipeline) -> None:
    pipeline.raw(PLAYER_BOX.name, LAST)
    before, published = computed(pipeline.warehouse, LAST), len(pipeline.published)
    again = pipeline.raw(PLAYER_BOX.name, LAST)
    assert (again.decision, again.http_status) == (Decision.COMPLETED, 200)
    assert set(statuses(again).values()) == {Status.SKIPPED_UNCHANGED}
    assert (computed(pipeline.warehouse, LAST), len(pipeline.published)) == (before, published)


def test_a_publisher_that_is_down_fails_no_data_and_the_next_attempt_announces(pipeline: Pipeline) -> None:
    pipeline.down = True
    answer = pipeline.raw(PLAYER_BOX.name, LAST)
    assert (answer.decision, answer.http_status) == (Decision.RETRY, 503)
    assert "5 of 5 announcements could not be sent" in str(answer.reason)
    assert set(statuses(answer).values()) == {Status.SUCCESS}
    noted = rows(pipeline.warehouse, f"SELECT DISTINCT publish_error FROM {PROCESSOR_RUNS.id} WHERE announce")
    assert noted == [(f"could not publish to {completion_topic(3)}: nobody answers",)]
    pipeline.down = False
    again = pipeline.raw(PLAYER_BOX.name, LAST)
    assert (again.http_status, len(pipeline.published)) == (200, 5)
    assert rows(
        pipeline.warehouse,
        f"SELECT COUNT(published_message_id), COUNT(publish_error) FROM {PROCESSOR_RUNS.id} WHERE announce",
    ) == [(5, 0)]


def forget_attempts(warehouse: DuckDBWarehouse) -> None:
    """Let the ledger look as if whoever wrote the rows had died before announcing them."""
    alter(
        warehouse,
        f"UPDATE {PROCESSOR_RUNS.id} SET publish_error = NULL, published_topic = NULL, publish_refused = NULL"
        " WHERE announce",
    )


def test_what_another_process_is_about_to_send_is_left_to_it(pipeline: Pipeline) -> None:
    pipeline.down = True
    pipeline.raw(PLAYER_BOX.name, LAST)
    forget_attempts(pipeline.warehouse)
    now = utc_now()
    with pipeline.warehouse.reading() as session:
        assert outbox.read_left_behind(session, 3, now) == []
        assert len(outbox.read_left_behind(session, 3, now + timedelta(minutes=2))) == 5
        assert outbox.read_left_behind(session, 4, now + timedelta(minutes=2)) == []
        assert len(outbox.read_all(session)) == 5


def test_a_redelivery_announces_at_once_what_a_worker_wrote_and_died_before_announcing(pipeline: Pipeline) -> None:
    pipeline.down = True
    pipeline.raw(PLAYER_BOX.name, LAST)
    forget_attempts(pipeline.warehouse)
    pipeline.down = False
    again = pipeline.raw(PLAYER_BOX.name, LAST)
    assert (again.http_status, again.reason, len(pipeline.published)) == (200, "nothing is owed", 5)


def test_an_answer_waits_for_its_own_announcements_whichever_message_had_them_computed(pipeline: Pipeline) -> None:
    pipeline.down = True
    pipeline.raw(PLAYER_BOX.name, LAST)
    forget_attempts(pipeline.warehouse)
    other = pipeline.raw("nbac_team_boxscore", LAST)
    assert (other.http_status, other.decision) == (503, Decision.RETRY)
    assert set(statuses(other).values()) == {Status.SKIPPED_UNCHANGED}


def test_anothers_unsent_announcement_never_decides_an_answer(pipeline: Pipeline) -> None:
    pipeline.down = True
    pipeline.raw(PLAYER_BOX.name, LAST)
    other = pipeline.raw(PLAYER_BOX.name, FIRST)
    assert (other.http_status, other.decision) == (200, Decision.COMPLETED)
    pipeline.down = False
    pipeline.raw(PLAYER_BOX.name, FIRST)
    assert len(pipeline.published) == 5, "what was left behind is sent once somebody looks"
    assert states(pipeline.warehouse, LAST, SLATE) >= {State.DONE}


def test_what_pubsub_can_never_take_is_set_aside_and_named_and_holds_up_nobody(pipeline: Pipeline) -> None:
    pipeline.refusing = True
    answer = pipeline.raw(PLAYER_BOX.name, LAST)
    assert (answer.decision, answer.http_status) == (Decision.FAILED, 500)
    assert "5 of 5 announcements could not be sent" in str(answer.reason)
    assert states(pipeline.warehouse, LAST, SLATE) >= {State.UNANNOUNCED}
    pipeline.refusing = False
    other = pipeline.raw(PLAYER_BOX.name, FIRST)
    assert (other.http_status, pipeline.published) == (200, []), "it is not tried again by others"
    with pipeline.warehouse.reading() as session:
        assert [one.kind for one in reconcile.leftovers(session)] == [reconcile.Kind.UNSAID] * 5
    outbox.send_all(pipeline.warehouse, pipeline._publish)  # noqa: SLF001 -- what reconcile does
    assert len(pipeline.published) == 5
    assert State.UNANNOUNCED not in states(pipeline.warehouse, LAST, SLATE)


def test_a_lost_topic_of_one_phase_is_no_matter_of_the_other(pipeline: Pipeline) -> None:
    pipeline.raw(PLAYER_BOX.name, LAST)
    pipeline.lost = completion_topic(4)
    assert {answer.http_status for answer in pipeline.drain()} == {503}
    for day in (FIRST, SECOND, LAST):
        assert pipeline.raw(PLAYER_BOX.name, day).http_status == 200


@pytest.mark.parametrize("error", [TimedOut("no answer"), ZeroDivisionError("planted")])
def test_a_sweep_that_fails_changes_no_answer(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    pipeline.down = True
    pipeline.raw(PLAYER_BOX.name, LAST)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(outbox, "sweep", fail)
    assert pipeline.raw(PLAYER_BOX.name, FIRST).http_status == 200


def test_a_failure_that_may_pass_decides_before_one_that_never_will(pipeline: Pipeline) -> None:
    pipeline.down = pipeline.refusing = True
    answer = pipeline.raw(PLAYER_BOX.name, LAST)
    assert answer.http_status == 503


def test_requests_at_once_announce_each_table_date_once(pipeline: Pipeline) -> None:
    handler = Handler(3, pipeline.warehouse, pipeline._publish, "tests")  # noqa: SLF001
    pipeline.seconds = 0.02
    sent = [body(loaded(table, LAST)) for table in (PLAYER_BOX.name, "nbac_team_boxscore", "nbac_play_by_play")]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(handler.push, sent))
    assert {(answer.http_status, answer.reason) for answer in answers} == {(200, None), (200, "nothing is owed")}
    assert len(pipeline.published) == 5


def test_where_nobody_answers_the_rest_is_not_tried(pipeline: Pipeline) -> None:
    pipeline.down = True
    pipeline.raw(PLAYER_BOX.name, LAST)
    assert pipeline.tries == 1


def test_a_service_that_wrote_and_did_not_announce_is_not_done_with_the_message(pipeline: Pipeline) -> None:
    pipeline.down = True
    pipeline.raw(PLAYER_BOX.name, LAST)
    received = events.parse_push(body(loaded(PLAYER_BOX.name, LAST)), 3)
    with pipeline.warehouse.reading() as session:
        assert not asking.is_done(session, received, 3, NOW)
    pipeline.down = False
    pipeline.raw(PLAYER_BOX.name, LAST)
    with pipeline.warehouse.reading() as session:
        assert asking.is_done(session, received, 3, NOW)


def test_a_failed_check_answers_500_and_a_redelivery_does_not_compute_again(pipeline: Pipeline) -> None:
    alter(
        pipeline.warehouse,
        f"UPDATE {PLAYER_BOX.id} SET points = points + 1, field_goals_made = field_goals_made"
        f" WHERE game_date = DATE '{LAST}' AND minutes IS NOT NULL",
    )
    answer = pipeline.raw(PLAYER_BOX.name, LAST)
    assert (answer.decision, answer.http_status) == (Decision.FAILED, 500)
    assert statuses(answer)["PGS", LAST] is Status.FAILED_PERMANENT
    assert statuses(answer)["UPC", SLATE] is Status.NOT_READY
    runs = computed(pipeline.warehouse, LAST)
    again = pipeline.raw(PLAYER_BOX.name, LAST)
    assert (again.http_status, again.reason) == (500, answer.reason)
    assert computed(pipeline.warehouse, LAST) == runs


def test_a_locked_warehouse_answers_503(pipeline: Pipeline) -> None:
    held = at(pipeline.warehouse.path, wait=0.05)
    with pipeline.warehouse.writing([]):
        answer = Handler(3, DuckDBWarehouse(held.url, wait=0.05), pipeline._publish, "tests").push(  # noqa: SLF001
            body(loaded(PLAYER_BOX.name, LAST))
        )
    assert (answer.decision, answer.http_status) == (Decision.RETRY, 503)


def test_a_fault_of_ours_is_an_answer_too(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(outbox, "read_of_dates", fail)
    answer = pipeline.raw(PLAYER_BOX.name, LAST)
    assert (answer.decision, answer.http_status) == (Decision.FAILED, 500)
    assert answer.reason == "ZeroDivisionError: planted"
    noted = rows(pipeline.warehouse, f"SELECT decision, reason FROM {DELIVERIES.id}")
    assert noted == [("failed", "ZeroDivisionError: planted")]


@pytest.mark.parametrize(
    ("phase", "sent", "decision"),
    [
        (3, raw_body({"source_table": PLAYER_BOX.name, "game_date": str(LAST), "success": False}), Decision.SKIPPED),
        (3, raw_body({"source_table": "some_other_table", "game_date": str(LAST)}), Decision.NO_PROCESSORS),
        (4, raw_body({"analytics_table": "upcoming_nothing", "game_date": str(LAST)}), Decision.NO_PROCESSORS),
        (3, raw_body({"source_table": PLAYER_BOX.name, "game_date": "2024-07-15"}), Decision.SKIPPED),
        (3, raw_body({"source_table": PLAYER_BOX.name, "game_date": "2031-01-15"}), Decision.NOT_READY),
        (3, b"no json", Decision.REJECTED),
        (3, raw_body({"source_table": PLAYER_BOX.name}), Decision.REJECTED),
        (3, raw_body({"source_table": PLAYER_BOX.name, "game_date": "2024-02-30"}), Decision.REJECTED),
        (3, raw_body({"game_date": str(LAST)}), Decision.REJECTED),
        (3, raw_body({"trigger_type": "fallback", "phase": 4}), Decision.REJECTED),
        (
            3,
            raw_body({"source_table": PLAYER_BOX.name, "game_date": str(LAST), "schema_version": 2}),
            Decision.REJECTED,
        ),
    ],
)
def test_what_asks_for_nothing_is_answered_by_the_contract_and_written_down(
    tiny: DuckDBWarehouse, phase: int, sent: bytes, decision: Decision
) -> None:
    answer = Handler(phase, tiny, Pipeline(tiny)._publish, "tests").push(sent)  # noqa: SLF001
    assert answer.decision is decision
    assert answer.http_status == (400 if decision is Decision.REJECTED else 200)
    noted = rows(tiny, f"SELECT http_status, decision, actor, run_ids FROM {DELIVERIES.id}")
    assert noted == [(answer.http_status, str(decision), "tests", [])]
    assert json.dumps(answer.body())


@pytest.mark.parametrize("prefix", ["", "nba_raw.", "my-project.nba_raw."])
def test_a_table_is_understood_with_and_without_its_dataset(pipeline: Pipeline, prefix: str) -> None:
    sent = raw_body({"source_table": f"{prefix}{PLAYER_BOX.name}", "game_date": str(LAST)})
    answer = Handler(3, pipeline.warehouse, pipeline._publish, "tests").push(sent)  # noqa: SLF001
    assert (answer.table, answer.decision) == (PLAYER_BOX.name, Decision.COMPLETED)


def test_a_fallback_computes_what_is_owed_and_says_when_nothing_is(pipeline: Pipeline) -> None:
    by_clock = events.encode(events.Fallback(phase=3, game_date=LAST, correlation_id="c-2"))
    first = pipeline.push(3, by_clock)
    assert first.decision is Decision.COMPLETED
    assert statuses(first)["UPC", SLATE] is Status.SUCCESS
    sources = rows(
        pipeline.warehouse, f"SELECT DISTINCT trigger_source FROM {PROCESSOR_RUNS.id} WHERE correlation_id = 'c-2'"
    )
    assert sources == [("fallback",)]
    again = pipeline.push(3, by_clock)
    assert set(statuses(again).values()) == {Status.SKIPPED_UNCHANGED}
    slate = pipeline.push(4, events.encode(events.Fallback(phase=4, game_date=SLATE)))
    assert set(statuses(slate)) == {(name, SLATE) for name in ("TDZA", "PSZA", "PDC", "PCF", "MLFS")}


def test_a_fallback_runs_on_incomplete_inputs_and_says_so(pipeline: Pipeline) -> None:
    answer = pipeline.push(4, events.encode(events.Fallback(phase=4, game_date=SLATE)))
    assert answer.decision in (Decision.DEGRADED, Decision.NOT_READY)
    assert statuses(answer)["TDZA", SLATE] is Status.DEGRADED


def junk() -> st.SearchStrategy[object]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "source_table": st.sampled_from([PLAYER_BOX.name, "nba_raw.x", "X", ""]) | junk(),
        "game_date": st.sampled_from([str(LAST), "2024-07-01", "2024-13-01", "today", "9999-12-31", "0001-01-01"])
        | junk(),
        "analysis_date": st.sampled_from([str(SLATE), "9999-12-31", "0001-01-01"]) | junk(),
        "success": st.booleans() | junk(),
        "trigger_type": st.sampled_from(["fallback", "x"]) | junk(),
        "phase": st.integers(1, 6) | junk(),
        "schema_version": st.integers(0, 3) | junk(),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FIELDS)
def test_no_envelope_is_more_than_a_service_can_answer(tiny_done: DuckDBWarehouse, fields: dict[str, object]) -> None:
    answer = Handler(3, tiny_done, Pipeline(tiny_done)._publish, "tests").push(raw_body(fields))  # noqa: SLF001
    assert answer.http_status in {200, 400}
    assert json.dumps(answer.body())


# ---------------------------------------------------------------- what others left behind


def test_a_sweep_is_bounded_in_number_and_time_and_ends_at_the_first_failure(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.down = True
    pipeline.raw(PLAYER_BOX.name, LAST)
    pipeline.down = False
    with pipeline.warehouse.reading() as session:
        left = outbox.read_left_behind(session, 3, utc_now())
        monkeypatch.setattr(outbox, "_LEFT_BEHIND", 2)
        assert len(outbox.read_left_behind(session, 3, utc_now())) == 2
    assert len(left) == 5
    monkeypatch.setattr(outbox, "_SWEEP_SECONDS", 0.05)
    pipeline.seconds = 0.04
    assert 1 <= len(outbox.sweep(left, pipeline._publish)) < 5  # noqa: SLF001
    pipeline.seconds, pipeline.down = 0, True
    (failed,) = outbox.sweep(left, pipeline._publish)  # noqa: SLF001
    assert failed.error


def test_a_fallback_for_a_date_that_the_schedule_does_not_reach_is_not_said_to_have_no_games(
    pipeline: Pipeline,
) -> None:
    named = pipeline.push(4, events.encode(events.Fallback(phase=4, game_date=date(2031, 1, 15))))
    assert (named.http_status, named.decision) == (200, Decision.NOT_READY)
    assert "the schedule does not reach 2031-01-15" in str(named.reason)
    by_clock = pipeline.push(4, events.encode(events.Fallback(phase=4)))
    assert by_clock.decision is Decision.SKIPPED
