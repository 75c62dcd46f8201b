"""`nbactl publish-test`: one event, as the pipeline would publish it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

import click

from nbactl.ops import testing
from nbactl.option import option
from nbactl.params import EasternDate, output_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from shared.errors import UsageError

if TYPE_CHECKING:
    from nbactl.ops.testing import Hop, Published

COLUMNS = tuple(map(Column, ("topic", "table", "date", "message_id", "correlation_id")))


@click.command()
@option("--phase", type=click.Choice(["2", "3", "4"]), help="The phase that says it has written.  [default: 2]")
@option("--fallback", type=click.Choice(["3", "4"]), help="Start this phase as the clock would, instead.")
@option("--date", "day", required=True, type=EasternDate(), help="The date of the rows.")
@option("--table", metavar="TABLE", help="What was written; by default what sets off most of the next phase.")
@option("--wait", "follow", is_flag=True, help="Follow it to the end; exit code 0 only if all exists that should.")
@option(
    "--timeout",
    type=click.FloatRange(min=0),
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

    Example: nbactl publish-test --date yesterday --wait
    """
    if fallback and (phase or table):
        raise UsageError("--fallback excludes --phase and --table", hint=f"--fallback {fallback} --date {day}")
    sent = _publish(session, int(phase or 2), int(fallback or 0), day, table)
    write([asdict(sent)], COLUMNS, output)
    if follow:
        testing.follow(session.connect(), sent, timeout, lambda hop: _say(session, hop))


def _publish(session: Session, phase: int, fallback: int, day: date, table: str | None) -> Published:
    pubsub = session.pubsub()
    if fallback:
        return testing.publish_fallback(pubsub, fallback, day)
    return testing.publish(pubsub, phase, table or testing.TABLES[phase], day)


def _say(session: Session, hop: Hop) -> None:
    messages.note(f"{hop.seconds:6.1f} s  {hop.what}", quiet=session.quiet)
