"""A game, possession by possession: clock, shots, rebounds, turnovers."""

from __future__ import annotations

from typing import NamedTuple

from processors.sample import shots, whistle
from processors.sample.court import FOULS_ALLOWED, Man, Side
from processors.sample.dice import Dice, edges
from processors.sample.floor import Floor
from processors.sample.shots import Shot


class Start(NamedTuple):
    """How a team comes by its next chance to score: tenths of a second that it then takes, and what it is called."""

    mean: float
    spread: float
    least: int
    most: int
    tags: str = ""


DEAD_BALL = Start(129, 44, 30, 240)
REBOUND = Start(112, 46, 20, 240)
STEAL = Start(72, 48, 10, 240, "fromturnover")
SECOND_CHANCE = Start(48, 40, 10, 140, "2ndchance")
SIDE_OUT = Start(74, 34, 20, 140)

_TURNOVERS = (
    ("bad pass", 5.15),
    ("lost ball", 3.17),
    ("bad pass out-of-bounds", 1.68),
    ("offensive foul", 1.40),
    ("lost ball out-of-bounds", 0.83),
    ("shot clock", 0.76),
    ("traveling", 0.63),
    ("out-of-bounds", 0.33),
    ("backcourt", 0.11),
    ("3-second", 0.05),
    ("double dribble", 0.03),
    ("5-second", 0.03),
    ("8-second", 0.03),
    ("palming", 0.03),
)
_TURNOVER_KINDS = tuple(kind for kind, _ in _TURNOVERS)
_TURNOVER_EDGES = edges([often for _, often in _TURNOVERS])
_STOLEN = ("bad pass", "lost ball")
_OF_THE_TEAM = {"shot clock": 240, "5-second": 50, "8-second": 80}
"""Turnovers that are nobody's own, and the tenths of a second that they take."""
_OFFENSIVE_FOULS = ("offensive", "offensive", "offensive", "charge offensive", "off-the-ball offensive")

_P_ODD = whistle.ODD_PER_GAME / 114
_P_FOUL = _P_ODD + 0.047
_P_TURNOVER = _P_FOUL + 0.1225
_REBOUNDS = edges((0.658, 0.233, 0.037, 0.046, 0.026))
_FREE_THROW_REBOUNDS = edges((0.81, 0.115, 0.03, 0.025, 0.02))
_REBOUND_KINDS = ("defensive", "offensive", "team defensive", "team offensive", "loose ball")
_FINAL_PERIOD = 4
_EASE = 0.0009
"""What each point of a lead takes from the share of tries that go in."""


def play(home: Side, away: Side, dice: Dice) -> Floor:
    """Play a game to its end; events, men and possessions are on the floor that is returned."""
    game = _Game(home, away, dice)
    first = home if dice.random() < 0.5 else away  # noqa: PLR2004 -- either
    for period in range(1, 5):
        # who won the tip also begins the fourth quarter
        game.period(first if period in (1, 4) else first.other)
    while game.book.home == game.book.away:
        game.period(home if dice.random() < 0.5 else away)  # noqa: PLR2004 -- either
    game.floor.close()
    game.book.add("game", "Game End")
    return game.floor


class _Game:
    def __init__(self, home: Side, away: Side, dice: Dice) -> None:
        self.floor = Floor(home, away, dice)
        self.book = self.floor.book
        self.dice = dice
        self.tempo = (home.team.tempo + away.team.tempo) / 2

    def period(self, attack: Side) -> None:
        """One period; `attack` begins."""
        self.floor.open_period()
        if self.book.period == 1 or self.book.is_overtime:
            one, two = (max(side.court, key=lambda man: man.player.blocks) for side in (attack, attack.other))
            text = f"Jump Ball {one.player.brief} vs. {two.player.brief}"
            self.book.add("jumpball", text, attack.abbr, one.player, two.player)
        start = DEAD_BALL
        while self.book.clock > 0:
            start = self.possession(attack, start)
            attack = attack.other
        self.book.add("period", f"End of period {self.book.period}")

    def possession(self, attack: Side, start: Start) -> Start:
        """One possession; how the other team's begins."""
        attack.possessions += 1
        over = False
        while not over and self.book.clock > 0:
            over, start = self.chance(attack, start)
        return start

    def chance(self, attack: Side, start: Start) -> tuple[bool, Start]:
        """What a team makes of one chance; whether the possession is over, and how the next chance begins."""
        book = self.book
        if self.must_foul(attack):
            book.run(10 + self.dice.below(30))
            if book.whistle():
                return self.common_foul(attack, "take")
        began = book.clock
        if not self.wait(attack, start):
            book.clock = 0
            return True, DEAD_BALL
        roll = self.dice.random()
        if roll < _P_FOUL and book.whistle():
            if roll < _P_ODD:
                whistle.odd(self.floor, attack)
                return False, SIDE_OUT
            return self.common_foul(attack, "personal")
        if roll < _P_TURNOVER and book.clock:
            return True, self.turnover(attack, began, start)
        return self.shot(attack, start)

    def must_foul(self, attack: Side) -> bool:
        """Whether the defence is behind, and late."""
        ahead = self.floor.margin(attack)
        late = self.book.period >= _FINAL_PERIOD and self.book.clock < 400  # noqa: PLR2004 -- 40 seconds
        return late and 1 <= ahead <= 8 and self.book.clock * 8 < 3200 + 400 * (ahead - 3)  # noqa: PLR2004

    def needs_three(self, attack: Side) -> bool:
        """Whether only three points can save the game."""
        return self.book.period >= _FINAL_PERIOD and self.book.clock < 250 and self.floor.margin(attack) == -3  # noqa: PLR2004

    def wait(self, attack: Side, start: Start) -> bool:
        """Let the clock run until the team does something; False if the period ends before."""
        book, random = self.book, self.dice.random
        left = book.clock
        if left < 4 or (left < 30 and random() < 0.55):  # noqa: PLR2004 -- 0.3 seconds allow no shot, 3 hardly one
            return False
        if book.period >= _FINAL_PERIOD and left <= 240 and self.floor.margin(attack) > 0:  # noqa: PLR2004
            return random() < 0.06  # noqa: PLR2004 -- who leads holds the ball
        time = min(max(self.dice.bell(start.mean, start.spread) * self.tempo, start.least), start.most)
        if left <= start.most and random() < 0.7:  # noqa: PLR2004 -- the last shot of the period
            time = max(time, left - 40 * random())
        if time >= left and random() < 0.35:  # noqa: PLR2004
            return False
        book.run(int(time))
        return True

    def common_foul(self, attack: Side, kind: str) -> tuple[bool, Start]:
        """A foul that is not on a shot: side-out, or two free throws in the penalty."""
        victim = self.dice.weighted(attack.court, attack.shooters)
        bonus = whistle.in_penalty(self.floor, attack.other)
        whistle.personal(self.floor, attack.other, kind, victim, 2 if bonus else 0)
        if bonus:
            return self.trip(attack, victim, 2)
        self.floor.stop()
        return False, SIDE_OUT

    def trip(self, attack: Side, man: Man, total: int) -> tuple[bool, Start]:
        """Free throws after which the ball is live."""
        self.floor.stop(man)
        if self.floor.free_throws(attack, man, total):
            return True, DEAD_BALL
        return self.rebound(attack, _FREE_THROW_REBOUNDS)

    def turnover(self, attack: Side, began: int, start: Start) -> Start:
        """The ball is lost."""
        book, dice, defence = self.book, self.dice, attack.other
        kind = dice.weighted(_TURNOVER_KINDS, _TURNOVER_EDGES)
        if kind in _OF_THE_TEAM:
            book.clock = began
            book.run(min(_OF_THE_TEAM[kind], start.most))
            if not book.clock:
                return DEAD_BALL
            book.add("turnover", f"{attack.abbr} {kind} Team TURNOVER", attack.abbr, sub=kind, tags="team")
            self.floor.stop()
            return DEAD_BALL
        man = dice.weighted(attack.court, attack.losers)
        if kind in _STOLEN:
            thief = dice.weighted(defence.court, defence.stealers).player
            book.add("turnover", f"{man.player.brief} {kind} TURNOVER", attack.abbr, man.player, thief, sub=kind)
            book.add("steal", f"{thief.brief} STEAL", defence.abbr, thief)
            return STEAL
        if kind == "offensive foul" and book.whistle():
            if man.fouls == FOULS_ALLOWED - 1 and not attack.bench:
                man = min(attack.court, key=lambda one: one.fouls)
            victim = dice.pick(defence.court)
            whistle.offensive(self.floor, man, dice.pick(_OFFENSIVE_FOULS), victim)
        elif kind == "offensive foul":
            kind = "out-of-bounds"
        book.add("turnover", f"{man.player.brief} {kind} TURNOVER", attack.abbr, man.player, sub=kind)
        self.floor.stop()
        return DEAD_BALL

    def shot(self, attack: Side, start: Start) -> tuple[bool, Start]:
        """A try: to the line, in, or off the rim."""
        dice, book, random = self.dice, self.book, self.dice.random
        man = dice.weighted(attack.court, attack.shooters)
        player = man.player
        zone = dice.weighted(range(5), player.zone_edges)
        heave = book.clock < 15 and random() < 0.3  # noqa: PLR2004 -- a second and a half
        if heave or (self.needs_three(attack) and random() < 0.85):  # noqa: PLR2004
            zone = shots.ABOVE
        if not heave and random() < shots.FOULED[zone] * player.draws and book.whistle():
            total = 3 if zone in shots.THREES else 2
            whistle.personal(self.floor, attack.other, "shooting", man, total)
            return self.trip(attack, man, total)
        # who is behind tries harder
        lead = min(max(self.floor.margin(attack), -20), 20)
        odds = shots.MADE[zone] + player.touch[zone] + attack.shift - attack.other.team.defence - lead * _EASE
        if random() >= (0.03 if heave else odds):
            self.miss(attack, man, zone, start, heave=heave)
            return self.rebound(attack, _REBOUNDS)
        and_one = not heave and random() < shots.AND_ONE[zone] and book.whistle()
        self.make(attack, man, zone, start, heave=heave)
        if and_one:
            whistle.personal(self.floor, attack.other, "shooting", man, 1)
            return self.trip(attack, man, 1)
        return True, DEAD_BALL

    def make(self, attack: Side, man: Man, zone: int, start: Start, *, heave: bool) -> None:
        """A basket, with or without an assist."""
        value = 3 if zone in shots.THREES else 2
        x, y, distance = shots.place(self.dice, zone, heave=heave)
        self.floor.score(attack, value)
        unaided = (1 - shots.ASSISTED[zone]) * man.player.alone
        passer = None
        if not heave and self.dice.random() >= unaided:
            passer = man
            while passer is man:
                passer = self.dice.weighted(attack.court, attack.passers)
        self.book.add(
            f"{value}pt",
            f"{man.player.brief} {distance:.0f}' {self.dice.pick(shots.WORDS[zone])}"
            + (f" ({passer.player.brief} AST)" if passer else ""),
            attack.abbr,
            man.player,
            passer.player if passer else None,
            tags=_tags(zone, start),
            shot=Shot("true", value, distance, x, y),
        )

    def miss(self, attack: Side, man: Man, zone: int, start: Start, *, heave: bool) -> None:
        """A shot that does not go in, with or without a block."""
        value = 3 if zone in shots.THREES else 2
        x, y, distance = shots.place(self.dice, zone, heave=heave)
        defence, blocker = attack.other, None
        if not heave and self.dice.random() < shots.BLOCKED[zone]:
            blocker = self.dice.weighted(defence.court, defence.blockers).player
        self.book.add(
            f"{value}pt",
            f"MISS {man.player.brief} {distance:.0f}' {self.dice.pick(shots.WORDS[zone])}"
            + (" - blocked" if blocker else ""),
            attack.abbr,
            man.player,
            blocker,
            tags=_tags(zone, start),
            shot=Shot("false", value, distance, x, y),
        )
        if blocker:
            self.book.add("block", f"{blocker.brief} BLOCK", defence.abbr, blocker)

    def rebound(self, attack: Side, odds: tuple[float, ...]) -> tuple[bool, Start]:
        """Who gets the ball after a miss; whether the possession is over, and how the next chance begins."""
        book, dice, defence = self.book, self.dice, attack.other
        kind = dice.weighted(_REBOUND_KINDS, odds)
        time = 10 + dice.below(3) * 10
        if book.clock <= time + 10:
            # the period ends with the miss: the book gives the ball to those who had it
            self.floor.team_rebound(attack, "offensive")
            book.clock = 0
            return True, DEAD_BALL
        if kind == "defensive":
            book.run(time)
            man = dice.weighted(defence.court, defence.defensive_rebounders)
            book.add("rebound", f"{man.player.brief} REBOUND (Def)", defence.abbr, man.player)
            return True, REBOUND
        if kind == "offensive":
            book.run(time)
            man = dice.weighted(attack.court, attack.offensive_rebounders)
            book.add("rebound", f"{man.player.brief} REBOUND (Off)", attack.abbr, man.player)
            return False, SECOND_CHANCE
        if kind == "loose ball":
            return self.loose_ball(attack, time)
        winner, which = (attack, "offensive") if kind == "team offensive" else (defence, "defensive")
        self.floor.team_rebound(winner, which)
        self.floor.stop()
        return (False, SIDE_OUT) if winner is attack else (True, DEAD_BALL)

    def loose_ball(self, attack: Side, time: int) -> tuple[bool, Start]:
        """A foul in the fight for the rebound: the ball, and in the penalty free throws, for the other team."""
        self.book.run(time)
        self.book.whistle()
        defence = attack.other
        if self.dice.random() < 0.4 and not whistle.in_penalty(self.floor, attack):  # noqa: PLR2004
            self.floor.team_rebound(defence, "defensive")
            whistle.personal(self.floor, attack, "loose ball", self.dice.pick(defence.court))
            self.floor.stop()
            return True, DEAD_BALL
        self.floor.team_rebound(attack, "offensive")
        return self.common_foul(attack, "loose ball")


def _tags(zone: int, start: Start) -> str:
    paint = "pointsinthepaint" if zone in (shots.RIM, shots.PAINT) else ""
    return f"{paint},{start.tags}" if paint and start.tags else paint or start.tags
