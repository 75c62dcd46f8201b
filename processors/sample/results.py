"""A played game as rows: schedule, play-by-play, and the box scores that follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from processors.sample.box import Box, Line
from processors.sample.calendar import FINAL, Fixture
from processors.sample.court import Man, Side
from processors.sample.floor import Floor
from processors.sample.health import Squad
from processors.sample.rosters import TEAM_IDS
from processors.sample.scorebook import Event
from processors.sample.write import flag

Row = tuple[object, ...]

_NOT_PLAYED: Row = (None,) * 15
_COACH = "DNP - Coach's Decision"
_FALLBACK_IDS = 4000000


def schedule(fixture: Fixture, score: tuple[int, int] | tuple[None, None], today: date) -> Row:
    """The row of a game in the schedule; what was not played is known since yesterday."""
    known = fixture.date if fixture.status == FINAL else min(fixture.date, today - timedelta(days=1))
    return (
        fixture.game_id,
        fixture.nba_game_id,
        fixture.date,
        fixture.season,
        fixture.status,
        fixture.tip.isoformat(),
        fixture.home,
        fixture.away,
        TEAM_IDS[fixture.home],
        TEAM_IDS[fixture.away],
        *score,
        flag(value=fixture.neutral),
        morning_after(known),
    )


def morning_after(day: date) -> str:
    """When the results of a day are there."""
    return datetime.combine(day + timedelta(days=1), time(10), UTC).isoformat()


def plays(fixture: Fixture, events: list[Event]) -> Iterator[Row]:
    """Every event, in the feed's order."""
    front = (fixture.game_id, fixture.nba_game_id, fixture.date, fixture.season)
    back = (morning_after(fixture.date),)
    return ((*front, *event, *back) for event in events)


def team_box(fixture: Fixture, floor: Floor, box: Box) -> Iterator[Row]:
    """The two teams."""
    for side in (floor.home, floor.away):
        line = box.team(side.abbr, [man.player.id for man in side.men])
        yield (
            fixture.game_id,
            fixture.nba_game_id,
            fixture.date,
            fixture.season,
            TEAM_IDS[side.abbr],
            side.abbr,
            flag(value=side.home),
            _clock(5 * floor.book.seconds),
            *line.values[:12],
            line.fouls,
            line.turnovers,
            morning_after(fixture.date),
        )


def player_box(fixture: Fixture, side: Side, squad: Squad, box: Box) -> Iterator[Row]:
    """Everybody listed for a team: who played, who sat, who was not there."""
    front = (fixture.game_id, fixture.nba_game_id, fixture.date, fixture.season)
    back = morning_after(fixture.date)
    for man in side.men:
        who = (man.player.id, man.player.lookup, man.player.name, side.abbr)
        if man.seconds:
            yield *front, *who, "active", None, *_played(side, man, box.player(man.player.id)), back
        else:
            yield *front, *who, "dnp", _COACH, flag(value=False), *_NOT_PLAYED, None, back
    for status, doubts in (("dnp", squad.scratched), ("inactive", squad.inactive)):
        for doubt in doubts:
            who = (doubt.player.id, doubt.player.lookup, doubt.player.name, side.abbr)
            yield *front, *who, status, doubt.reason, flag(value=False), *_NOT_PLAYED, None, back


def fallback_box(fixture: Fixture, side: Side, box: Box) -> Iterator[Row]:
    """The same of another source: whole minutes, zero for who sat, its own ids, no plus-minus."""
    for man in side.men:
        line = box.player(man.player.id)
        yield (
            fixture.game_id,
            fixture.date,
            fixture.season,
            man.player.lookup,
            man.player.name,
            _FALLBACK_IDS + man.player.id % 1000,
            side.abbr,
            str(max(1, round(man.seconds / 60)) if man.seconds else 0),
            *line.values,
            morning_after(fixture.date),
        )


def _played(side: Side, man: Man, line: Line) -> Row:
    return flag(value=man in side.starters), _clock(man.seconds), *line.values, man.plus_minus


def _clock(seconds: int) -> str:
    return f"{seconds // 60:02d}:{seconds % 60:02d}"
