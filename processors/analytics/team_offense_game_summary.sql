-- uses: final_games, team_box, plays, shots, usable_games, counted_possessions
WITH shot_counts AS (
  SELECT
    s.game_id,
    s.team_abbr,
    COUNTIF(zone IN ('rim', 'paint')) AS paint_attempts,
    COUNTIF(zone IN ('rim', 'paint') AND made) AS paint_makes,
    COUNTIF(zone = 'rim') AS rim_attempts,
    COUNTIF(zone = 'rim' AND made) AS rim_makes,
    COUNTIF(zone = 'mid_range') AS mid_range_attempts,
    COUNTIF(zone = 'mid_range' AND made) AS mid_range_makes,
    COUNTIF(zone = 'corner_three') AS corner_three_attempts,
    COUNTIF(zone = 'corner_three' AND made) AS corner_three_makes,
    COUNTIF(zone = 'above_break_three') AS above_break_three_attempts,
    COUNTIF(zone = 'above_break_three' AND made) AS above_break_three_makes,
    COUNTIF(NOT made AND has_helper AND zone IN ('rim', 'paint')) AS paint_blocked,
    COUNTIF(NOT made AND has_helper AND zone = 'mid_range') AS mid_range_blocked,
    COUNTIF(NOT made AND has_helper AND zone IN ('corner_three', 'above_break_three')) AS three_blocked
  FROM shots AS s
  INNER JOIN usable_games AS u ON u.game_id = s.game_id
  GROUP BY s.game_id, s.team_abbr
),
gamebooks AS (
  SELECT
    game_id,
    COUNTIF(player_status = 'inactive' AND team_abbr = SUBSTR(game_id, 14, 3)) AS home_inactive,
    COUNTIF(player_status = 'inactive' AND team_abbr = SUBSTR(game_id, 10, 3)) AS away_inactive
  FROM (
    SELECT game_id, team_abbr, player_status
    FROM nba_raw.nbac_gamebook_player_stats
    WHERE game_date BETWEEN @start_date AND @end_date
    QUALIFY
      ROW_NUMBER() OVER (PARTITION BY game_id, COALESCE(player_lookup, player_name) ORDER BY processed_at DESC) = 1
  )
  GROUP BY game_id
),
sides AS (
  SELECT
    b.*,
    g.nba_game_id,
    g.game_date,
    g.season_year,
    g.season_type,
    b.team_abbr = g.home_team_abbr AS home_game,
    IF(b.team_abbr = g.home_team_abbr, g.home_team_score, g.away_team_score) AS schedule_points,
    o.team_abbr AS opponent_team_abbr,
    b.points - o.points AS margin_of_victory,
    -- basketball-reference's estimate from both teams' boxes; a rebound chance is NULL when there was none
    0.5 * (
      b.fg_attempted + 0.44 * b.ft_attempted + b.turnovers
      - 1.07 * COALESCE(SAFE_DIVIDE(b.offensive_rebounds, b.offensive_rebounds + o.defensive_rebounds), 0)
      * (b.fg_attempted - b.fg_made)
      + o.fg_attempted + 0.44 * o.ft_attempted + o.turnovers
      - 1.07 * COALESCE(SAFE_DIVIDE(o.offensive_rebounds, o.offensive_rebounds + b.defensive_rebounds), 0)
      * (o.fg_attempted - o.fg_made)
    ) AS box_possessions
  FROM team_box AS b
  INNER JOIN final_games AS g ON g.game_id = b.game_id
  INNER JOIN team_box AS o ON o.game_id = b.game_id AND o.team_abbr != b.team_abbr
),
counted AS (
  SELECT
    s.*,
    z.game_id AS zone_game_id,
    z.paint_attempts,
    z.paint_makes,
    z.rim_attempts,
    z.rim_makes,
    z.mid_range_attempts,
    z.mid_range_makes,
    z.corner_three_attempts,
    z.corner_three_makes,
    z.above_break_three_attempts,
    z.above_break_three_makes,
    d.paint_blocked AS paint_blocks,
    d.mid_range_blocked AS mid_range_blocks,
    d.three_blocked AS three_pt_blocks,
    IF(own.possessions IS NULL OR opp.possessions IS NULL, NULL, CAST(own.possessions AS FLOAT64)) AS own_counted,
    IF(own.possessions IS NULL OR opp.possessions IS NULL, NULL, CAST(opp.possessions AS FLOAT64)) AS opponent_counted,
    IF(s.home_game, k.home_inactive, k.away_inactive) AS players_inactive
  FROM sides AS s
  LEFT JOIN usable_games AS u ON u.game_id = s.game_id
  LEFT JOIN shot_counts AS z ON z.game_id = s.game_id AND z.team_abbr = s.team_abbr
  LEFT JOIN shot_counts AS d ON d.game_id = s.game_id AND d.team_abbr = s.opponent_team_abbr
  LEFT JOIN counted_possessions AS own ON own.game_id = u.game_id AND own.team_abbr = s.team_abbr
  LEFT JOIN counted_possessions AS opp ON opp.game_id = u.game_id AND opp.team_abbr = s.opponent_team_abbr
  LEFT JOIN gamebooks AS k ON k.game_id = s.game_id
)
SELECT
  game_id,
  nba_game_id,
  game_date,
  season_year,
  season_type,
  team_abbr,
  team_id,
  opponent_team_abbr,
  home_game,
  margin_of_victory > 0 AS win_flag,
  margin_of_victory,
  team_minutes,
  CAST((team_minutes - 240) / 25 AS INT64) AS overtime_periods,
  points AS points_scored,
  fg_made AS fg_makes,
  fg_attempted AS fg_attempts,
  three_pt_made AS three_pt_makes,
  three_pt_attempted AS three_pt_attempts,
  ft_made AS ft_makes,
  ft_attempted AS ft_attempts,
  offensive_rebounds,
  defensive_rebounds,
  offensive_rebounds + defensive_rebounds AS rebounds,
  assists,
  steals,
  blocks,
  turnovers,
  personal_fouls,
  paint_attempts AS team_paint_attempts,
  paint_makes AS team_paint_makes,
  rim_attempts AS team_rim_attempts,
  rim_makes AS team_rim_makes,
  mid_range_attempts AS team_mid_range_attempts,
  mid_range_makes AS team_mid_range_makes,
  corner_three_attempts AS team_corner_three_attempts,
  corner_three_makes AS team_corner_three_makes,
  above_break_three_attempts AS team_above_break_three_attempts,
  above_break_three_makes AS team_above_break_three_makes,
  GREATEST(fg_attempted - (paint_attempts + mid_range_attempts + corner_three_attempts + above_break_three_attempts), 0)
    AS team_unknown_zone_attempts,
  GREATEST(fg_made - (paint_makes + mid_range_makes + corner_three_makes + above_break_three_makes), 0)
    AS team_unknown_zone_makes,
  2 * paint_makes AS points_in_paint_scored,
  paint_blocks AS team_paint_blocks,
  mid_range_blocks AS team_mid_range_blocks,
  three_pt_blocks AS team_three_pt_blocks,
  COALESCE(own_counted, box_possessions) AS possessions,
  IF(own_counted IS NULL, 'box', 'play_by_play') AS possessions_source,
  fg_attempted + 0.44 * ft_attempted - offensive_rebounds + turnovers AS possessions_estimated,
  SAFE_DIVIDE(
    48 * (COALESCE(own_counted, box_possessions) + COALESCE(opponent_counted, box_possessions)) / 2, team_minutes / 5
  ) AS pace,
  SAFE_DIVIDE(100 * points, COALESCE(own_counted, box_possessions)) AS offensive_rating,
  SAFE_DIVIDE(points, 2 * (fg_attempted + 0.44 * ft_attempted)) AS ts_pct,
  SAFE_DIVIDE(fg_made + 0.5 * three_pt_made, fg_attempted) AS efg_pct,
  players_inactive,
  IF(zone_game_id IS NULL, NULL, 'nbac_play_by_play') AS shot_zones_source,
  CASE
    WHEN zone_game_id IS NOT NULL AND team_minutes IS NOT NULL THEN 'high'
    WHEN zone_game_id IS NOT NULL OR team_minutes IS NOT NULL THEN 'medium'
    ELSE 'low'
  END AS data_quality_tier,
  schedule_points AS _schedule_points,
  COALESCE(opponent_counted, box_possessions) AS _opponent_possessions
FROM counted
