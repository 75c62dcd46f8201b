"""UpcomingPlayerGameContextProcessor: player x game of the slate."""

from __future__ import annotations

from processors.declaration import Check, Dated, Input, Issue, Processor, Relation, output
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, STRING, TIMESTAMP, nullable, required

TABLE = output(
    dataset="nba_analytics",
    name="upcoming_player_game_context",
    row="player x game of the slate",
    key=("game_id", "player_lookup"),
    partition="game_date",
    cluster=("player_lookup", "team_abbr"),
    columns=(
        required("player_lookup", STRING),
        nullable("player_id", INT64, "newest non-NULL"),
        required("player_full_name", STRING, "newest"),
        required("game_id", STRING),
        required("game_date", DATE, "D"),
        required("season_year", INT64),
        required("season_phase", STRING, "upcoming team row"),
        required("team_abbr", STRING, "see above"),
        required("opponent_team_abbr", STRING),
        required("home_game", BOOL),
        required("last_listed_date", DATE, "newest listing"),
        nullable("last_played_date", DATE, "newest history game"),
        required("games_played_season", INT64, "history rows, any team"),
        required("has_points_line", BOOL, "current_points_line is not NULL"),
        nullable("current_points_line", FLOAT64, "raw.md 8.1", "pts"),
        nullable("current_points_line_source", STRING, "bookmaker"),
        nullable("current_points_line_at", TIMESTAMP, "snapshot"),
        nullable("opening_points_line", FLOAT64, "same bookmaker", "pts"),
        nullable("line_movement", FLOAT64, "current - opening", "pts"),
        nullable(
            "days_rest",
            INT64,
            "from last_played_date; NULL also if a missing game (below) is newer than it",
            "days",
        ),
        nullable("back_to_back", BOOL, "days_rest = 0"),
        nullable("days_rest_before_last_game", INT64, "(newest - second newest played date) - 1", "days"),
        nullable(
            "days_since_2_plus_days_rest",
            INT64,
            "D - date of the newest played game that came after >= 2 days of rest; NULL if none",
            "days",
        ),
        nullable(
            "games_in_last_7_days",
            INT64,
            "played games, last 7 days; this and the next five columns are NULL if missing_games_last_14_days > 0",
        ),
        nullable("games_in_last_14_days", INT64, "last 14 days"),
        nullable("minutes_in_last_7_days", FLOAT64, "sum, last 7 days", "min"),
        nullable("minutes_in_last_14_days", FLOAT64, "sum, last 14 days", "min"),
        nullable(
            "avg_minutes_per_game_last_7", FLOAT64, "minutes_in_last_7_days / games_in_last_7_days", "min"
        ),
        nullable(
            "back_to_backs_last_14_days",
            INT64,
            "consecutive played games one day apart, both in the last 14 days",
        ),
        nullable("opponent_days_rest", INT64, "upcoming team row", "days"),
        nullable("points_avg_last_5", FLOAT64, "avg points, last 5", "pts"),
        nullable("points_avg_last_10", FLOAT64, "avg points, last 10", "pts"),
        nullable("avg_usage_rate_last_7_games", FLOAT64, "avg usage_rate, last 7", "%"),
        nullable("minutes_avg_last_7_games", FLOAT64, "avg minutes_played, last 7", "min"),
        nullable("projected_usage_rate", FLOAT64, "see below", "%"),
        nullable(
            "shooting_pct_decline_last_5",
            FLOAT64,
            "pooled eFG season - pooled eFG last 5; positive = shooting worse lately",
            "0-1",
        ),
        required(
            "prop_over_streak",
            INT64,
            "newest consecutive games with a line that ended OVER; games without line are passed over, PUSH ends it",
        ),
        required("prop_under_streak", INT64, "same for UNDER"),
        nullable("team_pace_last_10", FLOAT64, "avg pace of team_offense, team, last 10", "per 48"),
        nullable("opponent_pace_last_10", FLOAT64, "same, opponent", "per 48"),
        nullable(
            "pace_differential",
            FLOAT64,
            "opponent_pace_last_10 - team_pace_last_10; positive = faster game than the team's usual",
            "per 48",
        ),
        nullable(
            "opponent_def_rating_last_10", FLOAT64, "avg defensive_rating, opponent, last 10", "per 100"
        ),
        nullable(
            "opponent_fta_per_100_allowed",
            FLOAT64,
            "pooled 100 x opp_ft_attempts / opponent_possessions, opponent's defense rows, last 10",
            "per 100 poss",
        ),
        nullable(
            "player_status",
            STRING,
            "report at cutoff: the player's status; not_listed if the team's report is known and the player is not on it; NULL if the report is unknown",
        ),
        nullable("injury_reason", STRING, "report"),
        nullable("injury_report_at", TIMESTAMP, "report used"),
        nullable(
            "star_teammates_out",
            INT64,
            "teammates (same team_abbr in this table, not the player) out or doubtful with >= 10 games this season and (points avg season >= 18, or minutes avg season >= 28 and points >= 12); NULL if the report is unknown",
        ),
        nullable("questionable_teammates", INT64, "teammates questionable; likewise"),
        nullable("probable_teammates", INT64, "teammates probable; likewise"),
        required(
            "missing_games",
            INT64,
            "final games of team_abbr this season < D, not older than the 10th newest history game (all of them if fewer than 10), for which player_game_summary has no played row of any player (the game itself was never processed; a player who sat out is not missing)",
        ),
        required(
            "missing_games_last_14_days",
            INT64,
            "final games of team_abbr in the last 14 days with no played row in player_game_summary",
        ),
    ),
)

PROCESSOR = Processor(
    name="UpcomingPlayerGameContextProcessor",
    short="UPC",
    level="3.4",
    dated=Dated.SLATE,
    output=TABLE,
    inputs=(
        Input("upcoming_team_game_context", Relation.SAME_DATE),
        Input("player_game_summary", Relation.HISTORY),
        Input("team_offense_game_summary", Relation.HISTORY),
        Input("team_defense_game_summary", Relation.HISTORY),
        Input("nbac_injury_report", Relation.SAME_DATE, required=False),
        Input("odds_api_player_points_props", Relation.SAME_DATE, required=False),
        Input("nbac_schedule", Relation.REFERENCE),
    ),
    expected="""
-- uses: slate_players
SELECT t.game_date AS date, p.player_lookup AS id
FROM slate_players AS p
INNER JOIN nba_analytics.upcoming_team_game_context AS t ON t.game_date = p.slate_date AND t.team_abbr = p.team_abbr
WHERE t.game_date BETWEEN @start_date AND @end_date
""",
    identity="player_lookup",
    issues=(
        Issue("no_line", "NOT has_points_line"),
        Issue("no_injury_report", "injury_report_at IS NULL"),
        Issue("no_history", "games_played_season = 0"),
        Issue("missing_games", "missing_games > 0"),
        Issue("line_out_of_range", "_raw_line IS NOT NULL AND current_points_line IS NULL"),
        Issue(
            "roster_count",
            "COUNT(*) OVER (PARTITION BY game_id, team_abbr) NOT BETWEEN IF(_team_games > 0, 8, 0) AND 30",
        ),
    ),
    checks=(
        Check("one_row_per_player", "COUNT(*) OVER (PARTITION BY game_date, player_lookup) = 1"),
        Check("plausible_load", "games_in_last_7_days <= 6 AND minutes_in_last_7_days <= 350"),
        Check(
            "plausible_usage",
            "(avg_usage_rate_last_7_games IS NULL OR avg_usage_rate_last_7_games BETWEEN 0 AND 100) AND (projected_usage_rate IS NULL OR projected_usage_rate BETWEEN 0 AND 130)",
        ),
        Check(
            "plausible_opponent",
            "(team_pace_last_10 IS NULL OR team_pace_last_10 BETWEEN 70 AND 130) AND (opponent_pace_last_10 IS NULL OR opponent_pace_last_10 BETWEEN 70 AND 130) AND (opponent_def_rating_last_10 IS NULL OR opponent_def_rating_last_10 BETWEEN 50 AND 180)",
        ),
    ),
)
