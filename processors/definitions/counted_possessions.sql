-- Possessions of each team in each game, counted from its events.
-- uses: plays
SELECT game_id, game_date, team_abbr, COUNT(*) AS possessions
FROM (
  SELECT game_id, game_date, ends_for AS team_abbr FROM plays
  WHERE ends_for IS NOT NULL
  UNION ALL
  SELECT game_id, game_date, period_ends_for AS team_abbr FROM plays
  WHERE period_ends_for <> ''
)
GROUP BY game_id, game_date, team_abbr
