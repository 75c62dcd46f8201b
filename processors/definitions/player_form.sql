-- A player after each of his played games: his windows, valid until the next one.
-- uses: player_history
SELECT
  player_lookup,
  season_year,
  game_id,
  game_date,
  next_game_date,
  previous_game_date,
  LAST_VALUE(player_id IGNORE NULLS) OVER so_far AS player_id,
  team_abbr,
  game_number AS games_played,
  MAX(IF(DATE_DIFF(game_date, previous_game_date, DAY) > 2, game_date, NULL)) OVER so_far AS last_rested_game_date,
  FIRST_VALUE(game_date) OVER last_10 AS tenth_last_date,
  COUNT(*) OVER last_5 AS games_5,
  COUNT(*) OVER last_10 AS games_10,
  SUM(points) OVER last_3 / COUNT(*) OVER last_3 AS points_avg_3,
  SUM(points) OVER last_5 / COUNT(*) OVER last_5 AS points_avg_5,
  SUM(points) OVER last_10 / COUNT(*) OVER last_10 AS points_avg_10,
  SUM(points) OVER so_far / COUNT(*) OVER so_far AS points_avg_season,
  -- the sample variance and the least-squares slope from integer sums, exact in any order of summation
  COUNT(*) OVER last_10 * SUM(points * points) OVER last_10 - SUM(points) OVER last_10 * SUM(points) OVER last_10
    AS points_squares_10,
  SUM(points) OVER last_3 AS points_3,
  SUM(points) OVER last_5 AS points_5,
  SUM(points) OVER last_10 AS points_10,
  SUM(game_number * points) OVER last_10 - (game_number - COUNT(*) OVER last_10 + 1) * SUM(points) OVER last_10
    AS indexed_points_10,
  SUM(seconds) OVER last_10 AS seconds_10,
  SUM(seconds) OVER last_7 / COUNT(*) OVER last_7 / 60 AS minutes_avg_7,
  SUM(seconds) OVER last_10 / COUNT(*) OVER last_10 / 60 AS minutes_avg_10,
  SUM(seconds) OVER so_far / COUNT(*) OVER so_far / 60 AS minutes_avg_season,
  SAFE_DIVIDE(SUM(usage_fixed) OVER last_5, COUNT(usage_fixed) OVER last_5) / 1099511627776 AS usage_avg_5,
  SAFE_DIVIDE(SUM(usage_fixed) OVER last_7, COUNT(usage_fixed) OVER last_7) / 1099511627776 AS usage_avg_7,
  SAFE_DIVIDE(SUM(usage_fixed) OVER last_10, COUNT(usage_fixed) OVER last_10) / 1099511627776 AS usage_avg_10,
  SAFE_DIVIDE(SUM(usage_fixed) OVER so_far, COUNT(usage_fixed) OVER so_far) / 1099511627776 AS usage_avg_season,
  COUNT(*) OVER last_10 - COUNT(usage_fixed) OVER last_10 AS usage_unknown_10,
  SUM(fg_attempts) OVER last_10 AS fg_attempts_10,
  SUM(ft_attempts) OVER last_10 AS ft_attempts_10,
  SUM(ft_makes) OVER last_10 AS ft_makes_10,
  SAFE_DIVIDE(SUM(2 * fg_makes + three_pt_makes) OVER last_10, 2 * SUM(fg_attempts) OVER last_10) AS efg_10,
  SAFE_DIVIDE(SUM(2 * fg_makes + three_pt_makes) OVER last_5, 2 * SUM(fg_attempts) OVER last_5) AS efg_5,
  SAFE_DIVIDE(SUM(2 * fg_makes + three_pt_makes) OVER so_far, 2 * SUM(fg_attempts) OVER so_far) AS efg_season,
  -- a streak is what has been counted since the count last stood still; a game without line does not touch it
  overs - MAX(IF(over_under_result IN ('UNDER', 'PUSH'), overs, 0)) OVER so_far AS over_streak,
  unders - MAX(IF(over_under_result IN ('OVER', 'PUSH'), unders, 0)) OVER so_far AS under_streak
FROM player_history
WINDOW
  so_far AS (
    PARTITION BY season_year, player_lookup ORDER BY game_number ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ),
  last_3 AS (PARTITION BY season_year, player_lookup ORDER BY game_number ROWS BETWEEN 2 PRECEDING AND CURRENT ROW),
  last_5 AS (PARTITION BY season_year, player_lookup ORDER BY game_number ROWS BETWEEN 4 PRECEDING AND CURRENT ROW),
  last_7 AS (PARTITION BY season_year, player_lookup ORDER BY game_number ROWS BETWEEN 6 PRECEDING AND CURRENT ROW),
  last_10 AS (PARTITION BY season_year, player_lookup ORDER BY game_number ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)
