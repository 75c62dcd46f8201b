"""MLFeatureStoreProcessor: player x game of the slate."""

from __future__ import annotations

from processors.declaration import Check, Dated, Input, Issue, Processor, Relation, output
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, STRING, STRINGS, nullable, required

TABLE = output(
    dataset="nba_predictions",
    name="ml_feature_store",
    row="player x game of the slate",
    key=("player_lookup", "game_date", "feature_version"),
    partition="game_date",
    cluster=("player_lookup", "feature_version"),
    columns=(
        required("player_lookup", STRING),
        nullable("player_id", INT64),
        required("game_date", DATE, "D"),
        required("game_id", STRING),
        required("team_abbr", STRING),
        required("opponent_team_abbr", STRING),
        required("feature_version", STRING, "v1_wide_40; changes whenever a name, order or formula changes"),
        nullable("points_avg_last_5", FLOAT64, "c"),
        nullable("points_avg_last_10", FLOAT64, "c"),
        nullable("points_avg_season", FLOAT64, "c"),
        nullable("points_std_last_10", FLOAT64, "c"),
        nullable("games_in_last_7_days", FLOAT64, "u"),
        nullable("fatigue_score", FLOAT64, "f; 100 = fresh"),
        nullable("shot_zone_mismatch_score", FLOAT64, "f; positive = favourable"),
        nullable("pace_score", FLOAT64, "f; positive = faster"),
        nullable("usage_spike_score", FLOAT64, "f; positive = more usage"),
        nullable("rest_advantage", FLOAT64, "clamp(u.days_rest - u.opponent_days_rest, -2, 2)"),
        nullable(
            "injury_risk",
            FLOAT64,
            "u.player_status: 'not_listed', 'available' 0; 'probable' 1; 'questionable' 2; 'doubtful', 'out' 3",
        ),
        nullable(
            "recent_trend",
            FLOAT64,
            "d = mean(points of games 1-3) - mean(points of games 4-5), games newest first; positive = rising. d >= 5 -> 2; d >= 2 -> 1; d <= -5 -> -2; d <= -2 -> -1; else 0",
        ),
        nullable(
            "minutes_change",
            FLOAT64,
            "r = (c.minutes_avg_last_10 - c.minutes_avg_season) / c.minutes_avg_season; r >= 0.20 -> 2; >= 0.10 -> 1; <= -0.20 -> -2; <= -0.10 -> -1; else 0",
        ),
        nullable("opponent_def_rating", FLOAT64, "t.defensive_rating_last_15"),
        nullable("opponent_pace", FLOAT64, "t.opponent_pace"),
        nullable("home_away", FLOAT64, "1 home, 0 away"),
        nullable("back_to_back", FLOAT64, "1 / 0 from u"),
        nullable("playoff_game", FLOAT64, "1 if u.season_phase = 'playoffs', else 0"),
        nullable("pct_paint", FLOAT64, "p.paint_rate_last_10 / 100"),
        nullable("pct_mid_range", FLOAT64, "p.mid_range_rate_last_10 / 100"),
        nullable("pct_three", FLOAT64, "p.three_pt_rate_last_10 / 100"),
        nullable("pct_free_throw", FLOAT64, "clamp(c.free_throw_points_share_last_10, 0, 0.5)"),
        nullable("team_pace", FLOAT64, "c.team_pace_last_10"),
        nullable("team_off_rating", FLOAT64, "c.team_off_rating_last_10"),
        nullable("team_win_pct", FLOAT64, "x.season_wins_entering / x.season_games_entering"),
        nullable("vegas_points_line", FLOAT64, "u.current_points_line"),
        nullable("vegas_opening_line", FLOAT64, "u.opening_points_line"),
        nullable("vegas_line_move", FLOAT64, "u.line_movement"),
        nullable("has_vegas_line", FLOAT64, "1 / 0 from u.has_points_line"),
        nullable(
            "avg_points_vs_opponent", FLOAT64, "avg points in h against u.opponent_team_abbr, this season"
        ),
        nullable("games_vs_opponent", FLOAT64, "number of those games (0 is a value)"),
        nullable("minutes_avg_last_10", FLOAT64, "c"),
        nullable("ppm_avg_last_10", FLOAT64, "pooled points / minutes_played, last 10 of h"),
        nullable("days_rest", FLOAT64, "u"),
        nullable("minutes_load_last_7d", FLOAT64, "u.minutes_in_last_7_days"),
        nullable("spread_magnitude", FLOAT64, "|x.game_spread|"),
        nullable("implied_team_total", FLOAT64, "(x.game_total - x.game_spread) / 2"),
        nullable("points_avg_last_3", FLOAT64, "avg points, last 3 of h"),
        nullable(
            "scoring_trend_slope",
            FLOAT64,
            "least-squares slope of points on game index over the last 10 of h, oldest index 0, step 1; positive = rising, points per game",
        ),
        nullable("usage_rate_last_5", FLOAT64, "avg usage_rate, last 5 of h"),
        required("feature_quality_score", FLOAT64, "0-100, 5.2"),
        nullable("missing_features", STRINGS, "names of NULL features, in table order"),
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
    name="MLFeatureStoreProcessor",
    short="MLFS",
    level="4.3",
    dated=Dated.SLATE,
    output=TABLE,
    inputs=(
        Input("upcoming_player_game_context", Relation.SAME_DATE),
        Input("upcoming_team_game_context", Relation.SAME_DATE),
        Input("player_game_summary", Relation.HISTORY),
        Input("player_daily_cache", Relation.SAME_DATE),
        Input("player_composite_factors", Relation.SAME_DATE),
        Input("player_shot_zone_analysis", Relation.SAME_DATE),
        Input("team_defense_zone_analysis", Relation.SAME_DATE),
    ),
    expected="""
SELECT game_date AS date, player_lookup AS id
FROM nba_analytics.upcoming_player_game_context
WHERE game_date BETWEEN @start_date AND @end_date
""",
    identity="player_lookup",
    issues=(
        Issue("cache_missing", "NOT _has_cache"),
        Issue("composite_missing", "NOT _has_composite"),
        Issue("zones_missing", "NOT _has_zones"),
        Issue("team_defense_missing", "NOT _has_team"),
        Issue("history_gap", "missing_games > 0", "missing_games"),
        Issue("player_out", "_player_status = 'out'"),
        Issue("no_injury_report", "_no_injury_report"),
        Issue(
            "out_of_range",
            "_opponent_games < 5 AND (opponent_def_rating NOT BETWEEN 70 AND 160 OR opponent_pace NOT BETWEEN 80 AND 120)"
            " OR _team_games < 5 AND (team_off_rating NOT BETWEEN 70 AND 160 OR team_pace NOT BETWEEN 80 AND 120)",
        ),
    ),
    checks=(
        Check(
            "features_in_range",
            "(points_avg_last_5 IS NULL OR points_avg_last_5 BETWEEN 0 AND 60) AND (points_avg_last_10 IS NULL OR points_avg_last_10 BETWEEN 0 AND 60) AND (points_avg_season IS NULL OR points_avg_season BETWEEN 0 AND 60) AND (points_avg_last_3 IS NULL OR points_avg_last_3 BETWEEN 0 AND 60) AND (points_std_last_10 IS NULL OR points_std_last_10 BETWEEN 0 AND 30) AND (games_in_last_7_days IS NULL OR games_in_last_7_days BETWEEN 0 AND 6) AND (fatigue_score IS NULL OR fatigue_score BETWEEN 0 AND 100) AND (shot_zone_mismatch_score IS NULL OR shot_zone_mismatch_score BETWEEN -10 AND 10) AND (pace_score IS NULL OR pace_score BETWEEN -3 AND 3) AND (usage_spike_score IS NULL OR usage_spike_score BETWEEN -3 AND 3) AND (rest_advantage IS NULL OR rest_advantage BETWEEN -2 AND 2) AND (recent_trend IS NULL OR recent_trend BETWEEN -2 AND 2) AND (minutes_change IS NULL OR minutes_change BETWEEN -2 AND 2) AND (injury_risk IS NULL OR injury_risk BETWEEN 0 AND 3) AND (home_away IS NULL OR home_away BETWEEN 0 AND 1) AND (back_to_back IS NULL OR back_to_back BETWEEN 0 AND 1) AND (playoff_game IS NULL OR playoff_game BETWEEN 0 AND 1) AND (has_vegas_line IS NULL OR has_vegas_line BETWEEN 0 AND 1) AND (pct_paint IS NULL OR pct_paint BETWEEN 0 AND 1) AND (pct_mid_range IS NULL OR pct_mid_range BETWEEN 0 AND 1) AND (pct_three IS NULL OR pct_three BETWEEN 0 AND 1) AND (pct_free_throw IS NULL OR pct_free_throw BETWEEN 0 AND 1) AND (team_win_pct IS NULL OR team_win_pct BETWEEN 0 AND 1) AND (vegas_points_line IS NULL OR vegas_points_line BETWEEN 0.5 AND 60) AND (vegas_opening_line IS NULL OR vegas_opening_line BETWEEN 0.5 AND 60) AND (minutes_avg_last_10 IS NULL OR minutes_avg_last_10 BETWEEN 0 AND 53) AND (minutes_load_last_7d IS NULL OR minutes_load_last_7d BETWEEN 0 AND 350) AND (spread_magnitude IS NULL OR spread_magnitude BETWEEN 0 AND 40) AND (implied_team_total IS NULL OR implied_team_total BETWEEN 60 AND 200) AND (usage_rate_last_5 IS NULL OR usage_rate_last_5 BETWEEN 0 AND 100) AND (days_rest IS NULL OR days_rest >= 0)",
        ),
        Check(
            "teams_in_range",
            "(_opponent_games < 5 OR (opponent_def_rating BETWEEN 70 AND 160 AND opponent_pace BETWEEN 80 AND 120))"
            " AND (_team_games < 5 OR (team_off_rating BETWEEN 70 AND 160 AND team_pace BETWEEN 80 AND 120))",
        ),
        Check("shares_add_up", "ABS(pct_paint + pct_mid_range + pct_three - 1) <= 1e-6"),
        Check("quality_is_percent", "feature_quality_score BETWEEN 0 AND 100"),
    ),
)
