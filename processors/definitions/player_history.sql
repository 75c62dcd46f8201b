-- Played games of every player, oldest first: what his windows are made of.
-- Minutes are whole seconds and usage is in units of 2^-40, so that sums are exact and a date has the same bits
-- whatever other dates are computed beside it.
SELECT
  player_lookup,
  player_id,
  team_abbr,
  opponent_team_abbr,
  game_id,
  game_date,
  season_year,
  points,
  fg_makes,
  fg_attempts,
  three_pt_makes,
  ft_makes,
  ft_attempts,
  CAST(FLOOR(minutes_played * 60 + 0.5) AS INT64) AS seconds,
  CAST(FLOOR(usage_rate * 1099511627776 + 0.5) AS INT64) AS usage_fixed,
  over_under_result,
  COUNTIF(over_under_result = 'OVER') OVER game_order AS overs,
  COUNTIF(over_under_result = 'UNDER') OVER game_order AS unders,
  -- zones are usable when at most a tenth of the attempts has no place
  shot_zones_source IS NOT NULL AND unknown_zone_attempts * 10 <= fg_attempts AS zones_usable,
  paint_attempts,
  paint_makes,
  rim_attempts,
  rim_makes,
  mid_range_attempts,
  mid_range_makes,
  corner_three_attempts,
  corner_three_makes,
  above_break_three_attempts,
  above_break_three_makes,
  assisted_fg_makes,
  unassisted_fg_makes,
  LAG(game_date) OVER game_order AS previous_game_date,
  LEAD(game_date) OVER game_order AS next_game_date,
  ROW_NUMBER() OVER game_order AS game_number
FROM nba_analytics.player_game_summary
WHERE
  minutes_played > 0
  AND game_date BETWEEN DATE_SUB(@start_date, INTERVAL 370 DAY) AND DATE_SUB(@end_date, INTERVAL 1 DAY)
WINDOW game_order AS (PARTITION BY season_year, player_lookup ORDER BY game_date, game_id)
