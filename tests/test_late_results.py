"""Results that come late, or are corrected afterwards: what each message makes good, and what the clock makes good."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from processors import handling, inputs
from processors.handling import Answer, Decision, Handler
from processors.survey import State
from shared import events
from shared.events import Message
from shared.ledger import Status
from shared.tables.raw import PLAY_BY_PLAY, PLAYER_BOX, SCHEDULE, TEAM_BOX
from shared.warehouse.duckdb import DuckDBWarehouse
from shared.warehouse.lock import locked
from tests.builders import FINAL_DATES, SLATE, game_id
from tests.conftest import at, differing, one_day, rows
from tests.test_handling import body, loaded, raw_body
from tests.test_handling import statuses as statuses_of
from tests.test_survey import states

FIRST, SECOND, THIRD, FOURTH, FIFTH = FINAL_DATES
BEFORE_THE_SLATE = datetime(2024, 11, 10, 9, tzinfo=UTC)
"""In the small hours of the slate's day in New York."""
A_WEEK_LATER = datetime(2024, 11, 17, 12, tzinfo=UTC)
A_MONTH_LATER = datetime(2024, 12, 10, 12, tzinfo=UTC)


@dataclass
class Clockwork:
    """Both services on one warehouse, at a moment that a test chooses."""

    warehouse: DuckDBWarehouse
    monkeypatch: pytest.MonkeyPatch
    published: list[Message] = field(default_factory=list)

    def at(self, now: datetime) -> None:
        self.monkeypatch.setattr(handling, "utc_now", lambda: now)

    def push(self, phase: int, pushed: bytes) -> Answer:
        return Handler(phase, self.warehouse, self._publish, "tests", budget=timedelta(days=9999)).push(pushed)

    def results(self, day: date) -> Answer:
        return self.push(3, body(loaded(PLAYER_BOX.name, day)))

    def analytics_of(self, day: date) -> Answer:
        return self.push(4, raw_body({"analytics_table": "player_game_summary", "game_date": str(day)}))

    def by_clock(self) -> list[Answer]:
        """What the scheduler sends in a night."""
        return [self.push(phase, body(events.encode(events.Fallback(phase=phase)))) for phase in (3, 4)]

    def _publish(self, _topic: str, data: bytes, attributes: dict[str, str]) -> str:
        self.published.append(Message(data, attributes))
        return f"m-{len(self.published)}"


@pytest.fixture
def clockwork(tiny: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch) -> Clockwork:
    """The small league, nothing computed."""
    return Clockwork(tiny, monkeypatch)


@pytest.fixture
def done(tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch) -> Clockwork:
    """The small league, everything computed."""
    return Clockwork(tiny_done, monkeypatch)


def live_with_a_late_night(clockwork: Clockwork, late: date) -> Answer:
    """Let every night come in order but one, and that one last."""
    for day in FINAL_DATES:
        if day != late:
            clockwork.results(day)
    return clockwork.results(late)


def correct(warehouse: DuckDBWarehouse, statement: str) -> None:
    """Change raw rows as another program does: without a word."""
    with locked(warehouse.path, exclusive=True, wait=60), duckdb.connect(warehouse.path) as connection:
        assert connection.execute(statement).fetchone() != (0,), statement


def outcomes(answers: Iterable[Answer]) -> dict[tuple[str, date], Status]:
    return {key: status for answer in answers for key, status in statuses_of(answer).items()}


def test_a_late_night_mends_the_slate_that_is_coming(clockwork: Clockwork) -> None:
    clockwork.at(BEFORE_THE_SLATE)
    late = live_with_a_late_night(clockwork, FOURTH)
    found = statuses_of(late)
    assert {("TGC", FIFTH), ("UPC", FIFTH), ("TGC", SLATE), ("UPC", SLATE)} <= found.keys()
    assert found["UPC", SLATE] is Status.SUCCESS
    told = clockwork.analytics_of(FIFTH)
    assert (told.http_status, told.decision) == (200, Decision.COMPLETED)
    assert all(state is State.DONE for (_, day), state in states(clockwork.warehouse).items() if day == SLATE)


def test_a_phase_told_of_a_slate_whose_inputs_are_owed_waits_and_is_no_dead_letter(clockwork: Clockwork) -> None:
    clockwork.at(A_MONTH_LATER)
    late = live_with_a_late_night(clockwork, FOURTH)
    assert ("UPC", SLATE) not in statuses_of(late), "a slate that is over is not computed by an event of another date"
    for _ in range(5):
        told = clockwork.analytics_of(FIFTH)
        assert (told.http_status, told.decision) == (200, Decision.NOT_READY)
        assert f"upcoming_player_game_context {SLATE} to be computed again" in str(told.reason)


def test_the_clock_makes_good_what_a_late_night_left(clockwork: Clockwork) -> None:
    clockwork.at(A_MONTH_LATER)
    live_with_a_late_night(clockwork, FOURTH)
    for day in FINAL_DATES:
        clockwork.analytics_of(day)
    clockwork.at(A_WEEK_LATER)
    answers = clockwork.by_clock()
    assert Status.NOT_READY not in outcomes(answers).values()
    contexts = {day: state for (short, day), state in states(clockwork.warehouse).items() if short == "UPC"}
    assert contexts[SLATE] is State.DONE
    # once computed, Phase 4 may be told
    assert clockwork.analytics_of(FIFTH).decision is Decision.COMPLETED


def test_a_row_of_the_first_week_that_is_corrected_is_made_good_by_the_clock_alone(done: Clockwork) -> None:
    correct(
        done.warehouse,
        f"UPDATE {PLAY_BY_PLAY.id} SET x_ft = x_ft + 1 WHERE game_date = DATE '{FIRST}' AND x_ft IS NOT NULL",
    )
    for now in (BEFORE_THE_SLATE, datetime(2024, 11, 11, 9, tzinfo=UTC)):
        done.at(now)
        answers = done.by_clock()
        assert {answer.http_status for answer in answers} == {200}
        assert Status.NOT_READY not in outcomes(answers).values()
    standing = states(done.warehouse)
    assert {standing[short, FIRST] for short in ("TOG", "TDG", "PGS")} == {State.DONE}
    assert {state for (_, day), state in standing.items() if day == SLATE} == {State.DONE}


def test_an_event_speaks_of_rows_as_they_are_and_not_as_somebody_noted_them(done: Clockwork) -> None:
    correct(
        done.warehouse,
        f"UPDATE {PLAY_BY_PLAY.id} SET x_ft = x_ft + 1 WHERE game_date = DATE '{FIFTH}' AND x_ft IS NOT NULL",
    )
    done.at(BEFORE_THE_SLATE)
    answer = done.push(3, body(loaded(PLAY_BY_PLAY.name, FIFTH)))
    assert statuses_of(answer)["PGS", FIFTH] is Status.SUCCESS


@pytest.mark.parametrize(("table", "short"), [(PLAYER_BOX.name, "PGS"), (PLAY_BY_PLAY.name, "TOG")])
def test_a_game_whose_raw_rows_vanish_keeps_what_was_made_of_them(
    done: Clockwork, tiny_done_file: Path, table: str, short: str
) -> None:
    game = game_id(FIFTH, "NYK", "GSW")
    correct(done.warehouse, f"CREATE TABLE kept AS SELECT * FROM nba_raw.{table} WHERE game_id = '{game}'")
    correct(done.warehouse, f"DELETE FROM nba_raw.{table} WHERE game_id = '{game}'")
    done.at(BEFORE_THE_SLATE)
    answer = done.push(3, body(loaded(table, FIFTH)))
    assert (answer.http_status, answer.decision) == (200, Decision.DEGRADED)
    assert game in str(answer.reason)
    (outcome,) = (one for one in answer.outcomes if (one.processor.short, one.date) == (short, FIFTH))
    assert (outcome.status, outcome.reason_code) == (Status.DEGRADED, "games_lost")
    assert differing(at(tiny_done_file), done.warehouse, [outcome.processor.output]) == {}
    again = done.push(3, body(loaded(table, FIFTH)))
    assert statuses_of(again)[short, FIFTH] is Status.SKIPPED_UNCHANGED
    correct(done.warehouse, f"INSERT INTO nba_raw.{table} SELECT * FROM kept")
    assert done.push(3, body(loaded(table, FIFTH))).decision is Decision.COMPLETED
    assert set(states(done.warehouse, one_day(FIFTH)).values()) == {State.DONE}


def test_a_game_that_the_schedule_moves_away_keeps_nothing(done: Clockwork) -> None:
    game = game_id(FIFTH, "NYK", "GSW")
    correct(done.warehouse, f"UPDATE {SCHEDULE.id} SET game_status = 4 WHERE game_id = '{game}'")
    for table in (PLAYER_BOX.name, TEAM_BOX.name, PLAY_BY_PLAY.name):
        correct(done.warehouse, f"DELETE FROM nba_raw.{table} WHERE game_id = '{game}'")
    done.at(BEFORE_THE_SLATE)
    done.push(3, body(loaded(SCHEDULE.name, FIFTH)))
    for table in (PLAYER_BOX.name, TEAM_BOX.name, PLAY_BY_PLAY.name):
        answer = done.push(3, body(loaded(table, FIFTH)))
    assert "games_lost" not in {one.reason_code for one in answer.outcomes}
    left = rows(done.warehouse, f"SELECT 1 FROM nba_analytics.player_game_summary WHERE game_id = '{game}'")
    assert left == []


def test_another_definition_closes_no_gate(done: Clockwork, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = inputs.definition
    monkeypatch.setattr(inputs, "definition", lambda one: f"{honest(one)}-other" if one.short == "UPC" else honest(one))
    correct(
        done.warehouse,
        f"UPDATE {PLAY_BY_PLAY.id} SET x_ft = x_ft + 1 WHERE game_date = DATE '{FIFTH}' AND x_ft IS NOT NULL",
    )
    done.at(BEFORE_THE_SLATE)
    told = done.analytics_of(FIFTH)
    assert Status.NOT_READY not in statuses_of(told).values()
