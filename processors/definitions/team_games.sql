-- Every counted game, once for each of its teams.
-- uses: schedule
SELECT
  game_id, nba_game_id, game_date, season_year, season_type, game_status, is_final, game_start_time, neutral_site,
  home_team_abbr AS team_abbr, away_team_abbr AS opponent_team_abbr, TRUE AS home_game, home_team_abbr AS venue,
  home_team_score - away_team_score AS margin
FROM schedule
UNION ALL
SELECT
  game_id, nba_game_id, game_date, season_year, season_type, game_status, is_final, game_start_time, neutral_site,
  away_team_abbr, home_team_abbr, FALSE, home_team_abbr, away_team_score - home_team_score
FROM schedule
