"""The root of the command line: a static table, so that help and completion import no command."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from nbactl.option import Option
from nbactl.session import global_options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "quickstart": ("nbactl.commands.quickstart", "Compute the next slate and print its best match-ups."),
        "data": ("nbactl.commands.data", "Load raw tables, and list what is there."),
        "run-analytics": (
            "nbactl.commands.run:analytics",
            "Compute Phase 3: results, and the next slate's context.",
        ),
        "run-precompute": ("nbactl.commands.run:precompute", "Compute everything for the games on a date."),
        "backfill": ("nbactl.commands.run:backfill", "Compute what is missing or stale over a range of dates."),
        "status": ("nbactl.commands.status", "Say how every table stands, and what to type."),
        "runs": ("nbactl.commands.runs", "List what ran, when and with what result."),
        "impact": ("nbactl.commands.impact", "Say what a correction makes stale."),
        "reconcile": ("nbactl.commands.reconcile", "Repair what runs that died, or others, left behind."),
        "up": ("nbactl.commands.up:up", "Run the whole pipeline on this machine, and watch it."),
        "down": ("nbactl.commands.up:down", "End the pipeline on this machine."),
        "publish-test": ("nbactl.commands.publish_test", "Publish one event, and follow what it sets off."),
        "dlq": ("nbactl.commands.dlq", "Look at dead letters, send them again, take them away."),
        "trace": ("nbactl.commands.trace", "Show what an event has set off, hop by hop."),
        "logs": ("nbactl.commands.logs", "Show what the services log, all phases in order of time."),
        "simulate": ("nbactl.commands.simulate", "Live through game nights again, with faults."),
        "show": ("nbactl.commands.show", "Print rows of any table."),
        "graph": ("nbactl.commands.graph", "Print processors, their inputs and what they set off."),
        "verify": ("nbactl.commands.verify", "Prove that the tables are right."),
        "infra": ("nbactl.commands.infra", "Make topics, subscriptions and roles as declared."),
        "deploy": ("nbactl.commands.deploy", "Put services live, look at them, and go back."),
        "config": ("nbactl.commands.config", "Show each setting and where its value comes from."),
        "help": ("nbactl.commands.help", "Explain a command, the exit codes or completion."),
    }
)
"""Command -> (module, help in one line). The Click command is called `command`, or as said after a colon."""


class LazyGroup(click.Group):
    """A group that imports the module of a command when that command is typed, and no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the table, which is the order of a working day."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; a name that is not in the table gives None."""
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(module), attribute or "command")
            _accept_global_options(command)
            self.add_command(command, cmd_name)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed.

        Raises:
            UsageError: there is none; the hint names the ones that come near.
        """
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from shared.errors import UsageError, did_you_mean

            raise UsageError(f"there is no command {args[0]!r}", hint=did_you_mean(args[0], COMMANDS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list["CompletionItem"]:
        """Complete commands from the table, and options as every command does."""
        from click.shell_completion import CompletionItem

        options = click.Command.shell_complete(self, ctx, incomplete)
        matches = ((name, about) for name, (_, about) in COMMANDS.items() if name.startswith(incomplete))
        return [*(CompletionItem(name, help=about) for name, about in matches), *options]

    def invoke(self, ctx: click.Context) -> object:
        """Run the command.

        Raises:
            Interrupted: Ctrl-C, before Click could turn it into an empty line.
            NbactlError: a connection broke, before Click could take that for a reader of ours who has left.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            from shared.errors import Interrupted

            raise Interrupted("interrupted") from None
        except BrokenPipeError as error:
            from shared.errors import explain_os_error

            raise explain_os_error(error, "a connection broke") from error


def _accept_global_options(command: click.Command) -> None:
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _accept_global_options(inner)
    else:
        # a command's own option of the same name is the one that is meant there
        own = {name for parameter in command.params for name in parameter.opts}
        command.params.extend(one for one in global_options(hidden=True) if own.isdisjoint(one.opts))


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"nbactl {version('nbactl')}")
        context.exit()


cli = LazyGroup(
    "nbactl",
    help="Operate the NBA data pipeline, and compute its analytics.",
    epilog="These options may also follow the command. More: nbactl help",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        *global_options(),
        Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        ),
    ],
)
