"""PlayerCompositeFactorsProcessor: player x game of the slate."""

from __future__ import annotations

from processors.declaration import Check, Dated, Input, Issue, Processor, Relation, output
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, STRING, STRINGS, nullable, required

TABLE = output(
    dataset="nba_precompute",
    name="player_composite_factors",
    row="player x game of the slate",
    key=("game_id", "player_lookup"),
    partition="game_date",
    cluster=("player_lookup",),
    columns=(
        required("player_lookup", STRING),
        nullable("player_id", INT64, "u"),
        required("game_date", DATE, "D"),
        required("game_id", STRING, "u"),
        required("team_abbr", STRING, "u"),
        required("opponent_team_abbr", STRING, "u"),
        nullable("fatigue_score", FLOAT64, "3.1; 100 = fresh", "0-100"),
        nullable("shot_zone_mismatch_score", FLOAT64, "3.2; positive = favourable to the scorer", "-10..10"),
        nullable(
            "pace_score",
            FLOAT64,
            "clamp(u.pace_differential / 2, -3, 3); positive = faster than usual; NULL if the input is",
            "-3..3",
        ),
        nullable("usage_spike_score", FLOAT64, "3.3; positive = more usage than usual", "-3..3"),
        nullable(
            "total_composite_adjustment",
            FLOAT64,
            "(fatigue_score - 100)/20 + zone + pace + usage scores; NULL if any of the four is NULL; range -21..16",
            "pts-like",
        ),
        required("factors_known", INT64, "number of non-NULL scores", "0-4"),
        nullable(
            "missing_inputs",
            STRINGS,
            "sorted names: days_rest, projected_usage_rate, avg_usage_rate_last_7_games, pace_differential, player_shot_zone, team_defense_zone, star_teammates_out",
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
    name="PlayerCompositeFactorsProcessor",
    short="PCF",
    level="4.2",
    dated=Dated.SLATE,
    output=TABLE,
    inputs=(
        Input("upcoming_player_game_context", Relation.SAME_DATE),
        Input("player_shot_zone_analysis", Relation.SAME_DATE),
        Input("team_defense_zone_analysis", Relation.SAME_DATE),
    ),
    expected="""
SELECT game_date AS date, player_lookup AS id
FROM nba_analytics.upcoming_player_game_context
WHERE game_date BETWEEN @start_date AND @end_date
""",
    identity="player_lookup",
    issues=(Issue("no_injury_report", "_no_injury_report"),),
    checks=(
        Check(
            "scores_in_range",
            "(fatigue_score IS NULL OR fatigue_score BETWEEN 0 AND 100) AND (shot_zone_mismatch_score IS NULL OR shot_zone_mismatch_score BETWEEN -10 AND 10) AND (pace_score IS NULL OR pace_score BETWEEN -3 AND 3) AND (usage_spike_score IS NULL OR usage_spike_score BETWEEN -3 AND 3)",
        ),
        Check(
            "total_is_sum",
            "ABS(total_composite_adjustment - ((fatigue_score - 100) / 20 + shot_zone_mismatch_score + pace_score + usage_spike_score)) <= 1e-9",
        ),
    ),
)
