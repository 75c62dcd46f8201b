-- What each player of the slates has done this season against the team he meets.
-- uses: player_history
SELECT u.game_id, u.player_lookup, COUNT(*) AS games, SUM(h.points) / COUNT(*) AS points_avg
FROM nba_analytics.upcoming_player_game_context AS u
INNER JOIN player_history AS h
  ON
    h.player_lookup = u.player_lookup
    AND h.season_year = u.season_year
    AND h.opponent_team_abbr = u.opponent_team_abbr
    AND h.game_date < u.game_date
WHERE u.game_date BETWEEN @start_date AND @end_date
GROUP BY u.game_id, u.player_lookup
