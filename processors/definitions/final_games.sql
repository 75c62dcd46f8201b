-- Final games of the dates asked for.
-- uses: schedule
SELECT
  game_id, nba_game_id, game_date, season_year, season_type, home_team_abbr, away_team_abbr, home_team_score,
  away_team_score
FROM schedule
WHERE is_final AND game_date BETWEEN @start_date AND @end_date
