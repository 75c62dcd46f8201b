"""What `nbactl publish-test` publishes: one event, made by the code that makes the pipeline's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from processors import graph
from shared import events
from shared.clock import utc_now
from shared.errors import UsageError, did_you_mean
from shared.events import Event, Fallback
from shared.tables.raw import RAW_TABLES
from shared.topology import completion_topic, fallback_topic

TABLES = {2: "nbac_gamebook_player_stats", 3: "player_game_summary", 4: "ml_feature_store"}
"""What a test event says was written, by publishing phase, where nobody says otherwise."""


class Publisher(Protocol):
    """Whoever sends messages."""

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Send one message and return its id."""


@dataclass(frozen=True, slots=True)
class Published:
    """A test event on its way.

    Attributes:
        phase: that it is for.
        event: as it was published.
    """

    topic: str
    phase: int
    table: str | None
    date: date
    message_id: str
    correlation_id: str
    event: Event


def tables_of(phase: int) -> Collection[str]:
    """Bare names of the tables that a phase, 2 to 4, writes."""
    if phase == min(TABLES):
        return [table.name for table in RAW_TABLES]
    return [one.output.name for one in graph.processors_in_order() if one.phase == phase]


def written_table(phase: int, name: str | None) -> str:
    """The bare name of a table that a phase writes, 2 to 4; without a name, what sets off most of the next phase.

    Raises:
        UsageError: the phase writes no such table.
    """
    if name is None:
        return TABLES[phase]
    bare = name.strip().rpartition(".")[2]
    known = tables_of(phase)
    if bare in known:
        return bare
    writer = next((other for other in TABLES if bare in tables_of(other)), None)
    if writer:
        raise UsageError(
            f"{bare} is written by Phase {writer}, not by Phase {phase}", hint=f"--phase {writer} --table {bare}"
        )
    raise UsageError(f"Phase {phase} writes no table called {name!r}", hint=did_you_mean(bare, known))


def publish(pubsub: Publisher, phase: int, table: str, day: date) -> Published:
    """Publish what a phase, 2 to 4, says when it has written a table."""
    event = _completion(phase, table, day, events.mint_correlation_id(day))
    return _publish(pubsub, completion_topic(phase), phase + 1, day, event)


def publish_fallback(pubsub: Publisher, phase: int, day: date) -> Published:
    """Publish what the clock says to start a phase."""
    event = Fallback(phase=phase, game_date=day, correlation_id=events.mint_correlation_id(day))
    return _publish(pubsub, fallback_topic(phase), phase, day, event)


def _completion(phase: int, table: str, day: date, correlation_id: str) -> Event:
    identity = {"execution_id": f"test-{correlation_id}", "correlation_id": correlation_id}
    if phase == min(TABLES):
        return events.raw_data_loaded(table, day, record_count=0, timestamp=utc_now(), **identity)
    build = events.analytics_complete if phase == 3 else events.precompute_complete  # noqa: PLR2004 -- Phase 3
    return build(
        table=table,
        game_date=day,
        processor_name="publish-test",
        record_count=0,
        rows_expected=None,
        complete=True,
        missing=(),
        input_fingerprint="",
        code_version="",
        trigger_source="cli",
        timestamp=utc_now(),
        **identity,
    )


def _publish(pubsub: Publisher, topic: str, phase: int, day: date, event: Event) -> Published:
    message = events.encode(event)
    message_id = pubsub.publish(topic, message.data, message.attributes)
    table = None if isinstance(event, Fallback) else event.table
    return Published(topic, phase, table, day, message_id, event.correlation_id or "", event)
