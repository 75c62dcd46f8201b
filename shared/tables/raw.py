"""Raw tables of `nba_raw`: what Phase 2 lands and Phase 3 reads. Other columns may exist and are ignored."""

from __future__ import annotations

from shared.tables import team_locations
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, INTS, STRING, TIMESTAMP, Table, nullable, required

_TEAMS = ", ".join(f"'{team}'" for team, *_ in team_locations.TEAM_LOCATIONS)
_GAME_ID = (
    "game_id must be YYYYMMDD_AWAY_HOME, with the date of game_date",
    r"regexp_full_match(game_id, '\d{8}_[A-Z]{3}_[A-Z]{3}') AND substr(game_id, 1, 8) = strftime(game_date, '%Y%m%d')",
)
_LEAGUE = f"substr(game_id, 10, 3) IN ({_TEAMS}) AND substr(game_id, 14, 3) IN ({_TEAMS})"
_GAME_TEAMS = ("game_id names a team that the league does not have", _LEAGUE)
_COUNTED_GAME_TEAMS = (
    "game_id names a team that the league does not have",
    # all-star and preseason games have teams of their own, and are never computed
    f"coalesce(substr(nba_game_id, 1, 3) IN ('001', '003'), false) OR ({_LEAGUE})",
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
_BOX_RULES = (_GAME_ID, _TEAM, _LOOKUP, _MINUTES, _never_negative(*_BOX_COUNTS), _within(*_BOX_SHOTS))
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
        _COUNTED_GAME_TEAMS,
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
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required(
            "nba_game_id",
            STRING,
            "league's game number; first three digits: 001 preseason, 002 regular, 003 all-star, 004 playoffs, 005 play-in, 006 cup final",
        ),
        required("game_date", DATE, "date in New York"),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required("game_status", INT64, "1 scheduled, 2 live, 3 final, 4 postponed or cancelled"),
        nullable("game_start_time", TIMESTAMP, "scheduled tip; NULL when to be announced"),
        required("home_team_abbr", STRING, "three letters, as in team_locations"),
        required("away_team_abbr", STRING, "three letters, as in team_locations"),
        required("home_team_id", INT64, "NBA team id"),
        required("away_team_id", INT64, "NBA team id"),
        nullable("home_team_score", INT64, "final score; NULL before the game has ended", "pts"),
        nullable("away_team_score", INT64, "final score; NULL before the game has ended", "pts"),
        nullable("neutral_site", BOOL, "played at neither team's arena; NULL counts as false"),
        required("processed_at", TIMESTAMP, "load time; of several loads of a key the newest counts"),
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
        _COUNTED_GAME_TEAMS,
        ("player_status must be active, dnp or inactive", "player_status IN ('active', 'dnp', 'inactive')"),
    ),
    expects=(_FOULS,),
    columns=(
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        nullable("nba_game_id", STRING, "league's game number"),
        required("game_date", DATE, "date in New York"),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        nullable("player_id", INT64, "NBA player id; NULL where the source has none"),
        nullable(
            "player_lookup",
            STRING,
            "player's key: name in lower case, accents folded, only a-z and 0-9, suffix kept (kellyoubrejr); NULL when the name could not be resolved",
        ),
        required("player_name", STRING, "name as printed"),
        required("team_abbr", STRING, "player's team in this game"),
        required("player_status", STRING, "active, dnp or inactive"),
        nullable("dnp_reason", STRING, "why he did not play, as printed"),
        nullable("is_starter", BOOL, "in the starting five"),
        nullable("minutes", STRING, "MM:SS; NULL, empty, zero or DNP = did not play"),
        nullable("points", INT64, "points; this and every count below is NULL if he did not play", "pts"),
        nullable("field_goals_made", INT64, "field goals made, threes included; NULL if not played"),
        nullable("field_goals_attempted", INT64, "field goals attempted, threes included; NULL if not played"),
        nullable("three_pointers_made", INT64, "three-pointers made; NULL if not played"),
        nullable("three_pointers_attempted", INT64, "three-pointers attempted; NULL if not played"),
        nullable("free_throws_made", INT64, "free throws made; NULL if not played"),
        nullable("free_throws_attempted", INT64, "free throws attempted; NULL if not played"),
        nullable("offensive_rebounds", INT64, "offensive rebounds; NULL if not played"),
        nullable("defensive_rebounds", INT64, "defensive rebounds; NULL if not played"),
        nullable("assists", INT64, "assists; NULL if not played"),
        nullable("steals", INT64, "steals; NULL if not played"),
        nullable("blocks", INT64, "shots of opponents blocked; NULL if not played"),
        nullable("turnovers", INT64, "turnovers charged to the player; NULL if not played"),
        nullable("personal_fouls", INT64, "personal fouls; NULL if not played"),
        nullable(
            "plus_minus",
            INT64,
            "team's points less the opponent's while on court; 0 is a value; NULL if not played",
            "pts",
        ),
        required("processed_at", TIMESTAMP, "load time; of several loads of a key the newest counts"),
    ),
)

FALLBACK_BOX = Table(
    dataset="nba_raw",
    name="bdl_player_boxscores",
    row="player x game, where the gamebook has none",
    key=("game_id", "player_lookup"),
    partition="game_date",
    cluster=("player_lookup", "team_abbr"),
    accepts=(*_BOX_RULES, _GAME_TEAMS),
    expects=(_FOULS,),
    columns=(
        required(
            "game_id",
            STRING,
            "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York; used only for games without an active gamebook row",
        ),
        required("game_date", DATE, "date in New York"),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required(
            "player_lookup",
            STRING,
            "player's key: name in lower case, accents folded, only a-z and 0-9, suffix kept (kellyoubrejr)",
        ),
        required("player_full_name", STRING, "name as printed"),
        nullable(
            "bdl_player_id",
            INT64,
            "the source's own id, not an NBA id; summaries made from these rows have no player_id",
        ),
        required("team_abbr", STRING, "player's team in this game"),
        nullable("minutes", STRING, "whole minutes; players who did not play are listed with zero"),
        nullable("points", INT64, "points", "pts"),
        nullable("field_goals_made", INT64, "field goals made, threes included"),
        nullable("field_goals_attempted", INT64, "field goals attempted, threes included"),
        nullable("three_pointers_made", INT64, "three-pointers made"),
        nullable("three_pointers_attempted", INT64, "three-pointers attempted"),
        nullable("free_throws_made", INT64, "free throws made"),
        nullable("free_throws_attempted", INT64, "free throws attempted"),
        nullable("offensive_rebounds", INT64, "offensive rebounds"),
        nullable("defensive_rebounds", INT64, "defensive rebounds"),
        nullable("assists", INT64, "assists"),
        nullable("steals", INT64, "steals"),
        nullable("blocks", INT64, "shots of opponents blocked"),
        nullable("turnovers", INT64, "turnovers charged to the player"),
        nullable("personal_fouls", INT64, "personal fouls"),
        required("processed_at", TIMESTAMP, "load time; of several loads of a key the newest counts"),
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
        _COUNTED_GAME_TEAMS,
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
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required("nba_game_id", STRING, "league's game number"),
        required("game_date", DATE, "date in New York"),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required("team_id", INT64, "NBA team id"),
        required("team_abbr", STRING, "three letters, as in team_locations"),
        required("is_home", BOOL, "the team is the home team of game_id"),
        nullable("minutes", STRING, "sum of the players' minutes as MM:SS: 240:00, and 25:00 more for each overtime"),
        required("points", INT64, "points", "pts"),
        required("fg_made", INT64, "field goals made, threes included"),
        required("fg_attempted", INT64, "field goals attempted, threes included"),
        required("three_pt_made", INT64, "three-pointers made"),
        required("three_pt_attempted", INT64, "three-pointers attempted"),
        required("ft_made", INT64, "free throws made"),
        required("ft_attempted", INT64, "free throws attempted"),
        required("offensive_rebounds", INT64, "offensive rebounds of players; team rebounds are not counted"),
        required("defensive_rebounds", INT64, "defensive rebounds of players; team rebounds are not counted"),
        required("assists", INT64, "assists"),
        required("steals", INT64, "steals"),
        required("blocks", INT64, "shots of the opponent blocked"),
        required("personal_fouls", INT64, "personal fouls"),
        required(
            "turnovers",
            INT64,
            "turnovers, those charged to the team and to no player included: at least the players' sum",
        ),
        required("processed_at", TIMESTAMP, "load time; of several loads of a key the newest counts"),
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
        _COUNTED_GAME_TEAMS,
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
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required("nba_game_id", STRING, "league's game number"),
        required("game_date", DATE, "date in New York"),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required(
            "event_sequence", INT64, "the feed's number, not playing order: sort by period, falling clock, then this"
        ),
        required("period", INT64, "1-4; 5 and up = overtime"),
        required("clock_seconds_remaining", FLOAT64, "time left in the period", "s"),
        required(
            "event_type",
            STRING,
            "2pt, 3pt, freethrow, rebound, turnover, foul, substitution, jumpball, timeout, violation, period, game, other; steal, block and unknown ones are ignored",
        ),
        nullable(
            "sub_type",
            STRING,
            "foul kind (shooting, technical, double technical, flagrant-type-1, clear-path, transition take, away-from-play ...), turnover or team-rebound kind",
        ),
        nullable(
            "players_on_court",
            INTS,
            "NBA ids of the ten on court, teams mixed; NULL when not known, as amid substitutions",
        ),
        nullable("description", STRING, "the event in words, for people"),
        nullable(
            "qualifiers", STRING, "comma list as the source gives it: 2ndchance, fastbreak, pointsinthepaint, team ..."
        ),
        nullable("team_abbr", STRING, "team of player_1; NULL for neutral events"),
        nullable("player_1_id", INT64, "NBA id of who acts: shooter, rebounder, player who lost the ball, fouler"),
        nullable("player_1_lookup", STRING, "key of who acts: shooter, rebounder, player who lost the ball, fouler"),
        nullable(
            "player_2_id",
            INT64,
            "NBA id of the other: assister (made shot), blocker (miss), stealer (turnover), player fouled; NULL if none",
        ),
        nullable(
            "player_2_lookup",
            STRING,
            "key of the other: assister (made shot), blocker (miss), stealer (turnover), player fouled; NULL if none",
        ),
        nullable("shot_made", BOOL, "whether it went in; never NULL for 2pt, 3pt and freethrow"),
        nullable("shot_value", INT64, "3, 2, or 1 for a free throw; where it disagrees, event_type decides", "pts"),
        nullable("shot_distance_ft", FLOAT64, "distance as the source gives it; not used for zones", "ft"),
        nullable("x_ft", FLOAT64, "across the court, 0 = centre of the hoop; NULL = place not known", "ft"),
        nullable(
            "y_ft",
            FLOAT64,
            "towards mid-court, 0 = centre of the hoop, which is 5.25 ft from the baseline; NULL = not known",
            "ft",
        ),
        nullable("ft_number", INT64, "which free throw of its trip: 1 of 2 has 1"),
        nullable("ft_total", INT64, "free throws of the trip: 1 of 2 has 2"),
        nullable("score_home", INT64, "home team's score after the event", "pts"),
        nullable("score_away", INT64, "away team's score after the event", "pts"),
        required("processed_at", TIMESTAMP, "load time; of several loads of a key the newest counts"),
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
        required("report_date", DATE, "day of the report in New York"),
        required("report_hour", INT64, "hour of the report in New York, 0-23"),
        required("game_id", STRING, "game concerned, YYYYMMDD_AWAY_HOME"),
        required("game_date", DATE, "day of the game concerned, in New York"),
        required("team_abbr", STRING, "player's team; each team submits its own report"),
        nullable("player_id", INT64, "NBA player id; NULL where the source has none"),
        nullable(
            "player_lookup",
            STRING,
            "player's key: name in lower case, accents folded, only a-z and 0-9, suffix kept (kellyoubrejr); NULL if not resolved",
        ),
        required("player_full_name", STRING, "name as printed"),
        required("injury_status", STRING, "out, doubtful, questionable, probable or available"),
        nullable("reason", STRING, "as printed"),
        nullable("reason_category", STRING, "injury, rest, suspension, g_league, personal or other"),
        nullable(
            "confidence_score",
            FLOAT64,
            "trust in the text extraction; rows below 0.8 are not used, NULL counts as trusted",
            "0-1",
        ),
        required("processed_at", TIMESTAMP, "load time; of several loads of a key the newest counts"),
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
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required("game_date", DATE, "date of the game in New York"),
        nullable("player_id", INT64, "NBA player id; NULL where the source has none"),
        nullable(
            "player_lookup",
            STRING,
            "player's key: name in lower case, accents folded, only a-z and 0-9, suffix kept (kellyoubrejr); rows with NULL are not used",
        ),
        required("player_name", STRING, "name as printed"),
        required("bookmaker", STRING, "key in lower case, as draftkings"),
        required("snapshot_timestamp", TIMESTAMP, "when the bookmaker offered the line"),
        required("points_line", FLOAT64, "points to go over or under", "pts"),
        nullable("over_price", FLOAT64, "what a unit on OVER pays back", "decimal odds"),
        nullable("under_price", FLOAT64, "what a unit on UNDER pays back", "decimal odds"),
        required("processed_at", TIMESTAMP, "load time; of several loads of a key the newest counts"),
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
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required("game_date", DATE, "date of the game in New York"),
        required("bookmaker", STRING, "key in lower case, as draftkings"),
        required("market", STRING, "spreads or totals"),
        required("outcome", STRING, "for spreads the team, three letters; for totals over or under"),
        nullable("point", FLOAT64, "spread of that team, negative = favoured; or the total", "pts"),
        nullable("price", FLOAT64, "what a unit pays back", "decimal odds"),
        required("snapshot_timestamp", TIMESTAMP, "when the bookmaker offered the line"),
        required("processed_at", TIMESTAMP, "load time; of several loads of a key the newest counts"),
    ),
)

TEAM_LOCATIONS = Table(
    dataset="nba_static",
    name="team_locations",
    row="team and its home arena",
    key=("team_abbr",),
    partition=None,
    constant=team_locations.TEAM_LOCATIONS,
    columns=(
        required("team_abbr", STRING, "three letters, as in every table"),
        required("latitude", FLOAT64, "home arena, north positive", "degrees"),
        required("longitude", FLOAT64, "home arena, east positive, so negative here", "degrees"),
        required(
            "utc_offset_standard", INT64, "arena's standard time from UTC, as -5; summer time is left out", "hours"
        ),
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
