"""`nbactl logs`: what the services write, of all phases in order of time, while it happens or afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import chain
from typing import TYPE_CHECKING, Protocol

import click

from nbactl.ops.local_processes import cause_of_death, is_alive, refuse_dead
from nbactl.ops.logs import query as asking
from nbactl.ops.logs.entry import ALIASES, KEYS
from nbactl.option import argument, option
from nbactl.params import EasternDate, Moment, output_option, processor_option
from nbactl.render import messages
from nbactl.session import Session
from shared import local
from shared.clock import EASTERN, today, utc_now
from shared.errors import PreconditionFailed, UsageError

if TYPE_CHECKING:
    from nbactl.ops.logs.entry import Entry
    from nbactl.ops.logs.folding import Line
    from nbactl.ops.logs.query import Query
    from nbactl.render.loglines import Lines
    from shared.local import Local

_INTERRUPTED = 130
LEVELS = ("debug", "info", "warning", "error", "critical")


class Source(Protocol):
    """Where logs are read."""

    @property
    def where(self) -> str:
        """What is read, in words."""

    def read(self, query: Query, limit: int | None) -> Iterator[list[Entry]]:
        """What is there."""

    def follow(self, query: Query) -> Iterator[list[Entry]]:
        """What comes."""


@click.command()
@argument("services", nargs=-1, metavar="[SERVICE]...")
@option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@option(
    "--since",
    type=Moment(),
    help="From then on: 2h (ago), a date or a time. Default: 1h; with -n, --correlation or --processor 7d; with --date "
    "from that day on.",
)
@option("--until", type=Moment(end=True), help="Until then; a date is included.")
@option("--level", type=click.Choice(LEVELS, case_sensitive=False), help="Only what is as grave, or graver.")
@option("--grep", metavar="RE", help="Only where message or exception hold this regular expression.")
@option("--exclude", metavar="RE", help="Only where they do not hold this one.")
@processor_option
@option("--date", "day", type=EasternDate(), help="Only what is about games of this day.")
@option("--correlation", metavar="ID", help="Only this chain of events.")
@option("-n", "--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N of those.")
@output_option
@click.pass_context
def command(  # noqa: PLR0913 -- one parameter per option
    context: click.Context,
    *,
    services: tuple[str, ...],
    follow: bool,
    since: datetime | None,
    until: datetime | None,
    level: str | None,
    grep: str | None,
    exclude: str | None,
    processors: tuple[str, ...],
    day: date | None,
    correlation: str | None,
    limit: int | None,
    output: str,
) -> None:
    """Show what the services log, all phases in order of time, on this machine or on Google Cloud.

    SERVICE is analytics, 3 or the full name. Where nbactl up runs in this project folder, or has run, its logs are
    read, with --project those of that project. Times are US Eastern. Messages that repeat are one line with their
    count; other forms than the table have every entry. With -f, json is one object a line.

    Example: nbactl logs precompute -f --level warning
    """
    if follow and until:
        raise UsageError("-f excludes --until", why="what is followed has no end", hint="nbactl logs -f --since 1h")
    narrow = bool(correlation or processors or limit)
    since, until = asking.period(since, until, day=day, narrow=narrow, now=utc_now())
    query = asking.Query(
        services=asking.named(services),
        since=since,
        until=until,
        level=level and level.upper(),
        grep=asking.expression(grep, "--grep"),
        exclude=asking.expression(exclude, "--exclude"),
        processors=asking.processors(processors),
        day=day,
        correlation_id=correlation,
    )
    try:
        _print(context.obj, query, limit, follow=follow, output=output)
    except KeyboardInterrupt:
        if not follow:
            raise
        # whoever follows ends so, and did nothing wrong
        context.exit(_INTERRUPTED)


def _print(session: Session, query: Query, limit: int | None, *, follow: bool, output: str) -> None:
    source = _source(session, follow=follow)
    if session.verbose:
        messages.note(f"reading {source.where}")
    came = False

    def batches() -> Iterator[list[Entry]]:
        nonlocal came
        for batch in source.read(query, limit):
            came = came or bool(batch)
            yield batch

    coming = source.follow(query) if follow else iter(())
    if output == "table":
        _print_lines(batches(), coming)
    else:
        _print_records(chain(batches(), coming), "jsonl" if follow and output == "json" else output)
    if not came:
        since = f"{query.since.astimezone(EASTERN):%Y-%m-%d %H:%M:%S}"
        messages.note(f"{source.where} has no such entries since {since} US Eastern", quiet=session.quiet)
        messages.hint("nbactl logs --since 30d looks further back", quiet=session.quiet)


def _source(session: Session, *, follow: bool) -> Source:
    """The local pipeline where there is one, or has been, unless another project is named on the line."""
    folder = session.settings.folder
    try:
        known = local.read(folder)
    except PreconditionFailed as error:
        known = None
        messages.warn(f"{error.message}: {error.why}")
    if session.project in (None, known.project if known else None):
        lives = known is not None and is_alive(known)
        if logs := known.logs if known and lives else local.logs_of(folder):
            from nbactl.ops.logs.files import Files

            if not lives:
                messages.warn(f"the pipeline here has ended{_cause(known)}; --project PROJECT reads Google Cloud")
            return Files(logs, ended=not lives, whole=not follow)
        refuse_dead(folder)
    from nbactl.gcp import logging
    from nbactl.ops.logs.cloud import Cloud

    return Cloud(logging.connect(session.settings.require_cloud_project()), messages.warn)


def _cause(known: Local | None) -> str:
    return f", {cause_of_death(known)}" if known else ""


def _print_records(batches: Iterable[Sequence[Entry]], output: str) -> None:
    from nbactl.render.loglines import write_records

    write_records(((entry.record() for entry in batch) for batch in batches), KEYS, output)


def _print_lines(there: Iterable[Sequence[Entry]], coming: Iterable[Sequence[Entry]]) -> None:
    from nbactl.ops.logs.folding import folded
    from nbactl.render.loglines import Lines

    lines = Lines(today())
    for batch in chain(folded(there, live=False), folded(coming, live=True)):
        for line in batch:
            _print_line(lines, line)
        lines.flush()


def _print_line(lines: Lines, line: Line) -> None:
    first = line.first
    lines.write(
        first.time,
        first.severity,
        ALIASES.get(first.service, first.service),
        first.message,
        shown=line.shown,
        below=[*line.runs, *filter(None, [first.exception])],
        count=line.count,
        until=line.until,
    )
