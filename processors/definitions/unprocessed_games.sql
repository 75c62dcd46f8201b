-- Final games that no player summary knows, once for each team: holes in everybody's history.
-- uses: team_games
SELECT g.team_abbr, g.season_year, g.game_date, g.game_id
FROM team_games AS g
LEFT JOIN (
  SELECT DISTINCT game_id
  FROM nba_analytics.player_game_summary
  WHERE
    minutes_played > 0
    AND game_date BETWEEN DATE_SUB(@start_date, INTERVAL 370 DAY) AND DATE_SUB(@end_date, INTERVAL 1 DAY)
) AS p ON p.game_id = g.game_id
WHERE g.is_final AND g.game_date < @end_date AND p.game_id IS NULL
