"""What is said beside the result, on stderr: notes, hints, warnings and errors. Needs no Rich."""

import sys
from collections.abc import Sequence

import click

from nbactl.render.terminal import has_color, visible
from shared.errors import NbactlError


def note(text: str, *, quiet: bool = False) -> None:
    """Say something worth knowing."""
    if not quiet:
        _say(text)


def hint(text: str, *, quiet: bool = False) -> None:
    """Say what could be typed next."""
    if not quiet:
        _labelled("hint", "cyan", text)


def warn(text: str) -> None:
    """Say what looks wrong though it stops nothing; `--quiet` does not hide it."""
    _labelled("warning", "yellow", text)


def error(problem: NbactlError, *, as_json: bool = False) -> None:
    """Say what happened, why, and what to type next; for machines as one JSON object on one line.

    Notes on the error, such as what could not be tidied up, come last, as warnings; machines have them in the why.
    """
    notes: Sequence[str] = getattr(problem, "__notes__", ())
    if as_json:
        from nbactl.render.tables import json_line

        record = problem.as_record()
        if notes:
            record["why"] = "\n".join(filter(None, (problem.why, *notes)))
        _say(json_line(record))
        return
    _labelled("error", "red", problem.message)
    for label, text in (("why", problem.why), ("next", problem.hint)):
        for number, line in enumerate((text or "").splitlines()):
            _say(f"{label if number == 0 else '':>5}{':' if number == 0 else ' '} {line}")
    for text in notes:
        warn(text)


def _labelled(label: str, color: str, text: str) -> None:
    # The word stands there with or without the colour.
    heading = click.style(f"{label}:", fg=color, bold=True) if has_color(sys.stderr) else f"{label}:"
    sys.stderr.write(f"{heading} {visible(text)}\n")


def _say(text: str) -> None:
    sys.stderr.write(f"{visible(text)}\n")
