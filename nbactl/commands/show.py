"""`nbactl show`: rows of any table."""

from __future__ import annotations

import click

from nbactl.option import argument, option
from nbactl.params import dates_option, output_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from processors.reading import Selection, read
from shared.clock import DateRange


@click.command()
@argument("table")
@dates_option(required=False)
@option("--player", metavar="NAME", help="Only this player, in any spelling.")
@option("--team", metavar="ABBR", help="Only this team.")
@option("--columns", metavar="A,B", help="Only these columns, in this order.")
@output_option
@click.pass_obj
def command(  # noqa: PLR0913 -- one parameter per option
    session: Session,
    *,
    table: str,
    dates: DateRange | None,
    player: str | None,
    team: str | None,
    columns: str | None,
    output: str,
) -> None:
    """Print rows of TABLE, raw or computed; nbactl data tables lists them all.

    Example: nbactl show ml_feature_store --date today --player "LeBron James"
    """
    wanted = Selection(table, dates, player, team, tuple(columns.split(",")) if columns else ())
    with session.connect().reading() as opened:
        result = read(opened, wanted)
    names = tuple(map(Column, result.columns))
    if output == "table" and len(result.rows) == 1:
        # one row of sixty columns reads better downwards
        fields = ({"column": name, "value": value} for name, value in result.records()[0].items())
        write(fields, (Column("column"), Column("value")), output)
    else:
        write(result.records(), names, output)
    if not result.rows:
        messages.note(f"{table} has no such rows", quiet=session.quiet)
