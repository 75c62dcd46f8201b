"""Teams and players: who there is, how good he is and what he tends to do."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from processors.sample import names
from processors.sample.dice import Dice, edges
from shared.tables.team_locations import TEAM_LOCATIONS

_LEAGUE_ORDER = """
ATL BOS CLE NOP CHI DAL DEN GSW HOU LAC LAL MIA MIL MIN BKN NYK ORL IND PHI PHX POR SAC SAS OKC TOR UTA MEM WAS DET CHA
"""
TEAM_IDS = {abbr: 1610612737 + number for number, abbr in enumerate(_LEAGUE_ORDER.split())}
_FIRST_PLAYER_ID = 1900001
"""Beyond any number that the league has given."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What players of one position have in common; shares and rates are relative to each other.

    Attributes:
        zones: tries at the rim, in the rest of the paint, from mid-range, the corners and above the break.
        touch: what is added to the share of tries that go in, in the same order.
        alone: how far baskets need no assist.
    """

    zones: tuple[float, float, float, float, float]
    touch: tuple[float, float, float, float, float]
    free_throws: float
    offensive_rebounds: float
    defensive_rebounds: float
    assists: float
    steals: float
    blocks: float
    turnovers: float
    fouls: float
    alone: float


GUARD = Kind(
    (0.235, 0.195, 0.12, 0.08, 0.37), (-0.02, 0, 0, 0, 0.01), 0.83, 0.55, 3.1, 5.2, 1.25, 0.3, 1.15, 0.95, 1.18
)
WING = Kind((0.265, 0.185, 0.09, 0.145, 0.315), (-0.01, 0, 0, 0, 0.005), 0.80, 0.9, 3.8, 2.9, 1.1, 0.45, 0.9, 1.0, 0.95)
FORWARD = Kind((0.32, 0.205, 0.09, 0.125, 0.26), (0, 0, 0, 0, -0.005), 0.77, 1.4, 4.8, 2.7, 0.95, 0.75, 0.92, 1.1, 0.9)
BIG = Kind(
    (0.465, 0.275, 0.075, 0.03, 0.155), (0.03, 0.02, 0, -0.01, -0.015), 0.70, 2.5, 6.4, 2.3, 0.8, 1.6, 1.0, 1.3, 0.72
)
_KINDS = (GUARD, WING, FORWARD, BIG, GUARD, WING, BIG, GUARD, FORWARD, WING, GUARD, FORWARD, BIG, WING, GUARD, FORWARD)
_USAGE = (
    (1.72, 0.23),
    (1.46, 0.20),
    (1.28, 0.18),
    (1.00, 0.16),
    (0.84, 0.15),
    (1.03, 0.18),
    (0.86, 0.16),
)
_USAGE_OF_THE_REST = (0.76, 0.17)
"""How much of the team's play goes through the best man, the second and so on, and how teams differ."""


@dataclass(frozen=True, slots=True, eq=False)
class Player:
    """One player.

    Attributes:
        lookup: the name as `player_lookup` spells it.
        brief: the name as descriptions of plays spell it.
        level: what he is worth; the best of a team play most.
        usage: how much of the play goes through him, 1 = like any other.
        zone_edges: where he shoots from, for `Dice.weighted`.
        touch: what he adds to the share of tries that go in, by zone.
        draws: how often he is fouled when he shoots, 1 = usual.
    """

    id: int
    name: str
    lookup: str
    brief: str
    level: float
    usage: float
    zone_edges: tuple[float, ...]
    touch: tuple[float, ...]
    draws: float
    free_throws: float
    offensive_rebounds: float
    defensive_rebounds: float
    assists: float
    steals: float
    blocks: float
    turnovers: float
    fouls: float
    alone: float


@dataclass(slots=True, eq=False)
class Team:
    """One team.

    Attributes:
        attack: what is added to the share of its tries that go in.
        defence: what is taken from the share of its opponents' tries that go in.
        tempo: length of its possessions, 1 = usual.
    """

    abbr: str
    attack: float
    defence: float
    tempo: float
    players: list[Player] = field(default_factory=list)

    @property
    def id(self) -> int:
        """The number that the league gives it."""
        return TEAM_IDS[self.abbr]

    def ranked(self) -> list[Player]:
        """The best player first."""
        return sorted(self.players, key=lambda player: -player.level)


def league(seed: int) -> dict[str, Team]:
    """Thirty teams with fifteen or sixteen players each."""
    dice = Dice(seed, "league")
    taken: set[str] = set()
    teams = {}
    for number, (abbr, *_) in enumerate(TEAM_LOCATIONS):
        team = Team(abbr, dice.bell(0, 0.014), dice.bell(0, 0.014), dice.bell(1, 0.022))
        for rank in range(16 if number % 2 else 15):
            name = _new_name(dice, len(taken), taken)
            team.players.append(_player(dice, _FIRST_PLAYER_ID + len(taken), name, rank))
            taken.add(lookup(name))
        teams[abbr] = team
    return teams


def lookup(name: str) -> str:
    """A name without diacritics, in lower case, letters and digits only."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in plain if letter.isalnum())


def trade(teams: dict[str, Team], seed: object) -> tuple[Player, str, str]:
    """Move a man of the second five from a team of sixteen to one of fifteen; say who, from where and to where."""
    dice = Dice(seed, "trade")
    giver = dice.pick([team for team in teams.values() if len(team.players) > 15])  # noqa: PLR2004 -- as league() has it
    taker = dice.pick([team for team in teams.values() if len(team.players) == 15])  # noqa: PLR2004
    player = giver.ranked()[6]
    giver.players.remove(player)
    taker.players.append(player)
    return player, giver.abbr, taker.abbr


def _new_name(dice: Dice, number: int, taken: set[str]) -> str:
    while True:
        name = _name(dice, number)
        if lookup(name) not in taken:
            return name


def _name(dice: Dice, number: int) -> str:
    """Mostly plain; every so many with initials, a diacritic, a hyphen or a suffix."""
    first = dice.pick(names.FIRST)
    last = dice.pick(names.LAST)
    if number % 14 == 3:  # noqa: PLR2004
        first = dice.pick(names.INITIALS)
    elif number % 11 == 5:  # noqa: PLR2004
        first = dice.pick(names.ACCENTED_FIRST)
    if number % 9 == 4:  # noqa: PLR2004
        last = dice.pick(names.ACCENTED_LAST)
    elif number % 23 == 10:  # noqa: PLR2004
        last = dice.pick(names.HYPHENATED_LAST)
    suffix = f" {dice.pick(names.SUFFIXES)}" if number % 16 == 7 else ""  # noqa: PLR2004
    return f"{first} {last}{suffix}"


def _player(dice: Dice, number: int, name: str, rank: int) -> Player:
    kind = _KINDS[rank]
    usage, spread = _USAGE[rank] if rank < len(_USAGE) else _USAGE_OF_THE_REST
    usage = max(0.45, dice.bell(usage, spread))
    # who has the ball most passes and loses it most, and is guarded best
    passing = kind.assists * usage * dice.between(0.6, 1.5)
    touch = dice.bell(0.002 if rank < 5 else -0.004, 0.014)  # noqa: PLR2004 -- starters are a little better
    first, _, rest = name.partition(" ")
    return Player(
        id=number,
        name=name,
        lookup=lookup(name),
        brief=f"{first if '.' in first else first[0] + '.'} {rest}",
        level=dice.bell(100 - 4.0 * rank, 0.6),
        usage=usage,
        zone_edges=edges([share * dice.between(0.55, 1.45) for share in kind.zones]),
        touch=tuple(touch + more for more in kind.touch),
        draws=(0.5 + 0.4 * usage) * dice.between(0.7, 1.3),
        free_throws=min(0.94, dice.bell(kind.free_throws, 0.06)),
        offensive_rebounds=kind.offensive_rebounds * dice.between(0.6, 1.4),
        defensive_rebounds=kind.defensive_rebounds * dice.between(0.7, 1.3),
        assists=passing,
        steals=kind.steals * dice.between(0.6, 1.4),
        blocks=kind.blocks * dice.between(0.5, 1.5),
        turnovers=kind.turnovers * (0.35 + 0.65 * usage) * dice.between(0.8, 1.2),
        fouls=kind.fouls * dice.between(0.75, 1.25),
        alone=kind.alone * (0.75 + 0.25 * usage),
    )
