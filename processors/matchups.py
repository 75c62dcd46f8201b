"""The most favourable match-ups of a slate, with the reasons in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.warehouse.base import Session

_FRESH = 100
_FAST = 0.25
"""Points of pace or usage score below which they are not worth a word."""
_WEAK = 1.0
"""Percentage points above the league from which a defense counts as weak."""
_ZONES = {"paint": "paint", "mid_range": "mid-range", "three": "three-point"}

_SQL = """SELECT
  u.player_full_name AS player,
  u.team_abbr AS team,
  IF(u.home_game, '', '@') || u.opponent_team_abbr AS opponent,
  u.points_avg_last_10 AS points_avg,
  u.current_points_line AS line,
  u.star_teammates_out AS stars_out,
  f.fatigue_score,
  f.shot_zone_mismatch_score,
  f.pace_score,
  f.usage_spike_score,
  (f.fatigue_score - 100) / 20 + f.shot_zone_mismatch_score + f.pace_score + COALESCE(f.usage_spike_score, 0) AS score,
  p.primary_scoring_zone AS zone,
  CASE p.primary_scoring_zone
    WHEN 'paint' THEN p.paint_rate_last_10
    WHEN 'mid_range' THEN p.mid_range_rate_last_10
    WHEN 'three' THEN p.three_pt_rate_last_10
  END AS zone_rate,
  CASE p.primary_scoring_zone
    WHEN 'paint' THEN t.paint_defense_vs_league_avg
    WHEN 'mid_range' THEN t.mid_range_defense_vs_league_avg
    WHEN 'three' THEN t.three_pt_defense_vs_league_avg
  END AS zone_edge
FROM nba_precompute.player_composite_factors AS f
INNER JOIN nba_analytics.upcoming_player_game_context AS u
  ON u.game_date = f.game_date AND u.player_lookup = f.player_lookup
INNER JOIN nba_precompute.player_shot_zone_analysis AS p
  ON p.analysis_date = f.game_date AND p.player_lookup = f.player_lookup
INNER JOIN nba_precompute.team_defense_zone_analysis AS t
  ON t.analysis_date = f.game_date AND t.team_abbr = f.opponent_team_abbr
WHERE f.game_date = @slate
  AND u.minutes_avg_last_7_games >= 20
  AND COALESCE(u.player_status, 'not_listed') NOT IN ('out', 'doubtful')
  AND f.fatigue_score IS NOT NULL
  AND f.shot_zone_mismatch_score IS NOT NULL
  AND f.pace_score IS NOT NULL
ORDER BY score DESC, player
LIMIT 10"""


@dataclass(frozen=True, slots=True)
class Matchup:
    """One player of the slate and why his game suits him.

    Attributes:
        opponent: with @ before it away from home.
        points_avg: points per game over his last ten.
        line: points line that counts, None where there is none.
        score: sum of his composite factors, in points or nearly; positive is favourable.
        reasons: in words.
    """

    player: str
    team: str
    opponent: str
    points_avg: float | None
    line: float | None
    score: float
    reasons: str


def best(session: Session, slate: date) -> list[Matchup]:
    """The ten most favourable match-ups of a computed slate, among players who play 20 minutes and more."""
    return [
        Matchup(
            row["player"],
            row["team"],
            row["opponent"],
            row["points_avg"],
            row["line"],
            row["score"],
            "; ".join(_reasons(row)),
        )
        for row in session.query(_SQL, {"slate": slate}).records()
    ]


def _reasons(row: Mapping[str, Any]) -> Iterator[str]:
    opponent = row["opponent"].lstrip("@")
    if row["zone_edge"] is not None and row["zone_edge"] >= _WEAK:
        zone = _ZONES[row["zone"]]
        yield f"{zone} {row['zone_rate']:.0f} %, {opponent} allows {row['zone_edge']:+.1f}"
    elif row["shot_zone_mismatch_score"] >= _WEAK:
        yield f"shots where {opponent} is weak {row['shot_zone_mismatch_score']:+.1f}"
    if row["pace_score"] >= _FAST:
        yield f"pace {row['pace_score']:+.1f}"
    if (row["usage_spike_score"] or 0) >= _FAST:
        out = row["stars_out"] or 0
        yield f"usage {row['usage_spike_score']:+.1f}{_out(out)}"
    yield "rested" if row["fatigue_score"] >= _FRESH else f"freshness {row['fatigue_score']:.0f}"


def _out(stars: int) -> str:
    return f" ({stars} star{'s' if stars > 1 else ''} out)" if stars else ""
