"""How every table-date stands: one vocabulary, derived from schedule, data and ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property

from processors import book as books
from processors import calendar as calendars
from processors import graph, inputs
from processors.book import Announcement, Book, Key, Run
from processors.calendar import Calendar
from processors.declaration import Dated, Processor, Relation
from processors.gates import Gates
from processors.inputs import Inputs
from shared.border import border
from shared.clock import EASTERN, DateRange, utc_now
from shared.errors import PreconditionFailed
from shared.ledger import Status
from shared.tables.raw import SCHEDULE
from shared.warehouse.base import Session

_RESULTS_DUE = time(4, 10)
_PRECOMPUTE_DUE = time(4, 40)
_AHEAD = timedelta(days=8)


class State(StrEnum):
    """How a table stands for a date."""

    NO_GAMES = "NO_GAMES"
    NOT_DUE = "NOT_DUE"
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    FAILED = "FAILED"
    LOST = "LOST"
    STALE = "STALE"
    UNANNOUNCED = "UNANNOUNCED"
    DEGRADED = "DEGRADED"
    DONE = "DONE"

    @property
    def well(self) -> bool:
        """Whether nobody need do anything."""
        return self in (State.NO_GAMES, State.NOT_DUE, State.DONE)


_REASONS = {
    Announcement.WAITING: "its rows are written, and nobody was told",
    Announcement.REFUSED: "its rows are written, and the event breaks a limit of Pub/Sub",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How one table stands for one date.

    Attributes:
        why: what it waits for, what went wrong, what has changed; None where the state says it all.
        last: its newest run, however that ended.
        made: the run whose rows the table holds.
    """

    processor: Processor
    date: date
    state: State
    why: str | None
    last: Run | None
    made: Run | None

    @property
    def rows(self) -> int:
        """Rows that the run wrote whose rows the table holds."""
        return self.made.rows_written or 0 if self.made else 0

    @property
    def expected(self) -> int | None:
        """Rows that it expected; None while nobody knows."""
        if self.state is State.NO_GAMES:
            return 0
        return self.made.rows_expected if self.made else None


class Survey:
    """Schedule and ledger around some dates, at one moment.

    Attributes:
        lease: how long a run that has not ended may still be at work.
    """

    def __init__(self, calendar: Calendar, book: Book, now: datetime, lease: timedelta) -> None:
        self.calendar = calendar
        self.book = book
        self.now = now
        self.lease = lease
        self.inputs = Inputs(book, calendar)
        self.gates = Gates(book, calendar, self._has_changed_inputs)
        self._outdated: dict[Key, tuple[int, str | None]] = {}
        self._stale: dict[Key, str | None] = {}
        self._stale_days: dict[str, list[date]] = {}

    def standing(self, processor: Processor, day: date) -> Standing:
        """How a table stands for a date."""
        key = (processor.output.name, day)
        last, made = self.book.last.get(key), self.book.made.get(key)
        state, why = self._state(processor, day, last, made)
        return Standing(processor, day, state, why, last, made)

    def nothing_expected(self, processor: Processor, day: date) -> str | None:
        """A code that says why a table should hold nothing for a date; None where it should, or may come to."""
        games = self.calendar.day(day)
        if games is None:
            return "no_slate" if processor.dated is Dated.SLATE else "no_counted_games"
        return "games_not_final" if processor.dated is Dated.RESULTS and not games.final else None

    def outdated(self, processor: Processor, day: date) -> str | None:
        """Why a run now would make other rows than those stored; None where it would not."""
        key, changes = (processor.output.name, day), self.book.changes.total()
        known = self._outdated.get(key)
        if known is None or known[0] != changes:
            known = self._outdated[key] = (changes, self._difference(processor, key))
        return known[1]

    def _difference(self, processor: Processor, key: Key) -> str | None:
        made = self.book.made.get(key)
        if made is None:
            return "never computed"
        if made.definition != inputs.definition(processor):
            return "its definition changed"
        if made.fingerprint != self.inputs.fingerprint(processor, key[1]):
            return "its inputs changed"
        if self.book.ended[key].status.failed:
            return "its last run failed"
        incomplete = made.status is Status.DEGRADED and made.reason_code == "inputs_incomplete"
        if incomplete and not self.gates.missing(processor, key[1]):
            return "its inputs are complete now"
        return self.book.altered(key)

    def _has_changed_inputs(self, key: Key) -> bool:
        """Whether a computed table-date reads something else now; another definition alone does not count."""
        made, maker = self.book.made.get(key), self._makers.get(key[0])
        if made is None or maker is None:
            return False
        return made.fingerprint != self.inputs.fingerprint(maker, key[1])

    def stale(self, processor: Processor, day: date) -> str | None:
        """Why what is stored is no longer right, or soon will not be; None where nothing is stored, or all is well."""
        key = (processor.output.name, day)
        if key not in self._stale:
            self._stale[key] = None
            if key in self.book.made:
                self._stale[key] = self.outdated(processor, day) or self._upstream(processor, day)
        return self._stale[key]

    def due(self, processor: Processor, day: date) -> datetime:
        """From when on a table is overdue: results and contexts the night after the games, Phase 4 soon after."""
        if processor.phase > 3:  # noqa: PLR2004 -- Phase 4
            return datetime.combine(day, _PRECOMPUTE_DUE, EASTERN)
        games = day
        if processor.dated is Dated.SLATE:
            previous = self.calendar.previous(day)
            games = previous.date if previous else day - timedelta(days=1)
        return datetime.combine(games + timedelta(days=1), _RESULTS_DUE, EASTERN)

    def _state(self, processor: Processor, day: date, last: Run | None, made: Run | None) -> tuple[State, str | None]:
        games = self.calendar.day(day)
        if games is None:
            return State.NO_GAMES, None
        if trouble := self._trouble(processor, day, last):
            return trouble
        if processor.dated is Dated.RESULTS and games.final < games.games:
            return self._pending(processor, day, f"{games.games - games.final} of {games.games} games to end")
        if made is None:
            missing = ", ".join(map(str, self.gates.missing(processor, day)))
            return self._pending(processor, day, missing or "a run: its inputs are there")
        return self._state_of_rows(processor, day, made)

    def _state_of_rows(self, processor: Processor, day: date, made: Run) -> tuple[State, str | None]:
        """The state of a table-date whose rows are there."""
        if reason := self.stale(processor, day):
            return State.STALE, reason
        if unannounced := self.book.unannounced.get((processor.output.name, day)):
            return State.UNANNOUNCED, _REASONS[unannounced.announcement]
        return (State.DEGRADED, made.reason) if made.status is Status.DEGRADED else (State.DONE, None)

    def _trouble(self, processor: Processor, day: date, last: Run | None) -> tuple[State, str | None] | None:
        """A newest run that is at work, or ended badly."""
        if last and last.status.failed:
            return State.FAILED, f"{last.reason} (attempt {last.attempt})"
        if last and last.status is Status.RUNNING:
            if self.lease and last.noted_at and self.now - last.noted_at < self.lease:
                return State.RUNNING, None
            # what it was to make may be there nevertheless: then nothing is lost
            return (State.LOST, "the run died") if self.outdated(processor, day) else None
        return None

    def _pending(self, processor: Processor, day: date, needs: str) -> tuple[State, str]:
        due = self.due(processor, day)
        if self.now < due:
            return State.NOT_DUE, f"due {due:%Y-%m-%d %H:%M} ET"
        return State.WAITING, needs

    def _upstream(self, processor: Processor, day: date) -> str | None:
        for one in processor.inputs:
            maker = self._makers.get(one.table)
            if maker is None or one.relation is Relation.REFERENCE:
                continue
            if one.relation is Relation.SAME_DATE and self.stale(maker, day):
                return f"{one.table} is stale"
            if one.relation is Relation.HISTORY and (before := self._stale_before(maker, day)):
                return f"{one.table} is stale since {before}"
        return None

    def _stale_before(self, maker: Processor, day: date) -> date | None:
        """The first date of the season before a day on which a table is stale; such a table has no history itself."""
        if maker.name not in self._stale_days:
            made = sorted(day for name, day in self.book.made if name == maker.output.name)
            self._stale_days[maker.name] = [day for day in made if self.stale(maker, day)]
        start = self.calendar.season(day).start
        return next((one for one in self._stale_days[maker.name] if start <= one < day), None)

    @cached_property
    def _makers(self) -> dict[str, Processor]:
        return {one.output.name: one for one in graph.processors_in_order()}


def take(
    session: Session,
    dates: DateRange,
    now: datetime | None = None,
    until: date | None = None,
    *,
    count_season: bool = True,
) -> Survey:
    """Read schedule and ledger: of the dates, of their seasons before them, and of the days just after.

    Args:
        session: on the warehouse.
        dates: that are asked for.
        now: the moment at which tables are due or not, UTC.
        until: read on to this date, as far as the season of the dates goes.
        count_season: whether rows stored of earlier dates are counted, which only who asks about those dates needs.

    Raises:
        PreconditionFailed: the schedule is empty.
    """
    calendar = calendars.read(session, dates)
    if not calendar.days and not any(size.rows for size in session.sizes([SCHEDULE])):
        raise PreconditionFailed("the schedule is empty", hint="nbactl data load DIR, or nbactl data sample")
    near = [day.date for day in calendar.days if dates.start <= day.date <= dates.end]
    following = calendar.next_slate(dates.end)
    games = [*near, following] if following else near
    seasons = [calendar.season(day) for day in games]
    first = min([dates.start, *(season.start for season in seasons)])
    if until:
        games += [min(until, season.end) for season in seasons]
    last = max([dates.end, *games]) + _AHEAD
    book = books.read(session, DateRange(first, last), None if count_season else DateRange(dates.start, last))
    border("survey.taken")
    return Survey(calendar, book, now or utc_now(), session.lease)
