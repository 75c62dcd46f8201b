-- Team box rows of the dates asked for, newest load of each, minutes parsed.
SELECT
  game_id,
  team_id,
  team_abbr,
  is_home,
  CASE
    WHEN REGEXP_CONTAINS(minutes, r'^\d+:\d\d$')
      THEN
        SAFE_CAST(SPLIT(minutes, ':')[SAFE_OFFSET(0)] AS INT64)
        + SAFE_CAST(SPLIT(minutes, ':')[SAFE_OFFSET(1)] AS INT64) / 60
    WHEN REGEXP_CONTAINS(minutes, r'^\d+$') THEN SAFE_CAST(minutes AS FLOAT64)
  END AS team_minutes,
  points,
  fg_made,
  fg_attempted,
  three_pt_made,
  three_pt_attempted,
  ft_made,
  ft_attempted,
  offensive_rebounds,
  defensive_rebounds,
  assists,
  steals,
  blocks,
  turnovers,
  personal_fouls
FROM nba_raw.nbac_team_boxscore
WHERE game_date BETWEEN @start_date AND @end_date
QUALIFY ROW_NUMBER() OVER (PARTITION BY game_id, team_abbr ORDER BY processed_at DESC) = 1
