"""The one way to a table: owed? then compute, check, exchange and record.

Whoever asks, for one date or a season, a request passes through here. A processor computes all its dates in one
statement; processors that do not wait for each other are carried out side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from graphlib import TopologicalSorter
from threading import Lock

from processors import computing, graph, records
from processors.calendar import spans
from processors.declaration import Processor
from processors.gates import Missing
from processors.inputs import definition
from processors.records import Attempt
from processors.request import SIDE_BY_SIDE, Outcome, Request
from processors.survey import Survey
from shared.border import border
from shared.clock import DateRange, utc_now
from shared.ledger import Status
from shared.tables.model import Table
from shared.warehouse.base import Session

Watch = Callable[[str, int], None]
"""Told what is being computed, and how many table-dates are done in addition; from several threads, one at a time."""


def run(session: Session, survey: Survey, request: Request, watch: Watch) -> list[Outcome]:
    """Carry out a request.

    Args:
        session: a writing session.
        survey: schedule and ledger around the request's dates; its book is kept up to date.
        request: what to compute.
        watch: told how far the work is.

    Returns:
        An outcome per processor and date, in the request's order. Whatever goes wrong in a run is an outcome and in
        the ledger.
    """
    return _Runner(session, survey, request, watch).run()


@dataclass
class _Runner:
    """A request at work.

    Attributes:
        outcomes: by output table, those of the processors that have begun.
        desk: held by whoever asks or fills in the survey, the outcomes and what follows.
        at_work: sessions whose statements an interrupt must reach.
        stopped: whether nothing more is to be begun.
    """

    session: Session
    survey: Survey
    request: Request
    watch: Watch
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    desk: Lock = field(default_factory=Lock)
    at_work: list[Session] = field(default_factory=list)
    stopped: bool = False

    def run(self) -> list[Outcome]:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            try:
                self._in_order(pool)
            except BaseException:
                self._stop()
                raise
        return [one for processor, _ in self.request.work for one in self.outcomes[processor.output.name]]

    def _in_order(self, pool: ThreadPoolExecutor) -> None:
        """Carry out every processor as soon as those of the request have ended that it reads."""
        work = {processor.output.name: (processor, dates) for processor, dates in self.request.work}
        order = TopologicalSorter(
            {name: {one.table for one in processor.inputs} & work.keys() for name, (processor, _) in work.items()}
        )
        order.prepare()
        begun: dict[Future[None], str] = {}
        while order.is_active():
            begun |= {pool.submit(self._carry_out, *work[name]): name for name in order.get_ready()}
            for ended in wait(begun, return_when=FIRST_COMPLETED).done:
                ended.result()
                order.done(begun.pop(ended))

    def _stop(self) -> None:
        with self.desk:
            self.stopped = True
            for session in self.at_work:
                session.interrupt()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """A session of one's own, which an interrupt reaches."""
        with self.session.beside() as session:
            with self.desk:
                self.at_work.append(session)
            try:
                yield session
            finally:
                with self.desk:
                    self.at_work.remove(session)

    def _carry_out(self, processor: Processor, dates: tuple[date, ...]) -> None:
        border("processor.next")
        with self.desk:
            lacking = self._lacking(processor, dates)
            answers = {day: answer for day in dates if (answer := self._answer(processor, day, lacking[day]))}
            self._done(processor, list(answers.values()))
        wanted = [day for day in dates if day not in answers]
        with self._session() as session:
            for span in spans(wanted):
                self._compute(session, processor, [day for day in wanted if span.start <= day <= span.end], lacking)

    def _compute(
        self, session: Session, processor: Processor, dates: list[date], lacking: Mapping[date, list[Missing]]
    ) -> None:
        with self.desk:
            if self.stopped:
                return
            fence = self.survey.book.fences[processor.output.name]
            attempt = Attempt(processor, self.request, dates, lacking, fence)
            self.watch(f"{processor.output.name} {DateRange(dates[0], dates[-1])}", 0)
            records.begin(attempt, self.survey)
            stored = {day: self.survey.book.rows((processor.output.name, day)) for day in dates}
        border("run.begun")
        outcomes, ended = computing.carry_out(session, attempt, stored)
        with self.desk:
            self.survey.book.note(map(records.noted, ended))
            border("run.noted")
            self._done(processor, outcomes)

    def _done(self, processor: Processor, outcomes: list[Outcome]) -> None:
        self.outcomes.setdefault(processor.output.name, []).extend(outcomes)
        if outcomes:
            self.watch(processor.output.name, len(outcomes))

    def _lacking(self, processor: Processor, dates: tuple[date, ...]) -> dict[date, list[Missing]]:
        settled = {(name, one.date): one.status for name, outcomes in self.outcomes.items() for one in outcomes}
        return {day: self.survey.gates.missing(processor, day, settled) for day in dates}

    def _answer(self, processor: Processor, day: date, missing: list[Missing]) -> Outcome | None:
        """What to say without computing; None where a run is owed."""
        if why := self.survey.calendar.unknown(DateRange(day, day)):
            return Outcome(processor, day, Status.NOT_READY, reason_code="schedule_unknown", reason=why)
        if code := self.survey.nothing_expected(processor, day):
            return Outcome(processor, day, Status.SKIPPED_EXPECTED, reason_code=code, reason=_NOTHING[code])
        if missing and not self.request.allow_incomplete:
            reason = f"waits for {', '.join(map(str, missing))}"
            return Outcome(processor, day, Status.NOT_READY, reason_code="inputs_incomplete", reason=reason)
        if late := self._late(processor, day):
            return late
        if self.request.force or self.survey.outdated(processor, day):
            return self._failed_before(processor, day)
        made = self.survey.book.made[processor.output.name, day]
        but = f", which is DEGRADED: {made.reason}" if made.status is Status.DEGRADED else ""
        return Outcome(
            processor,
            day,
            Status.SKIPPED_UNCHANGED,
            rows=made.rows_written or 0,
            expected=made.rows_expected or 0,
            reason_code="unchanged",
            reason=f"its inputs and definition are those of run {made.run_id}{but}",
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


_NOTHING = {
    "no_slate": "there are no games on the date",
    "no_counted_games": "there are no games on the date",
    "games_not_final": "no game of the date is final",
}


def all_tables() -> list[Table]:
    """Every table that a run reads or writes."""
    return list(graph.tables().values())
