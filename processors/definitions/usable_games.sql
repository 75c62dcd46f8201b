-- Games whose play-by-play agrees with the team box: made field goals equal, attempts within three, both teams.
-- uses: team_box, shots
WITH usable_games_events AS (
  SELECT game_id, team_abbr, COUNT(*) AS attempts, COUNTIF(made) AS makes
  FROM shots
  GROUP BY game_id, team_abbr
)
SELECT b.game_id
FROM team_box AS b
INNER JOIN usable_games_events AS e ON e.game_id = b.game_id AND e.team_abbr = b.team_abbr
WHERE e.makes = b.fg_made AND ABS(e.attempts - b.fg_attempted) <= 3
GROUP BY b.game_id
HAVING COUNT(*) = 2
