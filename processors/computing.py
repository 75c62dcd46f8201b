"""One statement on its way to a table: compute, check, exchange and record.

Each date is checked, exchanged and recorded for itself, in one transaction with its ledger row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from time import perf_counter

from processors import records, statements
from processors.declaration import Dated
from processors.gates import Missing
from processors.judging import judge
from processors.records import Attempt, Record
from processors.request import Outcome
from shared.border import border
from shared.clock import utc_now
from shared.errors import NbactlError
from shared.ledger import COMPLETE, PROCESSOR_RUNS, Status
from shared.text import shorten
from shared.version import code_version
from shared.warehouse.base import Digest, Exchange, Session

Ended = tuple[list[Outcome], list[Record]]
"""How the dates fared, and the ledger's rows of those that ran."""


def carry_out(session: Session, attempt: Attempt, stored: Mapping[date, int]) -> Ended:
    """Compute the dates of an attempt, whose rows of the ledger are filled in.

    Args:
        session: a writing session.
        attempt: the statement, its dates and their runs.
        stored: rows that the output table holds now, by date.

    Raises:
        KeyboardInterrupt: it was interrupted, and the ledger says so.
    """
    session.insert(PROCESSOR_RUNS, list(attempt.begun.values()))
    border("run.announced")
    try:
        return _attempted(session, attempt, stored)
    except KeyboardInterrupt as error:
        _failed(session, attempt, error)
        raise
    except Exception as error:  # noqa: BLE001 -- whatever goes wrong in a run is the run's outcome
        return _failed(session, attempt, error)


def _attempted(session: Session, attempt: Attempt, stored: Mapping[date, int]) -> Ended:
    processor, clock = attempt.processor, perf_counter()
    parameters = {
        "start_date": attempt.dates[0],
        "end_date": attempt.dates[-1],
        "as_of": attempt.request.as_of,
    }
    with _timed(attempt, "compute"):
        session.stage(statements.candidate(processor), parameters)
    border("run.computed")
    with _timed(attempt, "check"):
        judged = list(judge(session, processor, attempt.dates, parameters, stored))
        lost = _read_kept_games(session, attempt, parameters, stored)
    border("run.checked")
    seconds = perf_counter() - clock
    outcomes = [
        replace(
            _keep_games(_degraded(one, attempt.lacking.get(one.date, [])), lost.get(one.date, [])),
            run_id=attempt.run_id(one.date) if one.status.ran else None,
            seconds=seconds,
        )
        for one in judged
    ]
    kept = [game.game_id for outcome in outcomes if outcome.status.wrote for game in lost.get(outcome.date, [])]
    return outcomes, _exchange(session, attempt, outcomes, kept)


@dataclass(frozen=True, slots=True)
class KeptGame:
    """A game whose rows stay in an output table, because its raw rows are gone.

    Attributes:
        stored: its rows in the output table.
        staged: rows that could be computed of it nevertheless.
    """

    game_id: str
    stored: int
    staged: int


def _read_kept_games(
    session: Session, attempt: Attempt, parameters: Mapping[str, object], stored: Mapping[date, int]
) -> dict[date, list[KeptGame]]:
    """By date, the games whose rows stay because what they were made from is gone."""
    games: dict[date, list[KeptGame]] = {}
    if attempt.request.keep_games and attempt.processor.dated is Dated.RESULTS and any(stored.values()):
        for day, *game in session.query(statements.lost_games(attempt.processor), parameters).rows:
            games.setdefault(day, []).append(KeptGame(*game))
    return games


def _keep_games(outcome: Outcome, games: Sequence[KeptGame]) -> Outcome:
    """What becomes of a date some of whose games stay as they were: their raw rows must come back."""
    if not (games and outcome.status.wrote):
        return outcome
    names = ", ".join(sorted(game.game_id for game in games))
    kept = sum(game.stored for game in games)
    return replace(
        outcome,
        status=Status.DEGRADED,
        rows=outcome.rows + kept - sum(game.staged for game in games),
        reason_code="games_lost",
        reason=f"{len(games)} games have lost their raw rows, and keep the {kept} rows made from them: {names}",
    )


def _exchange(session: Session, attempt: Attempt, outcomes: list[Outcome], kept: list[str]) -> list[Record]:
    written = {one.date: one for one in outcomes if one.status.wrote}
    stamps = {day: _stamps(attempt.run_id(day)) for day in written}
    ended: list[Record] = []
    clock = perf_counter()

    def record(stored: Mapping[date, Digest]) -> list[Record]:
        attempt.steps["write"] = round((perf_counter() - clock) * 1000)
        for one in outcomes:
            if one.status.wrote and stored[one.date].rows != one.rows:
                found = f"{one.rows} rows were written and {stored[one.date].rows} are stored"
                raise NbactlError(f"{attempt.processor.output.id} {one.date}: {found}")
        ended.extend(
            records.end(attempt, one, stored[one.date].hash if one.status.wrote else None)
            for one in outcomes
            if one.status.ran
        )
        return ended

    withdraw(session, [attempt.run_id(one.date) for one in outcomes if not one.status.ran])
    session.exchange(Exchange(attempt.processor.output, stamps, attempt.fence, PROCESSOR_RUNS, record, kept))
    border("run.exchanged")
    return ended


def withdraw(session: Session, run_ids: Sequence[str]) -> None:
    """Take runs out of the ledger: what turned out not to be ready is an answer, and answers leave no row."""
    if run_ids:
        text = f"DELETE FROM {PROCESSOR_RUNS.id} WHERE run_id IN (SELECT one FROM UNNEST(@run_ids) AS one)"
        session.execute(text, {"run_ids": run_ids})
        border("run.withdrawn")


def _failed(session: Session, attempt: Attempt, error: BaseException) -> Ended:
    transient = not isinstance(error, Exception) or (isinstance(error, NbactlError) and error.transient)
    outcome = Outcome(
        attempt.processor,
        attempt.dates[0],
        Status.FAILED_TRANSIENT if transient else Status.FAILED_PERMANENT,
        reason_code="interrupted" if isinstance(error, KeyboardInterrupt) else "error",
        reason=_first_line(error) or "interrupted",
        error_type=type(error).__name__,
    )
    outcomes = [replace(outcome, date=day, run_id=attempt.run_id(day)) for day in attempt.dates]
    try:
        # Ctrl-C may come after the exchange: what has ended well has not failed
        running = still_running(session, [attempt.run_id(day) for day in attempt.dates])
        ended = [records.end(attempt, one, None, error) for one in outcomes if one.run_id in running]
        session.put(PROCESSOR_RUNS, ended)
    except NbactlError:
        raise error from None
    border("run.failed")
    return outcomes, ended


def still_running(session: Session, run_ids: Sequence[str]) -> set[str]:
    """Those of some runs that the ledger does not say have ended."""
    text = f"""SELECT run_id
FROM {PROCESSOR_RUNS.id}
WHERE status = 'RUNNING' AND run_id IN (SELECT one FROM UNNEST(@run_ids) AS one)"""
    return {run_id for (run_id,) in session.query(text, {"run_ids": run_ids}).rows}


def _degraded(outcome: Outcome, missing: Sequence[Missing]) -> Outcome:
    """What was made on incomplete inputs is nothing to build upon, even if every expected row is there."""
    if not (missing and outcome.status in COMPLETE):
        return outcome
    reason = f"ran on incomplete inputs: {', '.join(map(str, missing))}"
    return replace(outcome, status=Status.DEGRADED, reason_code="inputs_incomplete", reason=reason)


def _stamps(run_id: str) -> dict[str, object]:
    return {"run_id": run_id, "code_version": code_version(), "processed_at": utc_now()}


@contextmanager
def _timed(attempt: Attempt, step: str) -> Iterator[None]:
    clock = perf_counter()
    yield
    attempt.steps[step] = round((perf_counter() - clock) * 1000)


def _first_line(error: BaseException) -> str:
    return shorten(next((line for line in str(error).splitlines() if line.strip()), ""))
