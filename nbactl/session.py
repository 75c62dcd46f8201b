"""What the global options said, and the settings that follow from them."""

import os
from functools import cached_property
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shared.settings import Settings


class Session:
    """One run of the tool; commands receive it with `@click.pass_obj`."""

    def __init__(self) -> None:
        self.warehouse: str | None = None
        self.debug = False
        self.quiet = False
        self.verbose = False

    @cached_property
    def settings(self) -> "Settings":
        """The settings; with `--verbose` they are named on stderr, because now the target is known."""
        from nbactl.render import messages
        from shared import settings

        resolved = settings.load({"warehouse": self.warehouse})
        for row in resolved.rows() if self.verbose else ():
            messages.note(f"{row['setting']}: {row['value']} ({row['origin']})")
        return resolved


def global_options(*, hidden: bool = False) -> list[click.Parameter]:
    """Return the options that every command accepts, so that they may stand anywhere on the line."""
    return [
        click.Option(
            ["--warehouse"],
            metavar="URL",
            help="Use this warehouse, e.g. duckdb:///file.",
            callback=_remember,
            expose_value=False,
            hidden=hidden,
        ),
        _flag("-q", "--quiet", about="Print results, warnings and errors only.", hidden=hidden),
        _flag("-v", "--verbose", about="Name the target and say more.", hidden=hidden),
        _flag("--debug", about="Show the traceback of an error.", hidden=hidden),
        click.Option(
            ["--no-color"],
            is_flag=True,
            help="Use no colour, as NO_COLOR does.",
            callback=_drop_color,
            expose_value=False,
            hidden=hidden,
        ),
    ]


def _flag(*names: str, about: str, hidden: bool) -> click.Option:
    return click.Option(names, is_flag=True, help=about, callback=_remember, expose_value=False, hidden=hidden)


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    session = context.ensure_object(Session)
    # Not given here does not undo what was given further left.
    if value and parameter.name:
        setattr(session, parameter.name, value)


def _drop_color(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        os.environ["NO_COLOR"] = "1"
