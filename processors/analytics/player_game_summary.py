"""PlayerGameSummaryProcessor: player listed for a final game: played, dnp or inactive."""

from __future__ import annotations

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
        required("player_lookup", STRING, "source"),
        nullable("player_id", INT64, "source, NULL if it has none"),
        required("player_full_name", STRING, "source"),
        required("game_id", STRING),
        nullable("nba_game_id", STRING, "schedule"),
        required("game_date", DATE),
        required("season_year", INT64),
        required("season_type", STRING, "from nba_game_id"),
        required("team_abbr", STRING, "source"),
        required("opponent_team_abbr", STRING, "other team of game_id"),
        required("home_game", BOOL, "team is token 3 of game_id"),
        required(
            "player_status", STRING, "active, dnp, inactive; fallback source: active if minutes > 0 else dnp"
        ),
        required("is_dnp", BOOL, "not (minutes_played > 0)"),
        nullable("dnp_reason", STRING, "source"),
        nullable("starter_flag", BOOL, "source is_starter; never guessed from minutes"),
        nullable("win_flag", BOOL, "team_offense.win_flag of the same game and team"),
        nullable("minutes_played", FLOAT64, "parsed minutes; NULL if not played", "min"),
        nullable("points", INT64, "source; NN when played, as all counts to personal_fouls"),
        nullable("fg_makes", INT64),
        nullable("fg_attempts", INT64),
        nullable("three_pt_makes", INT64),
        nullable("three_pt_attempts", INT64),
        nullable("ft_makes", INT64),
        nullable("ft_attempts", INT64),
        nullable("offensive_rebounds", INT64),
        nullable("defensive_rebounds", INT64),
        nullable("total_rebounds", INT64, "offensive + defensive"),
        nullable("assists", INT64),
        nullable("steals", INT64),
        nullable("blocks", INT64),
        nullable("turnovers", INT64),
        nullable("personal_fouls", INT64),
        nullable("plus_minus", INT64, "source; NULL on fallback rows"),
        nullable(
            "paint_attempts",
            INT64,
            "attempts in zone paint (rim included). All zone, assist, block-zone and and-one columns are NULL when the game has no usable play-by-play",
        ),
        nullable("paint_makes", INT64),
        nullable("rim_attempts", INT64, "restricted area, subset of paint"),
        nullable("rim_makes", INT64),
        nullable("mid_range_attempts", INT64),
        nullable("mid_range_makes", INT64),
        nullable("corner_three_attempts", INT64),
        nullable("corner_three_makes", INT64),
        nullable("above_break_three_attempts", INT64),
        nullable("above_break_three_makes", INT64),
        nullable(
            "unknown_zone_attempts",
            INT64,
            "fg_attempts - (paint + mid_range + corner_three + above_break_three attempts); never below 0; where the events hold more than the box, the located counts stand and the row carries zone_mismatch",
        ),
        nullable("unknown_zone_makes", INT64, "same for makes"),
        nullable("points_in_paint", INT64, "2 x paint_makes", "pts"),
        nullable("paint_blocks", INT64, "missed shots in zone paint with this player as player_2"),
        nullable("mid_range_blocks", INT64, "idem"),
        nullable("three_pt_blocks", INT64, "idem, both three zones"),
        nullable("assisted_fg_makes", INT64, "made shots with a player_2"),
        nullable("unassisted_fg_makes", INT64, "made shots without"),
        nullable(
            "and1_count",
            INT64,
            "free throws with ft_total = 1 (technical ones excluded: their foul is technical), same shooter, period and clock as an earlier made shot of that shooter",
        ),
        nullable(
            "usage_rate",
            FLOAT64,
            "100 x (FGA + 0.44 FTA + TOV) x (TmMIN/5) / (MIN x (TmFGA + 0.44 TmFTA + TmTOV)); Tm* from team_offense (TmMIN = team_minutes); NULL if not played or no team row. Result > 100 (seconds-long appearances) -> NULL, issue usage_over_100",
            "%",
        ),
        nullable(
            "usage_rate_on_court",
            FLOAT64,
            "accuracy.md, Usage; NULL when line-ups are not known for the game",
            "%",
        ),
        nullable("ts_pct", FLOAT64, "PTS / (2 x (FGA + 0.44 FTA))", "0-1+"),
        nullable("efg_pct", FLOAT64, "(FGM + 0.5 x 3PM) / FGA", "0-1.5"),
        nullable("points_line", FLOAT64, "closing line (raw.md 8.1); NULL without line", "pts"),
        nullable("points_line_source", STRING, "bookmaker"),
        nullable("opening_line", FLOAT64, "opening line, same bookmaker", "pts"),
        nullable("line_movement", FLOAT64, "points_line - opening_line", "pts"),
        nullable(
            "over_under_result",
            STRING,
            "points against points_line: OVER, UNDER, PUSH; NULL without line or not played",
        ),
        nullable("margin", FLOAT64, "points - points_line; NULL likewise", "pts"),
        required("primary_source_used", STRING, "nbac_gamebook or bdl_boxscores"),
        nullable("shot_zones_source", STRING, "nbac_play_by_play or NULL"),
    ),
)

PROCESSOR = Processor(
    name="PlayerGameSummaryProcessor",
    short="PGS",
    level="3.2",
    dated=Dated.RESULTS,
    output=TABLE,
    inputs=(
        Input("nbac_gamebook_player_stats", Relation.SAME_DATE),
        Input("bdl_player_boxscores", Relation.SAME_DATE, required=False),
        Input("team_offense_game_summary", Relation.SAME_DATE),
        Input("nbac_play_by_play", Relation.SAME_DATE, required=False),
        Input("odds_api_player_points_props", Relation.SAME_DATE, required=False),
        Input("nbac_schedule", Relation.REFERENCE),
        Input("nbac_team_boxscore", Relation.SAME_DATE, required=False),
    ),
    expected="""
-- uses: final_games, player_box
SELECT g.game_date AS date, CONCAT(g.game_id, '/', COALESCE(p.player_lookup, 'no player box')) AS id
FROM final_games AS g
LEFT JOIN player_box AS p ON p.game_id = g.game_id AND p.player_lookup IS NOT NULL
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
            "usage_sum",
            "COUNTIF(NOT is_dnp AND usage_rate IS NULL) OVER (PARTITION BY game_id, team_abbr) = 0 AND ABS(SUM(usage_rate * minutes_played) OVER (PARTITION BY game_id, team_abbr) / 48 * SAFE_DIVIDE(240, _team_minutes) - 100 * SAFE_DIVIDE(SUM(fg_attempts) OVER (PARTITION BY game_id, team_abbr) + 0.44 * SUM(ft_attempts) OVER (PARTITION BY game_id, team_abbr) + SUM(turnovers) OVER (PARTITION BY game_id, team_abbr), _team_fg_attempts + 0.44 * _team_ft_attempts + _team_turnovers)) > 0.5",
        ),
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
        Check(
            "players_per_team", "COUNTIF(NOT is_dnp) OVER (PARTITION BY game_id, team_abbr) BETWEEN 5 AND 18"
        ),
        Check("played_unresolved", "_unresolved_played = 0"),
    ),
)
