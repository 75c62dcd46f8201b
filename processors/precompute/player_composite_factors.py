"""PlayerCompositeFactorsProcessor: player x game of the slate."""

from __future__ import annotations

from pathlib import Path

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
        required(
            "player_lookup",
            STRING,
            "player's key: name in lower case, accents folded, only a-z and 0-9, suffix kept (kellyoubrejr)",
        ),
        nullable("player_id", INT64, "NBA player id, newest known; NULL if none is"),
        required("game_date", DATE, "the slate: day of the game; only games before it count"),
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required("team_abbr", STRING, "his team on the slate"),
        required("opponent_team_abbr", STRING, "the team he meets on the slate"),
        nullable(
            "fatigue_score",
            FLOAT64,
            "100 = fresh; recent games, minutes and back-to-backs lower it, 2+ days of rest add 5; NULL if a team game of 14 days is not processed",
            "0-100",
        ),
        nullable(
            "shot_zone_mismatch_score",
            FLOAT64,
            "opponent's vs-league value in his main zone x min(rate / 50, 1), balanced: by his rates; x 1.2 beyond 5; positive = good for him",
            "-10..10",
        ),
        nullable(
            "pace_score",
            FLOAT64,
            "pace_differential / 2, held to -3..3; positive = faster than his team is used to; NULL if pace_differential is NULL",
            "-3..3",
        ),
        nullable(
            "usage_spike_score",
            FLOAT64,
            "0.3 x (projected - last-7-games usage rate), a rise x 1.15 with one star out, x 1.3 with more; positive = more usage; NULL if either is NULL",
            "-3..3",
        ),
        nullable(
            "total_composite_adjustment",
            FLOAT64,
            "(fatigue_score - 100) / 20 + the three other scores; positive = favourable; NULL if any of the four is NULL",
            "-21..16",
        ),
        required("factors_known", INT64, "how many of the four scores are known", "0-4"),
        nullable(
            "missing_inputs",
            STRINGS,
            "what the scores lacked, sorted: days_rest, player_shot_zone, star_teammates_out, team_defense_zone ...",
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
            "all four scores (usage may lack without injury report), no missing games, player and team zones ready too",
        ),
    ),
)

PROCESSOR = Processor(
    name="PlayerCompositeFactorsProcessor",
    short="PCF",
    level="4.2",
    dated=Dated.SLATE,
    output=TABLE,
    sql=Path(__file__).with_suffix(".sql"),
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
