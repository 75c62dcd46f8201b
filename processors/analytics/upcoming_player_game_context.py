"""UpcomingPlayerGameContextProcessor: player x game of the slate."""

from __future__ import annotations

from pathlib import Path

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
        required(
            "player_lookup",
            STRING,
            "player's key: name in lower case, accents folded, only a-z and 0-9, suffix kept (kellyoubrejr)",
        ),
        nullable("player_id", INT64, "NBA player id, newest known; NULL if none is"),
        required("player_full_name", STRING, "name as in his newest listing"),
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required("game_date", DATE, "the slate: day of the game in New York"),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required(
            "season_phase", STRING, "playoffs (play-in too); else by month: Oct-Nov early, Dec-Feb mid, other late"
        ),
        required(
            "team_abbr",
            STRING,
            "team of his newest listing: box score of the last 30 days or injury report of a slate game",
        ),
        required("opponent_team_abbr", STRING, "the other team of game_id"),
        required("home_game", BOOL, "his team is the home team of game_id"),
        required("last_listed_date", DATE, "date of his newest listing in a box score or injury report, played or not"),
        nullable("last_played_date", DATE, "last game he played this season before the slate; NULL if none"),
        required("games_played_season", INT64, "games he played this season before the slate, for any team"),
        required("has_points_line", BOOL, "current_points_line is known"),
        nullable(
            "current_points_line",
            FLOAT64,
            "last line before tip-off or the run, whichever is earlier, at the bookmaker that counts; NULL if none or outside 0.5-60",
            "pts",
        ),
        nullable(
            "current_points_line_source",
            STRING,
            "bookmaker that counts: first of draftkings, fanduel, betmgm, caesars, then by name, with a line",
        ),
        nullable("current_points_line_at", TIMESTAMP, "when that bookmaker offered the line"),
        nullable(
            "opening_points_line",
            FLOAT64,
            "first line seen of the same bookmaker; NULL if none or outside 0.5-60",
            "pts",
        ),
        nullable(
            "line_movement", FLOAT64, "current_points_line - opening_points_line; positive = the line rose", "pts"
        ),
        nullable(
            "days_rest",
            INT64,
            "days between last_played_date and the slate: 0 = played the day before; NULL if none, or a team game since is not processed",
            "days",
        ),
        nullable("back_to_back", BOOL, "days_rest = 0; NULL where days_rest is NULL"),
        nullable(
            "days_rest_before_last_game",
            INT64,
            "days between his last two played games this season: 0 = on consecutive days; NULL below two games",
            "days",
        ),
        nullable(
            "days_since_2_plus_days_rest",
            INT64,
            "days from his last played game that followed 2 or more days of rest to the slate; NULL if none",
            "days",
        ),
        nullable(
            "games_in_last_7_days",
            INT64,
            "games he played in the 7 days before the slate; NULL if missing_games_last_14_days > 0",
        ),
        nullable(
            "games_in_last_14_days",
            INT64,
            "games he played in the 14 days before the slate; NULL if missing_games_last_14_days > 0",
        ),
        nullable(
            "minutes_in_last_7_days",
            FLOAT64,
            "his minutes in the 7 days before the slate; 0 without games; NULL if missing_games_last_14_days > 0",
            "min",
        ),
        nullable(
            "minutes_in_last_14_days",
            FLOAT64,
            "his minutes in the 14 days before the slate; 0 without games; NULL if missing_games_last_14_days > 0",
            "min",
        ),
        nullable(
            "avg_minutes_per_game_last_7",
            FLOAT64,
            "minutes_in_last_7_days / games_in_last_7_days (days, not games); NULL without games or if not known",
            "min",
        ),
        nullable(
            "back_to_backs_last_14_days",
            INT64,
            "pairs of his games on consecutive days, both in the 14 days before the slate; NULL if missing_games_last_14_days > 0",
        ),
        nullable(
            "opponent_days_rest",
            INT64,
            "rest of the opposing team: 0 = it played the day before; NULL before its first game",
            "days",
        ),
        nullable(
            "points_avg_last_5",
            FLOAT64,
            "mean points of his last 5 played games this season; NULL before the first",
            "pts",
        ),
        nullable(
            "points_avg_last_10",
            FLOAT64,
            "mean points of his last 10 played games this season; NULL before the first",
            "pts",
        ),
        nullable(
            "avg_usage_rate_last_7_games",
            FLOAT64,
            "mean usage_rate of his last 7 played games this season, unknown ones left out; NULL if none is known",
            "%",
        ),
        nullable(
            "minutes_avg_last_7_games",
            FLOAT64,
            "mean minutes of his last 7 played games this season; NULL before the first",
            "min",
        ),
        nullable(
            "projected_usage_rate",
            FLOAT64,
            "avg_usage_rate_last_7_games x min(1.3, 1 + usage-minutes of teammates out / of the rest); NULL if he is out or without report",
            "%",
        ),
        nullable(
            "shooting_pct_decline_last_5",
            FLOAT64,
            "effective field goal share, season - last 5 played games; positive = shooting worse lately",
            "fraction",
        ),
        required(
            "prop_over_streak",
            INT64,
            "OVERs in a row in his newest games with a line this season; a PUSH ends it, no line does not",
        ),
        required(
            "prop_under_streak",
            INT64,
            "UNDERs in a row in his newest games with a line this season; a PUSH ends it, no line does not",
        ),
        nullable(
            "team_pace_last_10",
            FLOAT64,
            "mean pace of his team's last 10 games this season; NULL before the first",
            "per 48",
        ),
        nullable(
            "opponent_pace_last_10",
            FLOAT64,
            "mean pace of the opponent's last 10 games this season; NULL before the first",
            "per 48",
        ),
        nullable(
            "pace_differential",
            FLOAT64,
            "opponent_pace_last_10 - team_pace_last_10; positive = faster than his team is used to",
            "per 48",
        ),
        nullable(
            "opponent_def_rating_last_10",
            FLOAT64,
            "mean defensive_rating of the opponent's last 10 games this season; higher = weaker defense; NULL before the first",
            "per 100",
        ),
        nullable(
            "opponent_fta_per_100_allowed",
            FLOAT64,
            "100 x free throws shot against the opponent / possessions, sums over its last 10 games this season; NULL before the first",
            "per 100 poss",
        ),
        nullable(
            "player_status",
            STRING,
            "status in the last injury report before tip-off or the run; not_listed if he is not on it; NULL if no report names the game",
        ),
        nullable("injury_reason", STRING, "reason the injury report gives; NULL if he is not on it or there is none"),
        nullable(
            "injury_report_at",
            TIMESTAMP,
            "time of the injury report used, the opponent's where his team has none; NULL if no report names the game",
        ),
        nullable(
            "star_teammates_out",
            INT64,
            "teammates out or doubtful: 10+ games, mean points >= 18 (or >= 12 in >= 28 minutes), played in the last 30 days; NULL without report",
        ),
        nullable(
            "questionable_teammates",
            INT64,
            "teammates questionable who played in the last 30 days; NULL without report",
        ),
        nullable("probable_teammates", INT64, "teammates probable who played in the last 30 days; NULL without report"),
        required(
            "missing_games",
            INT64,
            "final games of his team since his 10th last played game (this season if fewer) that were never processed; 0 = complete",
        ),
        required(
            "missing_games_last_14_days",
            INT64,
            "final games of his team in the 14 days before the slate that were never processed; 0 = complete",
        ),
    ),
)

PROCESSOR = Processor(
    name="UpcomingPlayerGameContextProcessor",
    short="UPC",
    level="3.4",
    dated=Dated.SLATE,
    output=TABLE,
    sql=Path(__file__).with_suffix(".sql"),
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
        Issue("line_out_of_range", "_line_off"),
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
