-- Who the ten ids on court play for.
-- uses: player_box
SELECT game_id, player_id, player_lookup, team_abbr
FROM player_box
WHERE player_id IS NOT NULL AND player_lookup IS NOT NULL
