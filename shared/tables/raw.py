"""Raw tables of `nba_raw`: what Phase 2 lands and Phase 3 reads. Other columns may exist and are ignored."""

from __future__ import annotations

from shared.tables import team_locations
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, INTS, STRING, TIMESTAMP, Table, nullable, required

_TEAMS = ", ".join(f"'{team}'" for team, *_ in team_locations.TEAM_LOCATIONS)
_GAME_ID = (
    "game_id must be YYYYMMDD_AWAY_HOME, with the date of game_date",
    r"regexp_full_match(game_id, '\d{8}_[A-Z]{3}_[A-Z]{3}') AND substr(game_id, 1, 8) = strftime(game_date, '%Y%m%d')",
)
_GAME_TEAMS = (
    "game_id names a team that the league does not have",
    f"substr(game_id, 10, 3) IN ({_TEAMS}) AND substr(game_id, 14, 3) IN ({_TEAMS})",
)
_TEAM = (
    "team_abbr must be one of the two teams in game_id",
    "team_abbr IN (substr(game_id, 10, 3), substr(game_id, 14, 3))",
)
_NBA_GAME_ID = (
    "nba_game_id must be ten digits, 00 first, such as 0022400561",
    r"regexp_full_match(nba_game_id, '00[1-6]\d{7}')",
)
_LOOKUP = (
    "player_lookup must hold lower-case letters and digits only, such as kellyoubrejr",
    "regexp_full_match(player_lookup, '[a-z0-9]+')",
)
_MINUTES = (
    "minutes must be MM:SS or MM, or empty for who did not play",
    r"regexp_full_match(minutes, '\d{1,3}(:[0-5]\d)?|DNP')",
)


def _never_negative(*names: str) -> tuple[str, str]:
    return "a count is below zero", " AND ".join(f"coalesce({name} >= 0, true)" for name in names)


def _within(*pairs: tuple[str, str]) -> tuple[str, str]:
    return "more shots made than attempted", " AND ".join(f"coalesce({made} <= {of}, true)" for made, of in pairs)


_BOX_COUNTS = (
    "points",
    "field_goals_made",
    "three_pointers_made",
    "free_throws_made",
    "offensive_rebounds",
    "defensive_rebounds",
    "assists",
    "steals",
    "blocks",
    "turnovers",
    "personal_fouls",
)
_BOX_SHOTS = (
    ("field_goals_made", "field_goals_attempted"),
    ("three_pointers_made", "three_pointers_attempted"),
    ("free_throws_made", "free_throws_attempted"),
)
_BOX_RULES = (_GAME_ID, _GAME_TEAMS, _TEAM, _LOOKUP, _MINUTES, _never_negative(*_BOX_COUNTS), _within(*_BOX_SHOTS))
_FOULS = ("more than six personal fouls", "coalesce(personal_fouls <= 6, true)")

SCHEDULE = Table(
    dataset="nba_raw",
    name="nbac_schedule",
    row="game",
    key=("game_id",),
    partition="game_date",
    cluster=("season_year", "home_team_abbr", "away_team_abbr"),
    accepts=(
        _GAME_ID,
        _GAME_TEAMS,
        _NBA_GAME_ID,
        (
            "game_id must name the away team first, then the home team",
            "substr(game_id, 10) = away_team_abbr || '_' || home_team_abbr",
        ),
        ("game_status must be 1, 2, 3 or 4", "game_status BETWEEN 1 AND 4"),
        ("season_year must be the first calendar year of the season", "year(game_date) - season_year IN (0, 1)"),
    ),
    expects=(
        (
            "a final game without both scores, or with equal ones",
            "game_status != 3 OR coalesce(home_team_score != away_team_score, false)",
        ),
    ),
    columns=(
        required("game_id", STRING),
        required("nba_game_id", STRING),
        required("game_date", DATE, "ET"),
        required("season_year", INT64),
        required("game_status", INT64, "1 scheduled, 2 live, 3 final, 4 postponed or cancelled"),
        nullable("game_start_time", TIMESTAMP, "scheduled tip; NULL when to be announced"),
        required("home_team_abbr", STRING),
        required("away_team_abbr", STRING),
        required("home_team_id", INT64),
        required("away_team_id", INT64),
        nullable("home_team_score", INT64, "final score, NULL before"),
        nullable("away_team_score", INT64),
        nullable("neutral_site", BOOL),
        required("processed_at", TIMESTAMP),
    ),
)

PLAYER_BOX = Table(
    dataset="nba_raw",
    name="nbac_gamebook_player_stats",
    row="player listed for a game: played, dnp or inactive",
    key=("game_id", "player_lookup"),
    partition="game_date",
    cluster=("season_year", "team_abbr", "player_lookup"),
    accepts=(
        *_BOX_RULES,
        ("player_status must be active, dnp or inactive", "player_status IN ('active', 'dnp', 'inactive')"),
    ),
    expects=(_FOULS,),
    columns=(
        required("game_id", STRING),
        nullable("nba_game_id", STRING),
        required("game_date", DATE),
        required("season_year", INT64),
        nullable("player_id", INT64),
        nullable("player_lookup", STRING, "NULL when the printed name could not be resolved"),
        required("player_name", STRING, "display name"),
        required("team_abbr", STRING, "player's team"),
        required("player_status", STRING, "active, dnp, inactive"),
        nullable("dnp_reason", STRING),
        nullable("is_starter", BOOL),
        nullable("minutes", STRING, "MM:SS"),
        nullable("points", INT64, "NULL unless played (this and all counts below)"),
        nullable("field_goals_made", INT64),
        nullable("field_goals_attempted", INT64),
        nullable("three_pointers_made", INT64),
        nullable("three_pointers_attempted", INT64),
        nullable("free_throws_made", INT64),
        nullable("free_throws_attempted", INT64),
        nullable("offensive_rebounds", INT64),
        nullable("defensive_rebounds", INT64),
        nullable("assists", INT64),
        nullable("steals", INT64),
        nullable("blocks", INT64),
        nullable("turnovers", INT64, "player turnovers"),
        nullable("personal_fouls", INT64),
        nullable("plus_minus", INT64, "0 is a value"),
        required("processed_at", TIMESTAMP),
    ),
)

FALLBACK_BOX = Table(
    dataset="nba_raw",
    name="bdl_player_boxscores",
    row="player x game, where the gamebook has none",
    key=("game_id", "player_lookup"),
    partition="game_date",
    cluster=("player_lookup", "team_abbr"),
    accepts=_BOX_RULES,
    expects=(_FOULS,),
    columns=(
        required("game_id", STRING),
        required("game_date", DATE),
        required("season_year", INT64),
        required("player_lookup", STRING),
        required("player_full_name", STRING),
        nullable("bdl_player_id", INT64, "not an NBA id; player_id is NULL on rows from here"),
        required("team_abbr", STRING),
        nullable("minutes", STRING, "whole minutes; zero-minute players are listed"),
        nullable("points", INT64),
        nullable("field_goals_made", INT64, "two columns"),
        nullable("field_goals_attempted", INT64, "two columns"),
        nullable("three_pointers_made", INT64, "two columns"),
        nullable("three_pointers_attempted", INT64, "two columns"),
        nullable("free_throws_made", INT64, "two columns"),
        nullable("free_throws_attempted", INT64, "two columns"),
        nullable("offensive_rebounds", INT64, "two columns"),
        nullable("defensive_rebounds", INT64, "two columns"),
        nullable("assists", INT64, "five columns"),
        nullable("steals", INT64, "five columns"),
        nullable("blocks", INT64, "five columns"),
        nullable("turnovers", INT64, "five columns"),
        nullable("personal_fouls", INT64, "five columns"),
        required("processed_at", TIMESTAMP),
    ),
)

TEAM_BOX = Table(
    dataset="nba_raw",
    name="nbac_team_boxscore",
    row="team x game, two per game",
    key=("game_id", "team_abbr"),
    partition="game_date",
    cluster=("team_abbr", "season_year"),
    accepts=(
        _GAME_ID,
        _GAME_TEAMS,
        _TEAM,
        _NBA_GAME_ID,
        _MINUTES,
        _never_negative("points", "fg_made", "three_pt_made", "ft_made", "assists", "turnovers"),
        _within(("fg_made", "fg_attempted"), ("three_pt_made", "three_pt_attempted"), ("ft_made", "ft_attempted")),
        (
            "is_home must say whether team_abbr is the second team of game_id",
            "is_home = (team_abbr = substr(game_id, 14, 3))",
        ),
    ),
    expects=(
        (
            "points are not those of the shots made",
            "points = 2 * (fg_made - three_pt_made) + 3 * three_pt_made + ft_made",
        ),
    ),
    columns=(
        required("game_id", STRING),
        required("nba_game_id", STRING),
        required("game_date", DATE),
        required("season_year", INT64),
        required("team_id", INT64),
        required("team_abbr", STRING),
        required("is_home", BOOL),
        nullable("minutes", STRING, "player-minutes of the team: 240:00, +25:00 per overtime"),
        required("points", INT64),
        required("fg_made", INT64, "two columns"),
        required("fg_attempted", INT64, "two columns"),
        required("three_pt_made", INT64, "two columns"),
        required("three_pt_attempted", INT64, "two columns"),
        required("ft_made", INT64, "two columns"),
        required("ft_attempted", INT64, "two columns"),
        required("offensive_rebounds", INT64, "player rebounds, team rebounds excluded"),
        required("defensive_rebounds", INT64, "player rebounds, team rebounds excluded"),
        required("assists", INT64, "four columns"),
        required("steals", INT64, "four columns"),
        required("blocks", INT64, "four columns"),
        required("personal_fouls", INT64, "four columns"),
        required("turnovers", INT64, "includes team turnovers (so >= sum of  player turnovers)"),
        required("processed_at", TIMESTAMP),
    ),
)

PLAY_BY_PLAY = Table(
    dataset="nba_raw",
    name="nbac_play_by_play",
    row="event",
    key=("game_id", "event_sequence"),
    partition="game_date",
    cluster=("game_id", "event_type"),
    accepts=(
        _GAME_ID,
        _GAME_TEAMS,
        ("period must be 1 or more", "period >= 1"),
        ("clock_seconds_remaining must be 0 to 720", "clock_seconds_remaining BETWEEN 0 AND 720"),
        (
            "a shot or free throw must say whether it was made",
            "event_type NOT IN ('2pt', '3pt', 'freethrow') OR shot_made IS NOT NULL",
        ),
    ),
    expects=(
        (
            "shot_value disagrees with event_type, which decides",
            "coalesce(event_type NOT IN ('2pt', '3pt') OR shot_value::VARCHAR || 'pt' = event_type, true)",
        ),
        (
            "a field goal attempt without coordinates, whose zone is unknown",
            "event_type NOT IN ('2pt', '3pt') OR (x_ft IS NOT NULL AND y_ft IS NOT NULL)",
        ),
    ),
    columns=(
        required("game_id", STRING),
        required("nba_game_id", STRING),
        required("game_date", DATE),
        required("season_year", INT64),
        required(
            "event_sequence",
            INT64,
            "the feed's number of the event; not the playing order: sort by period, clock falling, event_sequence",
        ),
        required("period", INT64, "1-4, 5 and up = overtime"),
        required("clock_seconds_remaining", FLOAT64, "seconds left in the period"),
        required(
            "event_type",
            STRING,
            "2pt, 3pt, freethrow, rebound, turnover, foul, substitution, jumpball, timeout, violation, period, game, other; also steal, block (repeat what player_2 says on the turnover or shot row; ignored). Other values, here and in sub_type, are kept and ignored, never an error",
        ),
        nullable(
            "sub_type",
            STRING,
            "foul kind (personal, shooting, loose ball, offensive, charge offensive, take, transition take, clear-path, away-from-play, flagrant-type-1, flagrant-type-2, technical, double technical, defensive-3-second technical ...), turnover kind, team rebound offensive/defensive (player rebounds: NULL; compare with the team of the last shot); free throws: NULL, their kind follows from the foul at the same period and clock that gave them",
        ),
        nullable(
            "players_on_court",
            INTS,
            "the ten player ids on court, both teams mixed; NULL when not known (in the middle of substitutions, or a source without line-ups)",
        ),
        nullable("description", STRING, "text of the event, for people"),
        nullable(
            "qualifiers",
            STRING,
            "comma list from the source (2ndchance, fastbreak, pointsinthepaint, team, deadball ...)",
        ),
        nullable("team_abbr", STRING, "team of player_1 (NULL for neutral events)"),
        nullable("player_1_id", INT64, "actor: shooter, rebounder, player who lost the ball, fouler"),
        nullable("player_1_lookup", STRING, "actor: shooter, rebounder, player who lost the ball, fouler"),
        nullable(
            "player_2_id",
            INT64,
            "made shot: assister; missed shot: blocker; turnover: stealer; foul: player fouled",
        ),
        nullable(
            "player_2_lookup",
            STRING,
            "made shot: assister; missed shot: blocker; turnover: stealer; foul: player fouled",
        ),
        nullable("shot_made", BOOL, "NN for 2pt, 3pt, freethrow"),
        nullable("shot_value", INT64, "2, 3; 1 for free throws"),
        nullable("shot_distance_ft", FLOAT64, "as given by the source, feet"),
        nullable("x_ft", FLOAT64, "across the court, 0 = centre of the hoop"),
        nullable(
            "y_ft",
            FLOAT64,
            "from the hoop towards mid-court, 0 = centre of the hoop (hoop centre is 5.25 ft from the baseline)",
        ),
        nullable("ft_number", INT64, "free throw n of m"),
        nullable("ft_total", INT64, "free throw n of m"),
        nullable("score_home", INT64, "after the event"),
        nullable("score_away", INT64, "after the event"),
        required("processed_at", TIMESTAMP),
    ),
)

INJURY_REPORT = Table(
    dataset="nba_raw",
    name="nbac_injury_report",
    row="player x report x game",
    key=("game_id", "player_lookup", "report_date", "report_hour"),
    partition="report_date",
    cluster=("game_id", "player_lookup"),
    accepts=(
        _GAME_ID,
        _GAME_TEAMS,
        _TEAM,
        ("report_hour must be 0 to 23", "report_hour BETWEEN 0 AND 23"),
        (
            "injury_status must be out, doubtful, questionable, probable or available",
            "injury_status IN ('out', 'doubtful', 'questionable', 'probable', 'available')",
        ),
    ),
    columns=(
        required("report_date", DATE, "ET day of the report"),
        required("report_hour", INT64, "ET hour 0-23"),
        required("game_id", STRING, "game concerned"),
        required("game_date", DATE),
        required("team_abbr", STRING),
        nullable("player_id", INT64),
        nullable("player_lookup", STRING),
        required("player_full_name", STRING),
        required("injury_status", STRING, "out, doubtful, questionable, probable, available"),
        nullable("reason", STRING),
        nullable("reason_category", STRING, "injury, rest, suspension, g_league, personal, other"),
        nullable("confidence_score", FLOAT64, "0-1 of the text extraction"),
        required("processed_at", TIMESTAMP),
    ),
)

POINTS_PROPS = Table(
    dataset="nba_raw",
    name="odds_api_player_points_props",
    row="snapshot x bookmaker x player x line",
    key=("game_id", "player_lookup", "bookmaker", "snapshot_timestamp", "points_line"),
    partition="game_date",
    cluster=("player_lookup", "bookmaker"),
    accepts=(_GAME_ID, _GAME_TEAMS, _LOOKUP),
    expects=(("a points line outside 0.5 to 60", "points_line BETWEEN 0.5 AND 60"),),
    columns=(
        required("game_id", STRING),
        required("game_date", DATE),
        nullable("player_id", INT64),
        nullable("player_lookup", STRING),
        required("player_name", STRING),
        required("bookmaker", STRING, "lower-case key"),
        required("snapshot_timestamp", TIMESTAMP),
        required("points_line", FLOAT64),
        nullable("over_price", FLOAT64, "decimal odds"),
        nullable("under_price", FLOAT64, "decimal odds"),
        required("processed_at", TIMESTAMP),
    ),
)

GAME_LINES = Table(
    dataset="nba_raw",
    name="odds_api_game_lines",
    row="snapshot x bookmaker x market x outcome",
    key=("game_id", "bookmaker", "market", "outcome", "snapshot_timestamp"),
    partition="game_date",
    cluster=("game_id", "market"),
    accepts=(
        _GAME_ID,
        _GAME_TEAMS,
        ("market must be spreads or totals", "market IN ('spreads', 'totals')"),
    ),
    columns=(
        required("game_id", STRING),
        required("game_date", DATE),
        required("bookmaker", STRING),
        required("market", STRING, "spreads, totals"),
        required("outcome", STRING, "team abbreviation for spreads; over / under for totals"),
        nullable("point", FLOAT64, "spread of that team (negative = favoured) or the total"),
        nullable("price", FLOAT64, "decimal odds"),
        required("snapshot_timestamp", TIMESTAMP),
        required("processed_at", TIMESTAMP),
    ),
)

TEAM_LOCATIONS = Table(
    dataset="nba_static",
    name="team_locations",
    row="team and its home arena",
    key=("team_abbr",),
    partition=None,
    content=team_locations.TEAM_LOCATIONS,
    columns=(
        required("team_abbr", STRING),
        required("latitude", FLOAT64, "home arena, degrees"),
        required("longitude", FLOAT64, "home arena, degrees"),
        required("utc_offset_standard", INT64, "hours, e.g. -5"),
    ),
)

RAW_TABLES = (
    SCHEDULE,
    PLAYER_BOX,
    FALLBACK_BOX,
    TEAM_BOX,
    PLAY_BY_PLAY,
    INJURY_REPORT,
    POINTS_PROPS,
    GAME_LINES,
)
