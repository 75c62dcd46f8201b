"""Log entries on stdout: a line each for eyes, one object each for machines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

import click

from nbactl.render.tables import Column, Row, write
from nbactl.render.terminal import has_color, visible
from shared.clock import EASTERN

_COLORS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red", "ALERT": "red", "EMERGENCY": "red"}
_MARGIN = "    | "
"""Before what belongs to the line above, so that no message can pass for a line of its own."""


def write_records(batches: Iterable[Iterable[Row]], keys: Sequence[str], output: str) -> None:
    """Write entries for machines; each batch is out before the next is asked for."""
    write(_flushed(batches), [Column(key) for key in keys], output)


def _flushed(batches: Iterable[Iterable[Row]]) -> Iterator[Row]:
    for batch in batches:
        yield from batch
        sys.stdout.flush()


class Lines:
    """Writes entries for eyes; times are US Eastern, with their date where it is not today's."""

    def __init__(self, today: date) -> None:
        self._today = today
        self._color = has_color(sys.stdout)
        self._second: datetime | None = None
        self._clock = ""

    def write(  # noqa: PLR0913 -- the parts of a line
        self,
        at: datetime,
        severity: str,
        service: str,
        message: str,
        *,
        shown: Mapping[str, object],
        below: Sequence[str],
        count: int,
        until: datetime,
    ) -> None:
        """Write one line, and what belongs to it below.

        Args:
            at: when it was written.
            severity: its name.
            service: its short name.
            message: what it says; further lines of it come below.
            shown: fields to show.
            below: texts of several lines, such as a traceback.
            count: how often it was said.
            until: when it was said last.
        """
        first, *rest = message.split("\n")
        fields = "".join(f"  {name}={visible(str(value))}" for name, value in shown.items())
        often = f"  ×{count} until {self._time(until)}" if count > 1 else ""  # noqa: RUF001 -- the sign itself
        head = f"{self._time(at)} {self._severity(severity)} {visible(service):<11} {visible(first)}{fields}{often}\n"
        under = (line for text in below for line in text.rstrip("\n").split("\n"))
        sys.stdout.write(head + "".join(f"{_MARGIN}{visible(line)}\n" for line in (*rest, *under)))

    def flush(self) -> None:
        """Let what was written be seen."""
        sys.stdout.flush()

    def _severity(self, name: str) -> str:
        word = f"{name:<8}"
        color = _COLORS.get(name)
        return click.style(word, fg=color, bold=color == "red") if self._color and color else word

    def _time(self, moment: datetime) -> str:
        """The time of day; many lines share their second."""
        second = moment.replace(microsecond=0)
        if second != self._second:
            self._second, self._clock = second, self._said(second)
        return self._clock

    def _said(self, moment: datetime) -> str:
        try:
            local = moment.astimezone(EASTERN)
        except OverflowError:  # the first hours of the year 1 had not begun there
            local = moment
        return f"{local:%H:%M:%S}" if local.date() == self._today else f"{local:%Y-%m-%d %H:%M:%S}"
