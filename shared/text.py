"""Text from outside, made fit for an answer, a log line and a ledger row: of a known length, on one line."""

from __future__ import annotations

import re

REASON_CHARACTERS = 2_000
"""How long a reason may be, wherever one is given."""

_QUOTED_CHARACTERS = 100
_MARK = "..."
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of surrogate pairs, which no file and no database can hold."""


def shorten(text: str, limit: int = REASON_CHARACTERS) -> str:
    """Return the beginning of a text, at most `limit` characters, with a mark where something was left out."""
    return text if len(text) <= limit else text[: limit - len(_MARK)] + _MARK


def shorten_middle(text: str, limit: int) -> str:
    """Return beginning and end of a text, at most `limit` characters: a traceback says most at both."""
    half = (limit - len(_MARK)) // 2
    return text if len(text) <= limit else text[:half] + _MARK + text[-half:]


def quote(value: object) -> str:
    """Return the beginning of a value from outside, for an error, in at most some hundred characters.

    Control characters are spelled out; what is nested is named by its type alone.
    """
    if isinstance(value, str):
        # a character may be ten when it is spelled out, so that both lengths count
        return shorten(repr(shorten(value, _QUOTED_CHARACTERS)), _QUOTED_CHARACTERS)
    if isinstance(value, int | float):
        return shorten(repr(value), _QUOTED_CHARACTERS)
    return type(value).__name__


def has_control_characters(text: str) -> bool:
    """Whether a text holds what a name never does: control characters, or halves of surrogate pairs."""
    return bool(_CONTROL.search(text))


def byte_length(text: str) -> int:
    """The length of a text in UTF-8, in bytes; half of a surrogate pair counts as it would alone."""
    return len(text.encode(errors="surrogatepass"))
