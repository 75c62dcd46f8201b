"""Test oracle: slate tables recomputed in pure Python from the texts of the contracts alone.

Nothing here is shared with the pipeline. `recompute` takes the stored inputs of one slate and returns
every row that the contracts ask for, without `run_id`, `code_version` and `processed_at`.
Section numbers name analytics.md (A), precompute.md (P) and raw.md (R). NULL is None; times are naive UTC.
"""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Number = float | None

EASTERN = ZoneInfo("America/New_York")
EARTH_RADIUS_MILES = 3958.8
BOOKMAKERS = ("draftkings", "fanduel", "betmgm", "caesars")
SEASON_TYPES = {"002": "regular", "004": "playoffs", "005": "play_in", "006": "cup_final"}
FEATURE_VERSION = "v1_wide_40"
FINAL, CANCELLED = 3, 4
MIN_LEAGUE_TEAMS = 10
EQUAL = 1e-9  # two computed values this close are equal (A 0.4): no sum of minutes is just above its limit

ZONES = ("paint", "rim", "mid_range", "three_pt", "corner_three", "above_break_three")
MAIN_ZONES = {"paint": "paint", "mid_range": "mid_range", "three": "three_pt"}
OUT_STATUSES = frozenset({"out", "doubtful"})
TIER_TENTHS = {"high": 10, "medium": 8, "low": 5}
RISK = {"not_listed": 0, "available": 0, "probable": 1, "questionable": 2, "doubtful": 3, "out": 3}

QUALITY = ("data_quality_tier", "quality_issues")
PRECOMPUTE = ("season_year", "missing_games", "is_production_ready", *QUALITY)
FEATURES = (
    "points_avg_last_5",
    "points_avg_last_10",
    "points_avg_season",
    "points_std_last_10",
    "games_in_last_7_days",
    "fatigue_score",
    "shot_zone_mismatch_score",
    "pace_score",
    "usage_spike_score",
    "rest_advantage",
    "injury_risk",
    "recent_trend",
    "minutes_change",
    "opponent_def_rating",
    "opponent_pace",
    "home_away",
    "back_to_back",
    "playoff_game",
    "pct_paint",
    "pct_mid_range",
    "pct_three",
    "pct_free_throw",
    "team_pace",
    "team_off_rating",
    "team_win_pct",
    "vegas_points_line",
    "vegas_opening_line",
    "vegas_line_move",
    "has_vegas_line",
    "avg_points_vs_opponent",
    "games_vs_opponent",
    "minutes_avg_last_10",
    "ppm_avg_last_10",
    "days_rest",
    "minutes_load_last_7d",
    "spread_magnitude",
    "implied_team_total",
    "points_avg_last_3",
    "scoring_trend_slope",
    "usage_rate_last_5",
)
BASE_FEATURES = frozenset(range(25))
OPTIONAL_FEATURES = frozenset({25, 26, 27, 29, 35, 36})
FEATURE_ROW = {
    **dict.fromkeys((0, 1, 2, 3, 11, 12, 21, 22, 23, 29, 31, 32, 37, 38, 39), "cache"),
    **dict.fromkeys((5, 6, 7, 8), "composite"),
    **dict.fromkeys((13, 14), "defense"),
    **dict.fromkeys((18, 19, 20), "zones"),
}
COLUMNS: dict[str, tuple[str, ...]] = {
    "upcoming_team_game_context": (
        "team_abbr",
        "game_id",
        "nba_game_id",
        "game_date",
        "season_year",
        "season_type",
        "season_phase",
        "opponent_team_abbr",
        "home_game",
        "game_start_time",
        "game_number_in_season",
        "season_games_entering",
        "season_wins_entering",
        "team_win_streak_entering",
        "team_loss_streak_entering",
        "last_game_date",
        "last_game_margin",
        "last_game_result",
        "team_days_rest",
        "team_back_to_back",
        "opponent_days_rest",
        "games_in_last_7_days",
        "games_in_last_14_days",
        "next_game_days_rest",
        "games_in_next_7_days",
        "game_spread",
        "game_spread_source",
        "opening_spread",
        "spread_movement",
        "game_total",
        "game_total_source",
        "opening_total",
        "total_movement",
        "betting_lines_updated_at",
        "players_out_count",
        "questionable_players_count",
        "injury_report_at",
        "travel_miles",
        "time_zone_changes",
        "consecutive_road_games",
        *QUALITY,
    ),
    "upcoming_player_game_context": (
        "player_lookup",
        "player_id",
        "player_full_name",
        "game_id",
        "game_date",
        "season_year",
        "season_phase",
        "team_abbr",
        "opponent_team_abbr",
        "home_game",
        "last_listed_date",
        "last_played_date",
        "games_played_season",
        "has_points_line",
        "current_points_line",
        "current_points_line_source",
        "current_points_line_at",
        "opening_points_line",
        "line_movement",
        "days_rest",
        "back_to_back",
        "days_rest_before_last_game",
        "days_since_2_plus_days_rest",
        "games_in_last_7_days",
        "games_in_last_14_days",
        "minutes_in_last_7_days",
        "minutes_in_last_14_days",
        "avg_minutes_per_game_last_7",
        "back_to_backs_last_14_days",
        "opponent_days_rest",
        "points_avg_last_5",
        "points_avg_last_10",
        "avg_usage_rate_last_7_games",
        "minutes_avg_last_7_games",
        "projected_usage_rate",
        "shooting_pct_decline_last_5",
        "prop_over_streak",
        "prop_under_streak",
        "team_pace_last_10",
        "opponent_pace_last_10",
        "pace_differential",
        "opponent_def_rating_last_10",
        "opponent_fta_per_100_allowed",
        "player_status",
        "injury_reason",
        "injury_report_at",
        "star_teammates_out",
        "questionable_teammates",
        "probable_teammates",
        "missing_games",
        "missing_games_last_14_days",
        *QUALITY,
    ),
    "team_defense_zone_analysis": (
        "team_abbr",
        "analysis_date",
        "games_in_sample",
        "zone_games_in_sample",
        *(f"{zone}_pct_allowed_last_15" for zone in ZONES),
        *(f"{zone}_attempts_allowed_per_game" for zone in ZONES),
        "paint_points_allowed_per_game",
        "paint_blocks_per_game",
        "mid_range_blocks_per_game",
        "three_pt_blocks_per_game",
        *(f"{zone}_defense_vs_league_avg" for zone in ZONES),
        "defensive_rating_last_15",
        "opponent_points_per_game",
        "opponent_pace",
        "strongest_zone",
        "weakest_zone",
        *PRECOMPUTE,
    ),
    "player_shot_zone_analysis": (
        "player_lookup",
        "player_id",
        "team_abbr",
        "analysis_date",
        "games_in_sample_10",
        "games_in_sample_20",
        "zone_games_in_sample_10",
        "zone_games_in_sample_20",
        "total_shots_last_10",
        "paint_rate_last_10",
        "mid_range_rate_last_10",
        "three_pt_rate_last_10",
        "rim_rate_last_10",
        "corner_three_rate_last_10",
        "paint_pct_last_10",
        "rim_pct_last_10",
        "mid_range_pct_last_10",
        "three_pt_pct_last_10",
        "corner_three_pct_last_10",
        "above_break_three_pct_last_10",
        "paint_attempts_per_game",
        "rim_attempts_per_game",
        "mid_range_attempts_per_game",
        "three_pt_attempts_per_game",
        "paint_rate_last_20",
        "mid_range_rate_last_20",
        "three_pt_rate_last_20",
        "paint_pct_last_20",
        "mid_range_pct_last_20",
        "three_pt_pct_last_20",
        "assisted_rate_last_10",
        "unassisted_rate_last_10",
        "primary_scoring_zone",
        *PRECOMPUTE,
    ),
    "player_daily_cache": (
        "player_lookup",
        "player_id",
        "cache_date",
        "game_id",
        "team_abbr",
        "opponent_team_abbr",
        "games_played_season",
        "games_in_sample_5",
        "games_in_sample_10",
        "points_avg_last_5",
        "points_avg_last_10",
        "points_avg_season",
        "points_std_last_10",
        "minutes_avg_last_10",
        "minutes_avg_season",
        "usage_rate_last_10",
        "player_usage_rate_season",
        "ts_pct_last_10",
        "efg_pct_last_10",
        "free_throw_points_share_last_10",
        "team_games_in_sample_10",
        "team_pace_last_10",
        "team_off_rating_last_10",
        "games_in_last_7_days",
        "games_in_last_14_days",
        "minutes_in_last_7_days",
        "minutes_in_last_14_days",
        "avg_minutes_per_game_last_7",
        "back_to_backs_last_14_days",
        "primary_scoring_zone",
        "paint_rate_last_10",
        "mid_range_rate_last_10",
        "three_pt_rate_last_10",
        "assisted_rate_last_10",
        *PRECOMPUTE,
    ),
    "player_composite_factors": (
        "player_lookup",
        "player_id",
        "game_date",
        "game_id",
        "team_abbr",
        "opponent_team_abbr",
        "fatigue_score",
        "shot_zone_mismatch_score",
        "pace_score",
        "usage_spike_score",
        "total_composite_adjustment",
        "factors_known",
        "missing_inputs",
        *PRECOMPUTE,
    ),
    "ml_feature_store": (
        "player_lookup",
        "player_id",
        "game_date",
        "game_id",
        "team_abbr",
        "opponent_team_abbr",
        "feature_version",
        "feature_quality_score",
        "missing_features",
        *FEATURES,
        *PRECOMPUTE,
    ),
}
KEYS: dict[str, tuple[str, ...]] = {
    "upcoming_team_game_context": ("game_id", "team_abbr"),
    "upcoming_player_game_context": ("game_id", "player_lookup"),
    "team_defense_zone_analysis": ("team_abbr", "analysis_date"),
    "player_shot_zone_analysis": ("player_lookup", "analysis_date"),
    "player_daily_cache": ("player_lookup", "cache_date"),
    "player_composite_factors": ("game_id", "player_lookup"),
    "ml_feature_store": ("player_lookup", "game_date", "feature_version"),
}
RAW_KEYS: dict[str, tuple[str, ...]] = {
    "nbac_schedule": ("game_id",),
    "nbac_injury_report": ("game_id", "player_lookup", "report_date", "report_hour"),
    "odds_api_player_points_props": (
        "game_id",
        "player_lookup",
        "bookmaker",
        "snapshot_timestamp",
        "points_line",
    ),
    "odds_api_game_lines": ("game_id", "bookmaker", "market", "outcome", "snapshot_timestamp"),
    "team_locations": ("team_abbr",),
}


@dataclass(frozen=True)
class Quote:
    """One price of one line at one moment (props and game lines alike)."""

    bookmaker: str
    at: datetime
    line: float
    over: Number = None
    under: Number = None


@dataclass(frozen=True)
class Line:
    """The line that counts: current (closing) and opening value of one bookmaker."""

    current: Number = None
    opening: Number = None
    source: str | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Report:
    """Injury report of one team for one game at the cutoff; `rows` may be empty."""

    at: datetime
    rows: list[Row]


@dataclass(frozen=True)
class Listing:
    """One mention of a player. The fields are in the order in which listings are compared."""

    day: date
    is_report: bool
    game_id: str
    hour: int
    team: str
    player_id: int | None
    name: str

    @property
    def order(self) -> tuple[date, bool, str, int, str]:
        return self.day, self.is_report, self.game_id, self.hour, self.team


@dataclass(frozen=True)
class World:
    """What may be known for one slate. Histories and final games are newest first."""

    slate: date
    season: int
    games: list[Row]
    season_games: dict[str, list[Row]]
    finals: dict[str, list[Row]]
    history: dict[str, list[Row]]
    recent_listings: list[Row]
    known_ids: dict[str, int]
    processed_games: set[str]
    offense: dict[str, list[Row]]
    defense: dict[str, list[Row]]
    cutoffs: dict[str, datetime]
    reports: dict[tuple[str, str], Report]
    props: dict[tuple[str, str], list[Quote]]
    game_lines: dict[tuple[str, str, str], list[Quote]]
    locations: dict[str, Row]


def recompute(slate: date, tables: Mapping[str, Sequence[Row]], as_of: datetime) -> dict[str, list[Row]]:
    """Every row of every slate table, from the stored inputs, as of the start of a run."""
    world = build_world(slate, tables, naive_utc(as_of))
    if world is None:
        return {table: [] for table in COLUMNS}
    teams = team_context(world)
    players = player_context(world, teams)
    defense = team_zones(world)
    zones = player_zones(world)
    cache = daily_cache(world, players, by(zones, "player_lookup"))
    composite = composite_factors(players, by(zones, "player_lookup"), by(defense, "team_abbr"))
    features = feature_store(world, players, teams, (cache, composite, zones, defense))
    made = {
        "upcoming_team_game_context": teams,
        "upcoming_player_game_context": players,
        "team_defense_zone_analysis": defense,
        "player_shot_zone_analysis": zones,
        "player_daily_cache": cache,
        "player_composite_factors": composite,
        "ml_feature_store": features,
    }
    return {table: shaped(table, rows) for table, rows in made.items()}


def shaped(table: str, rows: Iterable[Row]) -> list[Row]:
    """Exactly the contract's columns, in its order; rows sorted by key."""
    columns = COLUMNS[table]
    finished: list[Row] = []
    for row in rows:
        extra = row.keys() - set(columns)
        if extra:
            raise KeyError(f"{table}: no such columns {sorted(extra)}")
        finished.append({column: row[column] for column in columns})
    return sorted(finished, key=lambda row: tuple(row[column] for column in KEYS[table]))


def by(rows: Iterable[Row], column: str) -> dict[str, Row]:
    return {row[column]: row for row in rows}


# ---------------------------------------------------------------- arithmetic (A 0.1)


def plus(*values: Number) -> Number:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def minus(left: Number, right: Number) -> Number:
    return None if left is None or right is None else left - right


def ratio(numerator: Number, denominator: Number) -> Number:
    return None if numerator is None or denominator is None or denominator == 0 else numerator / denominator


def scaled(factor: float, value: Number) -> Number:
    return None if value is None else factor * value


def clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def mean(values: Iterable[Number]) -> Number:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def average(rows: Iterable[Row], column: str) -> Number:
    return mean(row[column] for row in rows)


def total(rows: Sequence[Row], column: str) -> Number:
    known = [row[column] for row in rows if row[column] is not None]
    return None if rows and not known else math.fsum(known)


def deviation(values: Iterable[Number]) -> Number:
    known = [float(value) for value in values if value is not None]
    return statistics.stdev(known) if len(known) > 1 else None


def pooled(
    rows: Iterable[Row],
    numerator: Callable[[Row], Number],
    denominator: Callable[[Row], Number],
    factor: float = 1.0,
) -> Number:
    """Factor x sum of numerators / sum of denominators, over the rows where both are known."""
    above: list[float] = []
    below: list[float] = []
    for row in rows:
        top, bottom = numerator(row), denominator(row)
        if top is not None and bottom is not None:
            above.append(top)
            below.append(bottom)
    return ratio(factor * math.fsum(above), math.fsum(below))


def slope(values: Sequence[float]) -> float:
    """Least-squares slope against the index 0, 1, 2 ..."""
    middle = (len(values) - 1) / 2
    level = math.fsum(values) / len(values)
    rise = math.fsum((index - middle) * (value - level) for index, value in enumerate(values))
    return rise / math.fsum((index - middle) ** 2 for index in range(len(values)))


def window_tier(found: int, wanted: int) -> str:
    if found >= wanted:
        return "high"
    return "medium" if 3 * found >= 2 * wanted else "low"


def efg(rows: Iterable[Row]) -> Number:
    return pooled(
        rows,
        lambda row: plus(row["fg_makes"], scaled(0.5, row["three_pt_makes"])),
        lambda row: row["fg_attempts"],
    )


def true_shooting(rows: Iterable[Row]) -> Number:
    return pooled(
        rows,
        lambda row: row["points"],
        lambda row: scaled(2.0, plus(row["fg_attempts"], scaled(0.44, row["ft_attempts"]))),
    )


def rest(day: date, earlier: date | None) -> int | None:
    return None if earlier is None else (day - earlier).days - 1


def on_no_rest(days: int | None) -> bool | None:
    return None if days is None else days == 0


def within(rows: Iterable[Row], slate: date, days: int) -> list[Row]:
    """Rows of the last k days: [D - k, D - 1]."""
    first = slate - timedelta(days=days)
    return [row for row in rows if first <= row["game_date"] < slate]


# ---------------------------------------------------------------- inputs (R 0, 1, 6, 8.1)


def naive_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def eastern(day: date, hour: int) -> datetime:
    """Naive UTC time of a full hour in New York."""
    return naive_utc(datetime.combine(day, time(hour), tzinfo=EASTERN))


def newest_loads(table: str, rows: Iterable[Row]) -> list[Row]:
    """One row per natural key: the one loaded last. A row without a resolved name is its printed name."""
    kept: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[column] for column in RAW_KEYS[table])
        if row.get("player_lookup", "") is None:
            key = (*key, row.get("player_full_name"), row.get("player_name"))
        if key not in kept or loaded(row) >= loaded(kept[key]):
            kept[key] = row
    return list(kept.values())


def loaded(row: Row) -> datetime:
    stamp: datetime | None = row.get("processed_at")
    return datetime.min if stamp is None else naive_utc(stamp)  # noqa: DTZ901


def is_counted(game: Row) -> bool:
    return game["nba_game_id"][:3] in SEASON_TYPES


def is_final(game: Row) -> bool:
    scores = (game["home_team_score"], game["away_team_score"])
    return is_counted(game) and game["game_status"] == FINAL and None not in scores


def cutoff(game: Row, as_of: datetime) -> datetime:
    """Last moment whose lines and reports count for a game (R 8.1)."""
    start: datetime | None = game["game_start_time"]
    if start is not None:
        return min(naive_utc(start), as_of)
    if is_final(game):
        return min(eastern(game["game_date"] + timedelta(days=1), 0) - timedelta.resolution, as_of)
    return as_of


def teams_of(game: Row) -> tuple[str, str]:
    return game["home_team_abbr"], game["away_team_abbr"]


def newest_first(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["game_date"], row["game_id"]), reverse=True)


def grouped(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in newest_first(rows):
        groups[row[column]].append(row)
    return groups


def by_team(games: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for game in newest_first(games):
        for team in teams_of(game):
            groups[team].append(game)
    return groups


def build_world(slate: date, tables: Mapping[str, Sequence[Row]], as_of: datetime) -> World | None:
    raw = {table: newest_loads(table, tables.get(table, ())) for table in RAW_KEYS}
    counted = [game for game in raw["nbac_schedule"] if is_counted(game)]
    games = [game for game in counted if game["game_date"] == slate and game["game_status"] != CANCELLED]
    if not games:
        return None
    season: int = games[0]["season_year"]
    season_games = [game for game in counted if game["season_year"] == season]
    summaries = before(tables.get("player_game_summary", ()), slate, season)
    played = [row for row in summaries if (row["minutes_played"] or 0) > 0]
    cutoffs = {game["game_id"]: cutoff(game, as_of) for game in games}
    return World(
        slate=slate,
        season=season,
        games=sorted(games, key=lambda game: str(game["game_id"])),
        season_games=by_team(season_games),
        finals=by_team(game for game in season_games if game["game_date"] < slate and is_final(game)),
        history=grouped(played, "player_lookup"),
        recent_listings=within(summaries, slate, 30),
        known_ids=newest_ids(summaries),
        processed_games={row["game_id"] for row in played},
        offense=grouped(
            before(tables.get("team_offense_game_summary", ()), slate, season),
            "team_abbr",
        ),
        defense=grouped(
            before(tables.get("team_defense_game_summary", ()), slate, season),
            "defending_team_abbr",
        ),
        cutoffs=cutoffs,
        reports=reports_at_cutoff(games, raw["nbac_injury_report"], cutoffs),
        props=prop_quotes(raw["odds_api_player_points_props"], cutoffs),
        game_lines=game_quotes(raw["odds_api_game_lines"], cutoffs),
        locations=by(raw["team_locations"], "team_abbr"),
    )


def newest_ids(summaries: Iterable[Row]) -> dict[str, int]:
    """The newest id of each player this season: one that is known does not lapse when a source omits it."""
    oldest_first = reversed(newest_first(summaries))
    return {row["player_lookup"]: row["player_id"] for row in oldest_first if row["player_id"] is not None}


def before(rows: Iterable[Row], slate: date, season: int) -> list[Row]:
    return [row for row in rows if row["game_date"] < slate and row["season_year"] == season]


def reports_at_cutoff(
    games: Iterable[Row],
    rows: Iterable[Row],
    cutoffs: Mapping[str, datetime],
) -> dict[tuple[str, str], Report]:
    """Newest report of each team of each game; no entry where the state of the team is unknown."""
    named: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        end = cutoffs.get(row["game_id"])
        sure = row["confidence_score"] is None or row["confidence_score"] >= 0.8
        if end is not None and sure and report_hour(row) <= eastern_hour(end):
            named[row["game_id"]].append(row)
    reports: dict[tuple[str, str], Report] = {}
    for game in games:
        of_game = named[game["game_id"]]
        for team in teams_of(game):
            own = [row for row in of_game if row["team_abbr"] == team]
            if of_game:
                newest = max(report_hour(row) for row in own or of_game)
                used = [row for row in own if report_hour(row) == newest]
                reports[game["game_id"], team] = Report(eastern(*newest), used)
    return reports


def report_hour(row: Row) -> tuple[date, int]:
    return row["report_date"], row["report_hour"]


def eastern_hour(moment: datetime) -> tuple[date, int]:
    local = moment.replace(tzinfo=UTC).astimezone(EASTERN)
    return local.date(), local.hour


def prop_quotes(
    rows: Iterable[Row],
    cutoffs: Mapping[str, datetime],
) -> dict[tuple[str, str], list[Quote]]:
    quotes: dict[tuple[str, str], list[Quote]] = defaultdict(list)
    for row in rows:
        at = naive_utc(row["snapshot_timestamp"])
        end = cutoffs.get(row["game_id"])
        if end is not None and at <= end and row["player_lookup"] is not None:
            quote = Quote(row["bookmaker"], at, row["points_line"], row["over_price"], row["under_price"])
            quotes[row["game_id"], row["player_lookup"]].append(quote)
    return quotes


def game_quotes(
    rows: Iterable[Row],
    cutoffs: Mapping[str, datetime],
) -> dict[tuple[str, str, str], list[Quote]]:
    quotes: dict[tuple[str, str, str], list[Quote]] = defaultdict(list)
    for row in rows:
        at = naive_utc(row["snapshot_timestamp"])
        end = cutoffs.get(row["game_id"])
        if end is not None and at <= end and row["point"] is not None:
            quotes[row["game_id"], row["market"], row["outcome"]].append(
                Quote(row["bookmaker"], at, row["point"]),
            )
    return quotes


def choose_line(quotes: Sequence[Quote]) -> Line:
    """The bookmaker, then its latest and its earliest snapshot (R 8.1). `quotes` end at the cutoff."""
    if not quotes:
        return Line()
    source = min((quote.bookmaker for quote in quotes), key=bookmaker_order)
    own = [quote for quote in quotes if quote.bookmaker == source]
    middle = statistics.median(quote.line for quote in quotes)
    latest = max(quote.at for quote in own)
    earliest = min(quote.at for quote in own)
    return Line(
        current=main_line((quote for quote in own if quote.at == latest), middle),
        opening=main_line((quote for quote in own if quote.at == earliest), middle),
        source=source,
        at=latest,
    )


def bookmaker_order(name: str) -> tuple[int, str]:
    return (BOOKMAKERS.index(name) if name in BOOKMAKERS else len(BOOKMAKERS)), name


def main_line(snapshot: Iterable[Quote], middle: float) -> float:
    def order(quote: Quote) -> tuple[bool, float, float, float]:
        gap = minus(quote.over, quote.under)
        return gap is None, abs(gap or 0.0), abs(quote.line - middle), quote.line

    return min(snapshot, key=order).line


def bounded(line: Line, low: float, high: float) -> tuple[Line, bool]:
    """The line with values outside its range taken out, and whether there was one."""

    def kept(value: Number) -> Number:
        return value if value is not None and low <= value <= high else None

    safe = Line(kept(line.current), kept(line.opening), line.source, line.at)
    return safe, (safe.current, safe.opening) != (line.current, line.opening)


def missing_games(finals: Iterable[Row], done: Collection[str], since: date | None) -> list[Row]:
    """Final games not older than `since` (None: all of the season) that an input table does not hold."""
    return [game for game in finals if game["game_id"] not in done and (since is None or game["game_date"] >= since)]


def window_start(rows: Sequence[Row], size: int) -> date | None:
    """Date of the oldest game of a full window; None if the window is not full."""
    if len(rows) < size:
        return None
    start: date = rows[size - 1]["game_date"]
    return start


# ---------------------------------------------------------------- upcoming_team_game_context (A 4)


def team_context(world: World) -> list[Row]:
    rows: list[Row] = []
    for game in world.games:
        pair = [team_row(world, game, team) for team in teams_of(game)]
        flag_asymmetry(*pair)
        rows.extend(pair)
    for row in rows:
        row["quality_issues"].sort()
    return rows


def flag_asymmetry(home: Row, away: Row) -> None:
    both = plus(home["game_spread"], away["game_spread"])
    if both and home["game_spread_source"] == away["game_spread_source"]:
        for row in (home, away):
            row["quality_issues"].append("spread_asymmetry")


def team_row(world: World, game: Row, team: str) -> Row:
    home = team == game["home_team_abbr"]
    opponent = game["away_team_abbr"] if home else game["home_team_abbr"]
    season_type = SEASON_TYPES[game["nba_game_id"][:3]]
    start: datetime | None = game["game_start_time"]
    row: Row = {
        "team_abbr": team,
        "game_id": game["game_id"],
        "nba_game_id": game["nba_game_id"],
        "game_date": world.slate,
        "season_year": world.season,
        "season_type": season_type,
        "season_phase": season_phase(season_type, world.slate),
        "opponent_team_abbr": opponent,
        "home_game": home,
        "game_start_time": None if start is None else naive_utc(start),
        "opponent_days_rest": team_rest(world, opponent),
        **team_record(world, team),
        **team_schedule(world, team),
        **team_lines(world, game["game_id"], team),
        **team_report(world, game["game_id"], team),
        **team_travel(world, game, team),
    }
    missing = [
        issue
        for issue, column in (
            ("no_spread", "game_spread"),
            ("no_total", "game_total"),
            ("no_injury_report", "injury_report_at"),
        )
        if row[column] is None
    ]
    row["data_quality_tier"] = ("high", "medium", "low", "low")[len(missing)]
    row["quality_issues"] += missing
    if any(other["game_date"] < world.slate and other["game_status"] in {1, 2} for other in world.season_games[team]):
        row["quality_issues"].append("prior_game_not_final")
    return row


def season_phase(season_type: str, day: date) -> str:
    if season_type in {"play_in", "playoffs"}:
        return "playoffs"
    if day.month in {10, 11}:
        return "early"
    return "mid" if day.month in {12, 1, 2} else "late"


def team_rest(world: World, team: str) -> int | None:
    finals = world.finals.get(team, [])
    return rest(world.slate, finals[0]["game_date"] if finals else None)


def margin(game: Row, team: str) -> int:
    lead: int = game["home_team_score"] - game["away_team_score"]
    return lead if team == game["home_team_abbr"] else -lead


def streak(outcomes: Iterable[bool]) -> int:
    """How many leading values are true."""
    count = 0
    for outcome in outcomes:
        if not outcome:
            break
        count += 1
    return count


def team_record(world: World, team: str) -> Row:
    finals = world.finals.get(team, [])
    margins = [margin(game, team) for game in finals]
    days_rest = team_rest(world, team)
    return {
        "season_games_entering": len(finals),
        "season_wins_entering": sum(points > 0 for points in margins),
        "team_win_streak_entering": streak(points > 0 for points in margins),
        "team_loss_streak_entering": streak(points < 0 for points in margins),
        "last_game_date": finals[0]["game_date"] if finals else None,
        "last_game_margin": margins[0] if finals else None,
        "last_game_result": ("W" if margins[0] > 0 else "L") if finals else None,
        "team_days_rest": days_rest,
        "team_back_to_back": on_no_rest(days_rest),
        "games_in_last_7_days": len(within(finals, world.slate, 7)),
        "games_in_last_14_days": len(within(finals, world.slate, 14)),
    }


def team_schedule(world: World, team: str) -> Row:
    slate = world.slate
    dates = [game["game_date"] for game in world.season_games[team] if game["game_status"] != CANCELLED]
    ahead = [day for day in dates if slate < day <= slate + timedelta(days=8)]
    return {
        "game_number_in_season": sum(day < slate for day in dates) + 1,
        "next_game_days_rest": rest(min(ahead), slate) if ahead else None,
        "games_in_next_7_days": sum(day <= slate + timedelta(days=7) for day in ahead),
    }


def team_lines(world: World, game_id: str, team: str) -> Row:
    quoted_spread = choose_line(world.game_lines.get((game_id, "spreads", team), []))
    quoted_total = choose_line(world.game_lines.get((game_id, "totals", "over"), []))
    spread, spread_is_off = bounded(quoted_spread, -40, 40)
    points, total_is_off = bounded(quoted_total, 150, 300)
    moments = [line.at for line in (spread, points) if line.at is not None]
    return {
        "game_spread": spread.current,
        "game_spread_source": spread.source,
        "opening_spread": spread.opening,
        "spread_movement": minus(spread.current, spread.opening),
        "game_total": points.current,
        "game_total_source": points.source,
        "opening_total": points.opening,
        "total_movement": minus(points.current, points.opening),
        "betting_lines_updated_at": max(moments, default=None),
        "quality_issues": ["line_out_of_range"] if spread_is_off or total_is_off else [],
    }


def team_report(world: World, game_id: str, team: str) -> Row:
    report = world.reports.get((game_id, team))
    if report is None:
        return dict.fromkeys(("players_out_count", "questionable_players_count", "injury_report_at"))
    statuses = Counter(row["injury_status"] for row in report.rows)
    return {
        "players_out_count": statuses["out"],
        "questionable_players_count": statuses["questionable"] + statuses["doubtful"],
        "injury_report_at": report.at,
    }


def team_travel(world: World, game: Row, team: str) -> Row:
    finals = world.finals.get(team, [])
    start = venue(world, finals[0]) if finals else world.locations.get(team)
    end = venue(world, game)
    miles = zones = None
    if start is not None and end is not None:
        miles = great_circle(start, end)
        zones = abs(start["utc_offset_standard"] - end["utc_offset_standard"])
    road = streak(team == other["away_team_abbr"] for other in [game, *finals])
    return {"travel_miles": miles, "time_zone_changes": zones, "consecutive_road_games": road}


def venue(world: World, game: Row) -> Row | None:
    return None if game["neutral_site"] else world.locations.get(game["home_team_abbr"])


def great_circle(start: Row, end: Row) -> float:
    """Haversine distance in miles."""
    south, north = math.radians(start["latitude"]), math.radians(end["latitude"])
    east = math.radians(end["longitude"] - start["longitude"])
    chord = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_MILES * math.asin(math.sqrt(chord))


# ---------------------------------------------------------------- upcoming_player_game_context (A 5)


def player_context(world: World, teams: Iterable[Row]) -> list[Row]:
    team_rows = by(teams, "team_abbr")
    rosters: dict[str, list[Row]] = defaultdict(list)
    for lookup, listings in listed_players(world).items():
        team = listings[0].team
        if team in team_rows:
            rosters[team].append(player_row(world, lookup, listings, team_rows[team]))
    for team, roster in rosters.items():
        add_teammates(world, roster)
        too_few = len(roster) < 8 and team_rows[team]["season_games_entering"] > 0
        for row in roster:
            if too_few or len(roster) > 30:
                row["quality_issues"].append("roster_count")
            row["quality_issues"].sort()
    return [row for roster in rosters.values() for row in roster]


def listed_players(world: World) -> dict[str, list[Listing]]:
    """Mentions per player: summaries of the last 30 days and reports at cutoff, newest first."""
    listings: dict[str, list[Listing]] = defaultdict(list)
    for row in world.recent_listings:
        listings[row["player_lookup"]].append(
            Listing(
                day=row["game_date"],
                is_report=False,
                game_id=row["game_id"],
                hour=0,
                team=row["team_abbr"],
                player_id=row["player_id"],
                name=row["player_full_name"],
            ),
        )
    for row in (row for report in world.reports.values() for row in report.rows):
        if row["player_lookup"] is not None:
            listings[row["player_lookup"]].append(
                Listing(
                    day=row["report_date"],
                    is_report=True,
                    game_id=row["game_id"],
                    hour=row["report_hour"],
                    team=row["team_abbr"],
                    player_id=row["player_id"],
                    name=row["player_full_name"],
                ),
            )
    return {
        lookup: sorted(mentions, key=lambda mention: mention.order, reverse=True)
        for lookup, mentions in listings.items()
    }


def player_row(world: World, lookup: str, listings: Sequence[Listing], team_row: Row) -> Row:
    history = world.history.get(lookup, [])
    row: Row = {
        "player_lookup": lookup,
        "player_id": next(
            (seen.player_id for seen in listings if seen.player_id is not None), world.known_ids.get(lookup)
        ),
        "player_full_name": listings[0].name,
        "game_id": team_row["game_id"],
        "game_date": world.slate,
        "season_year": world.season,
        "season_phase": team_row["season_phase"],
        "team_abbr": team_row["team_abbr"],
        "opponent_team_abbr": team_row["opponent_team_abbr"],
        "home_game": team_row["home_game"],
        "last_listed_date": listings[0].day,
        "games_played_season": len(history),
        "opponent_days_rest": team_row["opponent_days_rest"],
        **player_line(world, team_row["game_id"], lookup),
        **player_load(world, history, team_row["team_abbr"]),
        **player_form(history),
        **match_up(world, team_row["team_abbr"], team_row["opponent_team_abbr"]),
        **player_report(world, team_row, lookup),
        "data_quality_tier": window_tier(len(history), 10),
    }
    row["quality_issues"] += [
        issue
        for issue, holds in (
            ("no_line", not row["has_points_line"]),
            ("no_injury_report", row["player_status"] is None),
            ("no_history", not history),
            ("missing_games", row["missing_games"] > 0),
        )
        if holds
    ]
    return row


def player_line(world: World, game_id: str, lookup: str) -> Row:
    line, is_off = bounded(choose_line(world.props.get((game_id, lookup), [])), 0.5, 60)
    return {
        "has_points_line": line.current is not None,
        "current_points_line": line.current,
        "current_points_line_source": line.source,
        "current_points_line_at": line.at,
        "opening_points_line": line.opening,
        "line_movement": minus(line.current, line.opening),
        "quality_issues": ["line_out_of_range"] if is_off else [],
    }


def player_load(world: World, history: Sequence[Row], team: str) -> Row:
    """Dates of played games against the slate; missing games make rest and load unknown."""
    slate = world.slate
    dates: list[date] = [row["game_date"] for row in history]
    last = dates[0] if dates else None
    finals = world.finals.get(team, [])
    missing = missing_games(finals, world.processed_games, window_start(history, 10))
    missing_14 = within(missing_games(finals, world.processed_games, None), slate, 14)
    unsure = last is None or any(game["game_date"] > last for game in missing)
    days_rest = None if unsure else rest(slate, last)
    rests = [rest(newer, older) for newer, older in pairwise(dates)]
    rested = [day for day, pause in zip(dates, rests, strict=False) if pause is not None and pause >= 2]
    return {
        "last_played_date": last,
        "days_rest": days_rest,
        "back_to_back": on_no_rest(days_rest),
        "days_rest_before_last_game": rests[0] if rests else None,
        "days_since_2_plus_days_rest": (slate - rested[0]).days if rested else None,
        **recent_load(slate, history, known=not missing_14),
        "missing_games": len(missing),
        "missing_games_last_14_days": len(missing_14),
    }


def recent_load(slate: date, history: Sequence[Row], *, known: bool) -> Row:
    week, fortnight = within(history, slate, 7), within(history, slate, 14)
    days = [row["game_date"] for row in fortnight]
    minutes = total(week, "minutes_played")
    load: Row = {
        "games_in_last_7_days": len(week),
        "games_in_last_14_days": len(fortnight),
        "minutes_in_last_7_days": minutes,
        "minutes_in_last_14_days": total(fortnight, "minutes_played"),
        "avg_minutes_per_game_last_7": ratio(minutes, len(week)),
        "back_to_backs_last_14_days": sum((newer - older).days == 1 for newer, older in pairwise(days)),
    }
    return load if known else dict.fromkeys(load)


def player_form(history: Sequence[Row]) -> Row:
    results = [row["over_under_result"] for row in history if row["over_under_result"] is not None]
    return {
        "points_avg_last_5": average(history[:5], "points"),
        "points_avg_last_10": average(history[:10], "points"),
        "avg_usage_rate_last_7_games": average(history[:7], "usage_rate"),
        "minutes_avg_last_7_games": average(history[:7], "minutes_played"),
        "shooting_pct_decline_last_5": minus(efg(history), efg(history[:5])),
        "prop_over_streak": streak(result == "OVER" for result in results),
        "prop_under_streak": streak(result == "UNDER" for result in results),
    }


def match_up(world: World, team: str, opponent: str) -> Row:
    own_pace = average(world.offense.get(team, [])[:10], "pace")
    other_pace = average(world.offense.get(opponent, [])[:10], "pace")
    allowed = world.defense.get(opponent, [])[:10]
    return {
        "team_pace_last_10": own_pace,
        "opponent_pace_last_10": other_pace,
        "pace_differential": minus(other_pace, own_pace),
        "opponent_def_rating_last_10": average(allowed, "defensive_rating"),
        "opponent_fta_per_100_allowed": pooled(
            allowed,
            lambda row: row["opp_ft_attempts"],
            lambda row: row["opponent_possessions"],
            100.0,
        ),
    }


def player_report(world: World, team_row: Row, lookup: str) -> Row:
    report = world.reports.get((team_row["game_id"], team_row["team_abbr"]))
    if report is None:
        return dict.fromkeys(("player_status", "injury_reason", "injury_report_at"))
    entry = by(report.rows, "player_lookup").get(lookup)
    return {
        "player_status": "not_listed" if entry is None else entry["injury_status"],
        "injury_reason": None if entry is None else entry["reason"],
        "injury_report_at": report.at,
    }


def add_teammates(world: World, roster: Sequence[Row]) -> None:
    """The columns of a player that depend on the other rows of his team."""
    since = world.slate - timedelta(days=30)
    recent = [row for row in roster if row["last_played_date"] and row["last_played_date"] >= since]
    stars = {row["player_lookup"] for row in recent if is_star(world, row)}
    for row in roster:
        mates = [mate for mate in recent if mate is not row]
        known = row["player_status"] is not None
        statuses = Counter(mate["player_status"] for mate in mates)
        stars_out = sum(mate["player_status"] in OUT_STATUSES and mate["player_lookup"] in stars for mate in mates)
        row["star_teammates_out"] = stars_out if known else None
        row["questionable_teammates"] = statuses["questionable"] if known else None
        row["probable_teammates"] = statuses["probable"] if known else None
        row["projected_usage_rate"] = projected_usage(row, mates)


def is_star(world: World, row: Row) -> bool:
    history = world.history.get(row["player_lookup"], [])
    points = average(history, "points") or 0.0
    minutes = average(history, "minutes_played") or 0.0
    return len(history) >= 10 and (points >= 18 or (minutes >= 28 - EQUAL and points >= 12))


def share(row: Row) -> Number:
    usage, minutes = row["avg_usage_rate_last_7_games"], row["minutes_avg_last_7_games"]
    return None if usage is None or minutes is None else usage * minutes / 48


def projected_usage(row: Row, mates: Iterable[Row]) -> Number:
    status, usage = row["player_status"], row["avg_usage_rate_last_7_games"]
    if status is None or status in OUT_STATUSES or usage is None:
        return None
    vacated: list[float] = []
    available: list[float] = []
    for member in (row, *mates):
        part = share(member)
        if part is not None:
            (vacated if member["player_status"] in OUT_STATUSES else available).append(part)
    extra = ratio(math.fsum(vacated), math.fsum(available))
    return None if extra is None else usage * min(1.30, 1 + extra)


# ---------------------------------------------------------------- shot zones (P 0, 1, 2)


def zone_count(row: Row, zone: str, what: str, prefix: str = "") -> Number:
    """Attempts or makes in a zone; three_pt is the two located zones, never the box count."""
    if zone == "three_pt":
        return plus(row[f"{prefix}corner_three_{what}"], row[f"{prefix}above_break_three_{what}"])
    count: Number = row[f"{prefix}{zone}_{what}"]
    return count


def zone_sum(rows: Iterable[Row], zone: str, what: str, prefix: str = "") -> float:
    counts = (zone_count(row, zone, what, prefix) for row in rows)
    return sum(count for count in counts if count is not None)


def zone_pct(rows: Iterable[Row], zone: str, prefix: str = "") -> Number:
    return pooled(
        rows,
        lambda row: zone_count(row, zone, "makes", prefix),
        lambda row: zone_count(row, zone, "attempts", prefix),
    )


def usable(row: Row, prefix: str = "") -> bool:
    unknown, attempts = row[f"{prefix}unknown_zone_attempts"], row[f"{prefix}fg_attempts"]
    if row["shot_zones_source"] is None or unknown is None or attempts is None:
        return False
    return bool(10 * unknown <= attempts)


def team_zones(world: World) -> list[Row]:
    rows = [team_zone_row(world, team) for team in world.season_games]
    league = {zone: league_average(row[f"{zone}_pct_allowed_last_15"] for row in rows) for zone in ZONES}
    for row in rows:
        for zone in ZONES:
            gap = minus(row[f"{zone}_pct_allowed_last_15"], league[zone])
            row[f"{zone}_defense_vs_league_avg"] = scaled(100.0, gap)
        row["strongest_zone"], row["weakest_zone"] = extreme_zones(row)
        if None in league.values():
            row["quality_issues"].append("league_avg_missing")
    flag_constant_columns(rows)
    for row in rows:
        row["quality_issues"].sort()
    return rows


def team_zone_row(world: World, team: str) -> Row:
    games = world.defense.get(team, [])
    sample = games[:15]
    located = [row for row in sample if usable(row, "opp_")]
    done = {row["game_id"] for row in games}
    missing = len(missing_games(world.finals.get(team, []), done, window_start(games, 15)))
    row: Row = {
        "team_abbr": team,
        "analysis_date": world.slate,
        "season_year": world.season,
        "games_in_sample": len(sample),
        "zone_games_in_sample": len(located),
        "paint_points_allowed_per_game": per_game((game["points_in_paint_allowed"] for game in located), len(located)),
        "paint_blocks_per_game": average(located, "blocks_paint"),
        "mid_range_blocks_per_game": average(located, "blocks_mid_range"),
        "three_pt_blocks_per_game": average(located, "blocks_three_pt"),
        "defensive_rating_last_15": average(sample, "defensive_rating"),
        "opponent_points_per_game": average(sample, "points_allowed"),
        "opponent_pace": average(sample, "opponent_pace"),
        "missing_games": missing,
        "data_quality_tier": team_zone_tier(len(sample), len(located)),
    }
    for zone in ZONES:
        row[f"{zone}_pct_allowed_last_15"] = zone_pct(located, zone, "opp_")
        row[f"{zone}_attempts_allowed_per_game"] = per_game(
            (zone_count(game, zone, "attempts", "opp_") for game in located), len(located)
        )
    known = all(row[f"{zone}_pct_allowed_last_15"] is not None for zone in MAIN_ZONES.values())
    row["is_production_ready"] = row["data_quality_tier"] != "low" and known and missing == 0
    row["quality_issues"] = [
        issue
        for issue, holds in (
            ("no_history", not sample),
            (f"zones_missing:{len(sample) - len(located)}", len(located) < len(sample)),
            ("missing_games", missing > 0),
            ("out_of_range", len(sample) >= 5 and team_zone_is_off(row)),
        )
        if holds
    ]
    return row


def per_game(values: Iterable[Number], games: int) -> Number:
    return ratio(math.fsum(value for value in values if value is not None), games)


def team_zone_tier(games: int, zone_games: int) -> str:
    tier = window_tier(games, 15)
    if 3 * zone_games < 2 * games:
        return "medium" if tier == "high" else "low"
    return tier


def outside(value: Number, low: float, high: float) -> bool:
    return value is not None and not low <= value <= high


def team_zone_is_off(row: Row) -> bool:
    return outside(row["defensive_rating_last_15"], 80, 140) or outside(row["opponent_pace"], 80, 120)


def league_average(values: Iterable[Number]) -> Number:
    known = [value for value in values if value is not None]
    return mean(known) if len(known) >= MIN_LEAGUE_TEAMS else None


def extreme_zones(row: Row) -> tuple[str | None, str | None]:
    """Strongest (lowest against the league) and weakest zone; ties go to the zone named first."""
    gaps = {zone: row[f"{name}_defense_vs_league_avg"] for zone, name in MAIN_ZONES.items()}
    known: dict[str, float] = {zone: gap for zone, gap in gaps.items() if gap is not None}
    strongest = min(known, key=lambda zone: known[zone], default=None)
    weakest = max(known, key=lambda zone: known[zone]) if len(known) > 1 else None
    return strongest, weakest


def flag_constant_columns(rows: Iterable[Row]) -> None:
    seasoned = [row for row in rows if row["games_in_sample"] >= 5]
    columns = [f"{zone}_defense_vs_league_avg" for zone in ZONES]
    if any(is_constant([row[column] for row in seasoned]) for column in columns):
        for row in seasoned:
            row["quality_issues"].append("constant_column")


def is_constant(values: Iterable[Number]) -> bool:
    known = [value for value in values if value is not None]
    return len(known) > 1 and max(known) - min(known) <= 1e-9


def player_zones(world: World) -> list[Row]:
    return [player_zone_row(world, lookup, history) for lookup, history in world.history.items()]


def player_zone_row(world: World, lookup: str, history: Sequence[Row]) -> Row:
    ten, twenty = history[:10], history[:20]
    ten_z, twenty_z = [[row for row in games if usable(row)] for games in (ten, twenty)]
    shots = shot_count(ten_z)
    team = history[0]["team_abbr"]
    finals = world.finals.get(team, [])
    missing = len(missing_games(finals, world.processed_games, window_start(history, 10)))
    tier = window_tier(len(ten_z), 10)
    row: Row = {
        "player_lookup": lookup,
        "player_id": next((game["player_id"] for game in history if game["player_id"] is not None), None),
        "team_abbr": team,
        "analysis_date": world.slate,
        "season_year": world.season,
        "games_in_sample_10": len(ten),
        "games_in_sample_20": len(twenty),
        "zone_games_in_sample_10": len(ten_z),
        "zone_games_in_sample_20": len(twenty_z),
        "total_shots_last_10": shots,
        **zone_rates(ten_z, ("paint", "mid_range", "three_pt", "rim", "corner_three"), 10),
        **zone_rates(twenty_z, ("paint", "mid_range", "three_pt"), 20),
        **{f"{zone}_pct_last_10": zone_pct(ten_z, zone) for zone in ZONES},
        **{f"{zone}_pct_last_20": zone_pct(twenty_z, zone) for zone in MAIN_ZONES.values()},
        **{
            f"{zone}_attempts_per_game": ratio(zone_sum(ten_z, zone, "attempts"), len(ten_z))
            for zone in ("paint", "rim", "mid_range", "three_pt")
        },
        "assisted_rate_last_10": pooled(ten_z, lambda game: game["assisted_fg_makes"], makers, 100.0),
        "unassisted_rate_last_10": pooled(ten_z, lambda game: game["unassisted_fg_makes"], makers, 100.0),
        "missing_games": missing,
        "data_quality_tier": tier,
        "is_production_ready": tier != "low" and shots is not None and shots >= 20 and missing == 0,
    }
    row["primary_scoring_zone"] = primary_zone(row)
    issues = {
        f"zones_missing:{len(ten) - len(ten_z)}": len(ten_z) < len(ten),
        "few_shots": shots is not None and shots < 20,
        "missing_games": missing > 0,
    }
    row["quality_issues"] = sorted(issue for issue, holds in issues.items() if holds)
    return row


def shot_count(games: Sequence[Row]) -> Number:
    """T: located attempts, NULL without a usable game."""
    return sum(zone_sum(games, zone, "attempts") for zone in MAIN_ZONES.values()) if games else None


def zone_rates(games: Sequence[Row], zones: Iterable[str], size: int) -> Row:
    shots = shot_count(games)
    return {f"{zone}_rate_last_{size}": ratio(100 * zone_sum(games, zone, "attempts"), shots) for zone in zones}


def makers(game: Row) -> Number:
    return plus(game["assisted_fg_makes"], game["unassisted_fg_makes"])


def primary_zone(row: Row) -> str | None:
    if row["paint_rate_last_10"] is None:
        return None
    for zone, least in (("paint", 40), ("three", 40), ("mid_range", 35)):
        if row[f"{MAIN_ZONES[zone]}_rate_last_10"] >= least:
            return zone
    return "balanced"


# ---------------------------------------------------------------- player_composite_factors (P 3)


def composite_factors(
    players: Iterable[Row],
    zones: Mapping[str, Row],
    defense: Mapping[str, Row],
) -> list[Row]:
    return [
        composite_row(player, zones.get(player["player_lookup"]), defense.get(player["opponent_team_abbr"]))
        for player in players
    ]


def composite_row(player: Row, zones: Row | None, defense: Row | None) -> Row:
    fatigue = fatigue_score(player)
    others = [zone_mismatch(zones, defense), pace_score(player), usage_spike(player)]
    known = sum(score is not None for score in (fatigue, *others))
    reported = player["player_status"] is not None
    both = [row for row in (zones, defense) if row is not None]
    tiers = [row["data_quality_tier"] for row in both]
    complete = all(row["missing_games"] == 0 for row in (*both, player))
    ready = len(both) == 2 and all(row["is_production_ready"] for row in both)
    return {
        **{column: player[column] for column in IDENTITY},
        "fatigue_score": fatigue,
        "shot_zone_mismatch_score": others[0],
        "pace_score": others[1],
        "usage_spike_score": others[2],
        "total_composite_adjustment": plus(scaled(1 / 20, minus(fatigue, 100)), *others),
        "factors_known": known,
        "missing_inputs": missing_inputs(player, zones, defense),
        "season_year": player["season_year"],
        "missing_games": player["missing_games"],
        "is_production_ready": known >= (4 if reported else 3) and complete and ready,
        "data_quality_tier": composite_tier(known, tiers),
        "quality_issues": [] if reported else ["no_injury_report"],
    }


IDENTITY = ("player_lookup", "player_id", "game_date", "game_id", "team_abbr", "opponent_team_abbr")


def composite_tier(known: int, tiers: Sequence[str]) -> str:
    if known == 4 and tiers == ["high", "high"]:
        return "high"
    return "medium" if known >= 3 else "low"


def fatigue_score(player: Row) -> Number:
    """Table 3.1: 100 is fresh."""
    if player["missing_games_last_14_days"] > 0:
        return None
    pause: int | None = player["days_rest"]
    pairs: int = player["back_to_backs_last_14_days"]
    changes = (
        (pause == 0, -15),
        (pause is not None and pause >= 2, 5),
        (player["games_in_last_7_days"] >= 4, -10),
        (player["minutes_in_last_7_days"] > 240 + EQUAL, -10),
        ((player["avg_minutes_per_game_last_7"] or 0) > 35 + EQUAL, -8),
        (pairs >= 2, -12),
        (pairs == 1, -5),
    )
    return float(clamp(100 + sum(change for holds, change in changes if holds), 0, 100))


def needed_zones(zones: Row | None) -> list[str]:
    """The opponent's zones that the player's mix calls for; all three as long as it is not known."""
    primary = None if zones is None else zones["primary_scoring_zone"]
    return [primary] if primary in MAIN_ZONES else list(MAIN_ZONES)


def zone_mismatch(zones: Row | None, defense: Row | None) -> Number:
    """Score 3.2: positive is favourable to the scorer."""
    if zones is None or defense is None or zones["primary_scoring_zone"] is None:
        return None
    parts: list[float] = []
    for zone in needed_zones(zones):
        gap = defense[f"{MAIN_ZONES[zone]}_defense_vs_league_avg"]
        rate = zones[f"{MAIN_ZONES[zone]}_rate_last_10"]
        if gap is None or rate is None:
            return None
        balanced = zones["primary_scoring_zone"] == "balanced"
        parts.append(gap * (rate / 100 if balanced else min(rate / 50, 1.0)))
    score = math.fsum(parts)
    return clamp(1.2 * score if abs(score) > 5 else score, -10, 10)


def pace_score(player: Row) -> Number:
    gap: Number = player["pace_differential"]
    return None if gap is None else clamp(gap / 2, -3, 3)


def usage_spike(player: Row) -> Number:
    """Score 3.3: positive is more usage than usual."""
    gap = minus(player["projected_usage_rate"], player["avg_usage_rate_last_7_games"])
    if gap is None:
        return None
    stars = player["star_teammates_out"] or 0
    factor = (1.0, 1.15, 1.30)[min(stars, 2)] if gap > 0 else 1.0
    return clamp(0.3 * gap * factor, -3, 3)


def missing_inputs(player: Row, zones: Row | None, defense: Row | None) -> list[str]:
    columns = (
        "days_rest",
        "projected_usage_rate",
        "avg_usage_rate_last_7_games",
        "pace_differential",
        "star_teammates_out",
    )
    names = [column for column in columns if player[column] is None]
    if zones is None or zones["primary_scoring_zone"] is None:
        names.append("player_shot_zone")
    gaps = [f"{MAIN_ZONES[zone]}_defense_vs_league_avg" for zone in needed_zones(zones)]
    if defense is None or any(defense[gap] is None for gap in gaps):
        names.append("team_defense_zone")
    return sorted(names)


# ---------------------------------------------------------------- player_daily_cache (P 4)

LOAD_COLUMNS = (
    "games_in_last_7_days",
    "games_in_last_14_days",
    "minutes_in_last_7_days",
    "minutes_in_last_14_days",
    "avg_minutes_per_game_last_7",
    "back_to_backs_last_14_days",
)
ZONE_COLUMNS = (
    "primary_scoring_zone",
    "paint_rate_last_10",
    "mid_range_rate_last_10",
    "three_pt_rate_last_10",
    "assisted_rate_last_10",
)


def daily_cache(world: World, players: Iterable[Row], zones: Mapping[str, Row]) -> list[Row]:
    return [
        cache_row(world, player, zones.get(player["player_lookup"]))
        for player in players
        if player["player_lookup"] in world.history
    ]


def cache_row(world: World, player: Row, zones: Row | None) -> Row:
    history = world.history[player["player_lookup"]]
    team_games = world.offense.get(player["team_abbr"], [])[:10]
    finals = world.finals.get(player["team_abbr"], [])
    missing = len(missing_games(finals, world.processed_games, window_start(history, 10)))
    tier = window_tier(min(10, len(history)), 10)
    team_known = len(team_games) >= min(10, len(finals))
    unknown_usage = sum(game["usage_rate"] is None for game in history[:10])
    issues = {
        "no_shot_zone_row": zones is None,
        f"usage_partial:{unknown_usage}": unknown_usage > 0,
        "missing_games": missing > 0,
        "out_of_range": early_average_is_off(history, team_games),
    }
    return {
        **{column: player[column] for column in IDENTITY if column != "game_date"},
        "cache_date": world.slate,
        "games_played_season": len(history),
        "games_in_sample_5": min(5, len(history)),
        "games_in_sample_10": min(10, len(history)),
        **player_averages(history),
        "team_games_in_sample_10": len(team_games),
        "team_pace_last_10": average(team_games, "pace"),
        "team_off_rating_last_10": average(team_games, "offensive_rating"),
        **{column: player[column] for column in LOAD_COLUMNS},
        **{column: None if zones is None else zones[column] for column in ZONE_COLUMNS},
        "season_year": world.season,
        "missing_games": missing,
        "is_production_ready": tier != "low" and missing == 0 and zones is not None and team_known,
        "data_quality_tier": tier,
        "quality_issues": sorted(issue for issue, holds in issues.items() if holds),
    }


def early_average_is_off(history: Sequence[Row], team_games: Sequence[Row]) -> bool:
    """Bounds that are soft with fewer than 5 games: one long or fast game may explain them."""
    averages = player_averages(history)
    bounds = {
        "minutes_avg_last_10": 53,
        "minutes_avg_season": 53,
        "points_avg_season": 60,
        "points_avg_last_5": 60,
        "points_avg_last_10": 60,
    }
    own = len(history) < 5 and any(outside(averages[name], 0, high) for name, high in bounds.items())
    return own or (len(team_games) < 5 and outside(average(team_games, "pace"), 80, 120))


def player_averages(history: Sequence[Row]) -> Row:
    ten = history[:10]
    return {
        "points_avg_last_5": average(history[:5], "points"),
        "points_avg_last_10": average(ten, "points"),
        "points_avg_season": average(history, "points"),
        "points_std_last_10": deviation(game["points"] for game in ten),
        "minutes_avg_last_10": average(ten, "minutes_played"),
        "minutes_avg_season": average(history, "minutes_played"),
        "usage_rate_last_10": average(ten, "usage_rate"),
        "player_usage_rate_season": average(history, "usage_rate"),
        "ts_pct_last_10": true_shooting(ten),
        "efg_pct_last_10": efg(ten),
        "free_throw_points_share_last_10": pooled(ten, lambda game: game["ft_makes"], lambda game: game["points"]),
    }


# ---------------------------------------------------------------- ml_feature_store (P 5)


@dataclass(frozen=True)
class Sources:
    """The rows that one feature row reads."""

    player: Row
    team: Row
    history: Sequence[Row]
    cache: Row | None
    composite: Row | None
    zones: Row | None
    defense: Row | None


def feature_store(
    world: World,
    players: Iterable[Row],
    teams: Iterable[Row],
    inputs: tuple[Sequence[Row], Sequence[Row], Sequence[Row], Sequence[Row]],
) -> list[Row]:
    team_rows = by(teams, "team_abbr")
    cache, composite, zones = (by(rows, "player_lookup") for rows in inputs[:3])
    defense = by(inputs[3], "team_abbr")
    rows: list[Row] = []
    for player in players:
        lookup = player["player_lookup"]
        sources = Sources(
            player=player,
            team=team_rows[player["team_abbr"]],
            history=world.history.get(lookup, []),
            cache=cache.get(lookup),
            composite=composite.get(lookup),
            zones=zones.get(lookup),
            defense=defense.get(player["opponent_team_abbr"]),
        )
        rows.append(feature_row(sources))
    return rows


def feature_row(sources: Sources) -> Row:
    player = sources.player
    values = {
        **cache_features(sources),
        **context_features(sources),
        **copied(sources.composite, "fatigue_score", "shot_zone_mismatch_score"),
        **copied(sources.composite, "pace_score", "usage_spike_score"),
        **history_features(sources.history, player["opponent_team_abbr"]),
    }
    features: dict[str, Number] = {name: None if values[name] is None else float(values[name]) for name in FEATURES}
    score = quality_score(features, sources)
    return {
        **{column: player[column] for column in IDENTITY},
        "feature_version": FEATURE_VERSION,
        "feature_quality_score": score,
        "missing_features": [name for name in FEATURES if features[name] is None],
        **features,
        "season_year": player["season_year"],
        "missing_games": player["missing_games"],
        "is_production_ready": features_ready(features, sources, score),
        "data_quality_tier": "high" if score >= 90 else "medium" if score >= 70 else "low",
        "quality_issues": feature_issues(features, sources),
    }


def copied(row: Row | None, *columns: str) -> Row:
    return {column: None if row is None else row[column] for column in columns}


def cache_features(sources: Sources) -> Row:
    cache, zones, defense = sources.cache or {}, sources.zones or {}, sources.defense or {}
    return {
        **copied(
            sources.cache,
            "points_avg_last_5",
            "points_avg_last_10",
            "points_avg_season",
            "points_std_last_10",
            "minutes_avg_last_10",
        ),
        "minutes_change": minutes_change(cache),
        "pct_free_throw": free_throw_share(cache),
        "team_pace": cache.get("team_pace_last_10"),
        "team_off_rating": cache.get("team_off_rating_last_10"),
        "opponent_def_rating": defense.get("defensive_rating_last_15"),
        "opponent_pace": defense.get("opponent_pace"),
        "pct_paint": ratio(zones.get("paint_rate_last_10"), 100),
        "pct_mid_range": ratio(zones.get("mid_range_rate_last_10"), 100),
        "pct_three": ratio(zones.get("three_pt_rate_last_10"), 100),
    }


def free_throw_share(cache: Row) -> Number:
    part: Number = cache.get("free_throw_points_share_last_10")
    return None if part is None else clamp(part, 0, 0.5)


def minutes_change(cache: Row) -> int | None:
    season: Number = cache.get("minutes_avg_season")
    change = ratio(minus(cache.get("minutes_avg_last_10"), season), season)
    return None if change is None else graded(change, 0.10, 0.20)


def graded(value: float, step: float, big_step: float) -> int:
    """Five grades, -2 to 2."""
    size = 2 if abs(value) >= big_step - EQUAL else 1 if abs(value) >= step - EQUAL else 0
    return size if value > 0 else -size


def context_features(sources: Sources) -> Row:
    player, team = sources.player, sources.team
    advantage = minus(player["days_rest"], player["opponent_days_rest"])
    doubled = minus(team["game_total"], team["game_spread"])
    spread: Number = team["game_spread"]
    status: str | None = player["player_status"]
    return {
        "games_in_last_7_days": player["games_in_last_7_days"],
        "rest_advantage": None if advantage is None else clamp(advantage, -2, 2),
        "injury_risk": None if status is None else RISK[status],
        "home_away": player["home_game"],
        "back_to_back": player["back_to_back"],
        "playoff_game": player["season_phase"] == "playoffs",
        "team_win_pct": ratio(team["season_wins_entering"], team["season_games_entering"]),
        "vegas_points_line": player["current_points_line"],
        "vegas_opening_line": player["opening_points_line"],
        "vegas_line_move": player["line_movement"],
        "has_vegas_line": player["has_points_line"],
        "days_rest": player["days_rest"],
        "minutes_load_last_7d": player["minutes_in_last_7_days"],
        "spread_magnitude": None if spread is None else abs(spread),
        "implied_team_total": ratio(doubled, 2),
    }


def history_features(history: Sequence[Row], opponent: str) -> Row:
    against = [game for game in history if game["opponent_team_abbr"] == opponent]
    newest = [game["points"] for game in history[:10]]
    return {
        "recent_trend": recent_trend(newest),
        "avg_points_vs_opponent": average(against, "points"),
        "games_vs_opponent": len(against),
        "ppm_avg_last_10": pooled(history[:10], lambda game: game["points"], lambda game: game["minutes_played"]),
        "points_avg_last_3": average(history[:3], "points"),
        "scoring_trend_slope": slope(newest[::-1]) if len(newest) >= 3 else None,
        "usage_rate_last_5": average(history[:5], "usage_rate"),
    }


def recent_trend(newest: Sequence[float]) -> int | None:
    if len(newest) < 5:
        return None
    return graded(sum(newest[:3]) / 3 - sum(newest[3:5]) / 2, 2, 5)


def quality_score(features: Mapping[str, Number], sources: Sources) -> float:
    """Mean weight of the features that are not optional, 0-100 (P 5.2)."""
    tenths = [
        0 if features[name] is None else feature_tenths(index, sources)
        for index, name in enumerate(FEATURES)
        if index not in OPTIONAL_FEATURES
    ]
    return 10 * sum(tenths) / len(tenths)


def feature_tenths(index: int, sources: Sources) -> int:
    rows = {
        "cache": sources.cache,
        "composite": sources.composite,
        "defense": sources.defense,
        "zones": sources.zones,
    }
    row = rows.get(FEATURE_ROW.get(index, ""))
    return 10 if row is None else TIER_TENTHS[row["data_quality_tier"]]


def features_ready(features: Mapping[str, Number], sources: Sources, score: float) -> bool:
    reported = sources.player["player_status"] is not None
    waived = frozenset() if reported else frozenset({8, 10})
    known = all(features[FEATURES[index]] is not None for index in BASE_FEATURES - waived)
    needed = (sources.cache, sources.zones, sources.defense)
    ready = all(row is not None and row["is_production_ready"] for row in needed)
    complete = sources.player["missing_games"] == 0 and sources.composite is not None
    return known and score >= 70 and ready and complete


def feature_issues(features: Mapping[str, Number], sources: Sources) -> list[str]:
    player = sources.player
    gap = player["missing_games"]
    issues = {
        "cache_missing": sources.cache is None,
        "composite_missing": sources.composite is None,
        "zones_missing": sources.zones is None,
        "team_defense_missing": sources.defense is None,
        f"history_gap:{gap}": gap > 0,
        "player_out": player["player_status"] == "out",
        "no_injury_report": player["player_status"] is None,
        "out_of_range": early_value_is_off(features, sources),
    }
    return sorted(issue for issue, holds in issues.items() if holds)


def early_value_is_off(features: Mapping[str, Number], sources: Sources) -> bool:
    """Bounds that are soft with fewer than 5 games (hard, so not an issue code, from then on), or always."""
    player = sources.cache is None or sources.cache["games_in_sample_10"] < 5
    own = sources.cache is not None and sources.cache["team_games_in_sample_10"] < 5
    other = sources.defense is not None and sources.defense["games_in_sample"] < 5
    return any(
        early and outside(features[name], low, high)
        for early, name, low, high in (
            (other, "opponent_def_rating", 70, 160),
            (other, "opponent_pace", 80, 120),
            (own, "team_pace", 80, 120),
            (own, "team_off_rating", 70, 160),
            (player, "points_avg_last_3", 0, 60),
            (player, "points_avg_last_5", 0, 60),
            (player, "points_avg_last_10", 0, 60),
            (player, "points_avg_season", 0, 60),
            (player, "points_std_last_10", 0, 30),
            (player, "minutes_avg_last_10", 0, 53),
            (True, "implied_team_total", 60, 200),
        )
    )
