-- uses: final_games, player_box, plays, shots, team_box, usable_games, box_players, on_court, and_ones, points_lines
WITH zone_shots AS (
  -- a play-by-play names players by id and, where it has none, by name
  SELECT
    s.*,
    COALESCE(shooter.player_lookup, s.player_1_lookup) AS shooter,
    COALESCE(helper.player_lookup, s.player_2_lookup) AS helper
  FROM shots AS s
  INNER JOIN usable_games AS u ON u.game_id = s.game_id
  LEFT JOIN box_players AS shooter ON shooter.game_id = s.game_id AND shooter.player_id = s.player_1_id
  LEFT JOIN box_players AS helper ON helper.game_id = s.game_id AND helper.player_id = s.player_2_id
),
shooting AS (
  SELECT
    game_id,
    shooter AS player_lookup,
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
    COUNTIF(made AND has_helper) AS assisted_fg_makes,
    COUNTIF(made AND NOT has_helper) AS unassisted_fg_makes
  FROM zone_shots
  GROUP BY game_id, shooter
),
blocking AS (
  SELECT
    game_id,
    helper AS player_lookup,
    COUNTIF(zone IN ('rim', 'paint')) AS paint_blocks,
    COUNTIF(zone = 'mid_range') AS mid_range_blocks,
    COUNTIF(zone IN ('corner_three', 'above_break_three')) AS three_pt_blocks
  FROM zone_shots
  WHERE NOT made AND helper IS NOT NULL
  GROUP BY game_id, helper
),
and_one_counts AS (
  SELECT a.game_id, COALESCE(b.player_lookup, a.player_1_lookup) AS player_lookup, COUNT(*) AS and1_count
  FROM and_ones AS a
  LEFT JOIN box_players AS b ON b.game_id = a.game_id AND b.player_id = a.player_1_id
  GROUP BY a.game_id, COALESCE(b.player_lookup, a.player_1_lookup)
),
unresolved AS (
  SELECT
    game_id,
    team_abbr,
    COUNTIF(player_lookup IS NULL) AS unresolved_players,
    COUNTIF(player_lookup IS NULL AND seconds IS NOT NULL) AS unresolved_played
  FROM player_box
  GROUP BY game_id, team_abbr
),
listed AS (
  SELECT
    p.*,
    g.nba_game_id,
    g.game_date,
    g.season_year,
    g.season_type,
    p.team_abbr = g.home_team_abbr AS home_game,
    IF(p.team_abbr = g.home_team_abbr, g.away_team_abbr, g.home_team_abbr) AS opponent_team_abbr,
    IF(p.team_abbr = g.home_team_abbr, g.home_team_score, g.away_team_score) AS schedule_points,
    p.seconds IS NOT NULL AS played,
    u.game_id IS NOT NULL AS zones_known
  FROM player_box AS p
  INNER JOIN final_games AS g ON g.game_id = p.game_id
  LEFT JOIN usable_games AS u ON u.game_id = p.game_id
  WHERE p.player_lookup IS NOT NULL
),
joined AS (
  SELECT
    l.*,
    l.played AND l.zones_known AS has_zones,
    t.win_flag,
    t.team_minutes,
    t.points_scored AS team_points,
    t.fg_makes AS team_fg_makes,
    t.fg_attempts AS team_fg_attempts,
    t.three_pt_makes AS team_three_pt_makes,
    t.three_pt_attempts AS team_three_pt_attempts,
    t.ft_makes AS team_ft_makes,
    t.ft_attempts AS team_ft_attempts,
    t.assists AS team_assists,
    t.steals AS team_steals,
    t.blocks AS team_blocks,
    t.turnovers AS team_turnovers,
    t.team_paint_attempts,
    t.team_rim_attempts,
    t.team_mid_range_attempts,
    t.team_corner_three_attempts,
    t.team_above_break_three_attempts,
    COALESCE(s.paint_attempts, 0) AS paint_attempts,
    COALESCE(s.paint_makes, 0) AS paint_makes,
    COALESCE(s.rim_attempts, 0) AS rim_attempts,
    COALESCE(s.rim_makes, 0) AS rim_makes,
    COALESCE(s.mid_range_attempts, 0) AS mid_range_attempts,
    COALESCE(s.mid_range_makes, 0) AS mid_range_makes,
    COALESCE(s.corner_three_attempts, 0) AS corner_three_attempts,
    COALESCE(s.corner_three_makes, 0) AS corner_three_makes,
    COALESCE(s.above_break_three_attempts, 0) AS above_break_three_attempts,
    COALESCE(s.above_break_three_makes, 0) AS above_break_three_makes,
    COALESCE(s.assisted_fg_makes, 0) AS assisted_fg_makes,
    COALESCE(s.unassisted_fg_makes, 0) AS unassisted_fg_makes,
    COALESCE(k.paint_blocks, 0) AS paint_blocks,
    COALESCE(k.mid_range_blocks, 0) AS mid_range_blocks,
    COALESCE(k.three_pt_blocks, 0) AS three_pt_blocks,
    COALESCE(a.and1_count, 0) AS and1_count,
    100 * SAFE_DIVIDE(
      (l.field_goals_attempted + 0.44 * l.free_throws_attempted + l.turnovers) * (t.team_minutes / 5),
      (l.seconds / 60) * (t.fg_attempts + 0.44 * t.ft_attempts + t.turnovers)
    ) AS raw_usage_rate,
    100 * SAFE_DIVIDE(c.plays, c.chances) AS raw_on_court_rate,
    n.points_line,
    n.bookmaker,
    n.opening_line,
    COALESCE(r.unresolved_players, 0) AS unresolved_players,
    COALESCE(r.unresolved_played, 0) AS unresolved_played
  FROM listed AS l
  LEFT JOIN nba_analytics.team_offense_game_summary AS t
    ON t.game_id = l.game_id AND t.team_abbr = l.team_abbr AND t.game_date BETWEEN @start_date AND @end_date
  LEFT JOIN shooting AS s ON s.game_id = l.game_id AND s.player_lookup = l.player_lookup
  LEFT JOIN blocking AS k ON k.game_id = l.game_id AND k.player_lookup = l.player_lookup
  LEFT JOIN and_one_counts AS a ON a.game_id = l.game_id AND a.player_lookup = l.player_lookup
  LEFT JOIN on_court AS c ON c.game_id = l.game_id AND c.player_id = l.player_id AND l.zones_known
  LEFT JOIN points_lines AS n ON n.game_id = l.game_id AND n.player_lookup = l.player_lookup
  LEFT JOIN unresolved AS r ON r.game_id = l.game_id AND r.team_abbr = l.team_abbr
)
SELECT
  player_lookup,
  player_id,
  player_name AS player_full_name,
  game_id,
  nba_game_id,
  game_date,
  season_year,
  season_type,
  team_abbr,
  opponent_team_abbr,
  home_game,
  player_status,
  NOT played AS is_dnp,
  dnp_reason,
  is_starter AS starter_flag,
  win_flag,
  seconds / 60 AS minutes_played,
  points,
  field_goals_made AS fg_makes,
  field_goals_attempted AS fg_attempts,
  three_pointers_made AS three_pt_makes,
  three_pointers_attempted AS three_pt_attempts,
  free_throws_made AS ft_makes,
  free_throws_attempted AS ft_attempts,
  offensive_rebounds,
  defensive_rebounds,
  offensive_rebounds + defensive_rebounds AS total_rebounds,
  assists,
  steals,
  blocks,
  turnovers,
  personal_fouls,
  plus_minus,
  IF(has_zones, paint_attempts, NULL) AS paint_attempts,
  IF(has_zones, paint_makes, NULL) AS paint_makes,
  IF(has_zones, rim_attempts, NULL) AS rim_attempts,
  IF(has_zones, rim_makes, NULL) AS rim_makes,
  IF(has_zones, mid_range_attempts, NULL) AS mid_range_attempts,
  IF(has_zones, mid_range_makes, NULL) AS mid_range_makes,
  IF(has_zones, corner_three_attempts, NULL) AS corner_three_attempts,
  IF(has_zones, corner_three_makes, NULL) AS corner_three_makes,
  IF(has_zones, above_break_three_attempts, NULL) AS above_break_three_attempts,
  IF(has_zones, above_break_three_makes, NULL) AS above_break_three_makes,
  IF(
    has_zones,
    GREATEST(
      field_goals_attempted
      - (paint_attempts + mid_range_attempts + corner_three_attempts + above_break_three_attempts),
      0
    ),
    NULL
  ) AS unknown_zone_attempts,
  IF(
    has_zones,
    GREATEST(field_goals_made - (paint_makes + mid_range_makes + corner_three_makes + above_break_three_makes), 0),
    NULL
  ) AS unknown_zone_makes,
  IF(has_zones, 2 * paint_makes, NULL) AS points_in_paint,
  IF(has_zones, paint_blocks, NULL) AS paint_blocks,
  IF(has_zones, mid_range_blocks, NULL) AS mid_range_blocks,
  IF(has_zones, three_pt_blocks, NULL) AS three_pt_blocks,
  IF(has_zones, assisted_fg_makes, NULL) AS assisted_fg_makes,
  IF(has_zones, unassisted_fg_makes, NULL) AS unassisted_fg_makes,
  IF(has_zones, and1_count, NULL) AS and1_count,
  IF(raw_usage_rate <= 100, raw_usage_rate, NULL) AS usage_rate,
  IF(played AND raw_on_court_rate <= 100, raw_on_court_rate, NULL) AS usage_rate_on_court,
  SAFE_DIVIDE(points, 2 * (field_goals_attempted + 0.44 * free_throws_attempted)) AS ts_pct,
  SAFE_DIVIDE(field_goals_made + 0.5 * three_pointers_made, field_goals_attempted) AS efg_pct,
  points_line,
  bookmaker AS points_line_source,
  opening_line,
  points_line - opening_line AS line_movement,
  CASE
    WHEN points > points_line THEN 'OVER'
    WHEN points < points_line THEN 'UNDER'
    WHEN points = points_line THEN 'PUSH'
  END AS over_under_result,
  points - points_line AS margin,
  source AS primary_source_used,
  IF(has_zones, 'nbac_play_by_play', NULL) AS shot_zones_source,
  CASE
    WHEN NOT played THEN IF(source = 'nbac_gamebook', 'high', 'medium')
    WHEN source = 'nbac_gamebook' AND zones_known THEN 'high'
    WHEN source = 'nbac_gamebook' OR zones_known THEN 'medium'
    ELSE 'low'
  END AS data_quality_tier,
  raw_usage_rate AS _raw_usage_rate,
  team_points AS _team_points,
  schedule_points AS _schedule_points,
  team_minutes AS _team_minutes,
  team_fg_makes AS _team_fg_makes,
  team_fg_attempts AS _team_fg_attempts,
  team_three_pt_makes AS _team_three_pt_makes,
  team_three_pt_attempts AS _team_three_pt_attempts,
  team_ft_makes AS _team_ft_makes,
  team_ft_attempts AS _team_ft_attempts,
  team_assists AS _team_assists,
  team_steals AS _team_steals,
  team_blocks AS _team_blocks,
  team_turnovers AS _team_turnovers,
  team_paint_attempts AS _team_paint_attempts,
  team_rim_attempts AS _team_rim_attempts,
  team_mid_range_attempts AS _team_mid_range_attempts,
  team_corner_three_attempts AS _team_corner_three_attempts,
  team_above_break_three_attempts AS _team_above_break_three_attempts,
  unresolved_players AS _unresolved_players,
  unresolved_played AS _unresolved_played
FROM joined
