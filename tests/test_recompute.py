"""The oracle itself, pinned by small cases computed by hand from the contracts."""

from datetime import UTC, date, datetime, timedelta
from math import pi, sqrt

import pytest

from tests.recompute import (
    COLUMNS,
    EARTH_RADIUS_MILES,
    FEATURES,
    Line,
    Quote,
    Row,
    Sources,
    bounded,
    choose_line,
    composite_row,
    deviation,
    extreme_zones,
    fatigue_score,
    flag_constant_columns,
    great_circle,
    mean,
    minutes_change,
    pooled,
    primary_zone,
    projected_usage,
    quality_score,
    recent_trend,
    recompute,
    season_phase,
    slope,
    team_zone_tier,
    total,
    usable,
    usage_spike,
    window_tier,
    zone_mismatch,
)

SLATE = date(2025, 1, 15)
TIP = datetime(2025, 1, 16, 0, 30, tzinfo=UTC)  # 19:30 in New York
RUN = datetime(2025, 2, 1, tzinfo=UTC)
ZONE_NAMES = ("paint", "rim", "mid_range", "corner_three", "above_break_three", "unknown_zone")


def naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def ago(days: int) -> date:
    return SLATE - timedelta(days=days)


def game(day: date, away: str, home: str, score: tuple[int, int] | None = None, **other: object) -> Row:
    """Schedule row; `score` is away, home."""
    return {
        "game_id": f"{day:%Y%m%d}_{away}_{home}",
        "nba_game_id": "0022400001",
        "game_date": day,
        "season_year": 2024,
        "game_status": 1 if score is None else 3,
        "game_start_time": TIP - timedelta(days=(SLATE - day).days),
        "home_team_abbr": home,
        "away_team_abbr": away,
        "home_team_score": None if score is None else score[1],
        "away_team_score": None if score is None else score[0],
        "neutral_site": False,
        "processed_at": RUN,
    } | other


def summary(played: Row, name: str, team: str, points: int | None, **other: object) -> Row:
    """Row of player_game_summary: 30 minutes, all shots from two unless said; None points: did not play."""
    shots: Row = {f"{zone}_{what}": 0 for zone in ZONE_NAMES for what in ("attempts", "makes")}
    opponent = played["home_team_abbr"] if team == played["away_team_abbr"] else played["away_team_abbr"]
    return {
        "game_id": played["game_id"],
        "game_date": played["game_date"],
        "season_year": 2024,
        "player_lookup": name,
        "player_id": 7,
        "player_full_name": name.title(),
        "team_abbr": team,
        "opponent_team_abbr": opponent,
        "minutes_played": None if points is None else 30.0,
        "points": points,
        "fg_makes": 4,
        "fg_attempts": 10,
        "three_pt_makes": 0,
        "ft_makes": 2,
        "ft_attempts": 2,
        "usage_rate": 20.0,
        "over_under_result": None,
        "shot_zones_source": "nbac_play_by_play",
        "assisted_fg_makes": 3,
        "unassisted_fg_makes": 1,
        **shots,
        "paint_attempts": 6,
        "paint_makes": 3,
        "mid_range_attempts": 4,
        "mid_range_makes": 1,
    } | other


def reported(slate_game: Row, team: str, name: str, status: str, **other: object) -> Row:
    return {
        "report_date": SLATE,
        "report_hour": 17,
        "game_id": slate_game["game_id"],
        "game_date": SLATE,
        "team_abbr": team,
        "player_id": None,
        "player_lookup": name,
        "player_full_name": name.title(),
        "injury_status": status,
        "reason": "knee",
        "confidence_score": None,
        "processed_at": RUN,
    } | other


def prop(slate_game: Row, name: str, bookmaker: str, line: float, at: datetime) -> Row:
    return {
        "game_id": slate_game["game_id"],
        "game_date": SLATE,
        "player_lookup": name,
        "bookmaker": bookmaker,
        "snapshot_timestamp": at,
        "points_line": line,
        "over_price": 1.9,
        "under_price": 1.9,
        "processed_at": RUN,
    }


def priced(slate_game: Row, market: str, outcome: str, point: float, at: datetime = TIP) -> Row:
    return {
        "game_id": slate_game["game_id"],
        "game_date": SLATE,
        "bookmaker": "fanduel",
        "market": market,
        "outcome": outcome,
        "point": point,
        "snapshot_timestamp": at,
        "processed_at": RUN,
    }


TONIGHT = game(SLATE, "NYK", "BOS")


def one(rows: list[Row], **key: object) -> Row:
    (found,) = [row for row in rows if all(row[column] == value for column, value in key.items())]
    return found


def team(tables: dict[str, list[Row]], abbr: str, as_of: datetime = RUN) -> Row:
    return one(recompute(SLATE, tables, as_of)["upcoming_team_game_context"], team_abbr=abbr)


def player(tables: dict[str, list[Row]], name: str, as_of: datetime = RUN) -> Row:
    return one(recompute(SLATE, tables, as_of)["upcoming_player_game_context"], player_lookup=name)


# ---------------------------------------------------------------- arithmetic


@pytest.mark.parametrize(
    ("found", "wanted", "tier"),
    [
        (10, 10, "high"),
        (9, 10, "medium"),
        (7, 10, "medium"),
        (6, 10, "low"),
        (10, 15, "medium"),
        (9, 15, "low"),
        (14, 20, "medium"),
        (13, 20, "low"),
        (0, 10, "low"),
    ],
)
def test_window_tier(found: int, wanted: int, tier: str) -> None:
    assert window_tier(found, wanted) == tier


@pytest.mark.parametrize(
    ("games", "located", "tier"),
    [(15, 15, "high"), (15, 10, "high"), (15, 9, "medium"), (12, 8, "medium"), (12, 7, "low"), (0, 0, "low")],
)
def test_team_zone_tier_falls_one_step_below_two_thirds(games: int, located: int, tier: str) -> None:
    assert team_zone_tier(games, located) == tier


def test_mean_passes_over_null_and_is_null_without_values() -> None:
    assert mean([0, None, 3]) == 1.5
    assert mean([None]) is None


def test_sum_is_zero_without_games_and_null_when_all_is_unknown() -> None:
    assert total([], "x") == 0
    assert total([{"x": None}], "x") is None
    assert total([{"x": None}, {"x": 4}], "x") == 4


def test_deviation_is_of_the_sample() -> None:
    assert deviation([1, 2, 3, 4]) == pytest.approx(sqrt(5 / 3))
    assert deviation([1]) is None


def test_pooled_counts_only_rows_where_both_are_known() -> None:
    rows: list[Row] = [{"n": 1, "d": 2}, {"n": 5, "d": None}, {"n": 2, "d": 4}]
    assert pooled(rows, lambda row: row["n"], lambda row: row["d"]) == 0.5
    assert pooled([{"n": 1, "d": 0}], lambda row: row["n"], lambda row: row["d"]) is None


def test_slope_of_a_line_and_of_a_bend() -> None:
    assert slope([10, 13, 16]) == pytest.approx(3)
    assert slope([1, 0, 4]) == pytest.approx(1.5)
    assert slope([5, 5, 5, 5]) == 0


@pytest.mark.parametrize(
    ("newest", "grade"),
    [
        ([15, 15, 15, 10, 10], 2),
        ([12, 12, 12, 10, 10], 1),
        ([11, 11, 11, 10, 10], 0),
        ([8, 8, 8, 10, 10, 99], -1),
        ([5, 5, 5, 10, 10], -2),
        ([5, 5, 5, 10], None),
    ],
)
def test_recent_trend(newest: list[float], grade: int | None) -> None:
    assert recent_trend(newest) == grade


@pytest.mark.parametrize(
    ("ten", "season", "grade"),
    [(12, 10, 2), (11, 10, 1), (10.5, 10, 0), (9, 10, -1), (8, 10, -2), (8, 0, None), (None, 10, None)],
)
def test_minutes_change(ten: float | None, season: float, grade: int | None) -> None:
    assert minutes_change({"minutes_avg_last_10": ten, "minutes_avg_season": season}) == grade


@pytest.mark.parametrize(
    ("season_type", "month", "phase"),
    [("regular", 10, "early"), ("cup_final", 12, "mid"), ("regular", 2, "mid"), ("regular", 3, "late")],
)
def test_season_phase(season_type: str, month: int, phase: str) -> None:
    assert season_phase(season_type, date(2025, month, 1)) == phase
    assert season_phase("play_in", date(2025, month, 1)) == "playoffs"


# ---------------------------------------------------------------- lines

NOON, NIGHT = naive(TIP) - timedelta(hours=12), naive(TIP)


def test_the_bookmaker_comes_first_then_its_own_snapshots() -> None:
    quotes = [
        Quote("aaa", NIGHT, 30.5),
        Quote("betmgm", NOON, 20.5),
        Quote("betmgm", NIGHT, 22.5),
        Quote("caesars", NOON - timedelta(days=1), 19.5),
    ]
    assert choose_line(quotes) == Line(22.5, 20.5, "betmgm", NIGHT)
    assert choose_line([Quote("zzz", NIGHT, 1.5), Quote("bovada", NOON, 2.5)]).source == "bovada"
    assert choose_line([]) == Line()


def test_among_several_lines_the_most_even_prices_win() -> None:
    quotes = [
        Quote("fanduel", NIGHT, 18.5, 1.5, 2.5),
        Quote("fanduel", NIGHT, 21.5, 1.9, 2.0),
        Quote("fanduel", NIGHT, 20.5, None, 1.9),
    ]
    assert choose_line(quotes).current == 21.5


def test_equal_prices_are_split_by_the_median_then_the_lower_line() -> None:
    even = [Quote("fanduel", NIGHT, line, 1.5, 1.5) for line in (10.5, 20.5, 30.5)]
    assert choose_line(even).current == 20.5
    others = [Quote("zzz", NOON, 28.5), Quote("zzz", NOON, 29.5)]
    assert choose_line([*even, *others]).current == 30.5  # median of all five is 28.5
    assert choose_line([Quote("fanduel", NIGHT, line) for line in (21.5, 20.5)]).current == 20.5


def test_a_value_outside_its_range_becomes_null_and_the_rest_stays() -> None:
    assert bounded(Line(61.0, 30.5, "fanduel", NIGHT), 0.5, 60) == (Line(None, 30.5, "fanduel", NIGHT), True)
    assert bounded(Line(60.0, 0.5, "fanduel", NIGHT), 0.5, 60) == (Line(60.0, 0.5, "fanduel", NIGHT), False)
    assert bounded(Line(), 0.5, 60) == (Line(), False)


def test_snapshots_after_the_tip_or_after_the_run_do_not_count() -> None:
    tables = {
        "nbac_schedule": [TONIGHT],
        "nbac_injury_report": [reported(TONIGHT, "BOS", "a", "probable", report_hour=1)],
        "odds_api_player_points_props": [
            prop(TONIGHT, "a", "fanduel", 20.5, TIP - timedelta(hours=5)),
            prop(TONIGHT, "a", "fanduel", 22.5, TIP),
            prop(TONIGHT, "a", "fanduel", 24.5, TIP + timedelta(seconds=1)),
        ],
    }
    row = player(tables, "a")
    assert (row["opening_points_line"], row["current_points_line"], row["line_movement"]) == (20.5, 22.5, 2.0)
    assert row["current_points_line_at"] == naive(TIP)
    early = player(tables, "a", TIP - timedelta(hours=4))
    assert (early["opening_points_line"], early["current_points_line"]) == (20.5, 20.5)
    none = player(tables, "a", TIP - timedelta(hours=6))
    assert none["has_points_line"] is False
    assert none["quality_issues"] == ["no_history", "no_line"]


def test_without_a_tip_a_final_game_ends_with_its_eastern_day() -> None:
    midnight = datetime(2025, 1, 16, 5, tzinfo=UTC)
    tonight = game(SLATE, "NYK", "BOS", (100, 90), game_start_time=None)
    late = priced(tonight, "totals", "over", 230.5, midnight)
    last = priced(tonight, "totals", "over", 220.5, midnight - timedelta(seconds=1))
    tables = {"nbac_schedule": [tonight], "odds_api_game_lines": [late, last]}
    assert team(tables, "BOS")["game_total"] == 220.5
    assert team(tables | {"nbac_schedule": [TONIGHT | {"game_start_time": None}]}, "BOS")["game_total"] == 230.5


def test_spreads_come_from_the_own_outcome_and_are_compared() -> None:
    lines = [priced(TONIGHT, "spreads", "BOS", -3.5), priced(TONIGHT, "spreads", "NYK", 4.0)]
    row = team({"nbac_schedule": [TONIGHT], "odds_api_game_lines": lines}, "NYK")
    assert row["game_spread"] == 4.0
    assert row["quality_issues"] == ["no_injury_report", "no_total", "spread_asymmetry"]
    assert row["data_quality_tier"] == "low"
    wild = [priced(TONIGHT, "spreads", "NYK", 41.0), priced(TONIGHT, "totals", "over", 150.0)]
    row = team({"nbac_schedule": [TONIGHT], "odds_api_game_lines": wild}, "NYK")
    assert (row["game_spread"], row["game_total"]) == (None, 150.0)
    assert row["quality_issues"] == ["line_out_of_range", "no_injury_report", "no_spread"]


# ---------------------------------------------------------------- injury report


def test_report_at_cutoff_takes_the_newest_hour_of_each_team() -> None:
    rows = [
        reported(TONIGHT, "BOS", "a", "out", report_hour=13),
        reported(TONIGHT, "BOS", "b", "questionable"),
        reported(TONIGHT, "BOS", "c", "doubtful", report_hour=19),
        reported(TONIGHT, "BOS", "d", "out", report_hour=19),
        reported(TONIGHT, "BOS", "e", "out", report_hour=19, confidence_score=0.79),
        reported(TONIGHT, "BOS", "f", "out", report_hour=20),
        reported(TONIGHT, "NYK", "g", "probable", report_date=ago(1), report_hour=23),
    ]
    tables = {"nbac_schedule": [TONIGHT], "nbac_injury_report": rows}
    boston, new_york = team(tables, "BOS"), team(tables, "NYK")
    assert (boston["players_out_count"], boston["questionable_players_count"]) == (1, 1)
    assert boston["injury_report_at"] == naive(datetime(2025, 1, 16, 0, tzinfo=UTC))
    assert (new_york["players_out_count"], new_york["questionable_players_count"]) == (0, 0)
    assert player(tables, "g")["last_listed_date"] == ago(1)
    listed = recompute(SLATE, tables, RUN)["upcoming_player_game_context"]
    assert [row["player_lookup"] for row in listed] == ["c", "d", "g"]


def test_a_team_without_rows_is_known_only_if_a_report_names_the_game() -> None:
    tables = {"nbac_schedule": [TONIGHT], "nbac_injury_report": [reported(TONIGHT, "BOS", "a", "out")]}
    assert team(tables, "NYK")["players_out_count"] == 0
    assert team(tables | {"nbac_injury_report": []}, "NYK")["players_out_count"] is None


def test_the_last_load_of_a_key_wins() -> None:
    older = reported(TONIGHT, "BOS", "a", "out", processed_at=naive(RUN) - timedelta(hours=1))
    newer = reported(TONIGHT, "BOS", "a", "available")
    for rows in ([older, newer], [newer, older]):
        found = player({"nbac_schedule": [TONIGHT], "nbac_injury_report": rows}, "a")
        assert found["player_status"] == "available"


# ---------------------------------------------------------------- team context


def test_team_record_rest_and_road() -> None:
    schedule = [
        TONIGHT,
        game(ago(1), "NYK", "PHI", (99, 90)),
        game(ago(3), "NYK", "BKN", (110, 100)),
        game(ago(7), "BOS", "NYK", (100, 95)),
        game(ago(8), "MIA", "NYK", (80, 95)),
        game(ago(10), "MIA", "NYK", game_status=4),
        game(ago(12), "MIA", "NYK", game_status=1),
        game(ago(9), "MIA", "NYK", (1, 2), nba_game_id="0012400001"),
        game(SLATE + timedelta(days=3), "MIA", "NYK"),
        game(SLATE + timedelta(days=8), "MIA", "NYK"),
        game(SLATE + timedelta(days=2), "MIA", "NYK", game_status=4),
    ]
    row = team({"nbac_schedule": schedule}, "NYK")
    expected = {
        "game_number_in_season": 6,
        "season_games_entering": 4,
        "season_wins_entering": 3,
        "team_win_streak_entering": 2,
        "team_loss_streak_entering": 0,
        "last_game_date": ago(1),
        "last_game_margin": 9,
        "last_game_result": "W",
        "team_days_rest": 0,
        "team_back_to_back": True,
        "opponent_days_rest": 6,
        "games_in_last_7_days": 3,
        "games_in_last_14_days": 4,
        "next_game_days_rest": 2,
        "games_in_next_7_days": 1,
        "consecutive_road_games": 3,
    }
    assert {column: row[column] for column in expected} == expected
    assert row["quality_issues"] == ["no_injury_report", "no_spread", "no_total", "prior_game_not_final"]


def test_travel_is_measured_between_venues() -> None:
    places = [
        {"team_abbr": "BOS", "latitude": 0.0, "longitude": 0.0, "utc_offset_standard": -5},
        {"team_abbr": "NYK", "latitude": 0.0, "longitude": 90.0, "utc_offset_standard": -8},
    ]
    quarter = EARTH_RADIUS_MILES * pi / 2
    assert great_circle(places[0], places[1]) == pytest.approx(quarter)
    tables: dict[str, list[Row]] = {"nbac_schedule": [TONIGHT], "team_locations": places}
    opener, host = team(tables, "NYK"), team(tables, "BOS")
    assert (opener["travel_miles"], opener["time_zone_changes"]) == (pytest.approx(quarter), 3)
    assert (host["travel_miles"], host["time_zone_changes"], host["consecutive_road_games"]) == (0, 0, 0)
    abroad = game(ago(3), "BOS", "NYK", (1, 2), neutral_site=True)
    assert team(tables | {"nbac_schedule": [TONIGHT, abroad]}, "NYK")["travel_miles"] is None


# ---------------------------------------------------------------- player context

GAMES = [game(ago(days), "NYK", "PHI", (100, 90)) for days in (1, 2, 5, 9, 20)]


def test_windows_read_played_games_before_the_slate() -> None:
    points = (10, 20, 30, 0, 40)
    results = ("OVER", None, "OVER", "PUSH", "OVER")
    rows = [
        summary(played, "a", "NYK", score, over_under_result=result)
        for played, score, result in zip(GAMES, points, results, strict=True)
    ]
    missed = game(ago(4), "NYK", "PHI", (1, 2))
    today = game(SLATE, "NYK", "BOS", (1, 2))
    rows += [
        summary(missed, "a", "NYK", None),
        summary(missed, "b", "NYK", 3),
        summary(today, "a", "NYK", 99),
    ]
    tables = {"nbac_schedule": [today, missed, *GAMES], "player_game_summary": rows}
    row = player(tables, "a")
    expected = {
        "games_played_season": 5,
        "last_played_date": ago(1),
        "points_avg_last_5": 20.0,
        "days_rest": 0,
        "back_to_back": True,
        "days_rest_before_last_game": 0,
        "days_since_2_plus_days_rest": 2,
        "games_in_last_7_days": 3,
        "games_in_last_14_days": 4,
        "minutes_in_last_7_days": 90.0,
        "minutes_in_last_14_days": 120.0,
        "avg_minutes_per_game_last_7": 30.0,
        "back_to_backs_last_14_days": 1,
        "prop_over_streak": 2,
        "prop_under_streak": 0,
        "shooting_pct_decline_last_5": 0.0,
        "player_status": None,
        "projected_usage_rate": None,
        "missing_games": 0,
        "data_quality_tier": "low",
        "quality_issues": ["no_injury_report", "no_line", "roster_count"],
    }
    assert {column: row[column] for column in expected} == expected
    features = one(recompute(SLATE, tables, RUN)["ml_feature_store"], player_lookup="a")
    assert features["scoring_trend_slope"] == pytest.approx(-4.0)  # 40, 0, 30, 20, 10
    assert features["points_avg_last_3"] == 20.0
    assert features["recent_trend"] == 0
    assert features["ppm_avg_last_10"] == pytest.approx(100 / 150)
    assert features["games_vs_opponent"] == 0
    assert "avg_points_vs_opponent" in features["missing_features"]


def test_a_game_that_was_never_processed_makes_rest_and_load_unknown() -> None:
    rows = [summary(played, "a", "NYK", 10) for played in GAMES[1:]]
    tables = {"nbac_schedule": [TONIGHT, *GAMES], "player_game_summary": rows}
    made = recompute(SLATE, tables, RUN)
    row = one(made["upcoming_player_game_context"], player_lookup="a")
    assert (row["missing_games"], row["missing_games_last_14_days"]) == (1, 1)
    assert (row["days_rest"], row["back_to_back"], row["games_in_last_7_days"]) == (None, None, None)
    assert row["last_played_date"] == ago(2)
    assert one(made["player_composite_factors"], player_lookup="a")["fatigue_score"] is None
    assert "history_gap:1" in one(made["ml_feature_store"], player_lookup="a")["quality_issues"]
    assert one(made["player_shot_zone_analysis"], player_lookup="a")["missing_games"] == 1
    late = {**tables, "player_game_summary": [summary(played, "a", "NYK", 10) for played in GAMES[:4]]}
    row = player(late, "a")
    assert (row["missing_games"], row["missing_games_last_14_days"], row["days_rest"]) == (1, 0, 0)


def test_the_newest_listing_names_the_team() -> None:
    rows = [summary(GAMES[0], "a", "NYK", 10), summary(GAMES[1], "b", "NYK", 10)]
    moved = reported(TONIGHT, "BOS", "a", "out", report_date=ago(1))
    tables = {
        "nbac_schedule": [TONIGHT, *GAMES],
        "player_game_summary": rows,
        "nbac_injury_report": [moved],
    }
    assert player(tables, "a")["team_abbr"] == "BOS"
    assert player(tables, "a")["player_id"] == 7
    assert player(tables, "b")["team_abbr"] == "NYK"
    elsewhere = [summary(GAMES[0], "b", "PHI", 10), *rows]
    listed = recompute(SLATE, tables | {"player_game_summary": elsewhere}, RUN)["upcoming_player_game_context"]
    assert [row["player_lookup"] for row in listed] == ["a"]


def test_star_out_moves_usage_to_his_teammates() -> None:
    games = [game(ago(days), "NYK", "PHI", (100, 90)) for days in range(1, 11)]
    rows = [summary(played, "star", "NYK", 18, minutes_played=24.0, usage_rate=30.0) for played in games]
    rows += [summary(played, "mate", "NYK", 12, minutes_played=24.0) for played in games]
    tables = {
        "nbac_schedule": [TONIGHT, *games],
        "player_game_summary": rows,
        "nbac_injury_report": [reported(TONIGHT, "NYK", "star", "out")],
    }
    mate, star = player(tables, "mate"), player(tables, "star")
    assert (mate["player_status"], mate["star_teammates_out"]) == ("not_listed", 1)
    assert mate["projected_usage_rate"] == pytest.approx(26.0)  # 1 + 15 / 10 is capped at 1.30
    assert (star["projected_usage_rate"], star["star_teammates_out"]) == (None, 0)
    factors = one(recompute(SLATE, tables, RUN)["player_composite_factors"], player_lookup="mate")
    assert factors["usage_spike_score"] == pytest.approx(0.3 * 6 * 1.15)


def test_projected_usage_adds_the_vacated_share() -> None:
    def member(status: str, usage: float | None, minutes: float = 24.0) -> Row:
        return {
            "player_status": status,
            "avg_usage_rate_last_7_games": usage,
            "minutes_avg_last_7_games": minutes,
        }

    me = member("probable", 20.0)
    mates = [member("not_listed", 30.0, 48.0), member("doubtful", 8.0), member("out", None)]
    assert projected_usage(me, mates) == pytest.approx(20 * 1.1)  # V = 4, A = 10 + 30
    assert projected_usage(member("out", 20.0), mates) is None
    assert projected_usage(member("available", 0.0), []) is None


# ---------------------------------------------------------------- zones


@pytest.mark.parametrize(
    ("source", "unknown", "attempts", "good"),
    [("pbp", 1, 10, True), ("pbp", 2, 19, False), ("pbp", 0, 0, True), (None, 0, 10, False)],
)
def test_zone_game_is_usable(source: str | None, unknown: int, attempts: int, *, good: bool) -> None:
    row = {"shot_zones_source": source, "unknown_zone_attempts": unknown, "fg_attempts": attempts}
    assert usable(row) is good


def test_player_zone_rates_come_from_located_shots() -> None:
    first = summary(GAMES[0], "a", "NYK", 10, corner_three_attempts=2, corner_three_makes=1, fg_attempts=12)
    blind = summary(GAMES[1], "a", "NYK", 10, shot_zones_source=None)
    tables = {"nbac_schedule": [TONIGHT, *GAMES], "player_game_summary": [first, blind]}
    (row,) = recompute(SLATE, tables, RUN)["player_shot_zone_analysis"]
    expected = {
        "games_in_sample_10": 2,
        "zone_games_in_sample_10": 1,
        "total_shots_last_10": 12,
        "paint_rate_last_10": 50.0,
        "mid_range_rate_last_10": pytest.approx(100 / 3),
        "three_pt_rate_last_10": pytest.approx(100 / 6),
        "three_pt_pct_last_10": 0.5,
        "rim_pct_last_10": None,
        "paint_attempts_per_game": 6.0,
        "assisted_rate_last_10": 75.0,
        "unassisted_rate_last_10": 25.0,
        "primary_scoring_zone": "paint",
        "quality_issues": ["few_shots", "missing_games", "zones_missing:1"],
    }
    assert {column: row[column] for column in expected} == expected


@pytest.mark.parametrize(
    ("paint", "mid_range", "three", "zone"),
    [
        (40.0, 20.0, 40.0, "paint"),
        (30.0, 30.0, 40.0, "three"),
        (32.0, 35.0, 33.0, "mid_range"),
        (39.0, 34.0, 27.0, "balanced"),
        (None, None, None, None),
    ],
)
def test_primary_zone(paint: float | None, mid_range: float | None, three: float | None, zone: str) -> None:
    row = {
        "paint_rate_last_10": paint,
        "mid_range_rate_last_10": mid_range,
        "three_pt_rate_last_10": three,
    }
    assert primary_zone(row) == zone


@pytest.mark.parametrize(
    ("gaps", "zones"),
    [
        ((1.0, -2.0, 3.0), ("mid_range", "three")),
        ((1.0, 1.0, 1.0), ("paint", "paint")),
        ((2.0, 1.0, 1.0), ("mid_range", "paint")),
        ((None, 1.0, None), ("mid_range", None)),
        ((None, None, None), (None, None)),
    ],
)
def test_extreme_zones_and_their_ties(gaps: tuple[float | None, ...], zones: tuple[str | None, str | None]) -> None:
    names = ("paint", "mid_range", "three_pt")
    row = {f"{name}_defense_vs_league_avg": gap for name, gap in zip(names, gaps, strict=True)}
    assert extreme_zones(row) == zones


def defended(played: Row, abbr: str, paint_makes: int) -> Row:
    zones: Row = {f"opp_{zone}_{what}": 0 for zone in ZONE_NAMES for what in ("attempts", "makes")}
    return {
        "game_id": played["game_id"],
        "game_date": played["game_date"],
        "season_year": 2024,
        "defending_team_abbr": abbr,
        "shot_zones_source": "nbac_play_by_play",
        "points_allowed": 100,
        "defensive_rating": 110.0,
        "opponent_pace": 100.0,
        "opp_ft_attempts": 20,
        "opponent_possessions": 100.0,
        "opp_fg_attempts": 50,
        "points_in_paint_allowed": 2 * paint_makes,
        "blocks_paint": 2,
        "blocks_mid_range": 1,
        "blocks_three_pt": None,
        **zones,
        "opp_paint_attempts": 50,
        "opp_paint_makes": paint_makes,
    }


def test_team_zones_against_a_league_of_ten_teams() -> None:
    names = [f"T{index:02d}" for index in range(10)]
    games = [game(ago(1), away, home, (1, 2)) for away, home in zip(names[::2], names[1::2], strict=True)]
    tonight = game(SLATE, "T00", "T01")
    rows = [
        defended(played, abbr, 20 + int(abbr[1:]))
        for played in games
        for abbr in (played["away_team_abbr"], played["home_team_abbr"])
    ]
    tables = {"nbac_schedule": [tonight, *games], "team_defense_game_summary": rows}
    made = recompute(SLATE, tables, RUN)["team_defense_zone_analysis"]
    row = one(made, team_abbr="T09")
    assert row["paint_pct_allowed_last_15"] == 0.58
    assert row["paint_defense_vs_league_avg"] == pytest.approx(9.0)  # mean of 40 ... 58 % is 49 %
    assert row["mid_range_defense_vs_league_avg"] is None
    assert (row["strongest_zone"], row["weakest_zone"]) == ("paint", None)
    assert (row["paint_blocks_per_game"], row["three_pt_blocks_per_game"]) == (2.0, None)
    assert row["quality_issues"] == ["league_avg_missing"]
    fewer = recompute(SLATE, tables | {"team_defense_game_summary": rows[:-1]}, RUN)
    made = fewer["team_defense_zone_analysis"]
    assert one(made, team_abbr="T00")["paint_defense_vs_league_avg"] is None
    last = one(made, team_abbr="T09")
    assert (last["games_in_sample"], last["missing_games"], last["paint_attempts_allowed_per_game"]) == (
        0,
        1,
        None,
    )
    assert last["quality_issues"] == ["league_avg_missing", "missing_games", "no_history"]


def test_constant_columns_are_flagged_on_seasoned_teams() -> None:
    zones = ("paint", "rim", "mid_range", "three_pt", "corner_three", "above_break_three")
    rows: list[Row] = [
        {"games_in_sample": games, "quality_issues": []} | {f"{zone}_defense_vs_league_avg": 0.0 for zone in zones}
        for games in (5, 6, 4)
    ]
    flag_constant_columns(rows)
    assert [row["quality_issues"] for row in rows] == [["constant_column"], ["constant_column"], []]


# ---------------------------------------------------------------- composite factors

FRESH: Row = {
    "missing_games_last_14_days": 0,
    "days_rest": 1,
    "games_in_last_7_days": 3,
    "minutes_in_last_7_days": 240.0,
    "avg_minutes_per_game_last_7": 35.0,
    "back_to_backs_last_14_days": 0,
}


@pytest.mark.parametrize(
    ("change", "score"),
    [
        ({}, 100),
        ({"days_rest": None}, 100),
        ({"days_rest": 0}, 85),
        ({"days_rest": 2}, 100),
        ({"days_rest": 2, "back_to_backs_last_14_days": 1}, 100),
        ({"games_in_last_7_days": 4}, 90),
        ({"minutes_in_last_7_days": 240.1}, 90),
        ({"avg_minutes_per_game_last_7": 35.1}, 92),
        ({"avg_minutes_per_game_last_7": 35.00000000000001}, 100),
        ({"avg_minutes_per_game_last_7": None}, 100),
        ({"back_to_backs_last_14_days": 1}, 95),
        ({"back_to_backs_last_14_days": 2}, 88),
        (
            {
                "days_rest": 0,
                "games_in_last_7_days": 4,
                "minutes_in_last_7_days": 241,
                "avg_minutes_per_game_last_7": 36,
                "back_to_backs_last_14_days": 3,
            },
            45,
        ),
        ({"missing_games_last_14_days": 1, "games_in_last_7_days": None}, None),
    ],
)
def test_fatigue(change: Row, score: float | None) -> None:
    assert fatigue_score(FRESH | change) == score


def mix(primary: str, paint: float, mid_range: float, three: float) -> Row:
    return {
        "primary_scoring_zone": primary,
        "paint_rate_last_10": paint,
        "mid_range_rate_last_10": mid_range,
        "three_pt_rate_last_10": three,
        "data_quality_tier": "high",
        "missing_games": 0,
        "is_production_ready": True,
    }


def wall(paint: float | None, mid_range: float | None, three: float | None) -> Row:
    return {
        "paint_defense_vs_league_avg": paint,
        "mid_range_defense_vs_league_avg": mid_range,
        "three_pt_defense_vs_league_avg": three,
        "data_quality_tier": "high",
        "missing_games": 0,
        "is_production_ready": True,
    }


@pytest.mark.parametrize(
    ("zones", "defense", "score"),
    [
        (mix("paint", 40, 30, 30), wall(5, None, None), 4.0),
        (mix("three", 20, 20, 60), wall(None, None, -4), -4.0),
        (mix("paint", 60, 20, 20), wall(6, 0, 0), 7.2),
        (mix("paint", 60, 20, 20), wall(5, 0, 0), 5.0),
        (mix("paint", 60, 20, 20), wall(9, 0, 0), 10.0),
        (mix("balanced", 35, 30, 35), wall(2, -1, 4), 1.8),
        (mix("balanced", 35, 30, 35), wall(2, None, 4), None),
        (None, wall(1, 1, 1), None),
        (mix("paint", 60, 20, 20), None, None),
    ],
)
def test_zone_mismatch(zones: Row | None, defense: Row | None, score: float | None) -> None:
    assert zone_mismatch(zones, defense) == (None if score is None else pytest.approx(score))


@pytest.mark.parametrize(
    ("projected", "stars", "score"),
    [(24, 0, 1.2), (24, 1, 1.38), (24, 2, 1.56), (24, 5, 1.56), (24, None, 1.2), (18, 3, -0.6), (99, 0, 3.0)],
)
def test_usage_spike(projected: float, stars: int | None, score: float) -> None:
    row = {
        "projected_usage_rate": projected,
        "avg_usage_rate_last_7_games": 20,
        "star_teammates_out": stars,
    }
    assert usage_spike(row) == pytest.approx(score)


def test_composite_without_a_report_is_ready_with_three_factors() -> None:
    identity = ("player_lookup", "player_id", "game_date", "game_id", "team_abbr", "opponent_team_abbr")
    row: Row = FRESH | dict.fromkeys(identity, "x")
    row |= {"season_year": 2024, "missing_games": 0, "player_status": None, "pace_differential": 8.0}
    row |= {"projected_usage_rate": None, "avg_usage_rate_last_7_games": 20.0, "star_teammates_out": None}
    made = composite_row(row, mix("paint", 50, 20, 30), wall(2, 0, 0))
    assert (made["pace_score"], made["shot_zone_mismatch_score"], made["factors_known"]) == (3, 2.0, 3)
    assert (made["total_composite_adjustment"], made["is_production_ready"]) == (None, True)
    assert made["missing_inputs"] == ["projected_usage_rate", "star_teammates_out"]
    assert (made["data_quality_tier"], made["quality_issues"]) == ("medium", ["no_injury_report"])
    row |= {"player_status": "available", "projected_usage_rate": 22.0, "star_teammates_out": 0}
    made = composite_row(row | {"days_rest": 0}, mix("paint", 50, 20, 30), wall(2, 0, 0))
    assert made["total_composite_adjustment"] == pytest.approx(-0.75 + 2 + 3 + 0.6)
    assert (made["data_quality_tier"], made["factors_known"]) == ("high", 4)
    assert composite_row(row, None, wall(2, 0, 0))["is_production_ready"] is False


# ---------------------------------------------------------------- feature store and shape


def test_quality_score_weighs_rows_by_tier() -> None:
    def tier(name: str) -> Row:
        return {"data_quality_tier": name}

    features: dict[str, float | None] = dict.fromkeys(FEATURES, 1.0)
    sources = Sources({}, {}, [], tier("high"), tier("high"), tier("high"), tier("high"))
    assert quality_score(features, sources) == 100
    sources = Sources({}, {}, [], tier("low"), tier("medium"), tier("medium"), tier("medium"))
    # 34 features: 14 of the cache at 0.5, 4 + 3 + 2 at 0.8, 11 at 1.0
    assert quality_score(features, sources) == pytest.approx(100 * (7 + 7.2 + 11) / 34)
    sources = Sources({}, {}, [], tier("medium"), tier("low"), tier("low"), tier("low"))
    features |= {"injury_risk": None, "usage_spike_score": None}
    assert quality_score(features, sources) == pytest.approx(100 * (11.2 + 4 + 10) / 34)
    sources = Sources({}, {}, [], tier("low"), tier("medium"), tier("medium"), tier("medium"))
    features = dict.fromkeys(FEATURES, 1.0)
    features |= {"home_away": None, "vegas_points_line": None}
    assert quality_score(features, sources) == pytest.approx(100 * (7 + 7.2 + 10) / 34)


def test_rows_have_the_columns_of_the_contract_and_are_sorted() -> None:
    rows = [summary(played, name, "NYK", 10) for played in GAMES for name in ("b", "a")]
    tables = {"nbac_schedule": [TONIGHT, *GAMES], "player_game_summary": rows}
    made = recompute(SLATE, tables, RUN)
    assert {table: len(found) for table, found in made.items()} == {
        "upcoming_team_game_context": 2,
        "upcoming_player_game_context": 2,
        "team_defense_zone_analysis": 3,
        "player_shot_zone_analysis": 2,
        "player_daily_cache": 2,
        "player_composite_factors": 2,
        "ml_feature_store": 2,
    }
    for table, found in made.items():
        assert all(tuple(row) == COLUMNS[table] for row in found)
    assert [row["player_lookup"] for row in made["ml_feature_store"]] == ["a", "b"]


def test_a_date_without_a_slate_has_no_rows() -> None:
    made = recompute(ago(1), {"nbac_schedule": [TONIGHT]}, RUN)
    assert made == {table: [] for table in COLUMNS}


def test_results_from_the_slate_on_change_nothing() -> None:
    later = game(SLATE, "NYK", "BOS", (120, 60))
    rows = [summary(played, "a", "NYK", 10) for played in GAMES]
    bare = {"nbac_schedule": [TONIGHT, *GAMES], "player_game_summary": rows}
    full = {
        "nbac_schedule": [later, *GAMES],
        "player_game_summary": [*rows, summary(later, "a", "NYK", 50), summary(later, "z", "NYK", 50)],
        "team_defense_game_summary": [defended(later, "BOS", 20)],
    }
    assert recompute(SLATE, full, RUN) == recompute(SLATE, bare, naive(RUN))


# ---------------------------------------------------------------- a whole season of ten teams

LEAGUE = [f"T{index:02d}" for index in range(10)]
POINTS = [10, 10, 10, 20, 20, 16, 16, 16, 16, 16, 60, 60, 60, 60, 60, 60]  # newest first
USAGE = [20.0] * 5 + [27.0] * 2 + [32.0] * 3 + [50.0] * 6
MINUTES = [30.0] * 10 + [20.0] * 6
SHOTS: Row = {"corner_three_attempts": 1, "corner_three_makes": 1, "paint_attempts": 6, "fg_attempts": 11}


def league() -> dict[str, list[Row]]:
    """Sixteen rounds, one every second day: even teams visit the next odd one; T00 plays T01 tonight."""
    tables: dict[str, list[Row]] = {"nbac_schedule": [game(SLATE, "T00", "T01")]}
    made: tuple[list[Row], list[Row], list[Row]] = ([], [], [])
    for index in range(16):
        for away, home in zip(LEAGUE[::2], LEAGUE[1::2], strict=True):
            played = game(ago(2 * index + 2), away, home, (90, 100))
            tables["nbac_schedule"].append(played)
            for abbr in (away, home):
                made[0].append(league_summary(played, abbr, index))
                made[1].append(league_offense(played, abbr, index))
                made[2].append(league_defense(played, abbr, index))
    names = ("player_game_summary", "team_offense_game_summary", "team_defense_game_summary")
    tables |= dict(zip(names, made, strict=True))
    tables["nbac_injury_report"] = [reported(tables["nbac_schedule"][0], "T00", "t00", "available")]
    tables["odds_api_player_points_props"] = [prop(tables["nbac_schedule"][0], "t00", "fanduel", 15.5, TIP)]
    return tables


def league_summary(played: Row, abbr: str, index: int) -> Row:
    changes: Row = {"minutes_played": MINUTES[index], "usage_rate": USAGE[index], **SHOTS}
    return summary(played, abbr.lower(), abbr, POINTS[index]) | changes


def league_offense(played: Row, abbr: str, index: int) -> Row:
    pace = (104.0 if index < 10 else 80.0) if abbr == "T01" else (100.0 if index < 10 else 120.0)
    key = {"game_id": played["game_id"], "game_date": played["game_date"], "team_abbr": abbr}
    return key | {"season_year": 2024, "pace": pace, "offensive_rating": 111.0 if index < 10 else 70.0}


def league_defense(played: Row, abbr: str, index: int) -> Row:
    zones: Row = {"opp_mid_range_attempts": 10, "opp_mid_range_makes": 4, "opp_corner_three_attempts": 10}
    rating = 110.0 if index < 10 else 116.0 if index < 15 else 200.0
    makes = 25 + 5 * (abbr == "T01")
    fouls = 20 if index < 10 else 90
    return defended(played, abbr, makes) | zones | {"defensive_rating": rating, "opp_ft_attempts": fouls}


def test_windows_end_where_the_contract_says() -> None:
    made = recompute(SLATE, league(), RUN)
    context = one(made["upcoming_player_game_context"], player_lookup="t00")
    cache = one(made["player_daily_cache"], player_lookup="t00")
    features = one(made["ml_feature_store"], player_lookup="t00")
    defense = one(made["team_defense_zone_analysis"], team_abbr="T01")
    expected: Row = {
        "points_avg_last_5": 14.0,
        "points_avg_last_10": 15.0,
        "avg_usage_rate_last_7_games": 22.0,
        "minutes_avg_last_7_games": 30.0,
        "team_pace_last_10": 100.0,
        "opponent_pace_last_10": 104.0,
        "opponent_def_rating_last_10": 110.0,
        "opponent_fta_per_100_allowed": 20.0,
        "games_in_last_14_days": 7,
        "games_played_season": 16,
        "projected_usage_rate": 22.0,
    }
    assert {column: context[column] for column in expected} == expected
    expected = {
        "points_avg_last_5": 14.0,
        "points_avg_last_10": 15.0,
        "points_avg_season": 31.875,
        "points_std_last_10": pytest.approx(sqrt((3 * 25 + 2 * 25 + 5 * 1) / 9)),
        "usage_rate_last_10": 25.0,
        "minutes_avg_season": 26.25,
        "efg_pct_last_10": pytest.approx(4 / 11),
        "ts_pct_last_10": pytest.approx(15 / (2 * 11.88)),
        "free_throw_points_share_last_10": pytest.approx(20 / 150),
        "games_in_sample_5": 5,
        "games_in_sample_10": 10,
        "team_games_in_sample_10": 10,
        "team_off_rating_last_10": 111.0,
    }
    assert {column: cache[column] for column in expected} == expected
    assert defense["defensive_rating_last_15"] == 112.0
    assert defense["paint_defense_vs_league_avg"] == pytest.approx(9.0)  # 60 % against a mean of 51 %
    assert (features["points_avg_last_3"], features["usage_rate_last_5"]) == (10.0, 20.0)
    assert features["ppm_avg_last_10"] == pytest.approx(0.5)
    assert features["minutes_change"] == 1
    assert features["recent_trend"] == -2
    assert (features["rest_advantage"], features["injury_risk"], features["games_vs_opponent"]) == (0, 0, 16)


def test_a_complete_row_is_ready_and_explains_itself() -> None:
    made = recompute(SLATE, league(), RUN)
    factors = one(made["player_composite_factors"], player_lookup="t00")
    assert factors["fatigue_score"] == 100  # 3 games in 7 days, 1 day of rest
    assert factors["shot_zone_mismatch_score"] == 10  # 9 x 1 x 1.2, clamped
    assert factors["total_composite_adjustment"] == pytest.approx(0 + 10 + 2 + 0)
    features = one(made["ml_feature_store"], player_lookup="t00")
    missing = ["spread_magnitude", "implied_team_total"]
    assert features["missing_features"] == missing
    assert (features["feature_quality_score"], features["data_quality_tier"]) == (100, "high")
    assert (features["is_production_ready"], features["quality_issues"]) == (True, [])


@pytest.mark.parametrize(
    ("table", "column", "games", "ready"),
    [
        ("player_game_summary", "shot_zones_source", 3, "cfzm"),
        ("player_game_summary", "shot_zones_source", 4, "c"),
        ("player_game_summary", "minutes_played", 1, ""),
        ("team_defense_game_summary", "shot_zones_source", 15, "cz"),
        ("team_offense_game_summary", "", 6, "cfzm"),
        ("team_offense_game_summary", "", 7, "fz"),
        ("team_defense_game_summary", "", 1, "cz"),
        ("nbac_injury_report", "", 1, "cfzm"),
    ],
)
def test_what_makes_a_row_not_ready(table: str, column: str, games: int, ready: str) -> None:
    """The newest games lose a column, or their rows; ready: c cache, f factors, z zones, m features."""
    tables = league()
    hurt: list[Row] = []
    for row in tables[table]:
        recent = row["game_date"] >= ago(2 * games)
        if not recent or column:
            hurt.append(row | {column: None} if recent else row)
    made = recompute(SLATE, tables | {table: hurt}, RUN)
    names = {
        "c": "player_daily_cache",
        "f": "player_composite_factors",
        "z": "player_shot_zone_analysis",
        "m": "ml_feature_store",
    }
    found = [letter for letter, name in names.items() if one(made[name], player_lookup="t00")["is_production_ready"]]
    assert "".join(found) == ready


@pytest.mark.parametrize(("players", "flagged"), [(7, True), (8, False), (30, False), (31, True)])
def test_roster_count(players: int, *, flagged: bool) -> None:
    rows = [summary(GAMES[0], f"p{index:02d}", "NYK", 10) for index in range(players)]
    made = recompute(SLATE, {"nbac_schedule": [TONIGHT, GAMES[0]], "player_game_summary": rows}, RUN)
    found = ["roster_count" in row["quality_issues"] for row in made["upcoming_player_game_context"]]
    assert found == [flagged] * players


@pytest.mark.parametrize(
    ("games", "points", "minutes", "stars"),
    [(10, 18, 20.0, 1), (9, 18, 20.0, 0), (10, 17, 27.9, 0), (10, 12, 28.0, 1), (10, 11, 40.0, 0)],
)
def test_who_counts_as_a_star(games: int, points: int, minutes: float, stars: int) -> None:
    dates = [game(ago(days), "NYK", "PHI", (100, 90)) for days in range(1, games + 1)]
    rows = [summary(played, "star", "NYK", points, minutes_played=minutes) for played in dates]
    tables = {
        "nbac_schedule": [TONIGHT, *dates],
        "player_game_summary": [*rows, summary(dates[0], "mate", "NYK", 5)],
        "nbac_injury_report": [reported(TONIGHT, "NYK", "star", "doubtful")],
    }
    assert player(tables, "mate")["star_teammates_out"] == stars


def test_who_has_not_played_for_a_month_is_no_teammate() -> None:
    old = [game(ago(days), "NYK", "PHI", (100, 90)) for days in range(31, 41)]
    rows = [summary(played, "star", "NYK", 25) for played in old]
    tables = {
        "nbac_schedule": [TONIGHT, *old, GAMES[0]],
        "player_game_summary": [*rows, summary(GAMES[0], "mate", "NYK", 5)],
        "nbac_injury_report": [reported(TONIGHT, "NYK", "star", "out")],
    }
    mate = player(tables, "mate")
    assert (mate["star_teammates_out"], mate["projected_usage_rate"]) == (0, 20.0)
    assert player(tables, "star")["games_played_season"] == 10


@pytest.mark.parametrize(("shots", "issues", "ready"), [(19, ["few_shots"], False), (20, [], True)])
def test_few_shots(shots: int, issues: list[str], *, ready: bool) -> None:
    games = [game(ago(days), "NYK", "PHI", (100, 90)) for days in range(1, 8)]
    none: Row = {"paint_attempts": 0, "mid_range_attempts": 0}
    rows = [summary(played, "a", "NYK", 10) | none for played in games[1:]]
    rows.append(summary(games[0], "a", "NYK", 10) | none | {"paint_attempts": shots, "fg_attempts": shots})
    tables = {"nbac_schedule": [TONIGHT, *games], "player_game_summary": rows}
    (row,) = recompute(SLATE, tables, RUN)["player_shot_zone_analysis"]
    assert (row["zone_games_in_sample_10"], row["total_shots_last_10"]) == (7, shots)
    assert (row["quality_issues"], row["is_production_ready"]) == (issues, ready)


@pytest.mark.parametrize(
    ("games", "rating", "pace", "off"),
    [(5, 140.0, 80.0, False), (5, 140.1, 100.0, True), (5, 110.0, 79.9, True), (4, 170.0, 100.0, False)],
)
def test_team_figures_out_of_range(games: int, rating: float, pace: float, *, off: bool) -> None:
    dates = [game(ago(days), "NYK", "BOS", (100, 90)) for days in range(1, games + 1)]
    figures: Row = {"defensive_rating": rating, "opponent_pace": pace}
    tables = {
        "nbac_schedule": [TONIGHT, *dates],
        "player_game_summary": [summary(played, "a", "NYK", 10) for played in dates],
        "team_defense_game_summary": [defended(played, "BOS", 20) | figures for played in dates],
    }
    made = recompute(SLATE, tables, RUN)
    boston = one(made["team_defense_zone_analysis"], team_abbr="BOS")
    assert ("out_of_range" in boston["quality_issues"]) is off
    features = one(made["ml_feature_store"], player_lookup="a")
    assert ("out_of_range" in features["quality_issues"]) is (games < 5)


def test_both_lines_say_when_they_were_read() -> None:
    lines = [
        priced(TONIGHT, "spreads", "BOS", -3.5, TIP - timedelta(hours=2)),
        priced(TONIGHT, "totals", "over", 220.5, TIP - timedelta(hours=3)),
    ]
    row = team({"nbac_schedule": [TONIGHT], "odds_api_game_lines": lines}, "BOS")
    assert row["betting_lines_updated_at"] == naive(TIP) - timedelta(hours=2)
    assert row["data_quality_tier"] == "medium"
