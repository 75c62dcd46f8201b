"""The sample league: its tables agree with each other to the last second, hold every special case, and compute."""

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest
from click.testing import CliRunner

from nbactl.cli import cli
from processors import runner, sample
from processors.sample import SampleSummary, calendar, game, whistle
from processors.sample.court import Side
from processors.sample.dice import Dice
from processors.sample.floor import Floor
from processors.sample.rosters import league, lookup
from shared.clock import EASTERN, DateRange
from shared.errors import PreconditionFailed, UsageError
from shared.ledger import Status
from shared.tables.raw import RAW_TABLES
from shared.tables.team_locations import TEAM_LOCATIONS
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.conftest import analytics, at, precompute

FIRST_NUMBERS = [365, 522, 546, 550, 94]
FIRST_SHUFFLE = list("fbdace")
TODAY = date(2025, 3, 5)  # summer time begins four days later
Row = dict[str, str]

BOX = {
    "points": "points",
    "field_goals_made": "fg_made",
    "field_goals_attempted": "fg_attempted",
    "three_pointers_made": "three_pt_made",
    "three_pointers_attempted": "three_pt_attempted",
    "free_throws_made": "ft_made",
    "free_throws_attempted": "ft_attempted",
    "offensive_rebounds": "offensive_rebounds",
    "defensive_rebounds": "defensive_rebounds",
    "assists": "assists",
    "steals": "steals",
    "blocks": "blocks",
    "personal_fouls": "personal_fouls",
}


@dataclass(frozen=True)
class Made:
    """A sample as its files have it."""

    folder: Path
    summary: SampleSummary
    rows: dict[str, list[Row]]
    possessions: list[tuple[int, int]]
    """Of home and away, as the games themselves counted them, in playing order."""

    @property
    def final(self) -> list[Row]:
        return [row for row in self.rows["nbac_schedule"] if row["game_status"] == "3"]

    def of(self, table: str, game_id: str) -> list[Row]:
        return [row for row in self.rows[table] if row["game_id"] == game_id]

    def games(self, table: str) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows[table]:
            found[row["game_id"]].append(row)
        return found


def _silent(_message: str, _advance: int) -> None:
    pass


def _made(folder: Path, weeks: int, today: date = TODAY) -> Made:
    counts = []
    real = game.play

    def counting(*args: object) -> object:
        floor = real(*args)  # type: ignore[arg-type]
        counts.append((floor.home.possessions, floor.away.possessions))
        return floor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(game, "play", counting)
        summary = sample.make(folder, weeks=weeks, today=today, watch=_silent)
    return Made(folder, summary, {table.name: _read(folder, table.name) for table in RAW_TABLES}, counts)


def _read(folder: Path, table: str) -> list[Row]:
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two weeks: one played, one to come."""
    return _made(tmp_path_factory.mktemp("two"), 2)


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What `nbactl data sample` makes."""
    return _made(tmp_path_factory.mktemp("eight"), 8)


@pytest.fixture(scope="module")
def computed(two: Made, tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """Two weeks, loaded and computed up to tonight."""
    warehouse = at(tmp_path_factory.mktemp("warehouse") / "sample.duckdb")
    with warehouse.writing(runner.all_tables()) as session:
        loaded = session.load(two.folder, RAW_TABLES)
    assert (loaded.absent, loaded.ignored) == ((), ())
    assert all(one.absent == () for one in loaded.staged)
    outcomes = analytics(warehouse, DateRange(two.summary.first, two.summary.last))
    outcomes += precompute(warehouse, DateRange(TODAY, TODAY))
    assert outcomes
    assert {one.status for one in outcomes} == {Status.SUCCESS, Status.SKIPPED_UNCHANGED}
    assert {one.processor.short for one in outcomes if one.status is Status.SKIPPED_UNCHANGED} == {"TGC", "UPC"}
    return warehouse


def _number(text: str) -> int:
    return int(text or 0)


def _seconds(clock: str) -> int:
    minutes, _, seconds = clock.partition(":")
    return 60 * int(minutes) + int(seconds or 0)


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    assert moment.utcoffset() == timedelta(0)
    return moment


def _in_playing_order(plays: list[Row]) -> list[Row]:
    return sorted(
        plays,
        key=lambda row: (int(row["period"]), -float(row["clock_seconds_remaining"]), int(row["event_sequence"])),
    )


# --- the tables agree -------------------------------------------------------------------------------------------


def test_players_make_teams_make_the_score(two: Made) -> None:
    players, teams = two.games("nbac_gamebook_player_stats"), two.games("nbac_team_boxscore")
    fallback = two.games("bdl_player_boxscores")
    assert len(fallback) == 1
    assert not set(fallback) & set(players)
    for row in two.final:
        boxes = teams[row["game_id"]]
        assert {box["team_abbr"] for box in boxes} == {row["home_team_abbr"], row["away_team_abbr"]}
        for box in boxes:
            where = "home" if box["is_home"] == "true" else "away"
            assert (box["team_abbr"], box["points"]) == (row[f"{where}_team_abbr"], row[f"{where}_team_score"])
            listed = players.get(row["game_id"]) or fallback[row["game_id"]]
            own = [one for one in listed if one["team_abbr"] == box["team_abbr"]]
            for of_player, of_team in BOX.items():
                assert sum(_number(one[of_player]) for one in own) == int(box[of_team]), (row["game_id"], of_player)
            assert 0 <= int(box["turnovers"]) - sum(_number(one["turnovers"]) for one in own) <= 6


def test_points_are_baskets_and_free_throws(two: Made) -> None:
    for row in two.rows["nbac_gamebook_player_stats"]:
        if row["player_status"] == "active":
            twos = _number(row["field_goals_made"]) - _number(row["three_pointers_made"])
            threes, ones = _number(row["three_pointers_made"]), _number(row["free_throws_made"])
            assert int(row["points"]) == 2 * twos + 3 * threes + ones
            assert int(row["personal_fouls"]) <= 6
        else:
            assert not any(row[name] for name in (*BOX, "minutes", "plus_minus"))


def test_minutes_add_up_to_the_second(two: Made) -> None:
    plays, fallback = two.games("nbac_play_by_play"), two.games("bdl_player_boxscores")
    for game_id, boxes in two.games("nbac_team_boxscore").items():
        overtimes = max(int(row["period"]) for row in plays[game_id]) - 4
        assert {_seconds(box["minutes"]) for box in boxes} == {5 * (2880 + 300 * overtimes)}
        for box in boxes:
            listed = two.of("nbac_gamebook_player_stats", game_id)
            own = [row for row in listed if row["team_abbr"] == box["team_abbr"]]
            played = sum(_seconds(row["minutes"]) for row in own if row["minutes"])
            if game_id in fallback:
                rows = [row for row in fallback[game_id] if row["team_abbr"] == box["team_abbr"]]
                assert not own
                assert abs(sum(int(row["minutes"]) for row in rows) - 240 - 25 * overtimes) <= 10
                assert "0" in {row["minutes"] for row in rows}
            else:
                assert played == _seconds(box["minutes"])
                assert sum(row["is_starter"] == "true" for row in own) == 5
                assert 8 <= sum(row["player_status"] == "active" for row in own) <= 13


def test_line_ups_give_minutes_and_plus_minus(two: Made) -> None:
    players = two.games("nbac_gamebook_player_stats")
    for game_id, rows in two.games("nbac_play_by_play").items():
        if game_id not in players:
            continue
        team = {int(row["player_id"]): row["team_abbr"] for row in players[game_id]}
        seconds: Counter[int] = Counter()
        margins: Counter[int] = Counter()
        court: list[int] = []
        before = score = (0, 0)
        previous: Row | None = None
        for row in _in_playing_order(rows):
            if previous and previous["period"] == row["period"]:
                for player in court:
                    seconds[player] += round(
                        10 * float(previous["clock_seconds_remaining"]) - 10 * float(row["clock_seconds_remaining"])
                    )
            if row["players_on_court"]:
                court = json.loads(row["players_on_court"])
                assert court == sorted(set(court))
                assert sorted(Counter(team[player] for player in court).values()) == [5, 5]
            else:
                assert row["event_type"] == "substitution"
            score = int(row["score_home"]), int(row["score_away"])
            home = (score[0] - before[0]) - (score[1] - before[1])
            for player in court if home else ():
                margins[player] += home if team[player] == game_id[13:] else -home
            before, previous = score, row
        for row in players[game_id]:
            if row["player_status"] == "active":
                player = int(row["player_id"])
                assert seconds[player] == 10 * _seconds(row["minutes"]), (game_id, row["player_name"])
                assert margins[player] == int(row["plus_minus"])
            else:
                assert seconds[int(row["player_id"])] == 0


def test_events_in_playing_order_make_a_game(two: Made) -> None:
    late = 0
    for row in two.final:
        feed = two.of("nbac_play_by_play", row["game_id"])
        plays = _in_playing_order(feed)
        late += feed != plays
        assert [int(one["event_sequence"]) for one in feed] == sorted({int(one["event_sequence"]) for one in feed})
        made: Counter[str] = Counter()
        for one in plays:
            if one["shot_made"] == "true":
                made[one["team_abbr"]] += {"2pt": 2, "3pt": 3, "freethrow": 1}[one["event_type"]]
            assert (made[row["home_team_abbr"]], made[row["away_team_abbr"]]) == (
                int(one["score_home"]),
                int(one["score_away"]),
            )
        assert plays[-1]["event_type"] == "game"
        assert made[row["home_team_abbr"]] == int(row["home_team_score"])
    assert late > len(two.final) / 2


def test_what_follows_what(two: Made) -> None:
    """Every steal and block repeats a row, every trip to the line is complete and explained by a foul."""
    for rows in two.games("nbac_play_by_play").values():
        plays = _in_playing_order(rows)
        for before, row in pairwise(plays):
            if row["event_type"] in ("steal", "block"):
                assert row["player_1_id"] == before["player_2_id"]
                assert before["event_type"] == "turnover" or before["shot_made"] == "false"
            if row["event_type"] in ("2pt", "3pt"):
                assert row["shot_value"] == row["event_type"][0]
            if row["event_type"] == "turnover" and row["sub_type"] in ("shot clock", "5-second", "8-second"):
                assert row["player_1_id"] == ""
        gifts = {
            (row["period"], row["clock_seconds_remaining"], row["team_abbr"])
            for row in plays
            if row["event_type"] == "foul"
        }
        teams = {row["team_abbr"] for row in plays} - {""}
        trips: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for row in plays:
            if row["event_type"] == "freethrow":
                moment = (row["period"], row["clock_seconds_remaining"])
                (other,) = teams - {row["team_abbr"]}
                assert (*moment, other) in gifts
                trips[*moment, row["player_1_id"], row["ft_total"]].append(int(row["ft_number"]))
        assert all(numbers == list(range(1, int(key[3]) + 1)) for key, numbers in trips.items())


def test_box_scores_are_what_happened(two: Made) -> None:
    players = two.games("nbac_gamebook_player_stats")
    for game_id, plays in two.games("nbac_play_by_play").items():
        found = _recount(_in_playing_order(plays))
        for row in players.get(game_id, ()):
            for name in (*list(BOX)[1:], "turnovers") if row["player_status"] == "active" else ():
                assert found[row["player_id"]][name] == int(row[name]), (game_id, row["player_name"], name)


def _recount(plays: list[Row]) -> dict[str, Counter[str]]:
    """Box scores by player id."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    shooting = ""
    for row in plays:
        one, other, kind = found[row["player_1_id"]], found[row["player_2_id"]], row["event_type"]
        made = row["shot_made"] == "true"
        if kind in ("2pt", "3pt", "freethrow"):
            shooting = row["team_abbr"]
        if kind in ("2pt", "3pt"):
            one.update(field_goals_attempted=1, field_goals_made=made)
            one.update(three_pointers_attempted=kind == "3pt", three_pointers_made=made and kind == "3pt")
            other["assists" if made else "nothing"] += 1
        elif kind == "freethrow":
            one.update(free_throws_attempted=1, free_throws_made=made)
        elif kind == "rebound":
            one["offensive_rebounds" if row["team_abbr"] == shooting else "defensive_rebounds"] += 1
        elif kind == "foul":
            one["personal_fouls"] += "technical" not in row["sub_type"]
        else:
            one[f"{kind}s"] += 1  # turnovers, steals, blocks; nobody asks for the others
    return found


def test_line_ups_are_unknown_while_men_change(two: Made) -> None:
    for rows in two.games("nbac_play_by_play").values():
        for row, after in pairwise(_in_playing_order(rows)):
            changing = row["event_type"] == after["event_type"] == "substitution"
            same = row["clock_seconds_remaining"] == after["clock_seconds_remaining"]
            assert (row["players_on_court"] == "") is (changing and same)


def test_nobody_fouls_out_of_a_side_without_a_bench() -> None:
    teams = list(league(1).values())
    home, away = (
        Side(team, team.players[:5], Dice("bench"), home=at_home)
        for team, at_home in zip(teams[:2], (True, False), strict=True)
    )
    floor = Floor(home, away, Dice("fouls"))
    home.court[0].fouls = 5
    assert home.court[0] not in {whistle.fouler(floor, home) for _ in range(100)}


def test_possessions_are_those_that_were_played(two: Made, computed: DuckDBWarehouse) -> None:
    with computed.reading() as session:
        found = session.query(
            "SELECT game_id, team_abbr, possessions, possessions_source FROM nba_analytics.team_offense_game_summary"
        ).rows
    counted = {(game_id, team): count for game_id, team, count, _ in found}
    assert {source for *_, source in found} == {"play_by_play"}
    errors = [
        abs(counted[row["game_id"], row[f"{where}_team_abbr"]] - own)
        for row, both in zip(two.final, two.possessions, strict=True)
        for where, own in zip(("home", "away"), both, strict=True)
    ]
    assert mean(errors) <= 0.06
    assert max(errors) <= 2


# --- before the games -------------------------------------------------------------------------------------------


def test_every_line_is_older_than_the_tip(two: Made) -> None:
    tips = {row["game_id"]: _time(row["game_start_time"]) for row in two.rows["nbac_schedule"]}
    for table in ("odds_api_player_points_props", "odds_api_game_lines"):
        offered: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for row in two.rows[table]:
            assert _time(row["snapshot_timestamp"]) < tips[row["game_id"]]
            prices = [row[name] for name in ("price", "over_price", "under_price") if name in row]
            assert all(1.5 < float(price) < 2.5 for price in prices)
            offered[row["game_id"], row["bookmaker"]].add(row["snapshot_timestamp"])
        assert {bookmaker for _, bookmaker in offered} == {"draftkings", "fanduel"}
        assert {len(snapshots) for snapshots in offered.values()} == {2}
    for row in two.rows["nbac_injury_report"]:
        hour = datetime.fromisoformat(row["report_date"]).replace(hour=int(row["report_hour"]), tzinfo=EASTERN)
        assert hour < tips[row["game_id"]]


def test_spreads_mirror_each_other(two: Made) -> None:
    spreads: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row in two.rows["odds_api_game_lines"]:
        key = (row["game_id"], row["bookmaker"], row["snapshot_timestamp"], row["market"])
        spreads[key].append(float(row["point"]))
    for (*_, market), (one, other) in spreads.items():
        assert one == (-other if market == "spreads" else other)


def test_reports_are_true(eight: Made) -> None:
    """Who was out in the last report did not play; who was to play could."""
    box = {(row["game_id"], row["player_lookup"]): row for row in eight.rows["nbac_gamebook_player_stats"]}
    last: dict[tuple[str, str], Row] = {}
    for row in eight.rows["nbac_injury_report"]:
        last[row["game_id"], row["player_lookup"]] = row
    sat = played = 0
    for key, row in last.items():
        if key in box and row["injury_status"] == "out":
            assert box[key]["player_status"] in ("inactive", "dnp")
            assert box[key]["dnp_reason"] == row["reason"]
            sat += 1
        elif key in box:
            assert box[key]["player_status"] == "active" or box[key]["dnp_reason"] == "DNP - Coach's Decision"
            played += box[key]["player_status"] == "active"
    assert sat > 500
    assert played > 100


def test_tonight_is_ready(two: Made, computed: DuckDBWarehouse) -> None:
    tonight = [row for row in two.rows["nbac_schedule"] if row["game_date"] == TODAY.isoformat()]
    assert two.summary.tonight == TODAY
    assert two.summary.slate == tuple(f"{row['away_team_abbr']} @ {row['home_team_abbr']}" for row in tonight)
    assert 4 <= len(tonight) <= 12
    with computed.reading() as session:
        rows = session.query(
            "SELECT data_quality_tier, COUNT(*) FROM nba_analytics.upcoming_team_game_context"
            " WHERE game_date = @day GROUP BY 1",
            {"day": TODAY},
        ).rows
    assert dict(rows) == {"high": 2 * len(tonight)}


# --- calendar ---------------------------------------------------------------------------------------------------


def test_the_last_week_is_to_come(eight: Made) -> None:
    rows = [row for row in eight.rows["nbac_schedule"] if row["game_status"] != "4"]
    for row in rows:
        to_come = date.fromisoformat(row["game_date"]) >= TODAY
        assert row["game_status"] == ("1" if to_come else "3")
        assert (row["home_team_score"] == "") is to_come
    days = {date.fromisoformat(row["game_date"]) for row in rows}
    assert (min(days), max(days)) == (TODAY - timedelta(weeks=7), TODAY + timedelta(days=6))
    assert TODAY in days


def test_teams_play_three_or_four_games_a_week_and_one_a_day(eight: Made) -> None:
    played: dict[str, list[date]] = defaultdict(list)
    for row in eight.rows["nbac_schedule"]:
        if row["game_status"] != "4":
            for where in ("home", "away"):
                played[row[f"{where}_team_abbr"]].append(date.fromisoformat(row["game_date"]))
    assert sorted(played) == sorted(abbr for abbr, *_ in TEAM_LOCATIONS)
    weeks: Counter[int] = Counter()
    for days in played.values():
        assert len(set(days)) == len(days)
        weeks.update(Counter((day - eight.summary.first).days // 7 for day in days).values())
        assert not any(
            (two - one).days == 1 and (three - two).days == 1
            for one, two, three in zip(days, days[1:], days[2:], strict=False)
        )
    assert set(weeks) <= {2, 3, 4}
    assert weeks[2] < 0.1 * weeks.total()
    back_to_back = [(two - one).days == 1 for days in played.values() for one, two in pairwise(sorted(days))]
    assert 0.1 < mean(back_to_back) < 0.25


def test_tip_offs_are_at_the_right_hour_on_both_sides_of_summer_time(eight: Made) -> None:
    hours: Counter[int] = Counter()
    offsets = set()
    for row in eight.rows["nbac_schedule"]:
        tip = _time(row["game_start_time"]).astimezone(EASTERN)
        assert tip.date().isoformat() == row["game_date"]
        assert row["game_id"] == f"{tip:%Y%m%d}_{row['away_team_abbr']}_{row['home_team_abbr']}"
        assert (12, 30) <= (tip.hour, tip.minute) <= (22, 30)
        hours[tip.hour] += 1
        offsets.add(tip.utcoffset())
    assert len(offsets) == 2
    assert sum(count for hour, count in hours.items() if hour >= 19) > 0.85 * hours.total()


def test_a_postponed_game_begins_at_the_same_hour_in_summer_time() -> None:
    fixtures = calendar.season(1, date(2025, 2, 25), 8, played_weeks=7)
    (postponed,) = (one for one in fixtures if one.status == calendar.POSTPONED)
    (again,) = (one for one in fixtures if one.number == postponed.number and one is not postponed)
    tips = [one.tip.astimezone(EASTERN) for one in (postponed, again)]
    assert tips[0].utcoffset() != tips[1].utcoffset()
    assert tips[0].time() == tips[1].time()


def test_ids_count_up_with_the_dates(eight: Made) -> None:
    first = [row for row in eight.rows["nbac_schedule"] if row["game_status"] != "4"]
    numbers = [row["nba_game_id"] for row in first]
    assert sorted(numbers) == [f"00225{number:05d}" for number in range(1, len(numbers) + 1)] or sorted(numbers) == [
        f"00224{number:05d}" for number in range(1, len(numbers) + 1)
    ]
    out_of_order = sum(one > two for one, two in pairwise(numbers))
    assert out_of_order <= 1  # the game that was played later


@pytest.mark.parametrize("today", [date(2025, 1, 20), date(2025, 7, 10), date(2025, 11, 4)])
def test_a_season_has_one_year_whenever_it_is(today: date) -> None:
    ((start, weeks, played),) = sample._plan(today, 8, None)  # noqa: SLF001 -- making it would take long
    fixtures = calendar.season(1, start, weeks, played_weeks=played)
    assert {one.season for one in fixtures} == {(today - timedelta(weeks=7)).year}
    assert min(one.date for one in fixtures if one.status == calendar.SCHEDULED) == today


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_whole_season_is_82_games_half_of_them_at_home(seed: int) -> None:
    fixtures = calendar.season(seed, calendar.opening_day(2024), calendar.WEEKS, played_weeks=24)
    played = [one for one in fixtures if one.status != calendar.POSTPONED]
    home, away = Counter(one.home for one in played), Counter(one.away for one in played)
    assert set(home.values()) == set(away.values()) == {41}
    assert max(Counter((one.day, team) for one in played for team in (one.home, one.away)).values()) == 1
    assert (played[0].date, played[-1].date.month) == (date(2024, 10, 22), 4)
    days = sorted({one.day for one in played})
    assert max(two - one for one, two in pairwise(days)) == 6  # the all-star break


@pytest.mark.parametrize(
    ("today", "seasons", "first", "last"),
    [
        (date(2025, 4, 8), 1, date(2024, 10, 22), date(2025, 4, 8)),
        (date(2025, 4, 7), 1, date(2023, 10, 24), date(2024, 4, 9)),
        (date(2025, 8, 1), 3, date(2022, 10, 25), date(2025, 4, 8)),
    ],
)
def test_seasons_end_with_the_newest_that_is_in_its_last_week(
    today: date, seasons: int, first: date, last: date
) -> None:
    plan = sample._plan(today, None, seasons)  # noqa: SLF001 -- whole seasons take too long to make here
    assert (len(plan), plan[0][0]) == (seasons, first)
    start, weeks, played = plan[-1]
    assert (start + timedelta(weeks=played), weeks - played) == (last, 1)
    assert all(weeks == played for _, weeks, played in plan[:-1])


# --- chance -----------------------------------------------------------------------------------------------------


def test_same_seed_same_bytes_and_every_week_is_told(two: Made, tmp_path: Path) -> None:
    told: list[int] = []
    sample.make(tmp_path, weeks=2, today=TODAY, watch=lambda _, advance: told.append(advance))
    assert sum(told) == sample.steps(2, None) == 2
    assert sample.steps(None, 3) == 75
    for table in RAW_TABLES:
        name = f"{table.name}.csv"
        assert (tmp_path / name).read_bytes() == (two.folder / name).read_bytes()


def test_the_games_do_not_depend_on_the_day_but_on_the_seed(two: Made, tmp_path: Path) -> None:
    def games(rows: list[Row]) -> list[tuple[str, ...]]:
        dated = ("game_id", "nba_game_id", "game_date", "season_year", "processed_at")
        return [tuple(value for name, value in row.items() if name not in dated) for row in rows]

    sample.make(tmp_path / "july", weeks=2, today=date(2031, 7, 9), watch=_silent)
    assert sorted(games(_read(tmp_path / "july", "nbac_play_by_play"))) == sorted(games(two.rows["nbac_play_by_play"]))
    names = [{player.name for team in league(seed).values() for player in team.players} for seed in (1, 2)]
    assert len(names[0] & names[1]) < len(names[0]) / 4


def test_chance_is_the_same_on_every_python() -> None:
    """The numbers themselves: `random()` is guaranteed, and nothing else of the library is used."""
    dice = Dice(1, "check")
    assert [dice.below(1000) for _ in range(5)] == FIRST_NUMBERS
    assert dice.shuffled("abcdef") == FIRST_SHUFFLE


def test_bell_has_the_spread_it_says() -> None:
    dice = Dice(2, "bell")
    drawn = [dice.bell(10, 2) for _ in range(20000)]
    assert mean(drawn) == pytest.approx(10, abs=0.06)
    assert mean((one - 10) ** 2 for one in drawn) == pytest.approx(4, abs=0.15)


# --- special cases ----------------------------------------------------------------------------------------------


def test_names_are_of_every_kind_and_nobody_twice() -> None:
    names = [player.name for team in league(1).values() for player in team.players]
    assert {len(team.players) for team in league(1).values()} == {15, 16}
    assert len({lookup(name) for name in names}) == len(names)
    for mark in ("Jr.", "III", "P.J.", "-", "ć", "é"):
        assert any(mark in name for name in names), mark
    assert lookup("P.J. Saint-Clair Jr.") == "pjsaintclairjr"
    assert lookup("Željan Kovačić III") == "zeljankovaciciii"


def test_every_special_case_is_there(eight: Made) -> None:
    found = dict(_special_cases(eight))
    assert [case for case, count in found.items() if not count] == []


def _special_cases(made: Made) -> Iterator[tuple[str, int]]:
    schedule, plays = made.rows["nbac_schedule"], made.rows["nbac_play_by_play"]
    box, reports = made.rows["nbac_gamebook_player_stats"], made.rows["nbac_injury_report"]
    (postponed,) = (row for row in schedule if row["game_status"] == "4")
    again = [row for row in schedule if row["nba_game_id"] == postponed["nba_game_id"] and row is not postponed]
    yield "postponed and played later", len(again) == 1 and again[0]["game_status"] == "3"
    yield "postponed game has no rows", not made.of("nbac_team_boxscore", postponed["game_id"])
    yield "one neutral site", [row["neutral_site"] for row in schedule].count("true") == 1
    yield "one-game night", list(Counter(row["game_date"] for row in schedule).values()).count(1) == 1
    yield "overtime", sum(row["period"] == "5" and row["event_type"] == "jumpball" for row in plays)
    yield "one fallback game", len({row["game_id"] for row in made.rows["bdl_player_boxscores"]}) == 1
    teams: dict[str, set[str]] = defaultdict(set)
    for row in box:
        teams[row["player_id"]].add(row["team_abbr"])
    yield "one traded player", [len(abbrs) for abbrs in teams.values()].count(2) == 1
    yield "one fouls out", sum(row["personal_fouls"] == "6" for row in box)
    for status in ("active", "dnp", "inactive"):
        yield status, sum(row["player_status"] == status for row in box)
    yield "coach's decision", sum("Coach" in row["dnp_reason"] for row in box)
    yield "late scratch", sum(row["player_status"] == "dnp" and "Injury" in row["dnp_reason"] for row in box)
    for status in ("out", "doubtful", "questionable", "probable", "available"):
        yield f"reported {status}", sum(row["injury_status"] == status for row in reports)
    for category in ("injury", "rest", "personal", "g_league"):
        yield f"for {category}", sum(row["reason_category"] == category for row in reports)
    yield "one row hard to read", sum(float(row["confidence_score"]) < 0.8 for row in reports) == 1
    reporting = {(row["game_id"], row["team_abbr"]) for row in reports}
    yield "one team without report", len(reporting) == 2 * len({game_id for game_id, _ in reporting}) - 1
    fouls = {row["sub_type"] for row in plays if row["event_type"] == "foul"}
    for kind in (
        "personal", "shooting", "loose ball", "offensive", "charge offensive", "take", "technical",
        "double technical", "defensive-3-second technical", "flagrant-type-1", "flagrant-type-2",
        "transition take", "clear-path", "away-from-play",
    ):  # fmt: skip
        yield f"foul {kind}", kind in fouls
    shots = [row for row in plays if row["event_type"] in ("2pt", "3pt")]
    yield "without coordinates", 0 < sum(row["x_ft"] == "" for row in shots) < 40
    yield "heave", sum(row["y_ft"] != "" and float(row["y_ft"]) > 34 for row in shots)
    yield "team rebounds", {row["sub_type"] for row in plays if row["event_type"] == "rebound"} >= {
        "", "offensive", "defensive"
    }  # fmt: skip
    yield "timeout", sum(row["event_type"] == "timeout" for row in plays)
    trips = {row["ft_total"] for row in plays if row["event_type"] == "freethrow"}
    yield "one, two and three free throws", trips == {"1", "2", "3"}


def test_it_looks_like_a_season(eight: Made) -> None:
    """Wide bounds around the real league: the figures are in docs/sample-data.md."""
    teams = eight.rows["nbac_team_boxscore"]

    def total(name: str) -> int:
        return sum(int(row[name]) for row in teams)

    games = len(teams)
    assert 108 < total("points") / games < 119
    assert 0.45 < total("fg_made") / total("fg_attempted") < 0.485
    assert 0.39 < total("three_pt_attempted") / total("fg_attempted") < 0.44
    assert 0.76 < total("ft_made") / total("ft_attempted") < 0.80
    assert 19 < total("ft_attempted") / games < 24
    assert 13 < total("turnovers") / games < 15.5
    assert 10 < total("offensive_rebounds") / games < 12.5
    assert 25 < total("assists") / games < 28
    assert 97.5 < mean(count for both in eight.possessions for count in both) < 101.5
    scorers: dict[str, list[int]] = defaultdict(list)
    for row in eight.rows["nbac_gamebook_player_stats"]:
        if row["player_status"] == "active":
            scorers[row["player_id"]].append(int(row["points"]))
    averages = sorted((mean(points) for points in scorers.values() if len(points) > 9), reverse=True)
    assert 26 < averages[0] < 35
    assert 20 < averages[29] < 26


def test_lines_follow_the_players(eight: Made) -> None:
    """A line is near what a player then makes, over all games."""
    box = {(row["game_id"], row["player_lookup"]): row for row in eight.rows["nbac_gamebook_player_stats"]}
    gaps = [
        float(row["points_line"]) - int(box[key]["points"])
        for row in eight.rows["odds_api_player_points_props"]
        if (key := (row["game_id"], row["player_lookup"])) in box and box[key]["player_status"] == "active"
    ]
    assert len(gaps) > 10000
    assert abs(mean(gaps)) < 0.8


# --- the command ------------------------------------------------------------------------------------------------


Type = Callable[..., str]


@pytest.fixture
def type_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Type `nbactl data sample` with a warehouse of its own; what it printed."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        line = ["data", "sample", "--warehouse", f"duckdb:///{tmp_path}/w.duckdb", "--today", "2025-03-05", *words]
        result = CliRunner().invoke(cli, line)
        if result.exception:
            raise result.exception
        return result.output

    return run


def test_command_loads_once_and_says_what_is_on_tonight(type_sample: Type, two: Made) -> None:
    said = type_sample("--weeks", "2")
    for table, rows in two.summary.rows.items():
        assert f"nba_raw.{table} " in said
        assert f" {rows} " in said
    assert "[2/2] week 2" in said
    assert f"on 2025-03-05: {', '.join(two.summary.slate)}" in said
    assert "nbactl run-precompute --date 2025-03-05 --warehouse duckdb:///" in said
    with pytest.raises(PreconditionFailed) as refused:
        type_sample("--weeks", "2")
    assert refused.value.hint == "nbactl data sample --warehouse duckdb:///sample.duckdb"


def test_command_writes_files_into_a_new_folder_only(type_sample: Type, two: Made, tmp_path: Path) -> None:
    said = type_sample("--weeks", "2", "--to", "files", "-q", "-o", "csv")
    assert said.splitlines() == ["table,rows", *(f"nba_raw.{name},{rows}" for name, rows in two.summary.rows.items())]
    assert not (tmp_path / "w.duckdb").exists()
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == sorted(
        f"{table.name}.csv" for table in RAW_TABLES
    )
    with pytest.raises(PreconditionFailed):
        type_sample("--weeks", "2", "--to", "files")


def test_weeks_and_seasons_exclude_each_other(type_sample: Type) -> None:
    with pytest.raises(UsageError):
        type_sample("--weeks", "2", "--seasons", "1")
