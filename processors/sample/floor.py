"""The floor of a game: two sides, the book, and what happens when the whistle stops play."""

from __future__ import annotations

from processors.sample.court import FOULS_ALLOWED, Man, Mood, Side
from processors.sample.dice import Dice
from processors.sample.scorebook import OVERTIME, QUARTER, Scorebook
from processors.sample.shots import Shot

_MANDATORY = (4200, 1800)
"""Clock below which the next stop is a timeout, if it was not one yet."""
_FREE_THROW = {True: Shot("true", 1), False: Shot("false", 1)}


class Floor:
    """Two sides and their book; what both halves of the rules, play and whistle, work on."""

    def __init__(self, home: Side, away: Side, dice: Dice) -> None:
        self.home, self.away, self.dice = home, away, dice
        home.other, away.other = away, home
        self.book = Scorebook(dice)
        self._mandatory: list[int] = []
        self._changed_at = -1
        self._name_court()

    def margin(self, side: Side) -> int:
        """Points ahead."""
        ahead = self.book.home - self.book.away
        return ahead if side.home else -ahead

    def score(self, side: Side, points: int) -> None:
        """Points for a side."""
        if side.home:
            self.book.home += points
        else:
            self.book.away += points

    def open_period(self) -> None:
        """Clock, team fouls, and the men who begin it."""
        self.book.open_period()
        self._mandatory = [] if self.book.is_overtime else list(_MANDATORY)
        for side in (self.home, self.away):
            side.fouls = side.late_fouls = 0
        if self.book.period > 1:
            self._substitute(None, tags="startperiod")

    def close(self) -> None:
        """The game is over: what the men on court have gathered is theirs."""
        for side in (self.home, self.away):
            for man in side.court:
                side.clock_out(man, self.book.seconds, self.margin(side))

    def stop(self, keep: Man | None = None) -> None:
        """Play stands still: timeouts and substitutions, but not for who shoots next."""
        self._timeout()
        # only on whole seconds, so that minutes add up, and once a moment, so that nobody comes in for no time
        if self.book.clock % 10 == 0 and self.book.clock:
            self._substitute(keep)

    def free_throws(self, side: Side, man: Man, total: int, *, ball_stays: bool = False) -> bool:
        """A trip to the line; whether the last one went in. A miss that is not live is a team rebound."""
        made = False
        for number in range(1, total + 1):
            made = self.dice.random() < man.player.free_throws
            self.score(side, int(made))
            text = f"{'' if made else 'MISS '}{man.player.brief} Free Throw {number} of {total}"
            self.book.add("freethrow", text, side.abbr, man.player, shot=_FREE_THROW[made], number=number, total=total)
            if not made and (number < total or ball_stays):
                self.team_rebound(side, "offensive", "deadball,team")
        return made

    def team_rebound(self, side: Side, which: str, tags: str = "team") -> None:
        """A rebound that is nobody's own."""
        self.book.add("rebound", f"TEAM {which} REBOUND", side.abbr, sub=which, tags=tags)

    def _timeout(self) -> None:
        clock = self.book.clock
        close = self.book.period > 3 and clock < 1800 and abs(self.margin(self.home)) < 9  # noqa: PLR2004 -- a close end
        mandatory = bool(self._mandatory) and clock < self._mandatory[0]
        if not mandatory and self.dice.random() > (0.16 if close else 0.035):
            return
        side = self.home if self.dice.random() < 0.5 else self.away  # noqa: PLR2004 -- either
        if not side.timeouts:
            return
        if mandatory:
            self._mandatory.pop(0)
        side.timeouts -= 1
        self.book.add("timeout", f"{side.abbr} Timeout", side.abbr, tags="team,mandatory" if mandatory else "team")

    def _mood(self, side: Side) -> Mood:
        period, clock, margin = self.book.period, self.book.clock, abs(self.margin(side))
        if period == 3 and clock == QUARTER:  # noqa: PLR2004 -- the second half
            return Mood.BEST
        if period >= 4 and margin > 14 and margin * 240 > 2 * clock:  # noqa: PLR2004 -- a point for every 12 seconds
            return Mood.LOST
        if period >= 4 and clock <= OVERTIME and margin <= 14:  # noqa: PLR2004
            return Mood.BEST
        return Mood.USUAL

    def _substitute(self, keep: Man | None, tags: str = "") -> None:
        """Change men on both sides, in one batch: who leaves, then who comes in."""
        book, now = self.book, self.book.seconds
        sides = (self.home, self.away)
        changes = [(side, out, in_) for side in sides for out, in_ in side.changes(now, self._mood(side), keep)]
        if now == self._changed_at:
            changes = [change for change in changes if change[1].fouls >= FOULS_ALLOWED]
        if not changes:
            return
        self._changed_at = now
        book.court = None
        for side, out, in_ in changes:
            book.add("substitution", f"SUB out: {out.player.brief}", side.abbr, out.player, tags=tags)
            side.swap(out, in_, now, self.margin(side))
        for side in sides:
            side.settle()
        for at, (side, _, in_) in enumerate(changes):
            if at == len(changes) - 1:
                self._name_court()
            book.add("substitution", f"SUB in: {in_.player.brief}", side.abbr, in_.player, tags=tags)

    def _name_court(self) -> None:
        ids = sorted(man.player.id for side in (self.home, self.away) for man in side.court)
        self.book.court = f"[{','.join(map(str, ids))}]"
