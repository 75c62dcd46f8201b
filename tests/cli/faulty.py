"""A command that fails in every way there is, so that the way out is the real one."""

from datetime import date

import click

from nbactl.params import output_option
from nbactl.session import Session
from shared import errors
from shared.lost_games import LostGames

FINDINGS = (
    errors.Finding("player_boxscores", "not an INT64", "minutes", "'12:34'"),
    errors.Finding("nbac_schedule", "the file is missing"),
)

WAYS: dict[str, BaseException] = {
    "plain": errors.NbactlError("it failed", why="it had to", hint="nbactl try again"),
    "usage": errors.UsageError("not understood"),
    "partly": errors.PartlyFailed("2 of 3 dates"),
    "access": errors.AccessDenied("not signed in"),
    "precondition": errors.PreconditionFailed("not loaded yet"),
    "missing": errors.NotFound("no such date"),
    "unknown": errors.UnknownName("table", "player_boxscore", ["player_boxscores", "team_boxscores"]),
    "games-lost": errors.GamesLost(
        "nothing is loaded", [LostGames("player_boxscores", date(2024, 11, 1), 2, 1, ("20241101_NYK_BOS",))]
    ),
    "locked": errors.WarehouseLocked("w.duckdb", 4242),
    "locked-by-whom": errors.WarehouseLocked("w.duckdb"),
    "engine": errors.WarehouseFailed("the warehouse could not do it", why="it said so"),
    "full": errors.WarehouseFull("the warehouse has run out of room"),
    "overtaken": errors.Overtaken("somebody else has written it"),
    "refused": errors.MessageRefused("Pub/Sub does not take this message", why="it has 101 attributes"),
    "pending": errors.ChangesPending("1 topic is missing"),
    "undetermined": errors.Undetermined("the API did not answer"),
    "timeout": errors.TimedOut("no answer in 60 s"),
    "data": errors.DataError("2 problems", FINDINGS),
    "check": errors.CheckFailed("1 row refused", FINDINGS[:1]),
    "hostile": errors.NbactlError("a\x1b[31mb\x00c\u202ed[/x]", why="\x9b2J\n\x7f"),
    "defect": KeyError("wanted"),
    "ctrl-c": KeyboardInterrupt(),
    "abort": click.Abort(),
    "click": click.ClickException("cannot open"),
}


@click.command()
@click.argument("way")
@output_option
@click.pass_obj
def command(_session: Session, way: str, output: str) -> None:  # noqa: ARG001 -- main looks at the words
    """Fail in the way that is named, or print until somebody stops reading."""
    if way in WAYS:
        raise WAYS[way]
    while way == "never":
        click.echo("x" * 1000)
