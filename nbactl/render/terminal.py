"""What the other end of a stream can show, and text that cannot harm it."""

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def is_terminal(stream: TextIO) -> bool:
    """Say whether someone watches; a dumb terminal gets what a pipe gets."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def has_color(stream: TextIO) -> bool:
    """Say whether colour is wanted (`--no-color` sets NO_COLOR, so that there is one switch)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def visible(text: str) -> str:
    r"""Return the text on one line, with everything unprintable spelled out: ESC becomes ``\x1b``.

    Text from outside may hold escape codes, NUL, line breaks, or marks that turn the reading
    direction; a terminal would obey them.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def console(stream: TextIO) -> "Console":
    """Return a Rich console that takes text for text: no markup, no emoji names, no guessed colours."""
    from rich.console import Console

    return Console(file=stream, markup=False, emoji=False, highlight=False, no_color=not has_color(stream))
