"""Small random contents of every input table: wrong and odd as often as right, and joined often enough to matter.

Hypothesis chooses the shape of a world and a seed; the rest follows from the seed, as to draw each of ten thousand
cells would take longer than to run the query.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import count
from random import Random
from typing import Any

from hypothesis import strategies as st

from processors import graph
from shared.tables.model import Column

Record = dict[str, Any]

TEAMS = ("BOS", "NYK", "LAL", "DEN", "PHX", "MIA", "CHI", "DAL", "UTA", "ATL", "GSW", "TOR")
DAYS = (date(2025, 1, 15), date(2025, 3, 9), date(2024, 11, 3))
"""A plain day, and the two on which clocks change in New York."""

POOLS: Mapping[str, Sequence[Any]] = {
    "bookmaker": ("draftkings", "betmgm", "bovada", "caesars", "fanduel", "betrivers"),
    "clock_seconds_remaining": (720.0, 700.0, 700.0, 431.5, 24.0, 0.4, 0.0),
    "confidence_score": (0.5, 0.79, 0.8, 1.0, None),
    "data_quality_tier": ("high", "high", "medium", "low"),
    "defensive_rating": (70.0, 99.5, 110.25, 118.0 / 3, None),
    "dnp_reason": ("DNP - coach's decision", None),
    "event_type": (
        *("2pt", "2pt", "2pt", "2pt", "3pt", "3pt", "3pt", "freethrow", "freethrow", "freethrow", "rebound", "rebound"),
        *(
            "foul",
            "foul",
            "turnover",
            "turnover",
            "substitution",
            "jumpball",
            "timeout",
            "violation",
            "period",
            "steal",
            "block",
            "other",
        ),
    ),
    "injury_status": ("out", "doubtful", "questionable", "probable", "available"),
    "minutes": ("34:12", "28:07", "30:30", "41:00", "0:20", "5:7", "12", "0:00", "0", "", "x", None),
    "nba_game_id": ("0022400001", "0022400002", "0022400003", "0042400001", "0052400001", "0062400001", "0012400001"),
    "over_under_result": ("OVER", "OVER", "UNDER", "PUSH", None),
    "player_status": ("active", "active", "active", "dnp", "inactive"),
    "points_line": (18.5, 20.5, 21.0, 0.5, 0.0, 61.0),
    "possessions_source": ("box", "play_by_play"),
    "primary_scoring_zone": ("paint", "mid_range", "three", "balanced", None),
    "reason_category": ("injury", "rest"),
    "season_phase": ("early", "mid", "playoffs"),
    "season_type": ("regular", "regular", "playoffs"),
    "shot_zones_source": ("nbac_play_by_play", "nbac_play_by_play", None),
    "sub_type": (
        *("personal", "shooting", "shooting", "offensive", "technical", "double technical", "flagrant-type-1"),
        *("clear-path", "transition take", "away-from-play", "defensive-3-second technical", None),
    ),
    "unknown_zone_attempts": (0, 0, 0, 1, None),
    "opp_unknown_zone_attempts": (0, 0, 0, 1, None),
    "x_ft": (0.0, 3.95, 4.0, 8.0, -8.05, 21.9, -22.0),
    "y_ft": (0.0, 3.0, 8.65, 8.7, 8.75, 13.84, 13.85, 24.0),
}
"""What a column of this name may hold, often enough; other columns hold what their type allows."""

PLAYER_STATUSES = ("not_listed", "available", "probable", "questionable", "doubtful", "out", None)


@dataclass(frozen=True, slots=True)
class Shape:
    """What Hypothesis chooses, and shrinks.

    Attributes:
        seed: of everything else.
        day: first day asked for.
        days: how many days are asked for.
        as_of: hours from the beginning of the first day to the moment that is asked for.
        teams: how many, an even number.
        players: per team.
        history: days with games before the first day.
        unknown: share of NULLs where there may be some.
        alike: whether all teams shoot alike.
    """

    seed: int = 0
    day: date = DAYS[0]
    days: int = 2
    as_of: int = 80
    teams: int = 4
    players: int = 4
    history: int = 13
    unknown: float = 0.05
    alike: bool = True

    @property
    def params(self) -> dict[str, Any]:
        midnight = datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)
        return {
            "start_date": self.day,
            "end_date": self.day + timedelta(days=self.days - 1),
            "as_of": midnight + timedelta(hours=self.as_of),
        }


def shapes(largest: Shape) -> st.SearchStrategy[Shape]:
    """Shapes up to a largest one, the small ones first."""
    return st.builds(
        Shape,
        seed=st.integers(0, 2**32),
        day=st.sampled_from(DAYS),
        days=st.integers(1, largest.days),
        as_of=st.sampled_from((80, 12, 24, 200)),
        teams=st.sampled_from((2, largest.teams)),
        players=st.integers(2, largest.players),
        history=st.sampled_from((0, 3, largest.history)),
        unknown=st.sampled_from((0.0, 0.05, 0.3)),
        alike=st.booleans(),
    )


@dataclass(frozen=True, slots=True)
class Game:
    """A game of the world, in the league's calendar."""

    date: date
    away: str
    home: str
    season: int

    @property
    def id(self) -> str:
        return f"{self.date:%Y%m%d}_{self.away}_{self.home}"

    @property
    def sides(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Team and opponent, each."""
        return ((self.away, self.home), (self.home, self.away))


@dataclass(frozen=True, slots=True)
class Player:
    """Who plays for a team: `home` until he is traded to `then`."""

    id: int
    lookup: str
    home: str
    then: str
    traded: date

    def team(self, day: date) -> str:
        return self.home if day < self.traded else self.then


class World:
    """Rows of every table, by its qualified name; each call of a method makes others."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.random = Random(shape.seed)  # noqa: S311 -- test data
        self._loads = count()
        self.first, self.last = shape.params["start_date"], shape.params["end_date"]
        teams = TEAMS[: shape.teams]
        self.players = [
            Player(
                id=100 * nth + at,
                lookup=f"{team.lower()}{nth}",
                home=team,
                then=teams[0] if nth > 1 and self.often(0.2) else team,
                traded=self.first - timedelta(days=6),
            )
            for at, team in enumerate(teams)
            for nth in range(1, shape.players + 1)
        ]
        days = [self.first + timedelta(days=nth) for nth in range(shape.days)]
        day = self.first
        for nth in range(shape.history):
            day -= timedelta(days=self.random.choice((1, 1, 2, 2, 3, 4)))
            days.insert(0, day - timedelta(days=200 if nth >= max(shape.history - 2, 3) else 0))
        days.append(self.last + timedelta(days=self.random.randint(1, 9)))
        self.games = [game for day in days for game in self._games(day, list(teams))]

    def _games(self, day: date, teams: list[str]) -> Iterator[Game]:
        self.random.shuffle(teams)
        season = 2024 if day > self.first - timedelta(days=150) else 2023
        for away, home in zip(teams[::2], teams[1::2], strict=True):
            if self.often(0.85):
                yield Game(day, away, home, season)

    def often(self, share: float) -> bool:
        return self.random.random() < share

    def row(self, table: str, **known: object) -> Record:
        """A row with some values given."""
        return {
            column.name: known[column.name] if column.name in known else self._value(column)
            for column in graph.table(table).columns
        }

    def _value(self, column: Column) -> Any:  # noqa: ANN401 -- of the column's type
        if column.name == "processed_at":  # never twice the same: the newest of two loads is one of them
            return datetime(2025, 2, 1, tzinfo=UTC) + timedelta(seconds=next(self._loads))
        if column.mode == "NULLABLE" and self.often(self.shape.unknown):
            return None
        if pool := POOLS.get(column.name):
            options = [value for value in pool if value is not None or column.mode == "NULLABLE"]
            return self.random.choice(options)
        return _TYPES[column.type](self.random, self)

    def tables(self, names: Sequence[str]) -> dict[str, list[Record]]:
        return {graph.table(name).id: list(getattr(self, name)()) for name in names}

    def asked(self) -> list[Game]:
        return [game for game in self.games if self.first <= game.date <= self.last]

    def before(self) -> list[Game]:
        return [game for game in self.games if game.date <= self.last]

    def roster(self, game: Game) -> Iterator[tuple[Player, str, str]]:
        """Player, his team and its opponent."""
        for team, opponent in game.sides:
            for player in self.players:
                if player.team(game.date) == team:
                    yield player, team, opponent

    def loaded(self, rows: Iterator[Record], share: float = 0.1, **other: object) -> Iterator[Record]:
        """The rows, some of them loaded twice."""
        for row in rows:
            yield row
            if self.often(share):
                again = datetime(2025, 2, 1, tzinfo=UTC) + timedelta(
                    seconds=next(self._loads) - self.random.choice((0, 10**6))
                )
                yield {**row, **other, "processed_at": again}

    # raw tables

    def nbac_schedule(self) -> Iterator[Record]:
        def games() -> Iterator[Record]:
            for game in self.games:
                past = game.date < self.first or self.often(0.85)
                status = self.random.choice((*[3] * 12, 1, 2, 4)) if past else self.random.choice((1, 1, 1, 4))
                final = status == 3
                yield self.row(
                    "nbac_schedule",
                    **_named(game, "game_id", "game_date", "season_year"),
                    nba_game_id=self.random.choice(POOLS["nba_game_id"]),
                    game_status=status,
                    game_start_time=self.random.choice((None, self.night(game.date))),
                    home_team_abbr=game.home,
                    away_team_abbr=game.away,
                    home_team_score=self.random.randint(90, 130) if final else None,
                    away_team_score=self.random.randint(80, 120) if final else None,
                    neutral_site=self.random.choice((False, False, False, True, None)),
                )

        return self.loaded(games(), game_status=3)

    def night(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, 23, 30, tzinfo=UTC) + timedelta(hours=self.random.randint(-6, 4))

    def nbac_gamebook_player_stats(self) -> Iterator[Record]:
        def players() -> Iterator[Record]:
            for game in self.asked():
                active = self.often(0.75)
                for player, team, _ in self.roster(game):
                    known = self.often(0.9)
                    yield self.row(
                        "nbac_gamebook_player_stats",
                        **_named(game, "game_id", "game_date", "season_year"),
                        player_lookup=player.lookup if known else None,
                        player_name=player.lookup.title(),
                        player_id=player.id if self.often(0.9) else None,
                        team_abbr=team,
                        player_status=self.random.choice(POOLS["player_status"]) if active else "inactive",
                    )

        return self.loaded(players())

    def bdl_player_boxscores(self) -> Iterator[Record]:
        def players() -> Iterator[Record]:
            for game in self.asked():
                for player, team, _ in self.roster(game):
                    yield self.row(
                        "bdl_player_boxscores",
                        **_named(game, "game_id", "game_date", "season_year"),
                        player_lookup=player.lookup,
                        player_full_name=player.lookup.title(),
                        team_abbr=team,
                        minutes=self.random.choice(("31", "24", "7", "0", "", None)),
                    )

        return self.loaded(players())

    def nbac_play_by_play(self) -> list[Record]:
        return self._plays

    @cached_property
    def _plays(self) -> list[Record]:
        games = [game for game in self.asked() if self.often(0.9)]
        return [event for game in games for event in self.loaded(self._events(game), 0.03)]

    def _events(self, game: Game) -> Iterator[Record]:
        roster = list(self.roster(game))
        ids = [player.id for player, _, _ in roster]
        lineups = [sorted(self.random.sample(ids, k=len(ids) - 1)) for _ in range(3)]
        blind = self.often(0.2)
        moments = sorted(
            (self.random.choice((1, 1, 1, 2, 5)), -self.random.choice(POOLS["clock_seconds_remaining"]))
            for _ in range(self.random.choice((12, 40, 60)))
        )
        favourites = roster[: len(roster) // 2] if self.often(0.4) else roster
        for nth, (period, clock) in enumerate(moments):
            actor, team, _ = self.random.choice(favourites if self.often(0.9) else roster)
            total = self.random.choice((1, 2, 2, 3))
            yield self.row(
                "nbac_play_by_play",
                **_named(game, "game_id", "game_date", "season_year"),
                event_sequence=10 * nth - self.random.choice((0, 0, 0, 15)),
                period=period,
                clock_seconds_remaining=-clock,
                team_abbr=team if self.often(0.95) else None,
                player_1_id=actor.id if self.often(0.9) else None,
                player_1_lookup=actor.lookup if self.often(0.9) else None,
                player_2_id=self.random.choice(ids) if self.often(0.4) else None,
                player_2_lookup=self.random.choice(roster)[0].lookup if self.often(0.3) else None,
                players_on_court=None if blind or self.often(0.15) else self.random.choice(lineups),
                ft_total=total,
                ft_number=self.random.randint(1, total),
            )

    def nbac_team_boxscore(self) -> Iterator[Record]:
        def teams() -> Iterator[Record]:
            for game in self.asked():
                agrees = self.often(0.9)
                for team, opponent in game.sides:
                    shots = {
                        event["event_sequence"]: event
                        for event in sorted(self._plays, key=lambda event: event["processed_at"])
                        if (event["game_id"], event["team_abbr"]) == (game.id, team)
                    }.values()
                    shots = [event for event in shots if event["event_type"] in ("2pt", "3pt")]
                    made = sum(bool(event["shot_made"]) for event in shots)
                    counted = {"fg_made": made, "fg_attempted": len(shots) + self.random.randint(-2, 3)}
                    yield self.row(
                        "nbac_team_boxscore",
                        **_named(game, "game_id", "game_date", "season_year"),
                        team_abbr=team,
                        is_home=opponent == game.away,
                        minutes=self.random.choice(("240:00", "265:00", "252:30", "240", "x", None)),
                        **(counted if agrees else {}),
                    )

        return self.loaded(teams(), 0.05)

    def nbac_injury_report(self) -> Iterator[Record]:
        def lines() -> Iterator[Record]:
            for game in self.asked():
                reports = [
                    (game.date - timedelta(days=self.random.randint(0, 2)), hour)
                    for hour in self.random.sample((0, 1, 2, 9, 13, 17, 23), k=self.random.choice((0, 1, 1, 2, 3)))
                ]
                for day, hour in reports:
                    for player, team, _ in self.roster(game):
                        if self.often(0.5):
                            yield self.row(
                                "nbac_injury_report",
                                **_named(game, "game_id", "game_date"),
                                report_date=day,
                                report_hour=hour,
                                team_abbr=team,
                                player_id=player.id if self.often(0.8) else None,
                                player_lookup=player.lookup if self.often(0.9) else None,
                                player_full_name=player.lookup.title(),
                            )

        return self.loaded(lines(), injury_status="out")

    def odds_api_player_points_props(self) -> Iterator[Record]:
        def lines() -> Iterator[Record]:
            for game in self.asked():
                for player, _, _ in self.roster(game):
                    for bookmaker, moment in self._snapshots(game):
                        for line in self.random.sample(POOLS["points_line"], k=self.random.randint(1, 3)):
                            yield self.row(
                                "odds_api_player_points_props",
                                **_named(game, "game_id", "game_date"),
                                player_id=player.id,
                                player_lookup=player.lookup if self.often(0.9) else None,
                                player_name=player.lookup.title(),
                                bookmaker=bookmaker,
                                snapshot_timestamp=moment,
                                points_line=line,
                                over_price=self.random.choice((1.8, 1.9, 2.0, None)),
                                under_price=self.random.choice((1.8, 1.9, 2.1)),
                            )

        return self.loaded(lines(), over_price=1.5)

    def odds_api_game_lines(self) -> Iterator[Record]:
        def lines() -> Iterator[Record]:
            for game in self.asked():
                for market, outcomes in (("spreads", (game.home, game.away)), ("totals", ("over", "under"))):
                    for bookmaker, moment in self._snapshots(game):
                        total = self.random.choice((210.5, 231.0, 149.5, None))
                        for nth, outcome in enumerate(outcomes):
                            spread = self.random.choice((-4.5, 3.0, 41.5)) * (1 if nth else -1)
                            yield self.row(
                                "odds_api_game_lines",
                                **_named(game, "game_id", "game_date"),
                                bookmaker=bookmaker,
                                market=market,
                                outcome=outcome,
                                snapshot_timestamp=moment,
                                point=spread if market == "spreads" else total,
                            )

        return self.loaded(lines(), point=-7.5)

    def _snapshots(self, game: Game) -> list[tuple[str, datetime]]:
        """Bookmakers and moments, each pair once."""
        tip = datetime(game.date.year, game.date.month, game.date.day, 23, tzinfo=UTC)
        pairs = [
            (bookmaker, tip + timedelta(hours=hours))
            for bookmaker in self.random.sample(POOLS["bookmaker"], k=2)
            for hours in (-30, -9, -2, 1, 9)
        ]
        return self.random.sample(pairs, k=self.random.choice((0, 1, 3, 5)))

    def team_locations(self) -> Iterator[Record]:
        table = graph.table("team_locations")
        for content in table.constant:
            if content[0] in TEAMS and self.often(0.95):
                yield dict(zip(table.column_names, content, strict=True))

    # tables of the pipeline

    def player_game_summary(self) -> Iterator[Record]:
        for game in self.before():
            if self.often(0.93):
                for player, team, opponent in self.roster(game):
                    yield self.row(
                        "player_game_summary",
                        **_named(game, "game_id", "game_date", "season_year"),
                        player_lookup=player.lookup,
                        player_id=player.id if self.often(0.8) else None,
                        player_full_name=player.lookup.title(),
                        team_abbr=team,
                        opponent_team_abbr=opponent,
                        minutes_played=self.random.choice((34.2, 28.0, 12 + 7 / 60, 41.5, 0.0, None)),
                        usage_rate=self.random.choice((20.0, 31.4, 100 / 3, None)),
                        points=self.random.randint(0, 40),
                        fg_attempts=self.random.choice((0, 9, 15, 20)),
                    )

    def team_offense_game_summary(self) -> Iterator[Record]:
        return self._team_games("team_offense_game_summary", "team_abbr", "opponent_team_abbr")

    def team_defense_game_summary(self) -> Iterator[Record]:
        return self._team_games("team_defense_game_summary", "defending_team_abbr", "opponent_team_abbr")

    def _team_games(self, table: str, own: str, other: str) -> Iterator[Record]:
        alike = {"fg_attempts": self.random.choice((9, 88)), "ft_attempts": 20}
        if self.shape.alike:
            names = graph.table(table).column_names
            alike |= {name: 4 for name in names if name.endswith(("_attempts", "_makes")) and "unknown" not in name}
        for game in self.before():
            for team, opponent in game.sides:
                if self.often(0.95):
                    yield self.row(
                        table,
                        **_named(game, "game_id", "game_date", "season_year"),
                        **{own: team, other: opponent},
                        **alike,
                    )

    def upcoming_team_game_context(self) -> Iterator[Record]:
        for game in self.asked():
            for team, opponent in game.sides:
                if self.often(0.95):
                    yield self.row(
                        "upcoming_team_game_context",
                        **_named(game, "game_id", "game_date", "season_year"),
                        team_abbr=team,
                        opponent_team_abbr=opponent,
                        home_game=team == game.home,
                        game_spread=self.random.choice((-4.5, 3.0, None)),
                        game_total=self.random.choice((220.5, None)),
                        injury_report_at=self.night(game.date) if self.often(0.8) else None,
                    )

    def upcoming_player_game_context(self) -> Iterator[Record]:
        for game in self.asked():
            for player, team, opponent in self.roster(game):
                yield self.row(
                    "upcoming_player_game_context",
                    **_named(game, "game_id", "game_date", "season_year"),
                    player_lookup=player.lookup,
                    player_id=player.id,
                    team_abbr=team,
                    opponent_team_abbr=opponent,
                    home_game=team == game.home,
                    player_status=self.random.choice(PLAYER_STATUSES),
                    injury_report_at=self.night(game.date) if self.often(0.7) else None,
                    missing_games=self.random.choice((0, 0, 2)),
                    missing_games_last_14_days=self.random.choice((0, 0, 0, 1)),
                    star_teammates_out=self.random.choice((0, 1, 2, None)),
                    days_rest=self.random.choice((0, 1, 2, None)),
                )

    def player_daily_cache(self) -> Iterator[Record]:
        return self._of_slate_players("player_daily_cache", "cache_date")

    def player_shot_zone_analysis(self) -> Iterator[Record]:
        return self._of_slate_players("player_shot_zone_analysis", "analysis_date")

    def player_composite_factors(self) -> Iterator[Record]:
        return self._of_slate_players("player_composite_factors", "game_date")

    def _of_slate_players(self, table: str, day: str) -> Iterator[Record]:
        for game in self.asked():
            for player, team, opponent in self.roster(game):
                if self.often(0.9):
                    yield self.row(
                        table,
                        **{day: game.date, "game_id": game.id, "season_year": game.season},
                        player_lookup=player.lookup,
                        team_abbr=team,
                        opponent_team_abbr=opponent,
                        missing_games=self.random.choice((0, 0, 1)),
                    )

    def team_defense_zone_analysis(self) -> Iterator[Record]:
        for game in self.asked():
            for team, _ in game.sides:
                if self.often(0.9):
                    yield self.row(
                        "team_defense_zone_analysis",
                        team_abbr=team,
                        analysis_date=game.date,
                        season_year=game.season,
                        missing_games=self.random.choice((0, 0, 1)),
                    )


def _named(game: Game, *names: str) -> Record:
    return {
        name: value
        for name, value in (("game_id", game.id), ("game_date", game.date), ("season_year", game.season))
        if name in names
    }


_TYPES = {
    "INT64": lambda random, _: random.choice((0, 0, 1, 2, 3, 4, 5, 7, 9, 12)),
    "FLOAT64": lambda random, _: random.choice((0.0, 0.1, 0.45, 1 / 3, 2.5, 12.0, 36.6, 47.5, 61.0, 98.4, 101.7)),
    "STRING": lambda random, _: random.choice(("a", "b", "")),
    "BOOL": lambda random, _: random.choice((True, True, False)),
    "DATE": lambda random, world: world.first - timedelta(days=random.randint(1, 40)),
    "TIMESTAMP": lambda _, world: world.night(world.first),
    "ARRAY<STRING>": lambda random, _: random.choice(([], ["a"], ["b", "c"])),
}
