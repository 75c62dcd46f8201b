"""PlayerDailyCacheProcessor: player of the slate with a played game this season."""

from __future__ import annotations

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
        required("player_lookup", STRING),
        nullable("player_id", INT64),
        required("cache_date", DATE),
        required("game_id", STRING),
        required("team_abbr", STRING),
        required("opponent_team_abbr", STRING),
        required("games_played_season", INT64),
        required("games_in_sample_5", INT64),
        required("games_in_sample_10", INT64),
        nullable("points_avg_last_5", FLOAT64, "", "pts"),
        nullable("points_avg_last_10", FLOAT64, "", "pts"),
        nullable("points_avg_season", FLOAT64, "", "pts"),
        nullable("points_std_last_10", FLOAT64, "", "pts"),
        nullable("minutes_avg_last_10", FLOAT64, "", "min"),
        nullable("minutes_avg_season", FLOAT64, "", "min"),
        nullable("usage_rate_last_10", FLOAT64, "", "%"),
        nullable("player_usage_rate_season", FLOAT64, "", "%"),
        nullable("ts_pct_last_10", FLOAT64, "", "0-1"),
        nullable("efg_pct_last_10", FLOAT64, "", "0-1"),
        nullable("free_throw_points_share_last_10", FLOAT64, "", "0-1"),
        required("team_games_in_sample_10", INT64),
        nullable("team_pace_last_10", FLOAT64, "", "per 48"),
        nullable("team_off_rating_last_10", FLOAT64, "", "per 100"),
        nullable("games_in_last_7_days", INT64),
        nullable("games_in_last_14_days", INT64),
        nullable("minutes_in_last_7_days", FLOAT64, "", "min"),
        nullable("minutes_in_last_14_days", FLOAT64, "", "min"),
        nullable("avg_minutes_per_game_last_7", FLOAT64, "", "min"),
        nullable("back_to_backs_last_14_days", INT64),
        nullable("primary_scoring_zone", STRING),
        nullable("paint_rate_last_10", FLOAT64, "", "%"),
        nullable("mid_range_rate_last_10", FLOAT64, "", "%"),
        nullable("three_pt_rate_last_10", FLOAT64, "", "%"),
        nullable("assisted_rate_last_10", FLOAT64, "", "%"),
        required("season_year", INT64, "season of the slate"),
        required(
            "missing_games",
            INT64,
            "final games of the team this season, in the row's window, that were never processed",
        ),
        required("is_production_ready", BOOL, "whether a prediction may rest on the row"),
    ),
)

PROCESSOR = Processor(
    name="PlayerDailyCacheProcessor",
    short="PDC",
    level="4.2",
    dated=Dated.SLATE,
    output=TABLE,
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
    ),
    checks=(
        Check(
            "averages_equal_context",
            "ABS(points_avg_last_5 - _context_points_avg_last_5) <= 1e-9 AND ABS(points_avg_last_10 - _context_points_avg_last_10) <= 1e-9",
        ),
        Check("games_equal_context", "games_played_season = _context_games_played"),
        Check(
            "plausible_averages",
            "minutes_avg_last_10 > 0 AND minutes_avg_last_10 <= 53 AND minutes_avg_season <= 53 AND points_avg_season <= 60 AND points_avg_last_5 <= 60 AND points_avg_last_10 <= 60",
        ),
        Check(
            "plausible_rates",
            "(usage_rate_last_10 IS NULL OR usage_rate_last_10 BETWEEN 0 AND 100) AND (team_pace_last_10 IS NULL OR team_pace_last_10 BETWEEN 80 AND 120)",
        ),
    ),
)
