-- Games to be played on the slates asked for: a row per game, with the moment after which no line or report counts.
-- uses: schedule
SELECT
  game_id,
  nba_game_id,
  game_date,
  season_year,
  season_type,
  game_start_time,
  home_team_abbr,
  away_team_abbr,
  neutral_site
FROM schedule
WHERE game_status != 4 AND game_date BETWEEN @start_date AND @end_date
