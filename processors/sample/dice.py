"""Chance that falls alike on every Python: all of it comes from `random()`, whose sequence is guaranteed for a seed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

T = TypeVar("T")

_UNIFORMS_SD = 3**-0.5  # of the sum of four


class Dice:
    """One stream of chance.

    Args:
        seed: what the stream depends on; different words give unrelated streams.
    """

    __slots__ = ("random",)

    def __init__(self, *seed: object) -> None:
        self.random = Random("/".join(map(str, seed))).random  # noqa: S311 -- made to be foreseeable

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.random() < probability

    def below(self, count: int) -> int:
        """An integer from 0 to `count` - 1."""
        return int(self.random() * count)

    def between(self, low: float, high: float) -> float:
        """A number of an interval, all equally likely."""
        return low + (high - low) * self.random()

    def bell(self, mean: float, spread: float) -> float:
        """A number near `mean`, with `spread` as its standard deviation and never beyond 3.5 of them."""
        random = self.random
        return mean + spread * (random() + random() + random() + random() - 2) / _UNIFORMS_SD

    def pick(self, things: Sequence[T]) -> T:
        """One of some things."""
        return things[int(self.random() * len(things))]

    def weighted(self, things: Sequence[T], edges: Sequence[float]) -> T:
        """One of some things, by `edges(weights)`."""
        return things[min(bisect_right(edges, self.random() * edges[-1]), len(things) - 1)]

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """The things in another order."""
        rest = list(things)
        return [rest.pop(self.below(len(rest))) for _ in range(len(rest))]


def edges(weights: Sequence[float]) -> tuple[float, ...]:
    """Weights as `Dice.weighted` wants them."""
    return tuple(accumulate(weights))
