"""`nbactl verify`: proofs that the numbers are right."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path

import click

from nbactl.option import option
from nbactl.params import EasternDate, output_option
from nbactl.render import messages
from nbactl.render.progress import progress
from nbactl.render.tables import Column, write
from nbactl.session import Session
from shared.errors import NbactlError

PROOF = tuple(map(Column, ("slate", "tables", "rows", "cells", "differences")))
DIFFERENCES = tuple(map(Column, ("change", "table", "key", "column", "before", "after")))
_SHOWN = 10
FIGURES = (
    Column("figure"),
    Column("n"),
    Column("missing"),
    Column("exact_pct", digits=2),
    Column("mean_abs_error", digits=4),
    Column("max_error", digits=3),
    Column("bias", digits=4),
    Column("target"),
    Column("ok"),
)


@click.group()
def command() -> None:
    """Prove that the tables are right."""


@command.command()
@option(
    "--answers",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with the league's own figures as parquet.",
)
@output_option
@click.pass_obj
def accuracy(session: Session, *, answers: Path, output: str) -> None:
    """Hold the results tables against the league's own figures, a row per figure."""
    from processors.accuracy import compare

    with session.connect().reading() as opened:
        comparisons = compare(opened, answers)
    write(map(asdict, comparisons), FIGURES, output)
    failed = [one.figure for one in comparisons if not one.ok]
    if failed:
        raise NbactlError(
            f"{len(failed)} of {len(comparisons)} figures miss their target: {', '.join(failed)}",
            hint="nbactl run-analytics for dates that were never computed; then look at the figure's rows",
        )


@command.command()
@option("--date", "slate", required=True, type=EasternDate(), help="The slate to prove.")
@output_option
@click.pass_obj
def leakage(session: Session, *, slate: date, output: str) -> None:
    """Prove that a slate knows nothing of its own day.

    The slate is computed again on copies of the warehouse: with all that its day and later days brought removed, and
    with those rows shuffled. The warehouse itself is not changed.
    """
    from processors.leakage import prove
    from shared.clock import utc_now

    with progress(3, quiet=session.quiet) as step:
        proof = prove(session.connect(), slate, utc_now(), step)
    row = asdict(proof) | {"differences": len(proof.differences)}
    write([row], PROOF, output)
    if proof.differences:
        write(map(asdict, proof.differences[:_SHOWN]), DIFFERENCES, output)
        raise NbactlError(
            f"{len(proof.differences)} cells of slate {slate} depend on what came after",
            hint="the table above names the first ones",
        )
    messages.note(f"identical: slate {slate} knows nothing of its own day", quiet=session.quiet)
