"""PlayerDailyCacheProcessor: player of the slate with a played game this season."""

from __future__ import annotations

from pathlib import Path

from processors.declaration import Check, Dated, Input, Issue, Processor, Relation, output
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, STRING, nullable, required

TABLE = output(
    dataset="nba_precompute",
    name="player_daily_cache",
    row="player of the slate with a played game this season",
    key=("player_lookup", "cache_date"),
    partition="cache_date",
    cluster=("player_lookup",),
    columns=(
        required(
            "player_lookup",
            STRING,
            "player's key: name in lower case, accents folded, only a-z and 0-9, suffix kept (kellyoubrejr)",
        ),
        nullable("player_id", INT64, "NBA player id, newest known; NULL if none is"),
        required("cache_date", DATE, "the slate: day of the game; only games before it count"),
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required("team_abbr", STRING, "his team on the slate"),
        required("opponent_team_abbr", STRING, "the team he meets on the slate"),
        required("games_played_season", INT64, "games he played this season before the slate, for any team"),
        required("games_in_sample_5", INT64, "games behind the last-5 columns: up to 5 played games this season"),
        required(
            "games_in_sample_10", INT64, "games behind the player's last-10 columns: up to 10 played games this season"
        ),
        nullable("points_avg_last_5", FLOAT64, "mean points, last 5 played games", "pts"),
        nullable("points_avg_last_10", FLOAT64, "mean points, last 10 played games", "pts"),
        nullable("points_avg_season", FLOAT64, "mean points, all played games this season", "pts"),
        nullable(
            "points_std_last_10",
            FLOAT64,
            "sample standard deviation of points, last 10 played games; NULL below 2 games",
            "pts",
        ),
        nullable("minutes_avg_last_10", FLOAT64, "mean minutes, last 10 played games", "min"),
        nullable("minutes_avg_season", FLOAT64, "mean minutes, all played games this season", "min"),
        nullable(
            "usage_rate_last_10",
            FLOAT64,
            "mean usage_rate, last 10 played games, unknown ones left out; NULL if none is known",
            "%",
        ),
        nullable(
            "player_usage_rate_season",
            FLOAT64,
            "mean usage_rate, all played games this season, unknown ones left out; NULL if none is known",
            "%",
        ),
        nullable(
            "ts_pct_last_10",
            FLOAT64,
            "true shooting from sums over the last 10 played games: points / (2 (FGA + 0.44 FTA)); NULL without attempts",
            "0-1.5",
        ),
        nullable(
            "efg_pct_last_10",
            FLOAT64,
            "(makes + 0.5 threes made) / attempts, sums over the last 10 played games; NULL without attempts",
            "0-1.5",
        ),
        nullable(
            "free_throw_points_share_last_10",
            FLOAT64,
            "free throws made / points, sums over the last 10 played games; NULL without points",
            "0-1",
        ),
        required(
            "team_games_in_sample_10",
            INT64,
            "games behind the two team columns that follow: up to 10 of the team this season",
        ),
        nullable("team_pace_last_10", FLOAT64, "mean pace, last 10 games of his team; NULL before the first", "per 48"),
        nullable(
            "team_off_rating_last_10",
            FLOAT64,
            "mean offensive_rating, last 10 games of his team; NULL before the first",
            "per 100",
        ),
        nullable(
            "games_in_last_7_days",
            INT64,
            "games he played in the 7 days before the slate; NULL if a team game of the last 14 days is not processed",
        ),
        nullable(
            "games_in_last_14_days",
            INT64,
            "games he played in the 14 days before the slate; NULL if a team game of these is not processed",
        ),
        nullable(
            "minutes_in_last_7_days",
            FLOAT64,
            "his minutes in the 7 days before the slate; NULL if a team game of the last 14 days is not processed",
            "min",
        ),
        nullable(
            "minutes_in_last_14_days",
            FLOAT64,
            "his minutes in the 14 days before the slate; NULL if a team game of these is not processed",
            "min",
        ),
        nullable(
            "avg_minutes_per_game_last_7",
            FLOAT64,
            "minutes_in_last_7_days / games_in_last_7_days (days, not games); NULL without games or if not known",
            "min",
        ),
        nullable(
            "back_to_backs_last_14_days",
            INT64,
            "pairs of his games on consecutive days in the 14 days before the slate; NULL if one of the team's is not processed",
        ),
        nullable(
            "primary_scoring_zone",
            STRING,
            "paint, three, mid_range or balanced, from player_shot_zone_analysis; NULL if his shots are not known",
        ),
        nullable(
            "paint_rate_last_10",
            FLOAT64,
            "share of his shots from the paint, in those of his last 10 played games whose zones are known; NULL without shots",
            "%",
        ),
        nullable(
            "mid_range_rate_last_10",
            FLOAT64,
            "share of his shots from mid-range, in those of his last 10 played games whose zones are known; NULL without shots",
            "%",
        ),
        nullable(
            "three_pt_rate_last_10",
            FLOAT64,
            "share of threes in his shots, in those of his last 10 played games whose zones are known; NULL without shots",
            "%",
        ),
        nullable(
            "assisted_rate_last_10",
            FLOAT64,
            "share of his made shots with an assister, in those of his last 10 played games whose zones are known; NULL without makes",
            "%",
        ),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required(
            "missing_games",
            INT64,
            "final games of his team since his 10th last played game (this season if fewer) that were never processed; 0 = complete",
        ),
        required(
            "is_production_ready",
            BOOL,
            "7+ played games, missing_games = 0, a shot-zone row, and all of the team's last 10 games processed",
        ),
    ),
)

_SETTLED = 5
"""Games from which an average outside its bounds is wrong; before, one long or fast game may explain it."""
_AVERAGES = (
    "minutes_avg_last_10 > 0 AND minutes_avg_last_10 <= 53 AND minutes_avg_season <= 53"
    " AND points_avg_season <= 60 AND points_avg_last_5 <= 60 AND points_avg_last_10 <= 60"
)
_PACE = "team_pace_last_10 BETWEEN 80 AND 120"

PROCESSOR = Processor(
    name="PlayerDailyCacheProcessor",
    short="PDC",
    level="4.2",
    dated=Dated.SLATE,
    output=TABLE,
    sql=Path(__file__).with_suffix(".sql"),
    inputs=(
        Input("upcoming_player_game_context", Relation.SAME_DATE),
        Input("player_game_summary", Relation.HISTORY),
        Input("team_offense_game_summary", Relation.HISTORY),
        Input("player_shot_zone_analysis", Relation.SAME_DATE),
        Input("nbac_schedule", Relation.REFERENCE),
    ),
    expected="""
SELECT game_date AS date, player_lookup AS id
FROM nba_analytics.upcoming_player_game_context
WHERE game_date BETWEEN @start_date AND @end_date AND games_played_season >= 1
""",
    identity="player_lookup",
    issues=(
        Issue("no_shot_zone_row", "NOT _has_zones"),
        Issue("usage_partial", "_usage_unknown_10 > 0", "_usage_unknown_10"),
        Issue("missing_games", "missing_games > 0"),
        Issue(
            "out_of_range",
            f"(games_in_sample_10 < {_SETTLED} AND NOT ({_AVERAGES}))"
            f" OR (team_games_in_sample_10 < {_SETTLED} AND NOT ({_PACE}))",
        ),
    ),
    checks=(
        Check(
            "averages_equal_context",
            "ABS(points_avg_last_5 - _context_points_avg_last_5) <= 1e-9 AND ABS(points_avg_last_10 - _context_points_avg_last_10) <= 1e-9",
        ),
        Check("games_equal_context", "games_played_season = _context_games_played"),
        Check("plausible_averages", f"games_in_sample_10 < {_SETTLED} OR ({_AVERAGES})"),
        Check("plausible_pace", f"team_games_in_sample_10 < {_SETTLED} OR ({_PACE})"),
        Check("plausible_usage", "usage_rate_last_10 BETWEEN 0 AND 100"),
    ),
)
