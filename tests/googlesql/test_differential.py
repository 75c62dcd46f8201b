"""Small random worlds give the same rows on DuckDB as on Google's reference evaluator, processor by processor.

`NBACTL_TEST_EXAMPLES` sets how many worlds each processor sees.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from processors import graph, statements
from processors.declaration import Processor
from tests.googlesql.conftest import PARAMS, Both, differences, with_stage
from tests.googlesql.generator import Shape, World, shapes
from tests.googlesql.oracle import Engine, Oracle

EXAMPLES = int(os.environ.get("NBACTL_TEST_EXAMPLES", "12"))
LARGEST = {
    "TOG": Shape(teams=8, history=0),  # games of the day itself, more of them
    "PGS": Shape(teams=8, history=0),
    "PSZA": Shape(teams=2, history=24),  # a window of 20 games
    "TDZA": Shape(teams=12, history=8),  # an average over at least ten teams
}
"""Worlds for those whom the usual largest one would not do."""
BROKEN = "a broken row"
UNREACHABLE = {
    # inputs that keep their own contracts cannot break these
    "TDG": {BROKEN},
    "TGC": {BROKEN},
    "PCF": {BROKEN},
}


@pytest.fixture(scope="module")
def both(oracle: Oracle) -> Both:
    return Both(oracle, graph.tables().values())


@pytest.mark.parametrize("processor", graph.processors_in_order(), ids=lambda processor: processor.short)
def test_engines_agree(engine: Engine, oracle: Oracle, both: Both, processor: Processor) -> None:
    candidate = statements.candidate(processor)
    names = [name for name, _ in oracle.analyze(candidate, PARAMS).columns]
    staged = with_stage(engine, oracle, processor)
    largest = LARGEST.get(processor.short, Shape())
    seen: set[str] = set()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @example(largest)
    @given(shapes(largest))
    def compare(shape: Shape) -> None:
        params = shape.params
        with both.holding(World(shape).tables(sorted({one.table for one in processor.inputs}))) as (session, rows):
            session.stage(candidate, params)
            ours, theirs = list(session.query("SELECT * FROM stage").rows), oracle.query(candidate, rows, params)
            assert differences(ours, theirs) == []
            for row in theirs:
                seen.update(name for name, value in zip(names, row, strict=True) if value not in (None, [], ""))
                seen.update(code.split(":")[0] for code in row[names.index("quality_issues")])
            absent = [statements.absent_games] if processor.is_of_games else []
            for statement in (statements.counts, *absent, statements.issue_counts, statements.broken_rows):
                text = statement(processor)
                answer = staged.query(text, {**rows, "stage": theirs}, params)
                assert differences(list(session.query(text, params).rows), answer) == []
            # of the last one
            seen.update({BROKEN} if answer else ())

    compare()
    reachable = {*names, BROKEN, *(issue.code for issue in processor.issues)} - UNREACHABLE.get(processor.short, set())
    assert reachable - seen == set()
