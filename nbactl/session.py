"""What the global options said, and the settings that follow from them."""

import os
from functools import cached_property
from typing import TYPE_CHECKING

import click

from nbactl.option import Option

if TYPE_CHECKING:
    from nbactl.gcp.cloud import Target
    from shared.pubsub import PubSub
    from shared.settings import Settings
    from shared.warehouse.base import Warehouse


class Session:
    """One run of the tool; commands receive it with `@click.pass_obj`."""

    def __init__(self) -> None:
        self.warehouse: str | None = None
        self.wait: str | None = None
        self.project: str | None = None
        self.region: str | None = None
        self.debug = False
        self.quiet = False
        self.verbose = False

    @cached_property
    def settings(self) -> "Settings":
        """The settings; with `--verbose` they are named on stderr, because now the target is known."""
        from nbactl.ops.local_processes import find_running
        from nbactl.render import messages
        from shared import settings

        flags = {name: getattr(self, name) for name in ("warehouse", "wait", "project", "region")}
        resolved = settings.load(flags, find_running=find_running)
        for row in resolved.rows() if self.verbose else ():
            messages.note(f"{row['setting']}: {row['value']} ({row['origin']})")
        return resolved

    def connect(self) -> "Warehouse":
        """The warehouse of the settings; nothing is opened yet.

        Raises:
            UsageError: no engine has its URL, or `wait` is no number of seconds.
        """
        from shared.warehouse.connect import connect

        return connect(self.settings.warehouse, wait=self.settings.wait_seconds)

    def target(self) -> "Target":
        """Where the messages are: on the emulator of the settings, or on Google Cloud; nothing is opened yet.

        Raises:
            PreconditionFailed: the local pipeline of this folder has died, or nobody names a project.
        """
        from nbactl.gcp.cloud import Target
        from nbactl.ops.local_processes import refuse_dead

        settings = self.settings
        if not settings.emulator:
            refuse_dead(settings.folder)
        return Target(settings.require_project(), settings.region, settings.emulator or None)

    def cloud_target(self) -> "Target":
        """The project on Google Cloud, whatever emulator there is; nothing is opened yet.

        Raises:
            PreconditionFailed: nobody names a project.
        """
        from nbactl.gcp.cloud import Target

        return Target(self.settings.require_cloud_project(), self.settings.region, None)

    def pubsub(self) -> "PubSub":
        """The messages of `target`; nothing is opened yet."""
        from shared.pubsub import PubSub

        target = self.target()
        return PubSub(target.project, target.emulator)


def global_options(*, hidden: bool = False) -> list[click.Parameter]:
    """Return the options that every command accepts, so that they may stand anywhere on the line."""
    return [
        _text("--warehouse", "URL", about="Use this warehouse, e.g. duckdb:///file.", hidden=hidden),
        _text("--wait", "SECONDS", about="Wait this long for another process that uses the warehouse.", hidden=hidden),
        _text("--project", "PROJECT", about="Use this Google Cloud project.", hidden=hidden),
        _text("--region", "REGION", about="Use this region.", hidden=hidden),
        _flag("-q", "--quiet", about="Print results, warnings and errors only.", hidden=hidden),
        _flag("-v", "--verbose", about="Name the target and say more.", hidden=hidden),
        _flag("--debug", about="Show the traceback of an error.", hidden=hidden),
        Option(
            ["--no-color"],
            is_flag=True,
            help="Use no colour, as NO_COLOR does.",
            callback=_drop_color,
            expose_value=False,
            hidden=hidden,
        ),
    ]


def _text(name: str, metavar: str, *, about: str, hidden: bool) -> Option:
    return Option([name], metavar=metavar, help=about, callback=_remember, expose_value=False, hidden=hidden)


def _flag(*names: str, about: str, hidden: bool) -> Option:
    return Option(names, is_flag=True, help=about, callback=_remember, expose_value=False, hidden=hidden)


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    session = context.ensure_object(Session)
    # Not given here does not undo what was given further left.
    if value and parameter.name:
        setattr(session, parameter.name, value)


def _drop_color(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        os.environ["NO_COLOR"] = "1"
