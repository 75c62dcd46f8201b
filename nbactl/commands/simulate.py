"""`nbactl simulate`: game nights lived through once more, with faults."""

from __future__ import annotations

import click

from nbactl.ops import waterfall
from nbactl.ops.simulation import Faults, simulated
from nbactl.option import option
from nbactl.params import Seconds, Share, output_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from shared.errors import NbactlError, UsageError

FINDINGS = (Column("invariant"), Column("held"), Column("broken"))
CHAIN = (Column("start", "start s", digits=2), Column("kind"), Column("what"), Column("outcome"), Column("detail"))
WEEK = 7


@click.command()
@option("--weeks", type=click.IntRange(1), metavar="N", help="So many weeks of game nights.  [default: 1]")
@option("--nights", type=click.IntRange(1), metavar="N", help="So many game nights, instead.")
@option("--seed", default=1, show_default=True, help="Another number gives other faults.")
@option("--duplicates", type=Share(), default="20%", show_default=True, help="Share of deliveries that come twice.")
@option("--loss", type=Share(), default="5%", show_default=True, help="Share of deliveries that reach nobody.")
@option(
    "--kill-every", type=Seconds(), default="5s", show_default=True, help="How often a service is killed; 0 is never."
)
@output_option
@click.pass_obj
def command(  # noqa: PLR0913 -- one parameter per option
    session: Session,
    *,
    weeks: int | None,
    nights: int | None,
    seed: int,
    duplicates: float,
    loss: float,
    kill_every: float,
    output: str,
) -> None:
    """Live through the last game nights again, on a copy of the warehouse, with faults; see that nothing breaks.

    The nights' files come in again, table by table, through an emulator and services of their own, at accelerated
    time. Deliveries come late, twice or never, and services are killed. In the end every table must equal that of
    quiet nights.

    Example: nbactl simulate --nights 1
    """
    if weeks and nights:
        raise UsageError("--nights excludes --weeks", hint=f"--nights {nights}")
    faults = Faults(duplicates, loss, kill_every or None, seed)
    count = nights or WEEK * (weeks or 1)

    def said(what: str) -> None:
        messages.note(what, quiet=session.quiet)

    with simulated(session.connect(), session.settings, count, faults, said) as (outcome, warehouse):
        counts = outcome.counts
        said(
            f"nights: {len(outcome.nights)}, in {outcome.seconds:.0f} s; {counts['delivered']} deliveries,"
            f" {counts['doubled']} twice, {counts['lost']} lost, {counts['refused']} refused,"
            f" {counts['unanswered']} unanswered; {counts['killed']} kills"
        )
        write(
            ({"invariant": one.invariant, "held": not one.broken, "broken": one.broken} for one in outcome.findings),
            FINDINGS,
            output,
        )
        broken = [one for one in outcome.findings if one.broken]
        if not broken:
            return
        named = next((one.correlation_id for one in broken if one.correlation_id), None)
        if named and output == "table":
            with warehouse.reading() as opened:
                found = waterfall.chain(opened, named)
            messages.note(found.said)
            write(found.rows(), CHAIN)
    again = f"nbactl simulate --nights {count} --seed {seed}"
    raise NbactlError(f"{len(broken)} invariants are broken", why=broken[0].broken, hint=again)
