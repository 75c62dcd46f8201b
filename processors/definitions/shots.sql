-- Field goal attempts with their zone. Coordinates count in tenths of a foot, as the league rounds them.
-- uses: plays
WITH shots_measured AS (
  SELECT
    game_id,
    team_abbr,
    player_1_id,
    player_1_lookup,
    player_2_id,
    player_2_lookup,
    player_2_id IS NOT NULL OR player_2_lookup IS NOT NULL AS has_helper,
    COALESCE(shot_made, FALSE) AS made,
    event_type = '3pt' AS is_three,
    CAST(FLOOR(ABS(x_ft) * 10 + 0.5) AS INT64) AS x_tenths,
    CAST(FLOOR(y_ft * 10 + 0.5) AS INT64) AS y_tenths
  FROM plays
  WHERE event_type IN ('2pt', '3pt')
)
SELECT
  game_id,
  team_abbr,
  player_1_id,
  player_1_lookup,
  player_2_id,
  player_2_lookup,
  -- the assister of a made shot, the blocker of a missed one
  has_helper,
  made,
  CASE
    WHEN x_tenths IS NULL OR y_tenths IS NULL THEN 'unknown'
    WHEN is_three AND y_tenths <= 87 THEN 'corner_three'
    WHEN is_three THEN 'above_break_three'
    WHEN x_tenths * x_tenths + y_tenths * y_tenths < 1600 THEN 'rim'
    WHEN x_tenths <= 80 AND y_tenths <= 138 THEN 'paint'
    ELSE 'mid_range'
  END AS zone
FROM shots_measured
