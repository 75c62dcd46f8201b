-- uses: player_history, player_form, team_pace_form, team_games
WITH players AS (
  SELECT
    u.*,
    f.games_played,
    f.games_5,
    f.games_10,
    f.points_avg_5,
    f.points_avg_10 AS form_points_avg_10,
    f.points_avg_season,
    f.points_squares_10,
    f.points_10,
    f.minutes_avg_10,
    f.minutes_avg_season,
    f.usage_avg_10,
    f.usage_avg_season,
    f.usage_unknown_10,
    f.fg_attempts_10,
    f.ft_attempts_10,
    f.ft_makes_10,
    f.efg_10,
    COALESCE(t.games, 0) AS team_games_10,
    t.pace AS team_pace,
    t.offensive_rating AS team_rating,
    p.player_lookup IS NOT NULL AS has_zones,
    p.primary_scoring_zone,
    p.paint_rate_last_10,
    p.mid_range_rate_last_10,
    p.three_pt_rate_last_10,
    p.assisted_rate_last_10
  FROM nba_analytics.upcoming_player_game_context AS u
  INNER JOIN player_form AS f
    ON
      f.player_lookup = u.player_lookup
      AND f.season_year = u.season_year
      AND f.game_date < u.game_date
      AND u.game_date <= COALESCE(f.next_game_date, u.game_date)
  LEFT JOIN team_pace_form AS t
    ON
      t.team_abbr = u.team_abbr
      AND t.season_year = u.season_year
      AND t.game_date < u.game_date
      AND u.game_date <= COALESCE(t.next_game_date, u.game_date)
  LEFT JOIN nba_precompute.player_shot_zone_analysis AS p
    ON
      p.analysis_date = u.game_date
      AND p.player_lookup = u.player_lookup
      AND p.analysis_date BETWEEN @start_date AND @end_date
  WHERE u.game_date BETWEEN @start_date AND @end_date
),
finals AS (
  SELECT
    team_abbr,
    season_year,
    game_date,
    LEAD(game_date) OVER (PARTITION BY season_year, team_abbr ORDER BY game_date, game_id) AS next_game_date,
    ROW_NUMBER() OVER (PARTITION BY season_year, team_abbr ORDER BY game_date, game_id) AS games
  FROM team_games
  WHERE is_final AND game_date < @end_date
)
SELECT
  p.player_lookup,
  p.player_id,
  p.game_date AS cache_date,
  p.game_id,
  p.team_abbr,
  p.opponent_team_abbr,
  p.games_played AS games_played_season,
  p.games_5 AS games_in_sample_5,
  p.games_10 AS games_in_sample_10,
  p.points_avg_5 AS points_avg_last_5,
  p.form_points_avg_10 AS points_avg_last_10,
  p.points_avg_season,
  SQRT(SAFE_DIVIDE(p.points_squares_10, p.games_10 * (p.games_10 - 1))) AS points_std_last_10,
  p.minutes_avg_10 AS minutes_avg_last_10,
  p.minutes_avg_season,
  p.usage_avg_10 AS usage_rate_last_10,
  p.usage_avg_season AS player_usage_rate_season,
  SAFE_DIVIDE(p.points_10, 2 * (p.fg_attempts_10 + 0.44 * p.ft_attempts_10)) AS ts_pct_last_10,
  p.efg_10 AS efg_pct_last_10,
  SAFE_DIVIDE(p.ft_makes_10, p.points_10) AS free_throw_points_share_last_10,
  p.team_games_10 AS team_games_in_sample_10,
  p.team_pace AS team_pace_last_10,
  p.team_rating AS team_off_rating_last_10,
  p.games_in_last_7_days,
  p.games_in_last_14_days,
  p.minutes_in_last_7_days,
  p.minutes_in_last_14_days,
  p.avg_minutes_per_game_last_7,
  p.back_to_backs_last_14_days,
  p.primary_scoring_zone,
  p.paint_rate_last_10,
  p.mid_range_rate_last_10,
  p.three_pt_rate_last_10,
  p.assisted_rate_last_10,
  p.season_year,
  p.missing_games,
  3 * p.games_10 >= 20 AND p.missing_games = 0 AND p.has_zones AND p.team_games_10 >= LEAST(10, COALESCE(f.games, 0))
    AS is_production_ready,
  CASE WHEN p.games_10 >= 10 THEN 'high' WHEN 3 * p.games_10 >= 20 THEN 'medium' ELSE 'low' END AS data_quality_tier,
  p.has_zones AS _has_zones,
  p.usage_unknown_10 AS _usage_unknown_10,
  p.points_avg_last_5 AS _context_points_avg_last_5,
  p.points_avg_last_10 AS _context_points_avg_last_10,
  p.games_played_season AS _context_games_played
FROM players AS p
LEFT JOIN finals AS f
  ON
    f.team_abbr = p.team_abbr
    AND f.season_year = p.season_year
    AND f.game_date < p.game_date
    AND p.game_date <= COALESCE(f.next_game_date, p.game_date)
