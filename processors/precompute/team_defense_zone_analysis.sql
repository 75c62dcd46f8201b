-- uses: slate_days, team_games
WITH games AS (
  SELECT
    defending_team_abbr AS team_abbr,
    season_year,
    game_date,
    game_id,
    shot_zones_source IS NOT NULL AND opp_unknown_zone_attempts * 10 <= opp_fg_attempts AS usable,
    opp_paint_attempts,
    opp_paint_makes,
    opp_rim_attempts,
    opp_rim_makes,
    opp_mid_range_attempts,
    opp_mid_range_makes,
    opp_corner_three_attempts,
    opp_corner_three_makes,
    opp_above_break_three_attempts,
    opp_above_break_three_makes,
    points_in_paint_allowed,
    blocks_paint,
    blocks_mid_range,
    blocks_three_pt,
    points_allowed,
    CAST(FLOOR(defensive_rating * 1099511627776 + 0.5) AS INT64) AS rating_fixed,
    CAST(FLOOR(opponent_pace * 1099511627776 + 0.5) AS INT64) AS pace_fixed
  FROM nba_analytics.team_defense_game_summary
  WHERE game_date BETWEEN DATE_SUB(@start_date, INTERVAL 370 DAY) AND DATE_SUB(@end_date, INTERVAL 1 DAY)
),
form AS (
  SELECT
    team_abbr,
    season_year,
    game_date,
    LEAD(game_date) OVER (PARTITION BY season_year, team_abbr ORDER BY game_date, game_id) AS next_game_date,
    FIRST_VALUE(game_date) OVER last_15 AS window_start,
    COUNT(*) OVER last_15 AS games,
    COUNTIF(usable) OVER last_15 AS zone_games,
    SUM(IF(usable, opp_paint_attempts, 0)) OVER last_15 AS paint_attempts,
    SUM(IF(usable, opp_paint_makes, 0)) OVER last_15 AS paint_makes,
    SUM(IF(usable, opp_rim_attempts, 0)) OVER last_15 AS rim_attempts,
    SUM(IF(usable, opp_rim_makes, 0)) OVER last_15 AS rim_makes,
    SUM(IF(usable, opp_mid_range_attempts, 0)) OVER last_15 AS mid_range_attempts,
    SUM(IF(usable, opp_mid_range_makes, 0)) OVER last_15 AS mid_range_makes,
    SUM(IF(usable, opp_corner_three_attempts + opp_above_break_three_attempts, 0)) OVER last_15 AS three_attempts,
    SUM(IF(usable, opp_corner_three_makes + opp_above_break_three_makes, 0)) OVER last_15 AS three_makes,
    SUM(IF(usable, opp_corner_three_attempts, 0)) OVER last_15 AS corner_three_attempts,
    SUM(IF(usable, opp_corner_three_makes, 0)) OVER last_15 AS corner_three_makes,
    SUM(IF(usable, opp_above_break_three_attempts, 0)) OVER last_15 AS above_break_three_attempts,
    SUM(IF(usable, opp_above_break_three_makes, 0)) OVER last_15 AS above_break_three_makes,
    SUM(IF(usable, points_in_paint_allowed, 0)) OVER last_15 AS paint_points,
    SUM(IF(usable, blocks_paint, 0)) OVER last_15 AS paint_blocks,
    SUM(IF(usable, blocks_mid_range, 0)) OVER last_15 AS mid_range_blocks,
    SUM(IF(usable, blocks_three_pt, 0)) OVER last_15 AS three_pt_blocks,
    SUM(points_allowed) OVER last_15 AS points_allowed,
    SAFE_DIVIDE(SUM(rating_fixed) OVER last_15, COUNT(rating_fixed) OVER last_15) / 1099511627776 AS defensive_rating,
    SAFE_DIVIDE(SUM(pace_fixed) OVER last_15, COUNT(pace_fixed) OVER last_15) / 1099511627776 AS pace
  FROM games
  WINDOW last_15 AS (
    PARTITION BY season_year, team_abbr ORDER BY game_date, game_id ROWS BETWEEN 14 PRECEDING AND CURRENT ROW
  )
),
teams AS (
  SELECT DISTINCT season_year, team_abbr FROM team_games
),
entering AS (
  SELECT
    d.slate_date,
    d.season_year,
    t.team_abbr,
    f.* EXCEPT (team_abbr, season_year, game_date, next_game_date)
  FROM slate_days AS d
  INNER JOIN teams AS t ON t.season_year = d.season_year
  LEFT JOIN form AS f
    ON
      f.team_abbr = t.team_abbr
      AND f.season_year = d.season_year
      AND f.game_date < d.slate_date
      AND d.slate_date <= COALESCE(f.next_game_date, d.slate_date)
),
missing AS (
  SELECT e.slate_date, e.team_abbr, COUNT(*) AS missing_games
  FROM entering AS e
  INNER JOIN team_games AS g
    ON g.team_abbr = e.team_abbr AND g.season_year = e.season_year AND g.is_final AND g.game_date < e.slate_date
  LEFT JOIN games AS p ON p.game_id = g.game_id AND p.team_abbr = g.team_abbr
  WHERE p.game_id IS NULL AND (COALESCE(e.games, 0) < 15 OR g.game_date >= e.window_start)
  GROUP BY e.slate_date, e.team_abbr
),
shares AS (
  SELECT
    e.*,
    COALESCE(m.missing_games, 0) AS missing_games,
    SAFE_DIVIDE(e.paint_makes, e.paint_attempts) AS paint_pct,
    SAFE_DIVIDE(e.rim_makes, e.rim_attempts) AS rim_pct,
    SAFE_DIVIDE(e.mid_range_makes, e.mid_range_attempts) AS mid_range_pct,
    SAFE_DIVIDE(e.three_makes, e.three_attempts) AS three_pct,
    SAFE_DIVIDE(e.corner_three_makes, e.corner_three_attempts) AS corner_three_pct,
    SAFE_DIVIDE(e.above_break_three_makes, e.above_break_three_attempts) AS above_break_three_pct,
    CASE WHEN e.games >= 15 THEN 0 WHEN 3 * e.games >= 30 THEN 1 ELSE 2 END
    + IF(3 * e.zone_games < 2 * e.games, 1, 0) AS tier_steps
  FROM entering AS e
  LEFT JOIN missing AS m ON m.slate_date = e.slate_date AND m.team_abbr = e.team_abbr
),
league AS (
  SELECT
    slate_date,
    -- the mean over teams, summed in units of 2^-52 (see player_history): a team may lie very near it
    IF(
      COUNT(paint_pct) >= 10,
      SUM(CAST(FLOOR(paint_pct * 4503599627370496 + 0.5) AS INT64)) / COUNT(paint_pct) / 4503599627370496,
      NULL
    ) AS paint,
    IF(
      COUNT(rim_pct) >= 10,
      SUM(CAST(FLOOR(rim_pct * 4503599627370496 + 0.5) AS INT64)) / COUNT(rim_pct) / 4503599627370496,
      NULL
    ) AS rim,
    IF(
      COUNT(mid_range_pct) >= 10,
      SUM(CAST(FLOOR(mid_range_pct * 4503599627370496 + 0.5) AS INT64)) / COUNT(mid_range_pct) / 4503599627370496,
      NULL
    ) AS mid_range,
    IF(
      COUNT(three_pct) >= 10,
      SUM(CAST(FLOOR(three_pct * 4503599627370496 + 0.5) AS INT64)) / COUNT(three_pct) / 4503599627370496,
      NULL
    ) AS three,
    IF(
      COUNT(corner_three_pct) >= 10,
      SUM(CAST(FLOOR(corner_three_pct * 4503599627370496 + 0.5) AS INT64)) / COUNT(corner_three_pct) / 4503599627370496,
      NULL
    ) AS corner_three,
    IF(
      COUNT(above_break_three_pct) >= 10,
      SUM(CAST(FLOOR(above_break_three_pct * 4503599627370496 + 0.5) AS INT64))
      / COUNT(above_break_three_pct)
      / 4503599627370496,
      NULL
    ) AS above_break_three
  FROM shares
  GROUP BY slate_date
),
compared AS (
  SELECT
    s.*,
    100 * (s.paint_pct - l.paint) AS paint_vs,
    100 * (s.rim_pct - l.rim) AS rim_vs,
    100 * (s.mid_range_pct - l.mid_range) AS mid_range_vs,
    100 * (s.three_pct - l.three) AS three_vs,
    100 * (s.corner_three_pct - l.corner_three) AS corner_three_vs,
    100 * (s.above_break_three_pct - l.above_break_three) AS above_break_three_vs,
    l.paint IS NULL OR l.rim IS NULL OR l.mid_range IS NULL OR l.three IS NULL OR l.corner_three IS NULL
    OR l.above_break_three IS NULL AS league_avg_missing
  FROM shares AS s
  INNER JOIN league AS l ON l.slate_date = s.slate_date
)
SELECT
  team_abbr,
  slate_date AS analysis_date,
  COALESCE(games, 0) AS games_in_sample,
  COALESCE(zone_games, 0) AS zone_games_in_sample,
  paint_pct AS paint_pct_allowed_last_15,
  rim_pct AS rim_pct_allowed_last_15,
  mid_range_pct AS mid_range_pct_allowed_last_15,
  three_pct AS three_pt_pct_allowed_last_15,
  corner_three_pct AS corner_three_pct_allowed_last_15,
  above_break_three_pct AS above_break_three_pct_allowed_last_15,
  SAFE_DIVIDE(paint_attempts, zone_games) AS paint_attempts_allowed_per_game,
  SAFE_DIVIDE(rim_attempts, zone_games) AS rim_attempts_allowed_per_game,
  SAFE_DIVIDE(mid_range_attempts, zone_games) AS mid_range_attempts_allowed_per_game,
  SAFE_DIVIDE(three_attempts, zone_games) AS three_pt_attempts_allowed_per_game,
  SAFE_DIVIDE(corner_three_attempts, zone_games) AS corner_three_attempts_allowed_per_game,
  SAFE_DIVIDE(above_break_three_attempts, zone_games) AS above_break_three_attempts_allowed_per_game,
  SAFE_DIVIDE(paint_points, zone_games) AS paint_points_allowed_per_game,
  SAFE_DIVIDE(paint_blocks, zone_games) AS paint_blocks_per_game,
  SAFE_DIVIDE(mid_range_blocks, zone_games) AS mid_range_blocks_per_game,
  SAFE_DIVIDE(three_pt_blocks, zone_games) AS three_pt_blocks_per_game,
  paint_vs AS paint_defense_vs_league_avg,
  rim_vs AS rim_defense_vs_league_avg,
  mid_range_vs AS mid_range_defense_vs_league_avg,
  three_vs AS three_pt_defense_vs_league_avg,
  corner_three_vs AS corner_three_defense_vs_league_avg,
  above_break_three_vs AS above_break_three_defense_vs_league_avg,
  defensive_rating AS defensive_rating_last_15,
  SAFE_DIVIDE(points_allowed, games) AS opponent_points_per_game,
  pace AS opponent_pace,
  -- an unknown zone is never the extreme one; ties go to the zone named first
  CASE
    WHEN COALESCE(paint_vs, mid_range_vs, three_vs) IS NULL THEN NULL
    WHEN COALESCE(paint_vs, 1e9) <= COALESCE(mid_range_vs, 1e9) AND COALESCE(paint_vs, 1e9) <= COALESCE(three_vs, 1e9)
      THEN 'paint'
    WHEN COALESCE(mid_range_vs, 1e9) <= COALESCE(three_vs, 1e9) THEN 'mid_range'
    ELSE 'three'
  END AS strongest_zone,
  CASE
    WHEN IF(paint_vs IS NULL, 0, 1) + IF(mid_range_vs IS NULL, 0, 1) + IF(three_vs IS NULL, 0, 1) < 2 THEN NULL
    WHEN
      COALESCE(paint_vs, -1e9) >= COALESCE(mid_range_vs, -1e9) AND COALESCE(paint_vs, -1e9) >= COALESCE(three_vs, -1e9)
      THEN 'paint'
    WHEN COALESCE(mid_range_vs, -1e9) >= COALESCE(three_vs, -1e9) THEN 'mid_range'
    ELSE 'three'
  END AS weakest_zone,
  season_year,
  missing_games,
  tier_steps < 2
  AND paint_pct IS NOT NULL AND mid_range_pct IS NOT NULL AND three_pct IS NOT NULL AND missing_games = 0
    AS is_production_ready,
  CASE tier_steps WHEN 0 THEN 'high' WHEN 1 THEN 'medium' ELSE 'low' END AS data_quality_tier,
  league_avg_missing AS _league_avg_missing
FROM compared
