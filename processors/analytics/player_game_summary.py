"""PlayerGameSummaryProcessor: player listed for a final game: played, dnp or inactive."""

from __future__ import annotations

from pathlib import Path

from processors.declaration import Check, Dated, Input, Issue, Processor, Relation, output
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, STRING, nullable, required

TABLE = output(
    dataset="nba_analytics",
    name="player_game_summary",
    row="player listed for a final game: played, dnp or inactive",
    key=("game_id", "player_lookup"),
    partition="game_date",
    cluster=("player_lookup", "team_abbr", "game_id"),
    columns=(
        required(
            "player_lookup",
            STRING,
            "player's key: name in lower case, accents folded, only a-z and 0-9, suffix kept (kellyoubrejr)",
        ),
        nullable("player_id", INT64, "NBA player id; NULL where the source has none, as in the fallback box"),
        required("player_full_name", STRING, "name as the box score prints it"),
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        nullable(
            "nba_game_id",
            STRING,
            "league's game number; first three digits: 002 regular season, 004 playoffs, 005 play-in, 006 cup final",
        ),
        required("game_date", DATE, "date in New York"),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required("season_type", STRING, "regular, playoffs, play_in or cup_final, told by nba_game_id"),
        required("team_abbr", STRING, "player's team in this game"),
        required("opponent_team_abbr", STRING, "the other team of game_id"),
        required("home_game", BOOL, "his team is the home team of game_id"),
        required(
            "player_status",
            STRING,
            "active, dnp or inactive as the gamebook says; in the fallback box active if he has minutes, else dnp",
        ),
        required("is_dnp", BOOL, "he did not play: no minutes above zero"),
        nullable("dnp_reason", STRING, "why he did not play, as the gamebook prints it"),
        nullable(
            "starter_flag",
            BOOL,
            "in the starting five, as the gamebook says; NULL from the fallback box, never guessed",
        ),
        nullable("win_flag", BOOL, "his team won"),
        nullable("minutes_played", FLOAT64, "minutes on court, seconds as a fraction; NULL if not played", "min"),
        nullable("points", INT64, "points; this and every count of the box is NULL if he did not play", "pts"),
        nullable("fg_makes", INT64, "field goals made, threes included; NULL if not played"),
        nullable("fg_attempts", INT64, "field goals attempted, threes included; NULL if not played"),
        nullable("three_pt_makes", INT64, "three-pointers made; NULL if not played"),
        nullable("three_pt_attempts", INT64, "three-pointers attempted; NULL if not played"),
        nullable("ft_makes", INT64, "free throws made; NULL if not played"),
        nullable("ft_attempts", INT64, "free throws attempted; NULL if not played"),
        nullable("offensive_rebounds", INT64, "offensive rebounds; NULL if not played"),
        nullable("defensive_rebounds", INT64, "defensive rebounds; NULL if not played"),
        nullable("total_rebounds", INT64, "offensive + defensive rebounds; NULL if not played"),
        nullable("assists", INT64, "assists; NULL if not played"),
        nullable("steals", INT64, "steals; NULL if not played"),
        nullable("blocks", INT64, "shots of opponents blocked; NULL if not played"),
        nullable("turnovers", INT64, "turnovers charged to him; NULL if not played"),
        nullable("personal_fouls", INT64, "personal fouls; NULL if not played"),
        nullable(
            "plus_minus",
            INT64,
            "team's points less the opponent's while he was on court; NULL if not played or from the fallback box",
            "pts",
        ),
        nullable(
            "paint_attempts",
            INT64,
            "shots from the 16-foot lane up to 19 ft from the baseline, rim included; NULL if not played or no usable play-by-play",
        ),
        nullable("paint_makes", INT64, "made paint shots, rim included; NULL if not played or no usable play-by-play"),
        nullable(
            "rim_attempts",
            INT64,
            "shots within 4 ft of the hoop, part of paint; NULL if not played or no usable play-by-play",
        ),
        nullable("rim_makes", INT64, "made rim shots, part of paint; NULL if not played or no usable play-by-play"),
        nullable(
            "mid_range_attempts",
            INT64,
            "two-point shots outside the paint; NULL if not played or no usable play-by-play",
        ),
        nullable("mid_range_makes", INT64, "made mid-range shots; NULL if not played or no usable play-by-play"),
        nullable(
            "corner_three_attempts",
            INT64,
            "threes within 14 ft of the baseline; NULL if not played or no usable play-by-play",
        ),
        nullable("corner_three_makes", INT64, "made corner threes; NULL if not played or no usable play-by-play"),
        nullable(
            "above_break_three_attempts",
            INT64,
            "all other threes, back-court heaves included; NULL if not played or no usable play-by-play",
        ),
        nullable(
            "above_break_three_makes",
            INT64,
            "made above-the-break threes; NULL if not played or no usable play-by-play",
        ),
        nullable(
            "unknown_zone_attempts",
            INT64,
            "fg_attempts less those of paint, mid-range and both threes, at least 0; NULL if not played or no usable play-by-play",
        ),
        nullable(
            "unknown_zone_makes",
            INT64,
            "fg_makes less those of paint, mid-range and both threes, at least 0; NULL if not played or no usable play-by-play",
        ),
        nullable("points_in_paint", INT64, "2 x paint_makes; NULL if not played or no usable play-by-play", "pts"),
        nullable(
            "paint_blocks", INT64, "paint shots of opponents he blocked; NULL if not played or no usable play-by-play"
        ),
        nullable(
            "mid_range_blocks",
            INT64,
            "mid-range shots of opponents he blocked; NULL if not played or no usable play-by-play",
        ),
        nullable(
            "three_pt_blocks", INT64, "threes of opponents he blocked; NULL if not played or no usable play-by-play"
        ),
        nullable(
            "assisted_fg_makes", INT64, "made shots with an assister; NULL if not played or no usable play-by-play"
        ),
        nullable(
            "unassisted_fg_makes", INT64, "made shots without an assister; NULL if not played or no usable play-by-play"
        ),
        nullable(
            "and1_count",
            INT64,
            "free throws one of one at the clock of his own made shot before, technical ones not counted; NULL if not played or no usable play-by-play",
        ),
        nullable(
            "usage_rate",
            FLOAT64,
            "100 (FGA + 0.44 FTA + TOV) (team_minutes / 5) / (minutes x the team's same sum); NULL if above 100, not played or no team row",
            "%",
        ),
        nullable(
            "usage_rate_on_court",
            FLOAT64,
            "100 x his shots, ending free-throw trips and turnovers / team possessions and offensive rebounds while on court; NULL without line-ups",
            "%",
        ),
        nullable("ts_pct", FLOAT64, "true shooting: points / (2 (FGA + 0.44 FTA)); NULL without an attempt", "0-1.5"),
        nullable(
            "efg_pct",
            FLOAT64,
            "effective field goals: (makes + 0.5 threes made) / attempts; NULL without an attempt",
            "0-1.5",
        ),
        nullable(
            "points_line",
            FLOAT64,
            "closing line: last one before tip-off (end of the day if no tip time) at the bookmaker that counts; NULL without one",
            "pts",
        ),
        nullable(
            "points_line_source",
            STRING,
            "bookmaker that counts: first of draftkings, fanduel, betmgm, caesars, then by name, with a line",
        ),
        nullable("opening_line", FLOAT64, "first line seen of the same bookmaker; NULL without one", "pts"),
        nullable("line_movement", FLOAT64, "points_line - opening_line; positive = the line rose", "pts"),
        nullable(
            "over_under_result",
            STRING,
            "OVER, UNDER or PUSH: points against points_line; NULL without line or if not played",
        ),
        nullable("margin", FLOAT64, "points - points_line; positive = over; NULL without line or if not played", "pts"),
        required(
            "primary_source_used", STRING, "nbac_gamebook, or bdl_boxscores for a game without any active gamebook row"
        ),
        nullable(
            "shot_zones_source",
            STRING,
            "nbac_play_by_play if he played and it is usable (both teams: makes as in the box, attempts within 3), else NULL",
        ),
    ),
)

PROCESSOR = Processor(
    name="PlayerGameSummaryProcessor",
    short="PGS",
    level="3.2",
    dated=Dated.RESULTS,
    output=TABLE,
    sql=Path(__file__).with_suffix(".sql"),
    inputs=(
        Input("nbac_gamebook_player_stats", Relation.SAME_DATE, instead="bdl_player_boxscores"),
        Input("bdl_player_boxscores", Relation.SAME_DATE, required=False),
        Input("team_offense_game_summary", Relation.SAME_DATE),
        Input("nbac_play_by_play", Relation.SAME_DATE, required=False),
        Input("odds_api_player_points_props", Relation.SAME_DATE, required=False),
        Input("nbac_schedule", Relation.REFERENCE),
        Input("nbac_team_boxscore", Relation.SAME_DATE, required=False),
    ),
    expected="""
-- uses: final_games, player_box
SELECT g.game_date AS date, CONCAT(g.game_id, '/', COALESCE(p.player_lookup, side)) AS id
FROM final_games AS g
CROSS JOIN UNNEST([g.home_team_abbr, g.away_team_abbr]) AS side
-- of a team without any player in the box, itself is missing
LEFT JOIN player_box AS p ON p.game_id = g.game_id AND p.team_abbr = side AND p.player_lookup IS NOT NULL
""",
    identity="CONCAT(game_id, '/', player_lookup)",
    issues=(
        Issue(
            "team_sum_mismatch",
            "primary_source_used = 'bdl_boxscores' AND NOT (SUM(fg_makes) OVER (PARTITION BY game_id, team_abbr) = _team_fg_makes AND SUM(fg_attempts) OVER (PARTITION BY game_id, team_abbr) = _team_fg_attempts AND SUM(three_pt_makes) OVER (PARTITION BY game_id, team_abbr) = _team_three_pt_makes AND SUM(three_pt_attempts) OVER (PARTITION BY game_id, team_abbr) = _team_three_pt_attempts AND SUM(ft_makes) OVER (PARTITION BY game_id, team_abbr) = _team_ft_makes AND SUM(ft_attempts) OVER (PARTITION BY game_id, team_abbr) = _team_ft_attempts AND SUM(assists) OVER (PARTITION BY game_id, team_abbr) = _team_assists AND SUM(steals) OVER (PARTITION BY game_id, team_abbr) = _team_steals AND SUM(blocks) OVER (PARTITION BY game_id, team_abbr) = _team_blocks)",
        ),
        Issue(
            "turnover_gap",
            "_team_turnovers - SUM(turnovers) OVER (PARTITION BY game_id, team_abbr) NOT BETWEEN 0 AND 10",
        ),
        Issue(
            "minutes_sum",
            "ABS(SUM(minutes_played) OVER (PARTITION BY game_id, team_abbr) - _team_minutes) > IF(primary_source_used = 'nbac_gamebook', 0.2, 10)",
        ),
        Issue("personal_fouls", "personal_fouls > 6"),
        Issue(
            "zone_mismatch",
            "paint_attempts + mid_range_attempts + corner_three_attempts + above_break_three_attempts + unknown_zone_attempts != fg_attempts OR paint_makes + mid_range_makes + corner_three_makes + above_break_three_makes + unknown_zone_makes != fg_makes",
        ),
        Issue(
            "three_zone_mismatch",
            "NOT (three_pt_attempts BETWEEN corner_three_attempts + above_break_three_attempts AND corner_three_attempts + above_break_three_attempts + unknown_zone_attempts)",
        ),
        Issue("assist_unmatched", "assisted_fg_makes + unassisted_fg_makes != fg_makes"),
        Issue(
            "zone_sum_mismatch",
            "SUM(paint_attempts) OVER (PARTITION BY game_id, team_abbr) != _team_paint_attempts OR SUM(mid_range_attempts) OVER (PARTITION BY game_id, team_abbr) != _team_mid_range_attempts OR SUM(corner_three_attempts) OVER (PARTITION BY game_id, team_abbr) != _team_corner_three_attempts OR SUM(above_break_three_attempts) OVER (PARTITION BY game_id, team_abbr) != _team_above_break_three_attempts",
        ),
        Issue("usage_over_100", "_raw_usage_rate > 100"),
        Issue(
            "usage_missing",
            "COUNTIF(usage_rate IS NOT NULL) OVER (PARTITION BY game_id) < 0.95 * COUNTIF(NOT is_dnp) OVER (PARTITION BY game_id)",
        ),
        Issue("unresolved_players", "_unresolved_players > 0", "_unresolved_players"),
        Issue("no_points_line", "NOT is_dnp AND points_line IS NULL"),
        Issue("no_play_by_play", "NOT is_dnp AND shot_zones_source IS NULL"),
    ),
    checks=(
        Check(
            "points_equal_team",
            "SUM(points) OVER (PARTITION BY game_id, team_abbr) = _team_points AND SUM(points) OVER (PARTITION BY game_id, team_abbr) = _schedule_points",
        ),
        Check(
            "sums_equal_team",
            "primary_source_used = 'bdl_boxscores' OR (SUM(fg_makes) OVER (PARTITION BY game_id, team_abbr) = _team_fg_makes AND SUM(fg_attempts) OVER (PARTITION BY game_id, team_abbr) = _team_fg_attempts AND SUM(three_pt_makes) OVER (PARTITION BY game_id, team_abbr) = _team_three_pt_makes AND SUM(three_pt_attempts) OVER (PARTITION BY game_id, team_abbr) = _team_three_pt_attempts AND SUM(ft_makes) OVER (PARTITION BY game_id, team_abbr) = _team_ft_makes AND SUM(ft_attempts) OVER (PARTITION BY game_id, team_abbr) = _team_ft_attempts AND SUM(assists) OVER (PARTITION BY game_id, team_abbr) = _team_assists AND SUM(steals) OVER (PARTITION BY game_id, team_abbr) = _team_steals AND SUM(blocks) OVER (PARTITION BY game_id, team_abbr) = _team_blocks)",
        ),
        Check("minutes_of_a_game", "SUM(minutes_played) OVER (PARTITION BY game_id, team_abbr) >= 200"),
        Check("points_add_up", "points = 2 * (fg_makes - three_pt_makes) + 3 * three_pt_makes + ft_makes"),
        Check(
            "makes_within_attempts",
            "fg_makes <= fg_attempts AND three_pt_makes <= three_pt_attempts AND ft_makes <= ft_attempts AND three_pt_attempts <= fg_attempts AND three_pt_makes <= fg_makes",
        ),
        Check(
            "counts_of_played_rows",
            "is_dnp OR (points IS NOT NULL AND fg_makes IS NOT NULL AND fg_attempts IS NOT NULL AND three_pt_makes IS NOT NULL AND three_pt_attempts IS NOT NULL AND ft_makes IS NOT NULL AND ft_attempts IS NOT NULL AND offensive_rebounds IS NOT NULL AND defensive_rebounds IS NOT NULL AND assists IS NOT NULL AND steals IS NOT NULL AND blocks IS NOT NULL AND turnovers IS NOT NULL AND personal_fouls IS NOT NULL)",
        ),
        Check(
            "plausible_player",
            "(minutes_played IS NULL OR (minutes_played > 0 AND minutes_played <= 70)) AND (points IS NULL OR points <= 110)",
        ),
        Check("rim_within_paint", "rim_attempts <= paint_attempts AND rim_makes <= paint_makes"),
        Check("usage_of_a_regular", "minutes_played < 5 OR usage_rate <= 75"),
        Check("players_per_team", "COUNTIF(NOT is_dnp) OVER (PARTITION BY game_id, team_abbr) BETWEEN 5 AND 18"),
        Check("played_unresolved", "_unresolved_played = 0"),
    ),
)
