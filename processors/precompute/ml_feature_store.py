"""MLFeatureStoreProcessor: player x game of the slate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from processors.declaration import Check, Dated, Input, Issue, Processor, Relation, output
from shared.tables.model import BOOL, DATE, FLOAT64, INT64, STRING, STRINGS, nullable, required

TABLE = output(
    dataset="nba_predictions",
    name="ml_feature_store",
    row="player x game of the slate",
    key=("player_lookup", "game_date", "feature_version"),
    partition="game_date",
    cluster=("player_lookup", "feature_version"),
    columns=(
        required(
            "player_lookup",
            STRING,
            "player's key: name in lower case, accents folded, only a-z and 0-9, suffix kept (kellyoubrejr)",
        ),
        nullable("player_id", INT64, "NBA player id, newest known; NULL if none is"),
        required("game_date", DATE, "the slate: day of the game; only games before it count"),
        required("game_id", STRING, "YYYYMMDD_AWAY_HOME, date of the scheduled tip in New York"),
        required("team_abbr", STRING, "his team on the slate"),
        required("opponent_team_abbr", STRING, "the team he meets on the slate"),
        required("feature_version", STRING, "v1_wide_40; changes whenever a feature's name, place or formula does"),
        nullable(
            "points_avg_last_5", FLOAT64, "mean points, last 5 played games this season; NULL before the first", "pts"
        ),
        nullable(
            "points_avg_last_10", FLOAT64, "mean points, last 10 played games this season; NULL before the first", "pts"
        ),
        nullable(
            "points_avg_season", FLOAT64, "mean points, all played games this season; NULL before the first", "pts"
        ),
        nullable(
            "points_std_last_10",
            FLOAT64,
            "sample standard deviation of points, last 10 played games this season; NULL below 2 games",
            "pts",
        ),
        nullable(
            "games_in_last_7_days",
            FLOAT64,
            "games he played in the 7 days before the slate; NULL if a team game of the last 14 days is not processed",
        ),
        nullable(
            "fatigue_score",
            FLOAT64,
            "100 = fresh, less for back-to-backs, many games and minutes; see player_composite_factors",
            "0-100",
        ),
        nullable(
            "shot_zone_mismatch_score",
            FLOAT64,
            "opponent's defense where he shoots; positive = weak there; see player_composite_factors",
            "-10..10",
        ),
        nullable(
            "pace_score", FLOAT64, "positive = faster than his team is used to; see player_composite_factors", "-3..3"
        ),
        nullable(
            "usage_spike_score", FLOAT64, "positive = more usage than lately; see player_composite_factors", "-3..3"
        ),
        nullable(
            "rest_advantage",
            FLOAT64,
            "his days of rest - the opposing team's, held to -2..2; positive = he is more rested; NULL if either is not known",
            "days",
        ),
        nullable(
            "injury_risk",
            FLOAT64,
            "by injury report: 0 not listed or available, 1 probable, 2 questionable, 3 doubtful or out; NULL without report",
            "0-3",
        ),
        nullable(
            "recent_trend",
            FLOAT64,
            "mean points of his last 3 games - of the 2 before: >= 5 is 2, >= 2 is 1, <= -2 is -1, <= -5 is -2, else 0; NULL below 5 games",
            "-2..2",
        ),
        nullable(
            "minutes_change",
            FLOAT64,
            "mean minutes, last 10 played games against season: +20 % is 2, +10 % is 1, -10 % is -1, -20 % is -2, else 0; NULL before the first",
            "-2..2",
        ),
        nullable(
            "opponent_def_rating",
            FLOAT64,
            "opponent's mean defensive_rating, its last 15 games this season; higher = weaker; NULL before the first",
            "per 100",
        ),
        nullable(
            "opponent_pace",
            FLOAT64,
            "mean pace of the opponent's last 15 games this season; NULL before the first",
            "per 48",
        ),
        nullable("home_away", FLOAT64, "1 at home, 0 away", "0 or 1"),
        nullable(
            "back_to_back",
            FLOAT64,
            "1 if he played the day before the slate, else 0; NULL if his rest is not known",
            "0 or 1",
        ),
        nullable("playoff_game", FLOAT64, "1 in playoffs and play-in, else 0", "0 or 1"),
        nullable(
            "pct_paint",
            FLOAT64,
            "share of his shots from the paint, in those of his last 10 played games whose zones are known; NULL without shots",
            "0-1",
        ),
        nullable(
            "pct_mid_range",
            FLOAT64,
            "share of his shots from mid-range, in those of his last 10 played games whose zones are known; NULL without shots",
            "0-1",
        ),
        nullable(
            "pct_three",
            FLOAT64,
            "share of threes in his shots, in those of his last 10 played games whose zones are known; NULL without shots",
            "0-1",
        ),
        nullable(
            "pct_free_throw",
            FLOAT64,
            "free throws made / points, sums over his last 10 played games, at most 0.5; NULL without points",
            "0-1",
        ),
        nullable(
            "team_pace", FLOAT64, "mean pace, last 10 games of his team this season; NULL before the first", "per 48"
        ),
        nullable(
            "team_off_rating",
            FLOAT64,
            "mean offensive_rating, last 10 games of his team this season; NULL before the first",
            "per 100",
        ),
        nullable(
            "team_win_pct",
            FLOAT64,
            "his team's wins / final games this season before the slate; NULL before the first",
            "0-1",
        ),
        nullable("vegas_points_line", FLOAT64, "last points line before tip-off or the run; NULL without one", "pts"),
        nullable(
            "vegas_opening_line", FLOAT64, "first points line seen of the same bookmaker; NULL without one", "pts"
        ),
        nullable(
            "vegas_line_move",
            FLOAT64,
            "vegas_points_line - vegas_opening_line; positive = the line rose; NULL without lines",
            "pts",
        ),
        nullable("has_vegas_line", FLOAT64, "1 if vegas_points_line is known, else 0", "0 or 1"),
        nullable(
            "avg_points_vs_opponent",
            FLOAT64,
            "mean points of his games against this opponent this season; NULL without one",
            "pts",
        ),
        nullable(
            "games_vs_opponent",
            FLOAT64,
            "his played games against this opponent this season before the slate; 0 is a value",
        ),
        nullable(
            "minutes_avg_last_10",
            FLOAT64,
            "mean minutes, last 10 played games this season; NULL before the first",
            "min",
        ),
        nullable(
            "ppm_avg_last_10",
            FLOAT64,
            "points / minutes, sums over the last 10 played games this season; NULL before the first",
            "pts/min",
        ),
        nullable(
            "days_rest",
            FLOAT64,
            "days between his last played game and the slate: 0 = played the day before; NULL if none or not known",
            "days",
        ),
        nullable(
            "minutes_load_last_7d",
            FLOAT64,
            "his minutes in the 7 days before the slate; NULL if a team game of the last 14 days is not processed",
            "min",
        ),
        nullable("spread_magnitude", FLOAT64, "absolute value of the game's spread; NULL without one", "pts"),
        nullable(
            "implied_team_total",
            FLOAT64,
            "(game total - his team's spread) / 2: points the market expects of his team; NULL without either",
            "pts",
        ),
        nullable(
            "points_avg_last_3", FLOAT64, "mean points, last 3 played games this season; NULL before the first", "pts"
        ),
        nullable(
            "scoring_trend_slope",
            FLOAT64,
            "least-squares slope of points over his last 10 played games, oldest first; positive = rising; NULL below 3 games",
            "pts/game",
        ),
        nullable(
            "usage_rate_last_5",
            FLOAT64,
            "mean usage_rate, last 5 played games this season, unknown ones left out; NULL if none is known",
            "%",
        ),
        required(
            "feature_quality_score",
            FLOAT64,
            "mean over features of 100, 80 or 50 by source tier (context 100), 0 if NULL; betting values and avg_points_vs_opponent left out",
            "0-100",
        ),
        nullable("missing_features", STRINGS, "names of the features that are NULL, in column order"),
        required("season_year", INT64, "first calendar year of the season: 2024 = 2024-25"),
        required(
            "missing_games",
            INT64,
            "final games of his team since his 10th last played game (this season if fewer) that were never processed; 0 = complete",
        ),
        required(
            "is_production_ready",
            BOOL,
            "every feature up to team_win_pct known (usage_spike_score, injury_risk only with a report), sources ready, quality >= 70, missing_games = 0",
        ),
    ),
)

_SETTLED = 5
"""Games from which an average outside its bounds is wrong; before, one long or fast game may explain it."""
_AVERAGES = {
    "points_avg_last_3": (0, 60),
    "points_avg_last_5": (0, 60),
    "points_avg_last_10": (0, 60),
    "points_avg_season": (0, 60),
    "points_std_last_10": (0, 30),
    "minutes_avg_last_10": (0, 53),
}
_OPPONENT = {"opponent_def_rating": (70, 160), "opponent_pace": (80, 120)}
_TEAM = {"team_off_rating": (70, 160), "team_pace": (80, 120)}
_MARKET = {"implied_team_total": (60, 200)}
"""A total of 150 and a spread of 40 are both lines that count, and lie outside together."""
_ALWAYS = {
    "games_in_last_7_days": (0, 6),
    "fatigue_score": (0, 100),
    "shot_zone_mismatch_score": (-10, 10),
    "pace_score": (-3, 3),
    "usage_spike_score": (-3, 3),
    "rest_advantage": (-2, 2),
    "injury_risk": (0, 3),
    "recent_trend": (-2, 2),
    "minutes_change": (-2, 2),
    "home_away": (0, 1),
    "back_to_back": (0, 1),
    "playoff_game": (0, 1),
    "pct_paint": (0, 1),
    "pct_mid_range": (0, 1),
    "pct_three": (0, 1),
    "pct_free_throw": (0, 1),
    "team_win_pct": (0, 1),
    "vegas_points_line": (0.5, 60),
    "vegas_opening_line": (0.5, 60),
    "has_vegas_line": (0, 1),
    "days_rest": (0, 366),
    "minutes_load_last_7d": (0, 350),
    "spread_magnitude": (0, 40),
    "usage_rate_last_5": (0, 100),
}


def _within(bounds: Mapping[str, tuple[float, float]]) -> str:
    return " AND ".join(f"({name} IS NULL OR {name} BETWEEN {low} AND {high})" for name, (low, high) in bounds.items())


PROCESSOR = Processor(
    name="MLFeatureStoreProcessor",
    short="MLFS",
    level="4.3",
    dated=Dated.SLATE,
    output=TABLE,
    sql=Path(__file__).with_suffix(".sql"),
    inputs=(
        Input("upcoming_player_game_context", Relation.SAME_DATE),
        Input("upcoming_team_game_context", Relation.SAME_DATE),
        Input("player_game_summary", Relation.HISTORY),
        Input("player_daily_cache", Relation.SAME_DATE),
        Input("player_composite_factors", Relation.SAME_DATE),
        Input("player_shot_zone_analysis", Relation.SAME_DATE),
        Input("team_defense_zone_analysis", Relation.SAME_DATE),
    ),
    expected="""
SELECT game_date AS date, player_lookup AS id
FROM nba_analytics.upcoming_player_game_context
WHERE game_date BETWEEN @start_date AND @end_date
""",
    identity="player_lookup",
    issues=(
        Issue("cache_missing", "NOT _has_cache"),
        Issue("composite_missing", "NOT _has_composite"),
        Issue("zones_missing", "NOT _has_zones"),
        Issue("team_defense_missing", "NOT _has_team"),
        Issue("history_gap", "missing_games > 0", "missing_games"),
        Issue("player_out", "_player_status = 'out'"),
        Issue("no_injury_report", "_no_injury_report"),
        Issue(
            "out_of_range",
            f"(_games < {_SETTLED} AND NOT ({_within(_AVERAGES)}))"
            f" OR (_opponent_games < {_SETTLED} AND NOT ({_within(_OPPONENT)}))"
            f" OR (_team_games < {_SETTLED} AND NOT ({_within(_TEAM)}))"
            f" OR NOT ({_within(_MARKET)})",
        ),
    ),
    checks=(
        Check("features_in_range", _within(_ALWAYS)),
        Check("averages_in_range", f"_games < {_SETTLED} OR ({_within(_AVERAGES)})"),
        Check(
            "teams_in_range",
            f"(_opponent_games < {_SETTLED} OR ({_within(_OPPONENT)})) AND (_team_games < {_SETTLED} OR ({_within(_TEAM)}))",
        ),
        Check("shares_add_up", "ABS(pct_paint + pct_mid_range + pct_three - 1) <= 1e-6"),
        Check("quality_is_percent", "feature_quality_score BETWEEN 0 AND 100"),
    ),
)
