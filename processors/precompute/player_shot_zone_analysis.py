"""PlayerShotZoneAnalysisProcessor: player with a played game this season before the slate."""

from __future__ import annotations

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
        required("player_lookup", STRING),
        nullable("player_id", INT64, "newest non-NULL"),
        required("team_abbr", STRING, "of the newest played game"),
        required("analysis_date", DATE, "D"),
        required("games_in_sample_10", INT64, "|G10|"),
        required("games_in_sample_20", INT64, "|G20|"),
        required("zone_games_in_sample_10", INT64, "|G10z|"),
        required("zone_games_in_sample_20", INT64, "|G20z|"),
        nullable("total_shots_last_10", INT64, "T over G10z; NULL if G10z is empty, 0 is a value"),
        nullable("paint_rate_last_10", FLOAT64, "100 x A(paint) / T over G10z", "%"),
        nullable("mid_range_rate_last_10", FLOAT64, "idem", "%"),
        nullable("three_pt_rate_last_10", FLOAT64, "idem, A(three)", "%"),
        nullable("rim_rate_last_10", FLOAT64, "100 x A(rim) / T", "%"),
        nullable("corner_three_rate_last_10", FLOAT64, "100 x A(corner_three) / T", "%"),
        nullable("paint_pct_last_10", FLOAT64, "M(paint) / A(paint) over G10z", "0-1"),
        nullable("rim_pct_last_10", FLOAT64, "", "0-1"),
        nullable("mid_range_pct_last_10", FLOAT64, "", "0-1"),
        nullable("three_pt_pct_last_10", FLOAT64, "M(three) / A(three)", "0-1"),
        nullable("corner_three_pct_last_10", FLOAT64, "", "0-1"),
        nullable("above_break_three_pct_last_10", FLOAT64, "", "0-1"),
        nullable("paint_attempts_per_game", FLOAT64, "A(paint) / |G10z|", "/game"),
        nullable("rim_attempts_per_game", FLOAT64, "", "/game"),
        nullable("mid_range_attempts_per_game", FLOAT64, "", "/game"),
        nullable("three_pt_attempts_per_game", FLOAT64, "", "/game"),
        nullable("paint_rate_last_20", FLOAT64, "as last_10 over G20z", "%"),
        nullable("mid_range_rate_last_20", FLOAT64, "", "%"),
        nullable("three_pt_rate_last_20", FLOAT64, "", "%"),
        nullable("paint_pct_last_20", FLOAT64, "", "0-1"),
        nullable("mid_range_pct_last_20", FLOAT64, "", "0-1"),
        nullable("three_pt_pct_last_20", FLOAT64, "", "0-1"),
        nullable(
            "assisted_rate_last_10",
            FLOAT64,
            "100 x sum of  assisted_fg_makes / sum of  (assisted + unassisted) over G10z",
            "%",
        ),
        nullable("unassisted_rate_last_10", FLOAT64, "100 x sum of  unassisted / same denominator", "%"),
        nullable(
            "primary_scoring_zone",
            STRING,
            "first that holds: paint_rate_last_10 >= 40 -> paint; three_pt_rate_last_10 >= 40 -> three; mid_range_rate_last_10 >= 35 -> mid_range; else balanced; NULL if the rates are NULL",
        ),
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
    name="PlayerShotZoneAnalysisProcessor",
    short="PSZA",
    level="4.1",
    dated=Dated.SLATE,
    output=TABLE,
    inputs=(
        Input("player_game_summary", Relation.HISTORY),
        Input("nbac_schedule", Relation.REFERENCE),
    ),
    expected="""
-- uses: slate_days, player_history
SELECT DISTINCT d.slate_date AS date, h.player_lookup AS id
FROM slate_days AS d
INNER JOIN player_history AS h ON h.season_year = d.season_year AND h.game_date < d.slate_date AND h.game_number = 1
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
