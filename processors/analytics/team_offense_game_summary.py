"""TeamOffenseGameSummaryProcessor: team x final game."""

from __future__ import annotations

from processors.declaration import Check, Dated, Input, Issue, Processor, Relation, output
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, STRING, nullable, required

TABLE = output(
    dataset="nba_analytics",
    name="team_offense_game_summary",
    row="team x final game",
    key=("game_id", "team_abbr"),
    partition="game_date",
    cluster=("team_abbr", "season_year"),
    columns=(
        required("game_id", STRING),
        required("nba_game_id", STRING),
        required("game_date", DATE),
        required("season_year", INT64),
        required("season_type", STRING),
        required("team_abbr", STRING),
        required("team_id", INT64),
        required("opponent_team_abbr", STRING),
        required("home_game", BOOL),
        required("win_flag", BOOL, "points_scored > opponent's"),
        required("margin_of_victory", INT64, "points_scored - opponent's", "pts"),
        nullable("team_minutes", FLOAT64, "TmMIN, parsed; 240 in regulation", "min"),
        nullable("overtime_periods", INT64, "(TmMIN - 240) / 25"),
        required("points_scored", INT64),
        required("fg_makes", INT64),
        required("fg_attempts", INT64),
        required("three_pt_makes", INT64),
        required("three_pt_attempts", INT64),
        required("ft_makes", INT64),
        required("ft_attempts", INT64),
        required("offensive_rebounds", INT64),
        required("defensive_rebounds", INT64),
        required("rebounds", INT64, "offensive + defensive"),
        required("assists", INT64),
        required("steals", INT64),
        required("blocks", INT64),
        required("turnovers", INT64, "team turnovers included"),
        required("personal_fouls", INT64),
        nullable(
            "team_paint_attempts",
            INT64,
            "zone columns: count over the team's shots, NULL without usable play-by-play",
        ),
        nullable("team_paint_makes", INT64),
        nullable("team_rim_attempts", INT64),
        nullable("team_rim_makes", INT64),
        nullable("team_mid_range_attempts", INT64),
        nullable("team_mid_range_makes", INT64),
        nullable("team_corner_three_attempts", INT64),
        nullable("team_corner_three_makes", INT64),
        nullable("team_above_break_three_attempts", INT64),
        nullable("team_above_break_three_makes", INT64),
        nullable("team_unknown_zone_attempts", INT64, "fg_attempts - located attempts"),
        nullable("team_unknown_zone_makes", INT64),
        nullable("points_in_paint_scored", INT64, "2 x team_paint_makes", "pts"),
        nullable("team_paint_blocks", INT64, "blocks made by this team on paint shots of the opponent"),
        nullable("team_mid_range_blocks", INT64),
        nullable("team_three_pt_blocks", INT64),
        nullable(
            "possessions",
            FLOAT64,
            "counted from play-by-play (rule in accuracy.md); when play-by-play is not usable, the two-team box form with 0.44 and team turnovers",
            "poss",
        ),
        nullable("possessions_source", STRING, "play_by_play or box"),
        nullable(
            "possessions_estimated", FLOAT64, "FGA + 0.44 FTA - OREB + TOV (team turnovers included)", "poss"
        ),
        nullable(
            "pace",
            FLOAT64,
            "48 x mean(own, opponent possessions) / (TmMIN/5); the same for both teams of a game",
            "per 48",
        ),
        nullable("offensive_rating", FLOAT64, "100 x points_scored / possessions", "per 100"),
        nullable("ts_pct", FLOAT64, "PTS / (2 x (FGA + 0.44 FTA))", "0-1"),
        nullable("efg_pct", FLOAT64, "(FGM + 0.5 x 3PM) / FGA", "0-1"),
        nullable(
            "players_inactive",
            INT64,
            "gamebook rows of the team with status inactive; NULL if the gamebook has no rows for the game",
        ),
        nullable("shot_zones_source", STRING, "nbac_play_by_play or NULL"),
    ),
)

PROCESSOR = Processor(
    name="TeamOffenseGameSummaryProcessor",
    short="TOG",
    level="3.1",
    dated=Dated.RESULTS,
    output=TABLE,
    inputs=(
        Input("nbac_team_boxscore", Relation.SAME_DATE),
        Input("nbac_play_by_play", Relation.SAME_DATE, required=False),
        Input("nbac_gamebook_player_stats", Relation.SAME_DATE, required=False),
        Input("nbac_schedule", Relation.REFERENCE),
    ),
    expected="""
-- uses: final_games
SELECT game_date AS date, CONCAT(game_id, '/', team_abbr) AS id
FROM final_games
CROSS JOIN UNNEST([home_team_abbr, away_team_abbr]) AS team_abbr
""",
    identity="CONCAT(game_id, '/', team_abbr)",
    issues=(
        Issue(
            "zone_mismatch",
            "team_unknown_zone_attempts + team_paint_attempts + team_mid_range_attempts + team_corner_three_attempts + team_above_break_three_attempts != fg_attempts",
        ),
        Issue(
            "three_zone_mismatch",
            "NOT (three_pt_attempts BETWEEN team_corner_three_attempts + team_above_break_three_attempts AND team_corner_three_attempts + team_above_break_three_attempts + team_unknown_zone_attempts)",
        ),
        Issue("zones_unknown", "team_unknown_zone_attempts * 20 > fg_attempts"),
        Issue("possession_gap", "ABS(possessions - _opponent_possessions) > 6"),
        Issue("no_play_by_play", "shot_zones_source IS NULL"),
    ),
    checks=(
        Check(
            "two_rows_per_game",
            "COUNT(*) OVER (PARTITION BY game_id) = 2 AND COUNTIF(home_game) OVER (PARTITION BY game_id) = 1",
        ),
        Check(
            "one_winner",
            "COUNTIF(win_flag) OVER (PARTITION BY game_id) = 1 AND SUM(margin_of_victory) OVER (PARTITION BY game_id) = 0",
        ),
        Check("points_equal_schedule", "points_scored = _schedule_points"),
        Check(
            "points_add_up", "points_scored = 2 * (fg_makes - three_pt_makes) + 3 * three_pt_makes + ft_makes"
        ),
        Check(
            "makes_within_attempts",
            "fg_makes <= fg_attempts AND three_pt_makes <= three_pt_attempts AND ft_makes <= ft_attempts AND three_pt_attempts <= fg_attempts AND three_pt_makes <= fg_makes",
        ),
        Check("plausible_totals", "points_scored BETWEEN 50 AND 200 AND fg_attempts BETWEEN 50 AND 150"),
        Check("plausible_possessions", "possessions BETWEEN 60 AND 160"),
        Check("plausible_pace", "pace BETWEEN 70 AND 130"),
        Check("minutes_of_a_game", "team_minutes IN (240, 265, 290, 315, 340, 365, 390)"),
        Check(
            "rim_within_paint",
            "team_rim_attempts <= team_paint_attempts AND team_rim_makes <= team_paint_makes",
        ),
    ),
)
