"""Figures and options in the words of a sentence."""

import shlex
from datetime import timedelta


def age(span: timedelta) -> str:
    """A span in its largest unit: `3 d`, `5 h`, `12 min` or `40 s`."""
    seconds = max(0.0, span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def options(warehouse: str | None) -> str:
    """What to add to a command that is printed, so that it is about the warehouse that was named."""
    return f" --warehouse {shlex.quote(warehouse)}" if warehouse else ""
