"""UpcomingTeamGameContextProcessor: team x game of the slate."""

from __future__ import annotations

from processors.declaration import Check, Dated, Input, Issue, Processor, Relation, output
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, STRING, TIMESTAMP, nullable, required

TABLE = output(
    dataset="nba_analytics",
    name="upcoming_team_game_context",
    row="team x game of the slate",
    key=("game_id", "team_abbr"),
    partition="game_date",
    cluster=("team_abbr", "game_id"),
    columns=(
        required("team_abbr", STRING),
        required("game_id", STRING),
        required("nba_game_id", STRING),
        required("game_date", DATE),
        required("season_year", INT64),
        required("season_type", STRING),
        required("season_phase", STRING),
        required("opponent_team_abbr", STRING),
        required("home_game", BOOL),
        nullable("game_start_time", TIMESTAMP),
        required("game_number_in_season", INT64),
        required("season_games_entering", INT64),
        required("season_wins_entering", INT64),
        required("team_win_streak_entering", INT64),
        required("team_loss_streak_entering", INT64),
        nullable("last_game_date", DATE),
        nullable("last_game_margin", INT64, "", "pts"),
        nullable("last_game_result", STRING),
        nullable("team_days_rest", INT64, "", "days"),
        nullable("team_back_to_back", BOOL),
        nullable("opponent_days_rest", INT64, "", "days"),
        required("games_in_last_7_days", INT64),
        required("games_in_last_14_days", INT64),
        nullable("next_game_days_rest", INT64, "", "days"),
        required("games_in_next_7_days", INT64),
        nullable("game_spread", FLOAT64, "", "pts"),
        nullable("game_spread_source", STRING),
        nullable("opening_spread", FLOAT64, "", "pts"),
        nullable("spread_movement", FLOAT64, "", "pts"),
        nullable("game_total", FLOAT64, "", "pts"),
        nullable("game_total_source", STRING),
        nullable("opening_total", FLOAT64, "", "pts"),
        nullable("total_movement", FLOAT64, "", "pts"),
        nullable("betting_lines_updated_at", TIMESTAMP),
        nullable("players_out_count", INT64),
        nullable("questionable_players_count", INT64),
        nullable("injury_report_at", TIMESTAMP),
        nullable("travel_miles", FLOAT64, "", "miles"),
        nullable("time_zone_changes", INT64),
        required("consecutive_road_games", INT64),
    ),
)

PROCESSOR = Processor(
    name="UpcomingTeamGameContextProcessor",
    short="TGC",
    level="3.3",
    dated=Dated.SLATE,
    output=TABLE,
    inputs=(
        Input("nbac_schedule", Relation.SAME_DATE),
        Input("nbac_schedule", Relation.HISTORY),
        Input("odds_api_game_lines", Relation.SAME_DATE, required=False),
        Input("nbac_injury_report", Relation.SAME_DATE, required=False),
        Input("team_locations", Relation.REFERENCE),
    ),
    expected="""
-- uses: slate_games
SELECT game_date AS date, CONCAT(game_id, '/', team_abbr) AS id
FROM slate_games
CROSS JOIN UNNEST([home_team_abbr, away_team_abbr]) AS team_abbr
""",
    identity="CONCAT(game_id, '/', team_abbr)",
    issues=(
        Issue("no_spread", "game_spread IS NULL"),
        Issue("no_total", "game_total IS NULL"),
        Issue("no_injury_report", "injury_report_at IS NULL"),
        Issue("prior_game_not_final", "_unfinished > 0"),
        Issue(
            "spread_asymmetry",
            "MIN(game_spread_source) OVER (PARTITION BY game_id) = MAX(game_spread_source) OVER (PARTITION BY game_id) AND COUNT(game_spread) OVER (PARTITION BY game_id) = 2 AND SUM(game_spread) OVER (PARTITION BY game_id) != 0",
        ),
        Issue(
            "line_out_of_range",
            "(_raw_spread IS NOT NULL AND game_spread IS NULL) OR (_raw_total IS NOT NULL AND game_total IS NULL)",
        ),
    ),
    checks=(
        Check(
            "two_rows_per_game",
            "COUNT(*) OVER (PARTITION BY game_id) = 2 AND COUNTIF(home_game) OVER (PARTITION BY game_id) = 1",
        ),
        Check(
            "plausible_calendar",
            "(team_days_rest IS NULL OR team_days_rest >= 0) AND games_in_last_7_days <= 6",
        ),
    ),
)
