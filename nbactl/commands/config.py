"""`nbactl config`: what is set, and who set it."""

import click

from nbactl.ops.local_processes import refuse_dead
from nbactl.params import output_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from shared.errors import PreconditionFailed

COLUMNS = (Column("setting"), Column("value"), Column("origin"))


@click.group()
def command() -> None:
    """Show each setting and where its value comes from."""


@command.command()
@output_option
@click.pass_obj
def show(session: Session, output: str) -> None:
    """Print each setting, its value, and whether a flag, the environment, a file or nobody set it.

    The last row is the project folder, to which the default warehouse and the pipeline of nbactl up belong: the one
    above that holds nbactl.toml, or else .nbactl, or the current directory.
    """
    write(session.settings.rows(), COLUMNS, output)
    try:
        refuse_dead(session.settings.folder)
    except PreconditionFailed as error:
        messages.warn(f"{error.message}: {error.why}")
