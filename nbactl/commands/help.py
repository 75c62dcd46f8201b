"""`nbactl help`: the topics that belong to no single command, and every command's own help."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import click

from nbactl.option import argument
from shared.errors import EXIT_CODES, UsageError, did_you_mean


@click.command()
@argument("words", metavar="[TOPIC | COMMAND...]", nargs=-1)
@click.pass_context
def command(context: click.Context, words: tuple[str, ...]) -> None:
    """Explain a topic or a command; without either, list the topics."""
    topic = " ".join(words) or "topics"
    click.echo(TOPICS[topic][1]() if topic in TOPICS else _command_help(context.find_root(), words))


def _command_help(context: click.Context, words: tuple[str, ...]) -> str:
    """Walk down the words and return the last one's help, with the usage line it shows itself.

    Raises:
        UsageError: there is no such topic or command.
    """
    for word in words:
        group = context.command
        inner = group.get_command(context, word) if isinstance(group, click.Group) else None
        if inner is None:
            known = [*TOPICS, *(group.list_commands(context) if isinstance(group, click.Group) else ())]
            raise UsageError(f"there is no help about {' '.join(words)!r}", hint=did_you_mean(word, known))
        context = click.Context(inner, info_name=word, parent=context)
    return context.get_help()


def _topics() -> str:
    lines = [f"  {name:<12} {about}" for name, (about, _) in TOPICS.items()]
    return "\n".join(["Topics (nbactl help TOPIC):", *lines, "", "Commands: nbactl --help"])


def _exit_codes() -> str:
    return "\n".join(f"{code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())


def _completion() -> str:
    return """\
Completion needs one line in the start-up file of your shell:

  bash, ~/.bashrc
    eval "$(_NBACTL_COMPLETE=bash_source nbactl)"
  zsh, ~/.zshrc
    eval "$(_NBACTL_COMPLETE=zsh_source nbactl)"
  fish, ~/.config/fish/completions/nbactl.fish
    _NBACTL_COMPLETE=fish_source nbactl | source"""


TOPICS: Mapping[str, tuple[str, Callable[[], str]]] = MappingProxyType(
    {
        "topics": ("This list.", _topics),
        "exit-codes": ("What the exit code of a command means.", _exit_codes),
        "completion": ("How to complete commands with Tab in bash, zsh and fish.", _completion),
    }
)
"""Topic -> (help in one line, the text)."""
