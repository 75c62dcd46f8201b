"""TeamDefenseZoneAnalysisProcessor: team of the season at the slate."""

from __future__ import annotations

from processors.declaration import Check, Dated, Input, Issue, Processor, Relation, output
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, STRING, nullable, required

TABLE = output(
    dataset="nba_precompute",
    name="team_defense_zone_analysis",
    row="team of the season at the slate",
    key=("team_abbr", "analysis_date"),
    partition="analysis_date",
    cluster=("team_abbr",),
    columns=(
        required("team_abbr", STRING),
        required("analysis_date", DATE, "D"),
        required("games_in_sample", INT64, "|W15|"),
        required("zone_games_in_sample", INT64, "|W15z|"),
        nullable("paint_pct_allowed_last_15", FLOAT64, "pooled paint makes / attempts over W15z", "0-1"),
        nullable("rim_pct_allowed_last_15", FLOAT64, "idem rim", "0-1"),
        nullable("mid_range_pct_allowed_last_15", FLOAT64, "idem mid_range", "0-1"),
        nullable("three_pt_pct_allowed_last_15", FLOAT64, "idem three (zones)", "0-1"),
        nullable("corner_three_pct_allowed_last_15", FLOAT64, "idem corner_three", "0-1"),
        nullable("above_break_three_pct_allowed_last_15", FLOAT64, "idem above_break_three", "0-1"),
        nullable("paint_attempts_allowed_per_game", FLOAT64, "sum of  attempts over W15z / |W15z|", "/game"),
        nullable("rim_attempts_allowed_per_game", FLOAT64, "idem", "/game"),
        nullable("mid_range_attempts_allowed_per_game", FLOAT64, "idem", "/game"),
        nullable("three_pt_attempts_allowed_per_game", FLOAT64, "idem", "/game"),
        nullable("corner_three_attempts_allowed_per_game", FLOAT64, "idem", "/game"),
        nullable("above_break_three_attempts_allowed_per_game", FLOAT64, "idem", "/game"),
        nullable(
            "paint_points_allowed_per_game",
            FLOAT64,
            "sum of  points_in_paint_allowed over W15z / |W15z|",
            "pts/game",
        ),
        nullable("paint_blocks_per_game", FLOAT64, "avg blocks_paint over W15z", "/game"),
        nullable("mid_range_blocks_per_game", FLOAT64, "avg blocks_mid_range", "/game"),
        nullable("three_pt_blocks_per_game", FLOAT64, "avg blocks_three_pt", "/game"),
        nullable(
            "paint_defense_vs_league_avg",
            FLOAT64,
            "100 x (paint_pct_allowed_last_15 - L_paint); positive = weaker defense than the league",
            "pct points",
        ),
        nullable("rim_defense_vs_league_avg", FLOAT64, "idem", "pct points"),
        nullable("mid_range_defense_vs_league_avg", FLOAT64, "idem", "pct points"),
        nullable("three_pt_defense_vs_league_avg", FLOAT64, "idem", "pct points"),
        nullable("corner_three_defense_vs_league_avg", FLOAT64, "idem", "pct points"),
        nullable("above_break_three_defense_vs_league_avg", FLOAT64, "idem", "pct points"),
        nullable("defensive_rating_last_15", FLOAT64, "avg defensive_rating over W15", "per 100"),
        nullable("opponent_points_per_game", FLOAT64, "avg points_allowed over W15", "pts/game"),
        nullable("opponent_pace", FLOAT64, "avg opponent_pace over W15", "per 48"),
        nullable(
            "strongest_zone",
            STRING,
            "of paint, mid_range, three with known vs-league value, the lowest; tie in that order; NULL if none",
        ),
        nullable("weakest_zone", STRING, "the highest; same tie order; NULL if fewer than two are known"),
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
    name="TeamDefenseZoneAnalysisProcessor",
    short="TDZA",
    level="4.1",
    dated=Dated.SLATE,
    output=TABLE,
    inputs=(
        Input("team_defense_game_summary", Relation.HISTORY),
        Input("nbac_schedule", Relation.REFERENCE),
    ),
    expected="""
-- uses: slate_days, team_games
SELECT DISTINCT d.slate_date AS date, t.team_abbr AS id
FROM slate_days AS d
INNER JOIN team_games AS t ON t.season_year = d.season_year
""",
    identity="team_abbr",
    issues=(
        Issue("no_history", "games_in_sample = 0"),
        Issue(
            "zones_missing",
            "zone_games_in_sample < games_in_sample",
            "games_in_sample - zone_games_in_sample",
        ),
        Issue("league_avg_missing", "_league_avg_missing"),
        Issue("missing_games", "missing_games > 0"),
        Issue(
            "out_of_range",
            "games_in_sample >= 5 AND (defensive_rating_last_15 NOT BETWEEN 80 AND 140 OR opponent_pace NOT BETWEEN 80 AND 120)",
        ),
        Issue(
            "constant_column",
            "games_in_sample >= 5 AND ("
            "COUNT(IF(games_in_sample >= 5, paint_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) >= 2 AND"
            " MAX(IF(games_in_sample >= 5, paint_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date)"
            " - MIN(IF(games_in_sample >= 5, paint_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) <= 1e-9"
            " OR COUNT(IF(games_in_sample >= 5, rim_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) >= 2 AND"
            " MAX(IF(games_in_sample >= 5, rim_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date)"
            " - MIN(IF(games_in_sample >= 5, rim_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) <= 1e-9"
            " OR COUNT(IF(games_in_sample >= 5, mid_range_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) >= 2 AND"
            " MAX(IF(games_in_sample >= 5, mid_range_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date)"
            " - MIN(IF(games_in_sample >= 5, mid_range_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) <= 1e-9"
            " OR COUNT(IF(games_in_sample >= 5, three_pt_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) >= 2 AND"
            " MAX(IF(games_in_sample >= 5, three_pt_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date)"
            " - MIN(IF(games_in_sample >= 5, three_pt_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) <= 1e-9"
            " OR COUNT(IF(games_in_sample >= 5, corner_three_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) >= 2 AND"
            " MAX(IF(games_in_sample >= 5, corner_three_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date)"
            " - MIN(IF(games_in_sample >= 5, corner_three_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) <= 1e-9"
            " OR COUNT(IF(games_in_sample >= 5, above_break_three_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) >= 2 AND"
            " MAX(IF(games_in_sample >= 5, above_break_three_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date)"
            " - MIN(IF(games_in_sample >= 5, above_break_three_defense_vs_league_avg, NULL)) OVER (PARTITION BY analysis_date) <= 1e-9"
            ")",
        ),
    ),
    checks=(
        Check(
            "shares_are_fractions",
            "(paint_pct_allowed_last_15 IS NULL OR paint_pct_allowed_last_15 BETWEEN 0 AND 1) AND (rim_pct_allowed_last_15 IS NULL OR rim_pct_allowed_last_15 BETWEEN 0 AND 1) AND (mid_range_pct_allowed_last_15 IS NULL OR mid_range_pct_allowed_last_15 BETWEEN 0 AND 1) AND (three_pt_pct_allowed_last_15 IS NULL OR three_pt_pct_allowed_last_15 BETWEEN 0 AND 1) AND (corner_three_pct_allowed_last_15 IS NULL OR corner_three_pct_allowed_last_15 BETWEEN 0 AND 1) AND (above_break_three_pct_allowed_last_15 IS NULL OR above_break_three_pct_allowed_last_15 BETWEEN 0 AND 1)",
        ),
        Check("rim_within_paint", "rim_attempts_allowed_per_game <= paint_attempts_allowed_per_game"),
        Check(
            "threes_add_up",
            "ABS(three_pt_attempts_allowed_per_game - corner_three_attempts_allowed_per_game - above_break_three_attempts_allowed_per_game) <= 1e-9",
        ),
        Check(
            "plausible_attempts",
            "games_in_sample < 5 OR paint_attempts_allowed_per_game + mid_range_attempts_allowed_per_game + three_pt_attempts_allowed_per_game BETWEEN 50 AND 130",
        ),
        Check(
            "league_mean_is_zero",
            "COALESCE(ABS(AVG(paint_defense_vs_league_avg) OVER (PARTITION BY analysis_date)) <= 1e-9, TRUE) AND COALESCE(ABS(AVG(rim_defense_vs_league_avg) OVER (PARTITION BY analysis_date)) <= 1e-9, TRUE) AND COALESCE(ABS(AVG(mid_range_defense_vs_league_avg) OVER (PARTITION BY analysis_date)) <= 1e-9, TRUE) AND COALESCE(ABS(AVG(three_pt_defense_vs_league_avg) OVER (PARTITION BY analysis_date)) <= 1e-9, TRUE) AND COALESCE(ABS(AVG(corner_three_defense_vs_league_avg) OVER (PARTITION BY analysis_date)) <= 1e-9, TRUE) AND COALESCE(ABS(AVG(above_break_three_defense_vs_league_avg) OVER (PARTITION BY analysis_date)) <= 1e-9, TRUE)",
        ),
    ),
)
