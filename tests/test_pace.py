"""How long a backfill is said to take, held against how long it takes on machines of every kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.graph import processors_in_order
from processors.history import Pace, Statement, pace
from processors.request import Work
from shared.clock import DateRange
from shared.ledger import PROCESSOR_RUNS
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.conftest import analytics, rows

OPENING = date(2024, 10, 22)
NAMES = [one.name for one in processors_in_order()]


@dataclass(frozen=True)
class Machine:
    """What a statement of each processor costs: seconds for itself, and for each day."""

    costs: dict[str, tuple[float, float]]

    def seconds(self, name: str, days: int) -> float:
        fixed, daily = self.costs[name]
        return fixed + daily * days

    def ledger(self, *lengths: int) -> list[Statement]:
        """Every processor has computed ranges of these lengths."""
        return [(name, days, self.seconds(name, days)) for days in lengths for name in NAMES]

    def takes(self, days: int) -> float:
        """Two at a time, each as soon as its inputs are there, begun in the order of the pipeline."""
        free, ends = [0.0, 0.0], dict[str, float]()
        waiting = list(processors_in_order())
        while waiting:
            starts = {
                one.name: max([min(free), *(ends[other] for other in _inputs(one.name))])
                for one in waiting
                if all(other in ends for other in _inputs(one.name))
            }
            name = min(starts, key=lambda one: starts[one])
            ends[name] = starts[name] + self.seconds(name, days)
            free[free.index(min(free))] = ends[name]
            waiting = [one for one in waiting if one.name != name]
        return max(ends.values())


def _inputs(name: str) -> list[str]:
    makers = {one.output.name: one.name for one in processors_in_order()}
    (processor,) = [one for one in processors_in_order() if one.name == name]
    return [makers[one.table] for one in processor.inputs if one.table in makers]


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """From a third to thirty times as slow as ours, and some processors a few times as heavy as others."""
    speed = draw(st.floats(0.3, 30))
    weights, own = st.floats(0.2, 5), st.floats(0.72, 1.38)
    tilt = draw(st.floats(0.75, 1.33))
    costs = {name: speed * draw(weights) for name in NAMES}
    return Machine({name: (0.08 * cost, 0.0045 * cost * tilt * draw(own)) for name, cost in costs.items()})


def whole(days: int) -> list[Work]:
    """Every processor, every date."""
    dates = tuple(OPENING + timedelta(days=number) for number in range(days))
    return [(one, dates) for one in processors_in_order()]


lengths = st.sampled_from([1, 2, 7, 14, 30, 90, 174])


@given(machines(), lengths)
def test_of_a_length_that_was_computed_before_the_time_is_known(machine: Machine, days: int) -> None:
    estimate = Pace(machine.ledger(days, 1, 174)).seconds(whole(days))
    assert estimate == pytest.approx(machine.takes(days), rel=0.25)


@given(machines(), lengths, lengths)
def test_of_any_other_length_it_is_within_a_factor_of_two(machine: Machine, known: int, days: int) -> None:
    """Where single dates were computed, a season is not as many times a date as it has dates."""
    estimate = Pace(machine.ledger(known)).seconds(whole(days))
    assert machine.takes(days) / 2 <= estimate <= machine.takes(days) * 2


@given(machines(), lengths)
def test_a_processor_that_never_ran_is_as_slow_as_the_others(machine: Machine, days: int) -> None:
    known = [statement for statement in machine.ledger(days) if statement[0] != NAMES[-1]]
    estimate = Pace(known).seconds(whole(days))
    assert machine.takes(days) / 2 <= estimate <= machine.takes(days) * 2


# what a busy machine recorded: seconds of each statement of a season of the sample, and of a date of it
SEASON_DAYS, SEASON_TOOK = 168, 17.8
SEASON = {
    "TOG": 3.77,
    "TGC": 1.32,
    "PGS": 8.54,
    "TDG": 0.25,
    "TDZA": 0.82,
    "UPC": 2.58,
    "PSZA": 1.43,
    "PCF": 0.68,
    "PDC": 0.84,
    "MLFS": 1.08,
}
DATE_TOOK = 2.5
DATE = {
    "TOG": 0.42,
    "TGC": 0.36,
    "TDG": 0.21,
    "PGS": 1.19,
    "TDZA": 0.17,
    "UPC": 0.5,
    "PSZA": 0.37,
    "PCF": 0.09,
    "PDC": 0.18,
    "MLFS": 0.14,
}


def recorded(seconds: dict[str, float], days: int) -> list[Statement]:
    names = {one.short: one.name for one in processors_in_order()}
    return [(names[short], days, took) for short, took in seconds.items()]


@pytest.mark.parametrize("known", [recorded(SEASON, SEASON_DAYS), recorded(DATE, 1)], ids=["season", "date"])
@pytest.mark.parametrize(("days", "took"), [(SEASON_DAYS, SEASON_TOOK), (1, DATE_TOOK)], ids=["season", "date"])
def test_of_a_recorded_ledger_it_is_within_a_factor_of_two(known: list[Statement], days: int, took: float) -> None:
    assert took / 2 <= Pace(known).seconds(whole(days)) <= took * 2


def test_where_nothing_is_known_a_season_takes_seconds() -> None:
    assert 3 < Pace([]).seconds(whole(174)) < 12
    assert 0.2 < Pace([]).seconds(whole(1)) < 0.9


def test_an_odd_night_is_not_taken_for_the_rule() -> None:
    nights = [(name, 1, seconds) for name in NAMES for seconds in (0.1, 0.1, 0.1, 9.0, 0.1)]
    assert Pace(nights).seconds(whole(1)) < 1


def test_dates_far_apart_are_statements_of_their_own() -> None:
    (first, *_) = processors_in_order()
    apart = [(first, (OPENING, OPENING + timedelta(days=150)))]
    assert Pace([(first.name, 1, 3.0), (first.name, 174, 60.0)]).seconds(apart) == pytest.approx(6.0)
    assert Pace([]).seconds([(first, ())]) == 0


def test_the_ledger_is_read_as_it_was_written(tiny: DuckDBWarehouse) -> None:
    analytics(tiny, DateRange(date(2024, 11, 1), date(2024, 11, 8)), ("TOG",))
    ((milliseconds,),) = rows(tiny, f"SELECT MAX(duration_ms) FROM {PROCESSOR_RUNS.id}")
    with tiny.reading() as session:
        known = pace(session)
    (offense,) = [one for one in processors_in_order() if one.short == "TOG"]
    dates = tuple(date(2024, 11, day) for day in (1, 3, 4, 6, 8))
    assert known.seconds([(offense, dates)]) == pytest.approx(milliseconds / 1000)
