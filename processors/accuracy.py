"""How near our figures come to the league's own.

Each figure is compared game by game with what the warehouse holds; a ratio only where its denominator is above zero
and, for a player, where he has minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from processors import answer_key
from processors.answer_key import ZONES, Row, Rows
from shared.warehouse.base import Session

_REGULAR_MINUTES = 10
"""Minutes from which the box form of usage is compared: below, a single play moves it by whole points."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure must reach; None where a bound does not apply."""

    exact_pct: float | None = None
    mean_abs_error: float | None = None
    max_error: float | None = None

    def reached(self, exact_pct: float, mean_abs_error: float, max_error: float) -> bool:
        """Whether measured values lie within every bound."""
        return (
            (self.exact_pct is None or exact_pct >= self.exact_pct)
            and (self.mean_abs_error is None or mean_abs_error <= self.mean_abs_error)
            and (self.max_error is None or max_error <= self.max_error)
        )

    def __str__(self) -> str:
        bounds = (
            f"exact >= {self.exact_pct:g} %" if self.exact_pct is not None else "",
            f"mean <= {self.mean_abs_error:g}" if self.mean_abs_error is not None else "",
            f"max <= {self.max_error:g}" if self.max_error is not None else "",
        )
        return ", ".join(filter(None, bounds))


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and how the two sides give it.

    Attributes:
        name: as reported.
        answers: which rows of the key, `team` or `player`.
        theirs: the league's value.
        ours: our value in the league's unit; None where we have none.
        digits: decimals that the league publishes; exact means equal after rounding to them.
        target: what to reach.
        compares: whether a row of the key, and ours where there is one, should be compared.
    """

    name: str
    answers: str
    theirs: Callable[[Row], float]
    ours: Callable[[Row], float | None]
    digits: int
    target: Target
    compares: Callable[[Row, Row | None], bool] = lambda _theirs, _ours: True


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure held against the answer key.

    Attributes:
        n: rows with both values.
        missing: rows that should compare and are NULL, or absent, in ours.
        exact_pct: share of n that is exact, in percent.
        mean_abs_error: in the unit of the league's figure, as are max_error and bias (ours minus theirs).
    """

    figure: str
    n: int
    missing: int
    exact_pct: float
    mean_abs_error: float
    max_error: float
    bias: float
    target: str
    ok: bool


def compare(session: Session, answers: Path) -> list[Comparison]:
    """Hold every figure against the key.

    Raises:
        NotFound: a file of the key is missing.
    """
    theirs = answer_key.read(answers)
    ours = answer_key.ours(session)
    return [_compare(figure, theirs[figure.answers], ours[figure.answers]) for figure in FIGURES]


def _compare(figure: Figure, theirs: Rows, ours: Rows) -> Comparison:
    errors: list[float] = []
    exact = missing = 0
    for own, answer in _pairs(figure, theirs, ours):
        if own is None:
            missing += 1
        else:
            errors.append(own - answer)
            exact += _is_exact(figure, own, answer)
    n = len(errors)
    exact_pct = 100 * exact / n if n else math.nan
    mean_abs_error = math.fsum(map(abs, errors)) / n if n else math.nan
    max_error = max(map(abs, errors), default=math.nan)
    return Comparison(
        figure=figure.name,
        n=n,
        missing=missing,
        exact_pct=exact_pct,
        mean_abs_error=mean_abs_error,
        max_error=max_error,
        bias=math.fsum(errors) / n if n else math.nan,
        target=str(figure.target),
        ok=n > 0 and missing == 0 and figure.target.reached(exact_pct, mean_abs_error, max_error),
    )


def _pairs(figure: Figure, theirs: Rows, ours: Rows) -> Iterator[tuple[float | None, float]]:
    """Our value, None where we owe one, and the league's."""
    for key, row in theirs.items():
        own = ours.get(key)
        if figure.compares(row, own):
            yield (figure.ours(own) if own else None), figure.theirs(row)


def _is_exact(figure: Figure, own: float, answer: float) -> bool:
    """Equal as published; a published value stands for all that round to it."""
    return abs(own - answer) <= 0.5 * 10.0**-figure.digits + 1e-9


def _column(name: str, factor: float = 1) -> Callable[[Row], float]:
    return lambda row: row[name] * factor


def _own(name: str) -> Callable[[Row], float | None]:
    return lambda row: row[name]


def _share(part: str, rest: str) -> Callable[[Row], float | None]:
    """The part of the two together; None where they are unknown or both zero."""

    def share(row: Row) -> float | None:
        whole = None if row[part] is None else row[part] + row[rest]
        return row[part] / whole if whole else None

    return share


def _played(theirs: Row, ours: Row | None) -> bool:
    return bool(ours or theirs["minutes_official"])


def _regular(theirs: Row, ours: Row | None) -> bool:
    minutes: float = ours["minutes_played"] if ours else theirs["minutes_official"]
    return minutes >= _REGULAR_MINUTES


def _on_court(theirs: Row, ours: Row | None) -> bool:
    # a ratio compares where its denominator is above zero; who had no play, and no possession that we saw, has 0 / 0
    plays = ours is None or ours["fg_attempts"] + ours["turnovers"]
    known = ours is not None and ours["usage_rate_on_court"] is not None
    return _played(theirs, ours) and bool(theirs["poss"]) and bool(known or plays)


def _having(*counts: str) -> Callable[[Row, Row | None], bool]:
    """Compare who played and whose counts, the ratio's denominator, are not all zero."""
    return lambda theirs, ours: _played(theirs, ours) and (ours is None or sum(ours[name] for name in counts) > 0)


_ALL_EXACT = Target(exact_pct=100)

FIGURES = (
    Figure("possessions", "team", _column("poss"), _own("possessions"), 0, Target(87.5, 0.135, 3)),
    Figure(
        "offensive_rating",
        "team",
        _column("off_rating"),
        _own("offensive_rating"),
        1,
        Target(mean_abs_error=0.18),
    ),
    Figure(
        "defensive_rating",
        "team",
        _column("def_rating"),
        _own("defensive_rating"),
        1,
        Target(mean_abs_error=0.18),
    ),
    Figure("pace", "team", _column("pace"), _own("pace"), 2, Target(mean_abs_error=0.13)),
    Figure("ts_pct_team", "team", _column("ts_pct"), _own("ts_pct"), 3, _ALL_EXACT),
    Figure(
        "ts_pct_player",
        "player",
        _column("ts_pct"),
        _own("ts_pct"),
        3,
        _ALL_EXACT,
        _having("fg_attempts", "ft_attempts"),
    ),
    Figure("efg_pct_team", "team", _column("efg_pct"), _own("efg_pct"), 3, _ALL_EXACT),
    Figure("efg_pct_player", "player", _column("efg_pct"), _own("efg_pct"), 3, _ALL_EXACT, _having("fg_attempts")),
    Figure(
        "usage_rate",
        "player",
        _column("usg_pct", 100),
        _own("usage_rate"),
        1,
        Target(mean_abs_error=0.9),
        _regular,
    ),
    Figure(
        "usage_rate_on_court",
        "player",
        _column("usg_pct", 100),
        _own("usage_rate_on_court"),
        1,
        Target(exact_pct=78, mean_abs_error=0.1),
        _on_court,
    ),
    Figure("points_in_paint_team", "team", _column("pts_paint"), _own("points_in_paint_scored"), 0, _ALL_EXACT),
    Figure(
        "points_in_paint_player",
        "player",
        _column("pts_paint"),
        _own("points_in_paint"),
        0,
        _ALL_EXACT,
        _played,
    ),
    Figure("assisted_share_team", "team", _column("pct_ast_fgm"), _share("assisted", "unassisted"), 3, _ALL_EXACT),
    Figure(
        "assisted_share",
        "player",
        _column("pct_ast_fgm"),
        _share("assisted_fg_makes", "unassisted_fg_makes"),
        3,
        _ALL_EXACT,
        _having("fg_makes"),
    ),
    *(
        Figure(
            f"zone_{zone}_attempts",
            "player",
            _column(zone),
            _own(f"{zone}_attempts"),
            0,
            Target(exact_pct=99.9),
            _played,
        )
        for zone in ZONES
    ),
)
"""Every figure with its target, in the order of the report."""
