"""Fouls: who commits them, what they give, and who has the ball afterwards."""

from __future__ import annotations

from processors.sample.court import FOULS_ALLOWED, Man, Side
from processors.sample.dice import edges
from processors.sample.floor import Floor

_ODD = (
    ("technical", 0.30),
    ("defensive-3-second technical", 0.12),
    ("double technical", 0.04),
    ("flagrant-type-1", 0.055),
    ("flagrant-type-2", 0.01),
    ("transition take", 0.06),
    ("away-from-play", 0.045),
    ("clear-path", 0.012),
)
"""Fouls after which the attack shoots, or nobody does, and keeps the ball; how often in a game of a team."""
ODD_PER_GAME = sum(often for _, often in _ODD)
_ODD_KINDS = tuple(kind for kind, _ in _ODD)
_ODD_EDGES = edges([often for _, often in _ODD])
_FREE_THROWS = {"flagrant-type-1": 2, "flagrant-type-2": 2, "clear-path": 2}


def fouler(floor: Floor, side: Side) -> Man:
    """Who fouls; nobody fouls out of a side that has nobody left to come in."""
    man = floor.dice.weighted(side.court, side.foulers)
    if man.fouls == FOULS_ALLOWED - 1 and not side.bench:
        return min(side.court, key=lambda one: one.fouls)
    return man


def in_penalty(floor: Floor, side: Side) -> bool:
    """Whether the next common foul of a side gives free throws."""
    late = floor.book.clock <= 1200 and side.late_fouls >= 1  # noqa: PLR2004 -- two minutes
    return late or side.fouls >= (3 if floor.book.is_overtime else 4)


def personal(floor: Floor, side: Side, kind: str, victim: Man, shots: int = 0) -> None:
    """A personal foul of the defence, on one of the attack."""
    man = fouler(floor, side)
    man.fouls += 1
    side.fouls += 1
    side.late_fouls += floor.book.clock <= 1200  # noqa: PLR2004 -- two minutes
    word = "" if kind == "personal" else f"{kind} "
    gift = f" ({victim.player.brief} {shots} FT)" if shots else ""
    tags = ("inpenalty," if in_penalty(floor, side) else "") + (f"{shots}freethrow" if shots else "")
    floor.book.add(
        "foul",
        f"{man.player.brief} {word}personal FOUL ({man.fouls} PF){gift}",
        side.abbr,
        man.player,
        victim.player,
        sub=kind,
        tags=tags.rstrip(","),
    )


def offensive(floor: Floor, man: Man, kind: str, victim: Man) -> None:
    """A personal foul of the attack; the turnover is an event of its own."""
    man.fouls += 1
    side = floor.home if man in floor.home.court else floor.away
    text = f"{man.player.brief} {kind} FOUL ({man.fouls} PF)"
    floor.book.add("foul", text, side.abbr, man.player, victim.player, sub=kind)


def odd(floor: Floor, attack: Side) -> None:
    """A rare foul of the defence: the attack shoots and keeps the ball, and nobody changes in between."""
    kind = floor.dice.weighted(_ODD_KINDS, _ODD_EDGES)
    if kind == "double technical":
        for side in (attack.other, attack):
            _technical(floor, side, kind)
    elif kind.endswith("technical"):
        if _technical(floor, attack.other, kind):
            best = max(attack.court, key=lambda man: man.player.free_throws)
            floor.free_throws(attack, best, 1, ball_stays=True)
    else:
        victim, shots = floor.dice.weighted(attack.court, attack.shooters), _FREE_THROWS.get(kind, 1)
        personal(floor, attack.other, kind, victim, shots)
        floor.free_throws(attack, victim, shots, ball_stays=True)
        if any(man.fouls >= FOULS_ALLOWED for man in attack.other.court):
            floor.stop(victim)


def _technical(floor: Floor, side: Side, kind: str) -> bool:
    """A technical foul, which is no personal one; nobody gets a second, for which he would have to leave."""
    man = floor.dice.pick(side.court)
    if man.technicals:
        return False
    man.technicals += 1
    text = f"{man.player.brief} {kind} FOUL (1 Tech)"
    tags = "" if kind.startswith("double") else "1freethrow"
    floor.book.add("foul", text, side.abbr, man.player, sub=kind, tags=tags)
    return True
