-- uses: slate_days, player_history, unprocessed_games
WITH form AS (
  SELECT
    player_lookup,
    season_year,
    team_abbr,
    game_date,
    next_game_date,
    LAST_VALUE(player_id IGNORE NULLS) OVER (
      PARTITION BY season_year, player_lookup ORDER BY game_number ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS player_id,
    COUNT(*) OVER last_10 AS games_10,
    COUNT(*) OVER last_20 AS games_20,
    FIRST_VALUE(game_date) OVER last_10 AS window_start,
    COUNTIF(zones_usable) OVER last_10 AS zone_games_10,
    SUM(IF(zones_usable, paint_attempts, 0)) OVER last_10 AS paint_attempts_10,
    SUM(IF(zones_usable, paint_makes, 0)) OVER last_10 AS paint_makes_10,
    SUM(IF(zones_usable, rim_attempts, 0)) OVER last_10 AS rim_attempts_10,
    SUM(IF(zones_usable, rim_makes, 0)) OVER last_10 AS rim_makes_10,
    SUM(IF(zones_usable, mid_range_attempts, 0)) OVER last_10 AS mid_range_attempts_10,
    SUM(IF(zones_usable, mid_range_makes, 0)) OVER last_10 AS mid_range_makes_10,
    SUM(IF(zones_usable, corner_three_attempts + above_break_three_attempts, 0)) OVER last_10 AS three_attempts_10,
    SUM(IF(zones_usable, corner_three_makes + above_break_three_makes, 0)) OVER last_10 AS three_makes_10,
    SUM(IF(zones_usable, corner_three_attempts, 0)) OVER last_10 AS corner_three_attempts_10,
    SUM(IF(zones_usable, corner_three_makes, 0)) OVER last_10 AS corner_three_makes_10,
    SUM(IF(zones_usable, above_break_three_attempts, 0)) OVER last_10 AS above_break_three_attempts_10,
    SUM(IF(zones_usable, above_break_three_makes, 0)) OVER last_10 AS above_break_three_makes_10,
    COUNTIF(zones_usable) OVER last_20 AS zone_games_20,
    SUM(IF(zones_usable, paint_attempts, 0)) OVER last_20 AS paint_attempts_20,
    SUM(IF(zones_usable, paint_makes, 0)) OVER last_20 AS paint_makes_20,
    SUM(IF(zones_usable, mid_range_attempts, 0)) OVER last_20 AS mid_range_attempts_20,
    SUM(IF(zones_usable, mid_range_makes, 0)) OVER last_20 AS mid_range_makes_20,
    SUM(IF(zones_usable, corner_three_attempts + above_break_three_attempts, 0)) OVER last_20 AS three_attempts_20,
    SUM(IF(zones_usable, corner_three_makes + above_break_three_makes, 0)) OVER last_20 AS three_makes_20,
    SUM(IF(zones_usable, assisted_fg_makes, 0)) OVER last_10 AS assisted_10,
    SUM(IF(zones_usable, unassisted_fg_makes, 0)) OVER last_10 AS unassisted_10
  FROM player_history
  WINDOW
    last_10 AS (PARTITION BY season_year, player_lookup ORDER BY game_number ROWS BETWEEN 9 PRECEDING AND CURRENT ROW),
    last_20 AS (PARTITION BY season_year, player_lookup ORDER BY game_number ROWS BETWEEN 19 PRECEDING AND CURRENT ROW)
),
entering AS (
  SELECT
    d.slate_date,
    f.*,
    f.paint_attempts_10 + f.mid_range_attempts_10 + f.three_attempts_10 AS shots_10,
    f.paint_attempts_20 + f.mid_range_attempts_20 + f.three_attempts_20 AS shots_20
  FROM slate_days AS d
  INNER JOIN form AS f
    ON
      f.season_year = d.season_year
      AND f.game_date < d.slate_date
      AND d.slate_date <= COALESCE(f.next_game_date, d.slate_date)
),
holes AS (
  SELECT e.slate_date, e.player_lookup, COUNT(*) AS missing_games
  FROM entering AS e
  INNER JOIN unprocessed_games AS u
    ON
      u.team_abbr = e.team_abbr
      AND u.season_year = e.season_year
      AND u.game_date < e.slate_date
      AND (e.games_10 < 10 OR u.game_date >= e.window_start)
  GROUP BY e.slate_date, e.player_lookup
),
rated AS (
  SELECT
    e.*,
    COALESCE(h.missing_games, 0) AS missing_games,
    SAFE_DIVIDE(100 * e.paint_attempts_10, e.shots_10) AS paint_rate,
    SAFE_DIVIDE(100 * e.mid_range_attempts_10, e.shots_10) AS mid_range_rate,
    SAFE_DIVIDE(100 * e.three_attempts_10, e.shots_10) AS three_rate
  FROM entering AS e
  LEFT JOIN holes AS h ON h.slate_date = e.slate_date AND h.player_lookup = e.player_lookup
)
SELECT
  player_lookup,
  player_id,
  team_abbr,
  slate_date AS analysis_date,
  games_10 AS games_in_sample_10,
  games_20 AS games_in_sample_20,
  zone_games_10 AS zone_games_in_sample_10,
  zone_games_20 AS zone_games_in_sample_20,
  IF(zone_games_10 = 0, NULL, shots_10) AS total_shots_last_10,
  paint_rate AS paint_rate_last_10,
  mid_range_rate AS mid_range_rate_last_10,
  three_rate AS three_pt_rate_last_10,
  SAFE_DIVIDE(100 * rim_attempts_10, shots_10) AS rim_rate_last_10,
  SAFE_DIVIDE(100 * corner_three_attempts_10, shots_10) AS corner_three_rate_last_10,
  SAFE_DIVIDE(paint_makes_10, paint_attempts_10) AS paint_pct_last_10,
  SAFE_DIVIDE(rim_makes_10, rim_attempts_10) AS rim_pct_last_10,
  SAFE_DIVIDE(mid_range_makes_10, mid_range_attempts_10) AS mid_range_pct_last_10,
  SAFE_DIVIDE(three_makes_10, three_attempts_10) AS three_pt_pct_last_10,
  SAFE_DIVIDE(corner_three_makes_10, corner_three_attempts_10) AS corner_three_pct_last_10,
  SAFE_DIVIDE(above_break_three_makes_10, above_break_three_attempts_10) AS above_break_three_pct_last_10,
  SAFE_DIVIDE(paint_attempts_10, zone_games_10) AS paint_attempts_per_game,
  SAFE_DIVIDE(rim_attempts_10, zone_games_10) AS rim_attempts_per_game,
  SAFE_DIVIDE(mid_range_attempts_10, zone_games_10) AS mid_range_attempts_per_game,
  SAFE_DIVIDE(three_attempts_10, zone_games_10) AS three_pt_attempts_per_game,
  SAFE_DIVIDE(100 * paint_attempts_20, shots_20) AS paint_rate_last_20,
  SAFE_DIVIDE(100 * mid_range_attempts_20, shots_20) AS mid_range_rate_last_20,
  SAFE_DIVIDE(100 * three_attempts_20, shots_20) AS three_pt_rate_last_20,
  SAFE_DIVIDE(paint_makes_20, paint_attempts_20) AS paint_pct_last_20,
  SAFE_DIVIDE(mid_range_makes_20, mid_range_attempts_20) AS mid_range_pct_last_20,
  SAFE_DIVIDE(three_makes_20, three_attempts_20) AS three_pt_pct_last_20,
  SAFE_DIVIDE(100 * assisted_10, assisted_10 + unassisted_10) AS assisted_rate_last_10,
  SAFE_DIVIDE(100 * unassisted_10, assisted_10 + unassisted_10) AS unassisted_rate_last_10,
  CASE
    WHEN paint_rate IS NULL THEN NULL
    WHEN paint_rate >= 40 THEN 'paint'
    WHEN three_rate >= 40 THEN 'three'
    WHEN mid_range_rate >= 35 THEN 'mid_range'
    ELSE 'balanced'
  END AS primary_scoring_zone,
  season_year,
  missing_games,
  3 * zone_games_10 >= 20 AND shots_10 >= 20 AND missing_games = 0 AS is_production_ready,
  CASE WHEN zone_games_10 >= 10 THEN 'high' WHEN 3 * zone_games_10 >= 20 THEN 'medium' ELSE 'low' END
    AS data_quality_tier
FROM rated
