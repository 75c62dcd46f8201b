"""`nbactl config`: what is set, and who set it."""

import click

from nbactl.params import output_option
from nbactl.render.tables import Column, write
from nbactl.session import Session

COLUMNS = (Column("setting"), Column("value"), Column("origin"))


@click.group()
def command() -> None:
    """Show each setting and where its value comes from."""


@command.command()
@output_option
@click.pass_obj
def show(session: Session, output: str) -> None:
    """Print each setting, its value, and whether a flag, the environment, a file or nobody set it."""
    write(session.settings.rows(), COLUMNS, output)
