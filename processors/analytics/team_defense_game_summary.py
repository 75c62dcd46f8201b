"""TeamDefenseGameSummaryProcessor: defending team x final game."""

from __future__ import annotations

from processors.declaration import Check, Dated, Input, Issue, Processor, Relation, output
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, STRING, nullable, required

TABLE = output(
    dataset="nba_analytics",
    name="team_defense_game_summary",
    row="defending team x final game",
    key=("game_id", "defending_team_abbr"),
    partition="game_date",
    cluster=("defending_team_abbr", "season_year"),
    columns=(
        required("game_id", STRING),
        required("nba_game_id", STRING),
        required("game_date", DATE),
        required("season_year", INT64),
        required("season_type", STRING),
        required("defending_team_abbr", STRING, "S.team_abbr"),
        required("opponent_team_abbr", STRING, "O.team_abbr"),
        required("home_game", BOOL, "S"),
        required("win_flag", BOOL, "S"),
        required("margin_of_victory", INT64, "S", "pts"),
        nullable("overtime_periods", INT64, "S"),
        required("points_allowed", INT64, "O.points_scored"),
        required("opp_fg_makes", INT64, "O"),
        required("opp_fg_attempts", INT64, "O"),
        required("opp_three_pt_makes", INT64, "O"),
        required("opp_three_pt_attempts", INT64, "O"),
        required("opp_ft_makes", INT64, "O"),
        required("opp_ft_attempts", INT64, "O"),
        required("opp_rebounds", INT64, "O.rebounds"),
        required("opp_offensive_rebounds", INT64, "O"),
        required("opp_assists", INT64, "O"),
        required("turnovers_forced", INT64, "O.turnovers"),
        required("fouls_committed", INT64, "S.personal_fouls"),
        required("steals", INT64, "S"),
        required("blocks", INT64, "S"),
        required("defensive_rebounds", INT64, "S"),
        nullable(
            "opp_paint_attempts",
            INT64,
            "O.team_paint_attempts; NULL when O's zones are NULL, as all zone columns",
        ),
        nullable("opp_paint_makes", INT64),
        nullable("opp_rim_attempts", INT64),
        nullable("opp_rim_makes", INT64),
        nullable("opp_mid_range_attempts", INT64),
        nullable("opp_mid_range_makes", INT64),
        nullable("opp_corner_three_attempts", INT64),
        nullable("opp_corner_three_makes", INT64),
        nullable("opp_above_break_three_attempts", INT64),
        nullable("opp_above_break_three_makes", INT64),
        nullable("opp_unknown_zone_attempts", INT64),
        nullable("opp_unknown_zone_makes", INT64),
        nullable("points_in_paint_allowed", INT64, "O.points_in_paint_scored", "pts"),
        nullable("mid_range_points_allowed", INT64, "2 x opp_mid_range_makes", "pts"),
        required("three_pt_points_allowed", INT64, "3 x opp_three_pt_makes", "pts"),
        nullable("blocks_paint", INT64, "S.team_paint_blocks"),
        nullable("blocks_mid_range", INT64, "S.team_mid_range_blocks"),
        nullable("blocks_three_pt", INT64, "S.team_three_pt_blocks"),
        nullable("opponent_possessions", FLOAT64, "O.possessions", "poss"),
        nullable("opponent_pace", FLOAT64, "O.pace", "per 48"),
        nullable("defensive_rating", FLOAT64, "100 x points_allowed / opponent_possessions", "per 100"),
        nullable("opponent_ts_pct", FLOAT64, "O.ts_pct", "0-1"),
        nullable("shot_zones_source", STRING, "O.shot_zones_source"),
    ),
)

PROCESSOR = Processor(
    name="TeamDefenseGameSummaryProcessor",
    short="TDG",
    level="3.2",
    dated=Dated.RESULTS,
    output=TABLE,
    inputs=(Input("team_offense_game_summary", Relation.SAME_DATE),),
    expected="""
SELECT game_date AS date, CONCAT(game_id, '/', team_abbr) AS id
FROM nba_analytics.team_offense_game_summary
WHERE game_date BETWEEN @start_date AND @end_date
""",
    identity="CONCAT(game_id, '/', defending_team_abbr)",
    issues=(Issue("block_mismatch", "blocks_paint + blocks_mid_range + blocks_three_pt != blocks"),),
    checks=(Check("two_rows_per_game", "COUNT(*) OVER (PARTITION BY game_id) = 2"),),
)
