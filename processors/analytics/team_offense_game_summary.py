"""TeamOffenseGameSummaryProcessor: team x final game."""

from __future__ import annotations

from pathlib import Path

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
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required(
            "nba_game_id",
            STRING,
            "league's game number; first three digits: 002 regular season, 004 playoffs, 005 play-in, 006 cup final",
        ),
        required("game_date", DATE, "date in New York"),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required("season_type", STRING, "regular, playoffs, play_in or cup_final, told by nba_game_id"),
        required("team_abbr", STRING, "three letters, as in team_locations"),
        required("team_id", INT64, "NBA team id"),
        required("opponent_team_abbr", STRING, "the other team of game_id"),
        required("home_game", BOOL, "the team is the home team of game_id"),
        required("win_flag", BOOL, "scored more than the opponent"),
        required("margin_of_victory", INT64, "points_scored less the opponent's; negative = lost", "pts"),
        nullable(
            "team_minutes",
            FLOAT64,
            "sum of its players' minutes: 240, and 25 more for each overtime; NULL if the box has none",
            "min",
        ),
        nullable("overtime_periods", INT64, "(team_minutes - 240) / 25; NULL if the minutes are not known"),
        required("points_scored", INT64, "points", "pts"),
        required("fg_makes", INT64, "field goals made, threes included"),
        required("fg_attempts", INT64, "field goals attempted, threes included"),
        required("three_pt_makes", INT64, "three-pointers made"),
        required("three_pt_attempts", INT64, "three-pointers attempted"),
        required("ft_makes", INT64, "free throws made"),
        required("ft_attempts", INT64, "free throws attempted"),
        required("offensive_rebounds", INT64, "offensive rebounds of players; team rebounds are not counted"),
        required("defensive_rebounds", INT64, "defensive rebounds of players; team rebounds are not counted"),
        required("rebounds", INT64, "offensive_rebounds + defensive_rebounds"),
        required("assists", INT64, "assists"),
        required("steals", INT64, "steals"),
        required("blocks", INT64, "shots of the opponent blocked"),
        required("turnovers", INT64, "turnovers, those charged to the team and to no player included"),
        required("personal_fouls", INT64, "personal fouls"),
        nullable(
            "team_paint_attempts",
            INT64,
            "shots from the 16-foot lane up to 19 ft from the baseline, rim included; NULL without usable play-by-play",
        ),
        nullable("team_paint_makes", INT64, "made paint shots, rim included; NULL without usable play-by-play"),
        nullable(
            "team_rim_attempts", INT64, "shots within 4 ft of the hoop, part of paint; NULL without usable play-by-play"
        ),
        nullable("team_rim_makes", INT64, "made rim shots, part of paint; NULL without usable play-by-play"),
        nullable(
            "team_mid_range_attempts", INT64, "two-point shots outside the paint; NULL without usable play-by-play"
        ),
        nullable("team_mid_range_makes", INT64, "made mid-range shots; NULL without usable play-by-play"),
        nullable(
            "team_corner_three_attempts", INT64, "threes within 14 ft of the baseline; NULL without usable play-by-play"
        ),
        nullable("team_corner_three_makes", INT64, "made corner threes; NULL without usable play-by-play"),
        nullable(
            "team_above_break_three_attempts",
            INT64,
            "all other threes, back-court heaves included; NULL without usable play-by-play",
        ),
        nullable(
            "team_above_break_three_makes", INT64, "made above-the-break threes; NULL without usable play-by-play"
        ),
        nullable(
            "team_unknown_zone_attempts",
            INT64,
            "fg_attempts less those of paint, mid-range and both threes, at least 0; NULL without usable play-by-play",
        ),
        nullable(
            "team_unknown_zone_makes",
            INT64,
            "fg_makes less those of paint, mid-range and both threes, at least 0; NULL without usable play-by-play",
        ),
        nullable("points_in_paint_scored", INT64, "2 x team_paint_makes; NULL without usable play-by-play", "pts"),
        nullable(
            "team_paint_blocks",
            INT64,
            "blocks by this team on the opponent's paint shots; NULL without usable play-by-play",
        ),
        nullable(
            "team_mid_range_blocks",
            INT64,
            "blocks by this team on the opponent's mid-range shots; NULL without usable play-by-play",
        ),
        nullable(
            "team_three_pt_blocks",
            INT64,
            "blocks by this team on the opponent's threes; NULL without usable play-by-play",
        ),
        nullable(
            "possessions",
            FLOAT64,
            "own possessions counted from events; the two-team box estimate where play-by-play is not usable",
            "poss",
        ),
        nullable("possessions_source", STRING, "play_by_play (counted) or box (estimated)"),
        nullable(
            "possessions_estimated",
            FLOAT64,
            "FGA + 0.44 FTA - offensive rebounds + turnovers; about 2 above the real count",
            "poss",
        ),
        nullable(
            "pace",
            FLOAT64,
            "48 x mean of both teams' possessions / (team_minutes / 5); the same for both teams; NULL without minutes",
            "per 48",
        ),
        nullable("offensive_rating", FLOAT64, "100 x points_scored / possessions", "per 100"),
        nullable("ts_pct", FLOAT64, "true shooting: points / (2 (FGA + 0.44 FTA))", "0-1"),
        nullable("efg_pct", FLOAT64, "effective field goals: (makes + 0.5 threes made) / attempts", "0-1"),
        nullable(
            "players_inactive",
            INT64,
            "its inactive players in the gamebook; NULL if the gamebook has no row for the team and game",
        ),
        nullable(
            "shot_zones_source",
            STRING,
            "nbac_play_by_play if usable (both teams: makes as in the box, attempts within 3), else NULL",
        ),
    ),
)

PROCESSOR = Processor(
    name="TeamOffenseGameSummaryProcessor",
    short="TOG",
    level="3.1",
    dated=Dated.RESULTS,
    output=TABLE,
    sql=Path(__file__).with_suffix(".sql"),
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
        Check("points_add_up", "points_scored = 2 * (fg_makes - three_pt_makes) + 3 * three_pt_makes + ft_makes"),
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
