"""The one way to a table: owed? then compute, check, exchange and record.

Whoever asks, for one date or a season, a request passes through here. A processor computes all its dates in one
statement; each date is checked, exchanged and recorded for itself, in one transaction with its ledger rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from time import perf_counter

from processors import gates, graph, records, statements
from processors.book import Key
from processors.calendar import spans
from processors.declaration import Processor
from processors.inputs import definition
from processors.judging import judge
from processors.records import Attempt, Record
from processors.request import Outcome, Request
from processors.survey import Survey
from shared.border import border
from shared.clock import utc_now
from shared.errors import NbactlError
from shared.ledger import COMPLETE, PROCESSOR_RUNS, Status
from shared.tables.model import Table
from shared.version import code_version
from shared.warehouse.base import Digest, Exchange, Session

Watch = Callable[[str, int], None]
"""Told what is being computed, and how many table-dates are done in addition."""


def run(session: Session, survey: Survey, request: Request, watch: Watch) -> list[Outcome]:
    """Carry out a request.

    Args:
        session: a writing session.
        survey: schedule and ledger around the request's dates; its book is kept up to date.
        request: what to compute.
        watch: told how far the work is.

    Returns:
        An outcome per processor and date. Whatever goes wrong in a run is an outcome and in the ledger.
    """
    return _Runner(session, survey, request, watch).run()


@dataclass
class _Runner:
    session: Session
    survey: Survey
    request: Request
    watch: Watch
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self) -> list[Outcome]:
        for processor, dates in self.request.work:
            border("processor.next")
            lacking = self._lacking(processor, dates)
            answers = {day: answer for day in dates if (answer := self._answer(processor, day, lacking[day]))}
            self._done(processor, list(answers.values()))
            wanted = [day for day in dates if day not in answers]
            for span in spans(wanted):
                self.watch(f"{processor.output.name} {span}", 0)
                within = [day for day in wanted if span.start <= day <= span.end]
                self._done(processor, self._compute(processor, within, lacking))
        return self.outcomes

    def _done(self, processor: Processor, outcomes: list[Outcome]) -> None:
        self.outcomes += outcomes
        if outcomes:
            self.watch(processor.output.name, len(outcomes))

    def _lacking(self, processor: Processor, dates: tuple[date, ...]) -> dict[date, list[str]]:
        waiting: set[Key] = {
            (one.processor.output.name, one.date) for one in self.outcomes if one.status is Status.NOT_READY
        }
        book, calendar = self.survey.book, self.survey.calendar
        return {day: gates.lacking(book, calendar, processor, day, waiting) for day in dates}

    def _answer(self, processor: Processor, day: date, needs: list[str]) -> Outcome | None:
        """What to say without computing; None where a run is owed."""
        if code := self.survey.nothing_expected(processor, day):
            return Outcome(processor, day, Status.SKIPPED_EXPECTED, reason_code=code, reason=_NOTHING[code])
        if needs and not self.request.allow_incomplete:
            reason = f"waits for {', '.join(needs)}"
            return Outcome(processor, day, Status.NOT_READY, reason_code="inputs_incomplete", reason=reason)
        if late := self._late(processor, day):
            return late
        if self.request.force or self.survey.outdated(processor, day):
            return self._failed_before(processor, day)
        made = self.survey.book.made[processor.output.name, day]
        return Outcome(
            processor,
            day,
            Status.SKIPPED_UNCHANGED,
            rows=made.rows_written or 0,
            expected=made.rows_expected or 0,
            reason_code="unchanged",
            reason=f"its inputs and definition are those of run {made.run_id}",
            run_id=made.run_id,
        )

    def _late(self, processor: Processor, day: date) -> Outcome | None:
        if self.request.deadline is None or utc_now() < self.request.deadline:
            return None
        reason = "the request's time was over before it could begin"
        return Outcome(processor, day, Status.FAILED_TRANSIENT, reason_code="budget_exceeded", reason=reason)

    def _failed_before(self, processor: Processor, day: date) -> Outcome | None:
        """The last run's failure, where computing again could only repeat it."""
        last = self.survey.book.last.get((processor.output.name, day))
        if self.request.retry_failed or not last or last.status is not Status.FAILED_PERMANENT:
            return None
        if (last.fingerprint, last.definition) != (
            self.survey.inputs.fingerprint(processor, day),
            definition(processor),
        ):
            return None
        return Outcome(
            processor, day, last.status, reason_code=last.reason_code, reason=last.reason, run_id=last.run_id
        )

    def _compute(self, processor: Processor, dates: list[date], lacking: Mapping[date, list[str]]) -> list[Outcome]:
        attempt = Attempt(processor, self.request, dates, lacking)
        records.begin(attempt, self.survey)
        border("run.begun")
        self.session.insert(PROCESSOR_RUNS, list(attempt.begun.values()))
        border("run.announced")
        try:
            outcomes, ended = self._attempt(attempt)
        except KeyboardInterrupt as error:
            self._fail(attempt, error)
            raise
        except Exception as error:  # noqa: BLE001 -- whatever goes wrong in a run is the run's outcome
            outcomes, ended = self._fail(attempt, error)
        self.survey.book.note(map(records.noted, ended))
        border("run.noted")
        return outcomes

    def _attempt(self, attempt: Attempt) -> tuple[list[Outcome], list[Record]]:
        """Compute, check and exchange the dates of one statement."""
        processor, clock = attempt.processor, perf_counter()
        parameters = {
            "start_date": attempt.dates[0],
            "end_date": attempt.dates[-1],
            "as_of": attempt.request.as_of,
        }
        with _timed(attempt, "compute"):
            self.session.stage(statements.candidate(processor), parameters)
        border("run.computed")
        with _timed(attempt, "check"):
            stored = {day: self.survey.book.rows((processor.output.name, day)) for day in attempt.dates}
            judged = list(judge(self.session, processor, attempt.dates, parameters, stored))
        border("run.checked")
        seconds = perf_counter() - clock
        outcomes = [
            replace(
                _degraded(one, attempt.lacking.get(one.date, [])),
                run_id=attempt.run_id(one.date) if one.status.ran else None,
                seconds=seconds,
            )
            for one in judged
        ]
        return outcomes, self._exchange(attempt, outcomes)

    def _exchange(self, attempt: Attempt, outcomes: list[Outcome]) -> list[Record]:
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

        self._withdraw([attempt.run_id(one.date) for one in outcomes if not one.status.ran])
        self.session.exchange(Exchange(attempt.processor.output, stamps, PROCESSOR_RUNS, record))
        border("run.exchanged")
        return ended

    def _withdraw(self, run_ids: list[str]) -> None:
        """What turned out not to be ready is an answer; answers leave no row."""
        if run_ids:
            text = f"DELETE FROM {PROCESSOR_RUNS.id} WHERE run_id IN (SELECT one FROM UNNEST(@run_ids) AS one)"
            self.session.execute(text, {"run_ids": run_ids})
            border("run.withdrawn")

    def _fail(self, attempt: Attempt, error: BaseException) -> tuple[list[Outcome], list[Record]]:
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
            running = self._running([attempt.run_id(day) for day in attempt.dates])
            ended = [records.end(attempt, one, None, error) for one in outcomes if one.run_id in running]
            self.session.put(PROCESSOR_RUNS, ended)
        except NbactlError:
            raise error from None
        border("run.failed")
        return outcomes, ended

    def _running(self, run_ids: list[str]) -> set[str]:
        text = f"""SELECT run_id
FROM {PROCESSOR_RUNS.id}
WHERE status = 'RUNNING' AND run_id IN (SELECT one FROM UNNEST(@run_ids) AS one)"""
        return {run_id for (run_id,) in self.session.query(text, {"run_ids": run_ids}).rows}


_NOTHING = {
    "no_slate": "there are no games on the date",
    "no_counted_games": "there are no games on the date",
    "games_not_final": "no game of the date is final",
}


def _degraded(outcome: Outcome, needs: Sequence[str]) -> Outcome:
    """What was made on incomplete inputs is nothing to build upon, even if every expected row is there."""
    if not (needs and outcome.status in COMPLETE):
        return outcome
    reason = f"ran on incomplete inputs: {', '.join(needs)}"
    return replace(outcome, status=Status.DEGRADED, reason_code="inputs_incomplete", reason=reason)


def _stamps(run_id: str) -> dict[str, object]:
    return {"run_id": run_id, "code_version": code_version(), "processed_at": utc_now()}


@contextmanager
def _timed(attempt: Attempt, step: str) -> Iterator[None]:
    clock = perf_counter()
    yield
    attempt.steps[step] = round((perf_counter() - clock) * 1000)


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "")


def all_tables() -> list[Table]:
    """Every table that a run reads or writes."""
    return list(graph.tables().values())
