"""Asking before something is changed, where somebody is there to be asked."""

from __future__ import annotations

import sys

import click

from nbactl.render.terminal import is_terminal
from shared.errors import UsageError


def ask(question: str, command: str) -> None:
    """Let the operator decide.

    Raises:
        UsageError: nobody is there to be asked.
        Abort: the answer is no.
    """
    if not someone_is_there():
        raise UsageError(f"{command} asks before it changes anything, and there is no terminal", hint="add --yes")
    click.confirm(question, abort=True, err=True)


def ask_name(loses: str, name: str, typed: str | None) -> None:
    """Let the operator say that it is meant, by typing a name.

    Raises:
        UsageError: another name was typed, or none and nobody is there to be asked.
    """
    if typed is None and someone_is_there():
        typed = click.prompt(f"{loses} Type the name of the project", err=True)
    if typed != name:
        said = "nothing was confirmed" if typed is None else f"{typed!r} is not the project's name"
        raise UsageError(f"{said}; nothing was deleted", hint=f"--confirm {name}")


def someone_is_there() -> bool:
    """Whether a question would be seen and could be answered."""
    return sys.stdin.isatty() and is_terminal(sys.stderr)
