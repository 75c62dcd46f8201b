"""TeamDefenseGameSummaryProcessor: defending team x final game."""

from __future__ import annotations

from pathlib import Path

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
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required(
            "nba_game_id",
            STRING,
            "league's game number; first three digits: 002 regular season, 004 playoffs, 005 play-in, 006 cup final",
        ),
        required("game_date", DATE, "date in New York"),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required("season_type", STRING, "regular, playoffs, play_in or cup_final, told by nba_game_id"),
        required("defending_team_abbr", STRING, "the team whose defense the row describes"),
        required("opponent_team_abbr", STRING, "the team that attacks"),
        required("home_game", BOOL, "the defending team is at home"),
        required("win_flag", BOOL, "the defending team won"),
        required("margin_of_victory", INT64, "defending team's points less the opponent's; negative = lost", "pts"),
        nullable("overtime_periods", INT64, "overtimes of the game; NULL if the team's minutes are not known"),
        required("points_allowed", INT64, "opponent's points", "pts"),
        required("opp_fg_makes", INT64, "opponent's field goals made, threes included"),
        required("opp_fg_attempts", INT64, "opponent's field goals attempted, threes included"),
        required("opp_three_pt_makes", INT64, "opponent's three-pointers made"),
        required("opp_three_pt_attempts", INT64, "opponent's three-pointers attempted"),
        required("opp_ft_makes", INT64, "opponent's free throws made"),
        required("opp_ft_attempts", INT64, "opponent's free throws attempted"),
        required("opp_rebounds", INT64, "opponent's offensive + defensive rebounds"),
        required("opp_offensive_rebounds", INT64, "opponent's offensive rebounds"),
        required("opp_assists", INT64, "opponent's assists"),
        required(
            "turnovers_forced", INT64, "opponent's turnovers, those charged to the team and to no player included"
        ),
        required("fouls_committed", INT64, "defending team's personal fouls"),
        required("steals", INT64, "defending team's steals"),
        required("blocks", INT64, "defending team's blocks"),
        required("defensive_rebounds", INT64, "defending team's defensive rebounds"),
        nullable("opp_paint_attempts", INT64, "opponent's paint shots, rim included; NULL without usable play-by-play"),
        nullable(
            "opp_paint_makes", INT64, "opponent's made paint shots, rim included; NULL without usable play-by-play"
        ),
        nullable(
            "opp_rim_attempts",
            INT64,
            "opponent's shots within 4 ft of the hoop, part of paint; NULL without usable play-by-play",
        ),
        nullable("opp_rim_makes", INT64, "opponent's made rim shots, part of paint; NULL without usable play-by-play"),
        nullable(
            "opp_mid_range_attempts",
            INT64,
            "opponent's two-point shots outside the paint; NULL without usable play-by-play",
        ),
        nullable("opp_mid_range_makes", INT64, "opponent's made mid-range shots; NULL without usable play-by-play"),
        nullable(
            "opp_corner_three_attempts",
            INT64,
            "opponent's threes within 14 ft of the baseline; NULL without usable play-by-play",
        ),
        nullable("opp_corner_three_makes", INT64, "opponent's made corner threes; NULL without usable play-by-play"),
        nullable("opp_above_break_three_attempts", INT64, "opponent's other threes; NULL without usable play-by-play"),
        nullable(
            "opp_above_break_three_makes", INT64, "opponent's other threes made; NULL without usable play-by-play"
        ),
        nullable(
            "opp_unknown_zone_attempts",
            INT64,
            "opponent's field goal attempts whose zone is not known; NULL without usable play-by-play",
        ),
        nullable(
            "opp_unknown_zone_makes",
            INT64,
            "opponent's field goals made whose zone is not known; NULL without usable play-by-play",
        ),
        nullable("points_in_paint_allowed", INT64, "2 x opp_paint_makes; NULL without usable play-by-play", "pts"),
        nullable("mid_range_points_allowed", INT64, "2 x opp_mid_range_makes; NULL without usable play-by-play", "pts"),
        required(
            "three_pt_points_allowed", INT64, "3 x opp_three_pt_makes, from the box: known without play-by-play", "pts"
        ),
        nullable("blocks_paint", INT64, "defending team's blocks on paint shots; NULL without usable play-by-play"),
        nullable(
            "blocks_mid_range", INT64, "defending team's blocks on mid-range shots; NULL without usable play-by-play"
        ),
        nullable("blocks_three_pt", INT64, "defending team's blocks on threes; NULL without usable play-by-play"),
        nullable(
            "opponent_possessions",
            FLOAT64,
            "opponent's possessions, counted; estimated from the box where play-by-play is not usable",
            "poss",
        ),
        nullable(
            "opponent_pace",
            FLOAT64,
            "pace of the game, the same for both teams; NULL if the minutes are not known",
            "per 48",
        ),
        nullable(
            "defensive_rating",
            FLOAT64,
            "100 x points_allowed / opponent_possessions; lower = better defense",
            "per 100",
        ),
        nullable("opponent_ts_pct", FLOAT64, "opponent's true shooting: points / (2 (FGA + 0.44 FTA))", "0-1"),
        nullable(
            "shot_zones_source",
            STRING,
            "nbac_play_by_play if usable (both teams: makes as in the box, attempts within 3), else NULL",
        ),
    ),
)

PROCESSOR = Processor(
    name="TeamDefenseGameSummaryProcessor",
    short="TDG",
    level="3.2",
    dated=Dated.RESULTS,
    output=TABLE,
    sql=Path(__file__).with_suffix(".sql"),
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
