"""PlayerShotZoneAnalysisProcessor: player with a played game this season before the slate."""

from __future__ import annotations

from pathlib import Path

from processors.declaration import Check, Dated, Input, Issue, Processor, Relation, output
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, STRING, nullable, required

TABLE = output(
    dataset="nba_precompute",
    name="player_shot_zone_analysis",
    row="player with a played game this season before the slate",
    key=("player_lookup", "analysis_date"),
    partition="analysis_date",
    cluster=("player_lookup",),
    columns=(
        required(
            "player_lookup",
            STRING,
            "player's key: name in lower case, accents folded, only a-z and 0-9, suffix kept (kellyoubrejr)",
        ),
        nullable("player_id", INT64, "NBA player id, newest known; NULL if none is"),
        required("team_abbr", STRING, "team of his last played game before the slate"),
        required("analysis_date", DATE, "the slate: only games before it count"),
        required("games_in_sample_10", INT64, "played games this season before the slate, at most the last 10"),
        required("games_in_sample_20", INT64, "played games this season before the slate, at most the last 20"),
        required(
            "zone_games_in_sample_10",
            INT64,
            "of these last 10, the zone games: usable play-by-play, and at most 10 % of his shots without a zone",
        ),
        required(
            "zone_games_in_sample_20",
            INT64,
            "of these last 20, the zone games: usable play-by-play, and at most 10 % of his shots without a zone",
        ),
        nullable(
            "total_shots_last_10",
            INT64,
            "shots from paint, mid-range and three, zone games of his last 10 played games; NULL without a zone game, 0 is a value",
        ),
        nullable(
            "paint_rate_last_10",
            FLOAT64,
            "100 x paint shots / total_shots_last_10, zone games of his last 10 played games; NULL without shots",
            "%",
        ),
        nullable(
            "mid_range_rate_last_10",
            FLOAT64,
            "100 x mid-range shots / total_shots_last_10, zone games of his last 10 played games; NULL without shots",
            "%",
        ),
        nullable(
            "three_pt_rate_last_10",
            FLOAT64,
            "100 x threes attempted / total_shots_last_10, zone games of his last 10 played games; NULL without shots",
            "%",
        ),
        nullable(
            "rim_rate_last_10",
            FLOAT64,
            "100 x rim shots / total_shots_last_10, zone games of his last 10 played games; part of paint; NULL without shots",
            "%",
        ),
        nullable(
            "corner_three_rate_last_10",
            FLOAT64,
            "100 x corner threes attempted / total_shots_last_10, zone games of his last 10 played games; NULL without shots",
            "%",
        ),
        nullable(
            "paint_pct_last_10",
            FLOAT64,
            "paint makes / attempts, sums over the zone games of his last 10 played games; NULL without attempts",
            "0-1",
        ),
        nullable(
            "rim_pct_last_10",
            FLOAT64,
            "rim makes / attempts, sums over the zone games of his last 10 played games; NULL without attempts",
            "0-1",
        ),
        nullable(
            "mid_range_pct_last_10",
            FLOAT64,
            "mid-range makes / attempts, sums over the zone games of his last 10 played games; NULL without attempts",
            "0-1",
        ),
        nullable(
            "three_pt_pct_last_10",
            FLOAT64,
            "three-point makes / attempts, sums over the zone games of his last 10 played games; NULL without attempts",
            "0-1",
        ),
        nullable(
            "corner_three_pct_last_10",
            FLOAT64,
            "corner-three makes / attempts, sums over the zone games of his last 10 played games; NULL without attempts",
            "0-1",
        ),
        nullable(
            "above_break_three_pct_last_10",
            FLOAT64,
            "above-the-break-three makes / attempts, sums over the zone games of his last 10 played games; NULL without attempts",
            "0-1",
        ),
        nullable(
            "paint_attempts_per_game",
            FLOAT64,
            "paint shots / game, zone games of his last 10 played games; NULL without a zone game",
            "/game",
        ),
        nullable(
            "rim_attempts_per_game",
            FLOAT64,
            "rim shots / game, zone games of his last 10 played games; NULL without a zone game",
            "/game",
        ),
        nullable(
            "mid_range_attempts_per_game",
            FLOAT64,
            "mid-range shots / game, zone games of his last 10 played games; NULL without a zone game",
            "/game",
        ),
        nullable(
            "three_pt_attempts_per_game",
            FLOAT64,
            "threes attempted / game, zone games of his last 10 played games; NULL without a zone game",
            "/game",
        ),
        nullable(
            "paint_rate_last_20",
            FLOAT64,
            "100 x paint shots / shots from known zones, zone games of his last 20 played games; NULL without shots",
            "%",
        ),
        nullable(
            "mid_range_rate_last_20",
            FLOAT64,
            "100 x mid-range shots / shots from known zones, zone games of his last 20 played games; NULL without shots",
            "%",
        ),
        nullable(
            "three_pt_rate_last_20",
            FLOAT64,
            "100 x threes attempted / shots from known zones, zone games of his last 20 played games; NULL without shots",
            "%",
        ),
        nullable(
            "paint_pct_last_20",
            FLOAT64,
            "paint makes / attempts, sums over the zone games of his last 20 played games; NULL without attempts",
            "0-1",
        ),
        nullable(
            "mid_range_pct_last_20",
            FLOAT64,
            "mid-range makes / attempts, sums over the zone games of his last 20 played games; NULL without attempts",
            "0-1",
        ),
        nullable(
            "three_pt_pct_last_20",
            FLOAT64,
            "three-point makes / attempts, sums over the zone games of his last 20 played games; NULL without attempts",
            "0-1",
        ),
        nullable(
            "assisted_rate_last_10",
            FLOAT64,
            "100 x made shots with an assister / made shots, zone games of his last 10 played games; NULL without makes",
            "%",
        ),
        nullable(
            "unassisted_rate_last_10",
            FLOAT64,
            "100 x made shots without an assister / made shots, zone games of his last 10 played games; NULL without makes",
            "%",
        ),
        nullable(
            "primary_scoring_zone",
            STRING,
            "first that holds of the last-10 rates: paint >= 40 paint, three >= 40 three, mid_range >= 35 mid_range, else balanced; NULL without rates",
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
            "7+ zone games among the last 10 played, 20+ shots in them, and missing_games = 0",
        ),
    ),
)

PROCESSOR = Processor(
    name="PlayerShotZoneAnalysisProcessor",
    short="PSZA",
    level="4.1",
    dated=Dated.SLATE,
    output=TABLE,
    sql=Path(__file__).with_suffix(".sql"),
    inputs=(
        Input("player_game_summary", Relation.HISTORY),
        Input("nbac_schedule", Relation.REFERENCE),
    ),
    expected="""
-- uses: slate_days
SELECT d.slate_date AS date, h.player_lookup AS id
FROM slate_days AS d
INNER JOIN (
  SELECT season_year, player_lookup, MIN(game_date) AS first_played
  FROM nba_analytics.player_game_summary
  WHERE
    minutes_played > 0
    AND game_date BETWEEN DATE_SUB(@start_date, INTERVAL 370 DAY) AND DATE_SUB(@end_date, INTERVAL 1 DAY)
  GROUP BY season_year, player_lookup
) AS h ON h.season_year = d.season_year AND h.first_played < d.slate_date
""",
    identity="player_lookup",
    issues=(
        Issue(
            "zones_missing",
            "zone_games_in_sample_10 < games_in_sample_10",
            "games_in_sample_10 - zone_games_in_sample_10",
        ),
        Issue("few_shots", "total_shots_last_10 < 20"),
        Issue("missing_games", "missing_games > 0"),
    ),
    checks=(
        Check(
            "rates_add_up",
            "ABS(paint_rate_last_10 + mid_range_rate_last_10 + three_pt_rate_last_10 - 100) <= 1e-6",
        ),
        Check(
            "parts_within_whole",
            "rim_rate_last_10 <= paint_rate_last_10 AND corner_three_rate_last_10 <= three_pt_rate_last_10",
        ),
        Check("assisted_add_up", "ABS(assisted_rate_last_10 + unassisted_rate_last_10 - 100) <= 1e-6"),
        Check(
            "rates_are_percent",
            "(paint_rate_last_10 IS NULL OR paint_rate_last_10 BETWEEN 0 AND 100) AND (mid_range_rate_last_10 IS NULL OR mid_range_rate_last_10 BETWEEN 0 AND 100) AND (three_pt_rate_last_10 IS NULL OR three_pt_rate_last_10 BETWEEN 0 AND 100) AND (paint_pct_last_10 IS NULL OR paint_pct_last_10 BETWEEN 0 AND 1) AND (rim_pct_last_10 IS NULL OR rim_pct_last_10 BETWEEN 0 AND 1) AND (mid_range_pct_last_10 IS NULL OR mid_range_pct_last_10 BETWEEN 0 AND 1) AND (three_pt_pct_last_10 IS NULL OR three_pt_pct_last_10 BETWEEN 0 AND 1) AND (corner_three_pct_last_10 IS NULL OR corner_three_pct_last_10 BETWEEN 0 AND 1) AND (above_break_three_pct_last_10 IS NULL OR above_break_three_pct_last_10 BETWEEN 0 AND 1)",
        ),
        Check(
            "window_sizes",
            "games_in_sample_10 <= 10 AND games_in_sample_10 <= games_in_sample_20 AND games_in_sample_20 <= 20",
        ),
    ),
)
