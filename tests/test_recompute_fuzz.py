"""The slate tables over small random worlds, every cell held against the recomputation in pure Python.

The real season is tidy: no report, no game line, no hole. These worlds are not.
"""

import math
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from processors import runner, survey
from processors.declaration import Dated
from processors.graph import processors_in_order, tables
from processors.request import Request
from shared import versions
from shared.clock import DateRange
from shared.tables.model import STAMPS, Table
from shared.tables.raw import GAME_LINES, INJURY_REPORT, POINTS_PROPS, SCHEDULE
from shared.tables.team_locations import TEAM_LOCATIONS
from shared.warehouse.duckdb import DuckDBWarehouse
from tests import builders
from tests.builders import Row, Tables, game_id, scheduled, tip_off
from tests.conftest import at, copied, silent
from tests.recompute import KEYS, recompute

EXAMPLES = int(os.environ.get("NBACTL_FUZZ_EXAMPLES", "8"))
FIRST_DAY = date(2025, 2, 10)
DAYS = 44
"""Long enough for windows of 30 days to leave something out, and for the hour that New York skips in March."""
TEAMS = tuple(team for team, *_ in TEAM_LOCATIONS)[:12]
LATE = datetime(2025, 5, 1, tzinfo=UTC)
STAMP = {"run_id": "0" * 32, "code_version": "test", "processed_at": LATE}
PGS, TOG, TDG = (
    tables()[name] for name in ("player_game_summary", "team_offense_game_summary", "team_defense_game_summary")
)
SLATE_PROCESSORS = tuple(one for one in processors_in_order() if one.dated is Dated.SLATE)
ZONES = ("paint", "mid_range", "corner_three", "above_break_three")
STATUSES = ("out", "doubtful", "questionable", "probable", "available")
BOOKMAKERS = ("draftkings", "fanduel", "betmgm", "caesars", "bovada", "aces")


@dataclass
class World:
    """Stored inputs, and what to compute from them."""

    rows: Tables
    slates: list[date]
    as_of: datetime


@dataclass
class Maker:
    """Chance by chance, a season of a few weeks."""

    dice: random.Random
    rows: Tables = field(default_factory=dict)

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def add(self, table: Table, row: Row) -> None:
        self.rows.setdefault(table.name, []).append(row)

    def world(self) -> World:
        teams = list(self.dice.sample(TEAMS, self.dice.choice((4, 6, 12))))
        rosters = {team: [f"{team.lower()}{number}" for number in range(self.dice.randint(2, 9))] for team in teams}
        density = self.dice.choice((0.2, 0.5, 0.9))
        games = list(self._season(teams, density, FIRST_DAY, 2024, DAYS))
        self._other_season(teams, rosters)
        last = FIRST_DAY + timedelta(days=DAYS - 1)
        for game in games:
            for team in self._pair(game):
                if self.chance(0.04):
                    self._trade(rosters, team)
            if game["game_status"] == 3 and self.chance(0.95):
                self._results(game, rosters)
        days = sorted({game["game_date"] for game in games if game["game_status"] != 4})
        # most of them late, when histories are long, and those on which a listing lapses
        lapses = [day for day in self._lapses() if day in days]
        slates = sorted({*self.dice.sample(days, min(3, len(days))), *days[-7:], *lapses[:4]})
        for game in games:
            if game["game_date"] in slates:
                self._market(game, rosters)
                self._reports(game, rosters)
        early = datetime(last.year, last.month, last.day, 23, tzinfo=UTC)
        return World(self.rows, slates, self.dice.choice((LATE, LATE, early, tip_off(self.dice.choice(slates)))))

    def _lapses(self) -> list[date]:
        """The last day on which a player who left is still listed, and the first on which he is not."""
        newest = {row["player_lookup"]: row["game_date"] for row in self.rows.get(PGS.name, ())}
        return sorted({day + timedelta(days=gap) for day in newest.values() for gap in (30, 31)})

    # ------------------------------------------------------------ schedule

    def _season(self, teams: Sequence[str], density: float, start: date, season: int, days: int) -> Iterator[Row]:
        played: dict[str, list[date]] = {team: [] for team in teams}
        for gap in range(days):
            day = start + timedelta(days=gap)
            free = [team for team in teams if self.chance(density) and not self._tired(played[team], day)]
            self.dice.shuffle(free)
            for away, home in zip(free[::2], free[1::2], strict=False):
                for team in (away, home):
                    played[team].append(day)
                yield self._game(day, away, home, season, ahead=days - gap)

    def _tired(self, days: Sequence[date], day: date) -> bool:
        return sum(one >= day - timedelta(days=6) for one in days) >= 5

    def _game(self, day: date, away: str, home: str, season: int, ahead: int) -> Row:
        final = ahead > 3 or self.chance(0.3)
        points = self.dice.randint(80, 130)
        margin = self.dice.choice([lead for lead in range(-20, 21) if lead])
        status = 3 if final else self.dice.choice((1, 1, 1, 2))
        if self.chance(0.04):
            status = self.dice.choice((1, 2, 4, 4))
        start = None if self.chance(0.05) else tip_off(day) - timedelta(hours=self.dice.choice((0, 0, 0, 3, 7)))
        kind = self.dice.choice(("002",) * 12 + ("001", "003", "004", "005", "006"))
        game = scheduled(
            day,
            away,
            home,
            season=season,
            score=(points, points + margin) if status == 3 else None,
            game_status=status,
            nba_game_id=f"{kind}24{self.dice.randrange(10**5):05}",
            game_start_time=start,
            neutral_site=self.dice.choice((False,) * 9 + (None, True)),
        )
        if status == 3 and self.chance(0.02):
            game["home_team_score"] = None
        self.add(SCHEDULE, game)
        if self.chance(0.05):
            older = builders.LOADED - timedelta(days=1)
            stale = self.dice.choice(({"game_status": 1, "home_team_score": None}, {"nba_game_id": "0022400001"}))
            self.add(SCHEDULE, game | stale | {"processed_at": older})
        return game

    def _other_season(self, teams: Sequence[str], rosters: Mapping[str, list[str]]) -> None:
        """Rows of the season before, which must not be seen."""
        for game in self._season(teams, 0.3, FIRST_DAY - timedelta(days=4), 2023, 3):
            game["game_id"] = game_id(game["game_date"], game["away_team_abbr"], game["home_team_abbr"])
            if game["game_status"] == 3:
                self._results(game, rosters)

    def _trade(self, rosters: dict[str, list[str]], team: str) -> None:
        if len(rosters[team]) > 2:
            player = self.dice.choice(rosters[team])
            rosters[team].remove(player)
            if self.chance(0.6):
                rosters[self.dice.choice(sorted(rosters))].append(player)

    @staticmethod
    def _pair(game: Row) -> tuple[str, str]:
        return game["home_team_abbr"], game["away_team_abbr"]

    # ------------------------------------------------------------ results

    def _results(self, game: Row, rosters: Mapping[str, list[str]]) -> None:
        teams_known = self.chance(0.95)
        zones_known = self.chance(0.9)
        for team, opponent in (self._pair(game), self._pair(game)[::-1]):
            for player in rosters[team]:
                if self.chance(0.97):
                    self.add(PGS, self._summary(game, team, opponent, player, zones_known=zones_known))
            if teams_known and self.chance(0.98):
                self._team(game, team, opponent, zones_known=zones_known)

    def _common(self, game: Row) -> Row:
        same = {name: game[name] for name in ("game_id", "nba_game_id", "game_date", "season_year")}
        return same | {"season_type": "regular", "data_quality_tier": "high", "quality_issues": [], **STAMP}

    def _summary(self, game: Row, team: str, opponent: str, player: str, *, zones_known: bool) -> Row:
        played = self.chance(0.85)
        stats = self._stats(star=player[-1] in "05", zones_known=zones_known) if played else {}
        row: Row = {
            "player_lookup": player,
            "player_id": self._id(player),
            "player_full_name": self.dice.choice((player.title(), player.upper())),
            "team_abbr": team,
            "opponent_team_abbr": opponent,
            "home_game": team == game["home_team_abbr"],
            "player_status": "active" if played else "dnp",
            "is_dnp": not played,
            "primary_source_used": "nbac_gamebook",
        }
        return builders.row_of(PGS, **self._common(game), **row, **stats)

    def _seconds(self, *, star: bool) -> int:
        """Whole seconds, often those at which something begins; a star plays until he is tired."""
        limits = (2400, 2401, 2880) if star else (1, 719, 1440, 1680, 2100, 2101)
        seconds: int = self.dice.choice((*limits, self.dice.randint(1, 2900)))
        return seconds

    def _id(self, player: str) -> int | None:
        """Sources may omit an id; they do not contradict each other."""
        return self.dice.choice((None, None, 1000 + sum(map(ord, player))))

    def _stats(self, *, star: bool, zones_known: bool) -> Row:
        located = {zone: self.dice.choice((0, 0, 1, 2, 3)) + 3 * star for zone in ZONES}
        unknown = self.dice.choice((0, 0, 0, 0, 1, 2))
        made = {zone: self.dice.randint(star, min(number, 3)) for zone, number in located.items()}
        threes = made["corner_three"] + made["above_break_three"]
        throws = self.dice.choice((0, 0, 2, 3, 8))
        sunk = self.dice.randint(0, throws)
        stats: Row = {
            "minutes_played": self._seconds(star=star) / 60,
            "points": 2 * (sum(made.values()) - threes) + 3 * threes + sunk,
            "fg_makes": sum(made.values()),
            "fg_attempts": sum(located.values()) + unknown,
            "three_pt_makes": threes,
            "ft_makes": sunk,
            "ft_attempts": throws,
            "usage_rate": self.dice.choice((None, 0.0, 20.0, *[self.dice.uniform(5, 45)] * 6)),
            "over_under_result": self.dice.choice((None, "OVER", "OVER", "UNDER", "PUSH")),
        }
        if zones_known:
            rim = self.dice.randint(0, located["paint"])
            assisted = self.dice.randint(0, sum(made.values()))
            stats |= {
                **{f"{zone}_attempts": number for zone, number in located.items()},
                **{f"{zone}_makes": number for zone, number in made.items()},
                "rim_attempts": rim,
                "rim_makes": min(rim, made["paint"]),
                "unknown_zone_attempts": unknown,
                "unknown_zone_makes": 0,
                "assisted_fg_makes": assisted,
                "unassisted_fg_makes": sum(made.values()) - assisted,
                "shot_zones_source": "nbac_play_by_play",
            }
        return stats

    def _team(self, game: Row, team: str, opponent: str, *, zones_known: bool) -> None:
        possessions = self.dice.choice((None, float(self.dice.randint(85, 115)), self.dice.uniform(90, 105)))
        pace = None if possessions is None else min(118.0, max(82.0, possessions + self.dice.uniform(-3, 3)))
        points = self.dice.randint(85, 130)
        numbers = {
            name: self.dice.randint(5, 30)
            for name in ("assists", "steals", "blocks", "defensive_rebounds", "personal_fouls", "turnovers")
        }
        shots = {"fg_makes": 40, "fg_attempts": 100, "three_pt_makes": 10, "three_pt_attempts": 30}
        common = {"home_game": team == game["home_team_abbr"], "win_flag": True, "margin_of_victory": 1}
        zones = {zone: self.dice.randint(15, 28) for zone in ZONES}
        makes = {zone: self.dice.randint(0, number) for zone, number in zones.items()}
        unknown = self.dice.choice((0, 0, 1, 10, 11))
        places: Row = {
            **{f"{zone}_attempts": number for zone, number in zones.items()},
            **{f"{zone}_makes": number for zone, number in makes.items()},
            "rim_attempts": zones["paint"] // 2,
            "rim_makes": min(makes["paint"], zones["paint"] // 2),
            "unknown_zone_attempts": unknown,
            "unknown_zone_makes": 0,
        }
        source = "nbac_play_by_play" if zones_known else None
        rating = None if possessions is None else 100 * points / possessions
        offense: Row = {
            **{f"team_{name}": value for name, value in places.items() if zones_known},
            **shots,
            **numbers,
            **common,
            "team_abbr": team,
            "opponent_team_abbr": opponent,
            "team_id": 1,
            "points_scored": points,
            "ft_makes": 10,
            "ft_attempts": 20,
            "offensive_rebounds": 10,
            "rebounds": 40,
            "pace": pace,
            "possessions": possessions,
            "offensive_rating": rating,
            "shot_zones_source": source,
        }
        self.add(TOG, builders.row_of(TOG, **self._common(game), **offense))
        blocks = {name: self.dice.randint(0, 5) for name in ("blocks_paint", "blocks_mid_range", "blocks_three_pt")}
        allowed: Row = {
            **{f"opp_{name}": value for name, value in (places | shots).items() if zones_known or name in shots},
            **(blocks | {"points_in_paint_allowed": 2 * makes["paint"]} if zones_known else {}),
            **common,
            "defending_team_abbr": team,
            "opponent_team_abbr": opponent,
            "points_allowed": points,
            "opp_ft_makes": 10,
            "opp_ft_attempts": self.dice.randint(5, 35),
            "opp_rebounds": 40,
            "opp_offensive_rebounds": 10,
            "opp_assists": 20,
            "turnovers_forced": 10,
            "fouls_committed": 20,
            "steals": 5,
            "blocks": 5,
            "defensive_rebounds": 30,
            "three_pt_points_allowed": 30,
            "opponent_possessions": possessions,
            "opponent_pace": pace,
            "defensive_rating": rating,
            "shot_zones_source": source,
        }
        self.add(TDG, builders.row_of(TDG, **self._common(game), **allowed))

    # ------------------------------------------------------------ lines and reports

    def _market(self, game: Row, rosters: Mapping[str, list[str]]) -> None:
        for player in [*(one for team in self._pair(game) for one in rosters[team]), "nobody"]:
            if self.chance(0.5):
                for snapshot in self._snapshots(game):
                    for _ in range(self.dice.choice((1, 1, 2, 3))):
                        line = self.dice.choice((9.5, 10.5, 11.0, 12.5, 15.5, 20.5, 20.5, 0.5, 60.5))
                        self._prop(game, player, line, snapshot)
        for market, outcomes in (("spreads", self._pair(game)), ("totals", ("over", "under"))):
            if self.chance(0.7):
                for snapshot in self._snapshots(game):
                    point = self.dice.choice((-3.5, 4.0, 0.0, 12.5, -40.5)) if market == "spreads" else None
                    for nth, outcome in enumerate(outcomes):
                        value = (
                            self.dice.choice((220.5, 231.0, 240.5, 149.5)) if point is None else point * (1 - 2 * nth)
                        )
                        shown = self.dice.choice((value,) * 8 + (None, value + 0.5))
                        row = builders.game_line(game, market, outcome, value, **snapshot) | {"point": shown}
                        self.add(GAME_LINES, row)

    def _prop(self, game: Row, player: str, line: float, snapshot: Row) -> None:
        over, under = (self.dice.choice((None, 1.8, 1.9, 2.0)) for _ in range(2))
        row = builders.prop(game, player, line, over_price=over, under_price=under, **snapshot)
        if self.chance(0.05):
            row["player_lookup"] = None
        known = {self._key(POINTS_PROPS, one) for one in self.rows.get(POINTS_PROPS.name, [])[-40:]}
        if self._key(POINTS_PROPS, row) not in known:
            self.add(POINTS_PROPS, row)
            if self.chance(0.05):
                self.add(POINTS_PROPS, row | {"over_price": 5.0, "processed_at": builders.LOADED - timedelta(days=1)})

    @staticmethod
    def _key(table: Table, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in table.key)

    def _snapshots(self, game: Row) -> list[Row]:
        """A few moments of a few bookmakers, before, at and after the tip."""
        start: datetime = game["game_start_time"] or tip_off(game["game_date"])
        chosen = {
            (
                self.dice.choice(BOOKMAKERS),
                start + timedelta(seconds=self.dice.choice((-90000, -7200, -60, 0, 1, 9000))),
            )
            for _ in range(self.dice.choice((0, 1, 3, 6)))
        }
        return [{"bookmaker": maker, "snapshot_timestamp": moment} for maker, moment in sorted(chosen)]

    def _reports(self, game: Row, rosters: Mapping[str, list[str]]) -> None:
        """None, one team's or both teams'; at several hours; with names that nobody knows and doubtful readings."""
        for team in self._pair(game):
            hours = self.dice.sample(range(8, 24), self.dice.choice((0, 1, 1, 3)))
            for hour in hours:
                day = game["game_date"] - timedelta(days=self.dice.choice((0, 0, 0, 1)))
                named = self.dice.sample(rosters[team], self.dice.randint(0, len(rosters[team])))
                named += self.dice.sample(["newcomer", min(rosters).lower() + "0"], self.dice.choice((0, 0, 1)))
                for player in dict.fromkeys(named):
                    report = builders.injured(
                        game,
                        player,
                        team,
                        self.dice.choice(STATUSES),
                        report_date=day,
                        report_hour=hour,
                        player_id=self._id(player),
                        confidence_score=self.dice.choice((None, None, 0.8, 0.79, 1.0)),
                    )
                    if self.chance(0.05):
                        report["player_lookup"] = None
                    known = {self._key(INJURY_REPORT, one) for one in self.rows.get(INJURY_REPORT.name, [])[-60:]}
                    if report["player_lookup"] is None or self._key(INJURY_REPORT, report) not in known:
                        self.add(INJURY_REPORT, report)
                        if self.chance(0.1):
                            self.add(INJURY_REPORT, report | self._correction(player))

    def _correction(self, player: str) -> Row:
        """What a second load of a line of the report says instead."""
        later = builders.LOADED + timedelta(hours=1)
        name = self.dice.choice((player, player.title(), f"{player} jr"))
        doubt = self.dice.choice((None, 0.5, 0.9))
        status = self.dice.choice(STATUSES)
        return {
            "player_full_name": name,
            "confidence_score": doubt,
            "injury_status": status,
            "processed_at": later,
        }


# ---------------------------------------------------------------- the comparison


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    warehouse = at(tmp_path_factory.mktemp("empty") / "empty.duckdb")
    with warehouse.writing(runner.all_tables()):
        pass
    return warehouse.path


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32))
@example(seed=6017)  # an average of minutes that has risen by exactly a tenth
def test_random_worlds_equal_the_recomputation(
    empty_file: Path, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    world = Maker(random.Random(seed)).world()  # noqa: S311 -- no secret
    warehouse = copied(empty_file, tmp_path_factory.mktemp("world"))
    computed = compute(warehouse, world)
    stored = {**world.rows, "team_locations": locations()}
    for slate in world.slates:
        for name, theirs in recompute(slate, stored, world.as_of).items():
            ours = computed[name].get(slate, {})
            assert {key_of(name, row) for row in theirs} == set(ours), (slate, name)
            wrong = {key: diff for row in theirs if (diff := differing(ours[key := key_of(name, row)], row))}
            assert wrong == {}, (slate, name)


def compute(warehouse: DuckDBWarehouse, world: World) -> dict[str, dict[date, dict[tuple[Any, ...], Row]]]:
    """The slates' rows by table, date and key; all dates in one go."""
    computed: dict[str, dict[date, dict[tuple[Any, ...], Row]]] = {}
    with warehouse.writing(runner.all_tables()) as session:
        for name, rows in world.rows.items():
            session.insert(tables()[name], rows)
        versions.renew_all(session)
        seen = survey.take(session, DateRange(world.slates[0], world.slates[-1]))
        slates = tuple(day for day in world.slates if seen.calendar.day(day))
        request = Request(tuple((one, slates) for one in SLATE_PROCESSORS), as_of=world.as_of, allow_incomplete=True)
        for outcome in runner.run(session, seen, request, silent):
            assert outcome.status.wrote, outcome
        for processor in SLATE_PROCESSORS:
            table = processor.output
            by_date = computed.setdefault(table.name, {})
            for row in session.query(f"SELECT * FROM {table.id}").records():
                by_date.setdefault(row[table.date_column], {})[key_of(table.name, row)] = row
    return computed


def locations() -> list[Row]:
    names = ("team_abbr", "latitude", "longitude", "utc_offset_standard")
    return [dict(zip(names, row, strict=True)) for row in TEAM_LOCATIONS]


def key_of(name: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column] for column in KEYS[name])


def differing(ours: Row, theirs: Row) -> dict[str, tuple[Any, Any]]:
    assert set(theirs) == set(ours) - {column.name for column in STAMPS}
    return {name: (ours[name], value) for name, value in theirs.items() if not same(ours[name], value)}


def same(ours: Any, theirs: Any) -> bool:  # noqa: ANN401 -- a cell is anything
    if isinstance(ours, datetime) and ours.tzinfo:
        ours = ours.astimezone(UTC).replace(tzinfo=None)
    if isinstance(theirs, float) and isinstance(ours, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    return bool(ours == theirs)
