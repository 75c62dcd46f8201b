"""Where shots are taken and what becomes of them, by zone."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from processors.sample.dice import Dice

RIM, PAINT, MID, CORNER, ABOVE = range(5)
THREES = (CORNER, ABOVE)

MADE = (0.660, 0.437, 0.416, 0.388, 0.351)
"""Share of tries that go in where nobody is fouled and missing."""
ASSISTED = (0.585, 0.50, 0.48, 0.96, 0.80)
BLOCKED = (0.285, 0.194, 0.04, 0.018, 0.013)
"""Share of misses."""
FOULED = (0.176, 0.098, 0.033, 0.007, 0.010)
"""Share of tries that end at the line without an attempt."""
AND_ONE = (0.105, 0.055, 0.018, 0.004, 0.004)
"""Share of makes."""
WORDS = (
    ("driving Layup", "cutting Layup", "DUNK", "Layup", "running Layup"),
    ("driving floating Shot", "Hook", "turnaround Shot", "Shot"),
    ("pullup Shot", "step back Shot", "fadeaway Shot"),
    ("3PT", "3PT"),
    ("3PT", "pullup 3PT", "step back 3PT"),
)
_UNPLACED = 0.00015


class Shot(NamedTuple):
    """The columns of play-by-play that a shot or free throw fills."""

    made: str | None = None
    value: int | None = None
    distance: float | None = None
    x: float | None = None
    y: float | None = None


NO_SHOT = Shot()


def place(dice: Dice, zone: int, *, heave: bool) -> tuple[float | None, float | None, float]:
    """Coordinates in tenths of a foot, seen from the hoop, and the distance in whole feet."""
    x, y = _from_far(dice) if heave else _PLACES[zone](dice)
    distance = float(int(sqrt(x * x + y * y) / 10))
    if dice.random() < _UNPLACED:
        return None, None, distance
    return x / 10, y / 10, distance


def _at_rim(dice: Dice) -> tuple[int, int]:
    while True:
        x, y = int(dice.bell(0, 13)), int(dice.bell(12, 11))
        if x * x + y * y < 1600:  # noqa: PLR2004 -- the rim is what lies within 4 feet
            return x, y


def _in_paint(dice: Dice) -> tuple[int, int]:
    while True:
        x, y = int(dice.bell(0, 36)), int(dice.bell(58, 34))
        if x * x + y * y >= 1600 and -80 <= x <= 80 and -30 <= y <= 138:  # noqa: PLR2004 -- the lane
            return x, y


def _mid_range(dice: Dice) -> tuple[int, int]:
    while True:
        x, y = int(dice.between(-190, 190)), int(dice.between(-25, 200))
        if not (-80 <= x <= 80 and y <= 138) and x * x + y * y < 215 * 215:  # noqa: PLR2004 -- outside the lane
            return x, y


def _in_corner(dice: Dice) -> tuple[int, int]:
    x, y = int(dice.between(221, 238)), int(dice.between(-30, 87))
    return (x if dice.random() < 0.5 else -x), y  # noqa: PLR2004


def _above_break(dice: Dice) -> tuple[int, int]:
    far = dice.random()
    distance, side = 240 + 38 * far * far, dice.between(-0.9, 0.9)
    return int(distance * side), max(89, int(distance * sqrt(1 - side * side)))


def _from_far(dice: Dice) -> tuple[int, int]:
    return int(dice.between(-200, 200)), int(dice.between(350, 760))


_PLACES = (_at_rim, _in_paint, _mid_range, _in_corner, _above_break)
