"""Figures in the words of a sentence."""

from datetime import timedelta


def age(span: timedelta) -> str:
    """A span in its largest unit: `3 d`, `5 h`, `12 min` or `40 s`."""
    seconds = max(0.0, span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
