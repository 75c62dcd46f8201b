"""What happens, a line each, on stdout: readable while it runs, and in a file afterwards."""

import sys
from datetime import datetime

import click

from nbactl.render.terminal import has_color, visible
from shared.clock import EASTERN

_COLORS = {"event": "cyan", "delivery": "white", "run": "green", "dead letter": "red"}


def write(at: datetime, kind: str, where: str, what: str, *, bad: bool) -> None:
    """Print one thing that happened; what is bad is marked with more than a colour."""
    clock = at.astimezone(EASTERN).strftime("%H:%M:%S")
    label = f"{'!' if bad else ' '} {kind:<11}"
    if has_color(sys.stdout):
        label = click.style(label, fg="red" if bad else _COLORS.get(kind, "white"), bold=bad)
    sys.stdout.write(f"{clock} {label} {visible(where):<34} {visible(what)}\n")
    sys.stdout.flush()
