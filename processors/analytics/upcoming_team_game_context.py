"""UpcomingTeamGameContextProcessor: team x game of the slate."""

from __future__ import annotations

from pathlib import Path

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
        required("team_abbr", STRING, "three letters, as in team_locations"),
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required(
            "nba_game_id",
            STRING,
            "league's game number; first three digits: 002 regular season, 004 playoffs, 005 play-in, 006 cup final",
        ),
        required("game_date", DATE, "the slate: day of the game in New York"),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required("season_type", STRING, "regular, playoffs, play_in or cup_final, told by nba_game_id"),
        required(
            "season_phase", STRING, "playoffs (play-in too); else by month: Oct-Nov early, Dec-Feb mid, other late"
        ),
        required("opponent_team_abbr", STRING, "the other team of game_id"),
        required("home_game", BOOL, "the team is the home team of game_id"),
        nullable("game_start_time", TIMESTAMP, "scheduled tip; NULL when to be announced"),
        required(
            "game_number_in_season",
            INT64,
            "1 + the team's games this season before the slate, postponed and cancelled ones left out",
        ),
        required("season_games_entering", INT64, "the team's final games this season before the slate"),
        required("season_wins_entering", INT64, "wins among season_games_entering"),
        required(
            "team_win_streak_entering",
            INT64,
            "wins in a row up to the last final game before the slate; 0 after a loss",
        ),
        required(
            "team_loss_streak_entering",
            INT64,
            "losses in a row up to the last final game before the slate; 0 after a win",
        ),
        nullable("last_game_date", DATE, "last final game this season before the slate; NULL if none"),
        nullable(
            "last_game_margin",
            INT64,
            "team's points less the opponent's in its last final game this season; NULL if none",
            "pts",
        ),
        nullable("last_game_result", STRING, "W or L in its last final game this season; NULL if none"),
        nullable(
            "team_days_rest",
            INT64,
            "days between last_game_date and the slate: 0 = played the day before; NULL before the first game",
            "days",
        ),
        nullable("team_back_to_back", BOOL, "team_days_rest = 0; NULL before the first game"),
        nullable("opponent_days_rest", INT64, "team_days_rest of the opponent; NULL before its first game", "days"),
        required("games_in_last_7_days", INT64, "final games of the team in the 7 days before the slate"),
        required("games_in_last_14_days", INT64, "final games of the team in the 14 days before the slate"),
        nullable(
            "next_game_days_rest",
            INT64,
            "days between the slate and the team's next game; NULL if none within 8 days",
            "days",
        ),
        required("games_in_next_7_days", INT64, "scheduled games of the team in the 7 days after the slate"),
        nullable(
            "game_spread",
            FLOAT64,
            "last spread of this team before tip-off or the run, whichever is earlier; negative = favoured; NULL if none or beyond +-40",
            "pts",
        ),
        nullable(
            "game_spread_source",
            STRING,
            "bookmaker of the spread: first of draftkings, fanduel, betmgm, caesars, then by name",
        ),
        nullable(
            "opening_spread",
            FLOAT64,
            "first spread seen of the same bookmaker; negative = favoured; NULL if none or beyond +-40",
            "pts",
        ),
        nullable("spread_movement", FLOAT64, "game_spread - opening_spread; negative = now more favoured", "pts"),
        nullable(
            "game_total",
            FLOAT64,
            "last total of both teams' points before tip-off or the run, whichever is earlier; NULL if none or outside 150-300",
            "pts",
        ),
        nullable(
            "game_total_source",
            STRING,
            "bookmaker of the total: first of draftkings, fanduel, betmgm, caesars, then by name",
        ),
        nullable(
            "opening_total", FLOAT64, "first total seen of the same bookmaker; NULL if none or outside 150-300", "pts"
        ),
        nullable("total_movement", FLOAT64, "game_total - opening_total; positive = the total rose", "pts"),
        nullable(
            "betting_lines_updated_at",
            TIMESTAMP,
            "later snapshot of the spread and the total used; NULL if there is neither",
        ),
        nullable(
            "players_out_count",
            INT64,
            "players out in the team's last injury report before tip-off or the run; NULL if no report names the game",
        ),
        nullable(
            "questionable_players_count",
            INT64,
            "players questionable or doubtful in the last injury report before tip-off or the run; NULL if no report names the game",
        ),
        nullable(
            "injury_report_at",
            TIMESTAMP,
            "time of the injury report used, the opponent's where the team has none; NULL if no report names the game",
        ),
        nullable(
            "travel_miles",
            FLOAT64,
            "great circle from the last game's arena (own at the opener) to this one; NULL if either is neutral",
            "miles",
        ),
        nullable(
            "time_zone_changes",
            INT64,
            "difference in standard time between the last game's arena and this one, never negative; NULL if either is neutral",
            "hours",
        ),
        required("consecutive_road_games", INT64, "away games in a row, this one included; 0 at home"),
    ),
)

PROCESSOR = Processor(
    name="UpcomingTeamGameContextProcessor",
    short="TGC",
    level="3.3",
    dated=Dated.SLATE,
    output=TABLE,
    sql=Path(__file__).with_suffix(".sql"),
    inputs=(
        Input("nbac_schedule", Relation.SAME_DATE, days_ahead=8),
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
        Issue("line_out_of_range", "_line_off"),
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
