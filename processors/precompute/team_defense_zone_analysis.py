"""TeamDefenseZoneAnalysisProcessor: team of the season at the slate."""

from __future__ import annotations

from pathlib import Path

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
        required("team_abbr", STRING, "the defending team"),
        required("analysis_date", DATE, "the slate: only games before it count"),
        required(
            "games_in_sample",
            INT64,
            "the team's games this season before the slate, at most the last 15; 0 = every metric is NULL",
        ),
        required(
            "zone_games_in_sample",
            INT64,
            "of these, the zone games: usable play-by-play, and at most 10 % of the opponent's shots without a zone",
        ),
        nullable(
            "paint_pct_allowed_last_15",
            FLOAT64,
            "opponents' paint makes / attempts, sums over the zone games of the team's last 15; NULL without attempts",
            "0-1",
        ),
        nullable(
            "rim_pct_allowed_last_15",
            FLOAT64,
            "opponents' rim makes / attempts, sums over the zone games of the team's last 15; NULL without attempts",
            "0-1",
        ),
        nullable(
            "mid_range_pct_allowed_last_15",
            FLOAT64,
            "opponents' mid-range makes / attempts, sums over the zone games of the team's last 15; NULL without attempts",
            "0-1",
        ),
        nullable(
            "three_pt_pct_allowed_last_15",
            FLOAT64,
            "opponents' three-point makes / attempts, sums over the zone games of the team's last 15; NULL without attempts",
            "0-1",
        ),
        nullable(
            "corner_three_pct_allowed_last_15",
            FLOAT64,
            "opponents' corner-three makes / attempts, sums over the zone games of the team's last 15; NULL without attempts",
            "0-1",
        ),
        nullable(
            "above_break_three_pct_allowed_last_15",
            FLOAT64,
            "opponents' above-the-break-three makes / attempts, sums over the zone games of the team's last 15; NULL without attempts",
            "0-1",
        ),
        nullable(
            "paint_attempts_allowed_per_game",
            FLOAT64,
            "opponents' paint shots, rim included, / game, zone games of the team's last 15; NULL without a zone game",
            "/game",
        ),
        nullable(
            "rim_attempts_allowed_per_game",
            FLOAT64,
            "opponents' rim shots / game, zone games of the team's last 15; NULL without a zone game",
            "/game",
        ),
        nullable(
            "mid_range_attempts_allowed_per_game",
            FLOAT64,
            "opponents' mid-range shots / game, zone games of the team's last 15; NULL without a zone game",
            "/game",
        ),
        nullable(
            "three_pt_attempts_allowed_per_game",
            FLOAT64,
            "opponents' threes attempted / game, zone games of the team's last 15; NULL without a zone game",
            "/game",
        ),
        nullable(
            "corner_three_attempts_allowed_per_game",
            FLOAT64,
            "opponents' corner threes attempted / game, zone games of the team's last 15; NULL without a zone game",
            "/game",
        ),
        nullable(
            "above_break_three_attempts_allowed_per_game",
            FLOAT64,
            "opponents' above-the-break threes attempted / game, zone games of the team's last 15; NULL without a zone game",
            "/game",
        ),
        nullable(
            "paint_points_allowed_per_game",
            FLOAT64,
            "points_in_paint_allowed / game, zone games of the team's last 15; NULL without a zone game",
            "pts/game",
        ),
        nullable(
            "paint_blocks_per_game",
            FLOAT64,
            "the team's blocks on paint shots / game, zone games of the team's last 15; NULL without a zone game",
            "/game",
        ),
        nullable(
            "mid_range_blocks_per_game",
            FLOAT64,
            "the team's blocks on mid-range shots / game, zone games of the team's last 15; NULL without a zone game",
            "/game",
        ),
        nullable(
            "three_pt_blocks_per_game",
            FLOAT64,
            "the team's blocks on threes / game, zone games of the team's last 15; NULL without a zone game",
            "/game",
        ),
        nullable(
            "paint_defense_vs_league_avg",
            FLOAT64,
            "100 x (paint_pct_allowed_last_15 - its mean over teams); positive = weaker than the league; NULL below 10 teams",
            "percentage points",
        ),
        nullable(
            "rim_defense_vs_league_avg",
            FLOAT64,
            "100 x (rim_pct_allowed_last_15 - its mean over teams); positive = weaker than the league; NULL below 10 teams",
            "percentage points",
        ),
        nullable(
            "mid_range_defense_vs_league_avg",
            FLOAT64,
            "100 x (mid_range_pct_allowed_last_15 - its mean over teams); positive = weaker than the league; NULL below 10 teams",
            "percentage points",
        ),
        nullable(
            "three_pt_defense_vs_league_avg",
            FLOAT64,
            "100 x (three_pt_pct_allowed_last_15 - its mean over teams); positive = weaker than the league; NULL below 10 teams",
            "percentage points",
        ),
        nullable(
            "corner_three_defense_vs_league_avg",
            FLOAT64,
            "100 x (corner_three_pct_allowed_last_15 - its mean over teams); positive = weaker than the league; NULL below 10 teams",
            "percentage points",
        ),
        nullable(
            "above_break_three_defense_vs_league_avg",
            FLOAT64,
            "100 x (above_break_three_pct_allowed_last_15 - its mean over teams); positive = weaker than the league; NULL below 10 teams",
            "percentage points",
        ),
        nullable(
            "defensive_rating_last_15",
            FLOAT64,
            "mean defensive_rating, last 15 games of the team; lower = better; NULL before the first",
            "per 100",
        ),
        nullable(
            "opponent_points_per_game",
            FLOAT64,
            "mean points allowed, last 15 games of the team; NULL before the first",
            "pts/game",
        ),
        nullable("opponent_pace", FLOAT64, "mean pace, last 15 games of the team; NULL before the first", "per 48"),
        nullable(
            "strongest_zone",
            STRING,
            "paint, mid_range or three: lowest vs-league value known, ties in that order; NULL if none is known",
        ),
        nullable(
            "weakest_zone",
            STRING,
            "paint, mid_range or three: highest vs-league value known, ties in that order; NULL below two known",
        ),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required(
            "missing_games",
            INT64,
            "final games since the oldest of the sample (this season below 15 games) that were never processed; 0 = complete",
        ),
        required(
            "is_production_ready",
            BOOL,
            "tier above low, paint, mid-range and three shares known, and missing_games = 0",
        ),
    ),
)

PROCESSOR = Processor(
    name="TeamDefenseZoneAnalysisProcessor",
    short="TDZA",
    level="4.1",
    dated=Dated.SLATE,
    output=TABLE,
    sql=Path(__file__).with_suffix(".sql"),
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
