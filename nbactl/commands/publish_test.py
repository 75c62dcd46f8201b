"""`nbactl publish-test`: one event, as the pipeline would publish it."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING

import click

from nbactl.ops import event_chain, testing, words
from nbactl.option import option
from nbactl.params import EasternDate, output_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from shared.errors import UsageError

if TYPE_CHECKING:
    from nbactl.ops.event_chain import Hop
    from nbactl.ops.testing import Published

COLUMNS = tuple(map(Column, ("topic", "table", "date", "message_id", "correlation_id")))


def _finite(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise UsageError(f"--timeout {seconds} is no number of seconds", hint="--timeout 60")
    return seconds


@click.command()
@option("--phase", type=click.Choice(["2", "3", "4"]), help="The phase that says it has written.  [default: 2]")
@option("--fallback", type=click.Choice(["3", "4"]), help="Start this phase as the clock would, instead.")
@option("--date", "day", required=True, type=EasternDate(), help="The date of the rows.")
@option("--table", metavar="TABLE", help="What was written; by default what sets off most of the next phase.")
@option(
    "--wait",
    "follow",
    is_flag=True,
    help="Follow it to the end; exit code 0 only if all exists and is announced that should.",
)
@option(
    "--timeout",
    type=click.FloatRange(min=0),
    callback=lambda _context, _option, value: _finite(value),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long --wait waits.",
)
@output_option
@click.pass_obj
def command(  # noqa: PLR0913 -- one parameter per option
    session: Session,
    *,
    phase: str | None,
    fallback: str | None,
    day: date,
    table: str | None,
    follow: bool,
    timeout: float,
    output: str,
) -> None:
    """Publish one event, built as the pipeline builds it.

    With --wait the exit code is 1 if a service or a run failed, or not everything was made, 3 if some of it is
    DEGRADED, 5 if it waits for something that the event did not bring, and 7 if it has not ended in time.

    Example: nbactl publish-test --date yesterday --wait
    """
    if fallback and (phase or table is not None):
        raise UsageError("--fallback excludes --phase and --table", hint=f"--fallback {fallback} --date {day}")
    publishing = int(phase or 2)
    written = None if fallback else testing.written_table(publishing, table)
    warehouse = session.connect()
    if follow:
        # what cannot be followed is not published
        event_chain.check(warehouse, int(fallback) if fallback else publishing + 1)
    pubsub = session.pubsub()
    sent = (
        testing.publish(pubsub, publishing, written, day)
        if written
        else testing.publish_fallback(pubsub, int(fallback or 0), day)
    )
    write([_record(sent)], COLUMNS, output)
    if follow:
        options = words.options(session.warehouse)
        event_chain.follow(warehouse, sent, timeout, lambda hop: _say(session, hop), options)


def _record(sent: Published) -> dict[str, object]:
    return {column.name: getattr(sent, column.name) for column in COLUMNS}


def _say(session: Session, hop: Hop) -> None:
    messages.note(f"{hop.seconds:6.1f} s  {hop.what}", quiet=session.quiet)
