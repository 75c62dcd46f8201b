-- Counted games of the seasons around the dates asked for: the newest load of each.
SELECT
  game_id,
  nba_game_id,
  game_date,
  season_year,
  CASE SUBSTR(nba_game_id, 1, 3)
    WHEN '002' THEN 'regular'
    WHEN '004' THEN 'playoffs'
    WHEN '005' THEN 'play_in'
    WHEN '006' THEN 'cup_final'
  END AS season_type,
  game_status,
  game_status = 3 AND home_team_score IS NOT NULL AND away_team_score IS NOT NULL AS is_final,
  game_start_time,
  home_team_abbr,
  away_team_abbr,
  home_team_score,
  away_team_score,
  COALESCE(neutral_site, FALSE) AS neutral_site
FROM nba_raw.nbac_schedule
WHERE game_date BETWEEN DATE_SUB(@start_date, INTERVAL 370 DAY) AND DATE_ADD(@end_date, INTERVAL 370 DAY)
-- the newest load says what kind of game it is
QUALIFY
  SUBSTR(nba_game_id, 1, 3) IN ('002', '004', '005', '006')
  AND ROW_NUMBER() OVER (PARTITION BY game_id ORDER BY processed_at DESC) = 1
