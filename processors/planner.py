"""Which processors are owed for which dates: one decision for events, fallback, operator and backfill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from processors import graph, survey
from processors.book import Key
from processors.declaration import Dated, Processor, Relation
from processors.request import Request, Trigger, Work, new_id
from processors.survey import Survey
from shared.clock import DateRange, today, utc_now
from shared.warehouse.base import Session

_COMING = timedelta(days=8)
"""How far ahead slates may have been computed: the longest pause of a season, and a day."""
_LATELY = timedelta(days=14)
"""How old a slate may be that a fallback mends."""


@dataclass(frozen=True)
class Plan:
    """What a command is going to compute.

    Attributes:
        asked: the dates as typed.
        survey: schedule and ledger around them.
        request: what the runner gets.
    """

    asked: DateRange
    survey: Survey
    request: Request

    @property
    def results(self) -> list[date]:
        """Dates of results tables, in order."""
        return self._dates(Dated.RESULTS)

    @property
    def slates(self) -> list[date]:
        """Dates of slate tables, in order."""
        return self._dates(Dated.SLATE)

    @property
    def next_slate(self) -> date | None:
        """Where to look when the dates have no games."""
        return self.survey.calendar.next_slate(self.asked.end)

    def steps(self) -> Iterator[Step]:
        """Each processor with its dates, and why each is owed."""
        for processor, dates in self.request.work:
            if dates:
                yield Step(processor, dates, self._owed(processor, dates))

    def _owed(self, processor: Processor, dates: Sequence[date]) -> dict[date, str]:
        return {day: why for day in dates if (why := self._why(processor, day))}

    def _why(self, processor: Processor, day: date) -> str | None:
        survey = self.survey
        if self.request.force:
            return f"forced: {self.request.force}"
        return survey.stale(processor, day) or survey.outdated(processor, day)

    def _dates(self, dated: Dated) -> list[date]:
        return sorted({day for processor, dates in self.request.work if processor.dated is dated for day in dates})


@dataclass(frozen=True, slots=True)
class Step:
    """One processor of a plan.

    Attributes:
        dates: that the request names.
        owed: those of them that will be computed unless their inputs come out equal, and why.
    """

    processor: Processor
    dates: tuple[date, ...]
    owed: dict[date, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for, before schedule and ledger are consulted.

    Attributes:
        processors: names; none means all.
        as_of: the moment after which no line or report is seen, UTC.
        now: the moment that makes today, UTC; None for the clock's.
        force: why to compute what has not changed; None to leave that.
        announce: whether what is written is to be announced.
        deadline: when no further statement is begun, UTC.
        retry_failed: whether to compute again what has failed for good on the same inputs.
        keep_games: whether the rows of a game stay whose raw rows are gone.
        request_id: groups the runs; None for a new one.
    """

    dates: DateRange
    processors: Sequence[str] = ()
    trigger: Trigger | None = None
    as_of: datetime | None = None
    now: datetime | None = None
    allow_incomplete: bool = False
    force: str | None = None
    announce: bool = False
    deadline: datetime | None = None
    retry_failed: bool = True
    keep_games: bool = False
    request_id: str | None = None


def analytics(session: Session, asked: Asked) -> Plan:
    """Results of the dates' games, and the contexts of the slates that follow each of them."""
    seen = survey.take(session, asked.dates)
    results = seen.calendar.results(asked.dates)
    return _plan(asked, seen, [3], results, sorted(seen.calendar.following(results)))


def precompute(session: Session, asked: Asked) -> Plan:
    """Everything for the games on the dates: what is owed of the season's results, their contexts, Phase 4."""
    seen = survey.take(session, asked.dates)
    slates = seen.calendar.slates(asked.dates)
    results = seen.calendar.results(asked.dates)
    if not asked.processors:
        results = [day for day in seen.calendar.season_results_before(slates) if _owed(seen, day)]
    return _plan(asked, seen, [3, 4], results, slates)


def backfill(session: Session, asked: Asked, phases: Sequence[int]) -> Plan:
    """Every table of some phases for the dates: the results of their games, and what was known before them."""
    seen = survey.take(session, asked.dates)
    return _plan(asked, seen, phases, seen.calendar.results(asked.dates), seen.calendar.slates(asked.dates))


def after_event(session: Session, asked: Asked, phase: int, table: str, analysis_date: date | None = None) -> Plan:
    """Every table of a phase for the dates that new rows of a table concern.

    Rows dated X concern date X of those who read the same date. Those who read history they concern on the next slate
    after X, and on every slate from today on that was computed already; and so on through what the phase itself makes
    of them. What older slates no longer agree with is left to a fallback or a backfill.

    Args:
        session: on the warehouse.
        asked: its dates are those of the rows.
        phase: that has received the event.
        table: that has new rows.
        analysis_date: the slate, where the message names it.
    """
    now = asked.now or utc_now()
    seen = survey.take(session, asked.dates, now, until=today(now) + _COMING, count_season=False)
    reached = _reached(seen, phase, table, asked.dates.start, analysis_date)
    makers = {one.output.name: one for one in graph.processors_in_order()}
    dates: dict[Dated, set[date]] = {Dated.RESULTS: set(), Dated.SLATE: set()}
    for name, day in reached:
        dates[makers[name].dated].add(day)
    return _plan(asked, seen, [phase], sorted(dates[Dated.RESULTS]), sorted(dates[Dated.SLATE]))


def fallback(session: Session, asked: Asked, phase: int) -> Plan:
    """What a phase owes by the clock: results of a date and the contexts of the next slate, or all of a slate.

    And whatever of the season was made from other results than there are now; of slates those of the last two weeks
    and of the days to come.

    Args:
        session: on the warehouse.
        asked: the date that the phase is to produce.
        phase: that is asked.
    """
    now = asked.now or utc_now()
    since = today(now) - _LATELY
    seen = survey.take(
        session, DateRange(min(since, asked.dates.start), asked.dates.end), now, until=today(now) + _COMING
    )
    makers = [one for one in graph.processors_in_order() if one.phase == phase]
    slates = {day for one in makers if one.dated is Dated.SLATE for day in _changed(seen, one) if day >= since}
    if phase > 3:  # noqa: PLR2004 -- slates alone
        return _plan(asked, seen, [phase], [], sorted(slates.union(seen.calendar.slates(asked.dates))))
    results = {day for one in makers if one.dated is Dated.RESULTS for day in _changed(seen, one)}
    asked_results = seen.calendar.results(asked.dates)
    following = seen.calendar.following(asked_results)
    return _plan(asked, seen, [phase], sorted(results.union(asked_results)), sorted(slates | following))


def _changed(seen: Survey, processor: Processor) -> list[date]:
    """The dates that were computed and would come out otherwise now, or will once the season's results are mended."""
    made = [day for name, day in seen.book.made if name == processor.output.name]
    return [day for day in made if seen.stale(processor, day)]


def _reached(seen: Survey, phase: int, table: str, day: date, analysis_date: date | None) -> set[Key]:
    """The table-dates of a phase that rows of a table and date concern."""
    found: set[Key] = set()
    new = {(table, day)}
    while new:
        found |= new
        new = {
            (trigger.processor.output.name, concerned)
            for name, dated in new
            for trigger in graph.triggers()
            if trigger.table == name and trigger.processor.phase == phase
            for concerned in _concerned(seen, trigger, dated, analysis_date)
        } - found
    return {(name, dated) for name, dated in found if (name, dated) != (table, day)}


def _concerned(seen: Survey, trigger: graph.Trigger, day: date, analysis_date: date | None) -> set[date]:
    if trigger.relation is Relation.SAME_DATE:
        return {day}
    slate = analysis_date or seen.calendar.next_slate(day)
    # no slate reads what came before its season
    if not slate or seen.calendar.season(slate).start > day:
        return set()
    ends, coming = seen.calendar.season(slate).end, max(slate, today(seen.now))
    computed = {
        made for name, made in seen.book.made if name == trigger.processor.output.name and coming <= made <= ends
    }
    return {slate, *computed}


def _owed(seen: Survey, day: date) -> bool:
    """Whether any results of a date are not computed, or no longer right."""
    makers = [one for one in graph.processors_in_order() if one.dated is Dated.RESULTS]
    return any(seen.stale(one, day) or seen.outdated(one, day) for one in makers)


def _plan(asked: Asked, seen: Survey, phases: Sequence[int], results: Sequence[date], slates: Sequence[date]) -> Plan:
    chosen = graph.select(asked.processors, phases)
    work: list[Work] = [(one, tuple(results if one.dated is Dated.RESULTS else slates)) for one in chosen]
    request = Request(
        tuple(work),
        trigger=asked.trigger or Trigger(),
        as_of=asked.as_of or utc_now(),
        allow_incomplete=asked.allow_incomplete,
        force=asked.force,
        announce=asked.announce,
        deadline=asked.deadline,
        retry_failed=asked.retry_failed,
        keep_games=asked.keep_games,
        request_id=asked.request_id or new_id(),
    )
    return Plan(asked.dates, seen, request)
