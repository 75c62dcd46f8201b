-- The free throw after a basket and a foul: one of one, at the clock of the same shooter's basket before it.
-- uses: plays
SELECT f.game_id, f.player_1_id, f.player_1_lookup
FROM plays AS f
WHERE
  f.event_type = 'freethrow'
  AND f.ft_total = 1
  AND f.trip != 'technical'
  AND EXISTS (
    SELECT 1
    FROM plays AS s
    WHERE
      s.game_id = f.game_id
      AND s.period = f.period
      AND s.clock_seconds_remaining = f.clock_seconds_remaining
      AND (s.player_1_id = f.player_1_id OR s.player_1_lookup = f.player_1_lookup)
      AND s.event_type IN ('2pt', '3pt')
      AND s.shot_made
      AND s.play_number < f.play_number
  )
