-- uses: player_history, player_form, opponent_history
WITH features AS (
  SELECT
    u.player_lookup,
    u.player_id,
    u.game_date,
    u.game_id,
    u.team_abbr,
    u.opponent_team_abbr,
    u.season_year,
    u.missing_games,
    u.player_status,
    u.injury_report_at IS NULL AS no_injury_report,
    c.player_lookup IS NOT NULL AS has_cache,
    f.player_lookup IS NOT NULL AS has_composite,
    p.player_lookup IS NOT NULL AS has_zones,
    t.team_abbr IS NOT NULL AS has_team,
    t.games_in_sample AS opponent_games,
    c.team_games_in_sample_10 AS team_games,
    COALESCE(h.games_10, 0) AS games,
    COALESCE(c.is_production_ready AND p.is_production_ready AND t.is_production_ready, FALSE) AS sources_ready,
    CASE c.data_quality_tier WHEN 'high' THEN 10 WHEN 'medium' THEN 8 WHEN 'low' THEN 5 ELSE 0 END AS cache_weight,
    CASE f.data_quality_tier WHEN 'high' THEN 10 WHEN 'medium' THEN 8 WHEN 'low' THEN 5 ELSE 0 END AS composite_weight,
    CASE p.data_quality_tier WHEN 'high' THEN 10 WHEN 'medium' THEN 8 WHEN 'low' THEN 5 ELSE 0 END AS zone_weight,
    CASE t.data_quality_tier WHEN 'high' THEN 10 WHEN 'medium' THEN 8 WHEN 'low' THEN 5 ELSE 0 END AS team_weight,
    c.points_avg_last_5 AS points_avg_last_5,
    c.points_avg_last_10 AS points_avg_last_10,
    c.points_avg_season AS points_avg_season,
    c.points_std_last_10 AS points_std_last_10,
    CAST(u.games_in_last_7_days AS FLOAT64) AS games_in_last_7_days,
    f.fatigue_score AS fatigue_score,
    f.shot_zone_mismatch_score AS shot_zone_mismatch_score,
    f.pace_score AS pace_score,
    f.usage_spike_score AS usage_spike_score,
    CAST(GREATEST(-2, LEAST(2, u.days_rest - u.opponent_days_rest)) AS FLOAT64) AS rest_advantage,
    CASE u.player_status
      WHEN 'not_listed' THEN 0.0
      WHEN 'available' THEN 0.0
      WHEN 'probable' THEN 1.0
      WHEN 'questionable' THEN 2.0
      WHEN 'doubtful' THEN 3.0
      WHEN 'out' THEN 3.0
    END AS injury_risk,
    CASE
      WHEN h.games_5 < 5 OR h.games_5 IS NULL THEN NULL
      -- six times the mean of games 1-3 less the mean of games 4-5, in whole points
      WHEN 5 * h.points_3 - 3 * h.points_5 >= 30 THEN 2.0
      WHEN 5 * h.points_3 - 3 * h.points_5 >= 12 THEN 1.0
      WHEN 5 * h.points_3 - 3 * h.points_5 <= -30 THEN -2.0
      WHEN 5 * h.points_3 - 3 * h.points_5 <= -12 THEN -1.0
      ELSE 0.0
    END AS recent_trend,
    CASE
      WHEN c.minutes_drift IS NULL THEN NULL
      -- a tenth that a FLOAT64 cannot hold is still a tenth
      WHEN c.minutes_drift >= 0.2 - 1e-9 THEN 2.0
      WHEN c.minutes_drift >= 0.1 - 1e-9 THEN 1.0
      WHEN c.minutes_drift <= -0.2 + 1e-9 THEN -2.0
      WHEN c.minutes_drift <= -0.1 + 1e-9 THEN -1.0
      ELSE 0.0
    END AS minutes_change,
    t.defensive_rating_last_15 AS opponent_def_rating,
    t.opponent_pace AS opponent_pace,
    IF(u.home_game, 1.0, 0.0) AS home_away,
    IF(u.back_to_back IS NULL, NULL, IF(u.back_to_back, 1.0, 0.0)) AS back_to_back,
    IF(u.season_phase = 'playoffs', 1.0, 0.0) AS playoff_game,
    p.paint_rate_last_10 / 100 AS pct_paint,
    p.mid_range_rate_last_10 / 100 AS pct_mid_range,
    p.three_pt_rate_last_10 / 100 AS pct_three,
    GREATEST(0.0, LEAST(0.5, c.free_throw_points_share_last_10)) AS pct_free_throw,
    c.team_pace_last_10 AS team_pace,
    c.team_off_rating_last_10 AS team_off_rating,
    SAFE_DIVIDE(x.season_wins_entering, x.season_games_entering) AS team_win_pct,
    u.current_points_line AS vegas_points_line,
    u.opening_points_line AS vegas_opening_line,
    u.line_movement AS vegas_line_move,
    IF(u.has_points_line, 1.0, 0.0) AS has_vegas_line,
    o.points_avg AS avg_points_vs_opponent,
    CAST(COALESCE(o.games, 0) AS FLOAT64) AS games_vs_opponent,
    c.minutes_avg_last_10 AS minutes_avg_last_10,
    SAFE_DIVIDE(h.points_10 * 60, h.seconds_10) AS ppm_avg_last_10,
    CAST(u.days_rest AS FLOAT64) AS days_rest,
    u.minutes_in_last_7_days AS minutes_load_last_7d,
    ABS(x.game_spread) AS spread_magnitude,
    (x.game_total - x.game_spread) / 2 AS implied_team_total,
    h.points_avg_3 AS points_avg_last_3,
    IF(
      h.games_10 < 3,
      NULL,
      -- (n sum(iy) - sum(i) sum(y)) / (n sum(ii) - sum(i) sum(i)) for i = 0 .. n - 1, in closed form
      SAFE_DIVIDE(
        6 * (2 * h.indexed_points_10 - (h.games_10 - 1) * h.points_10),
        h.games_10 * (h.games_10 * h.games_10 - 1)
      )
    ) AS scoring_trend_slope,
    h.usage_avg_5 AS usage_rate_last_5
  FROM nba_analytics.upcoming_player_game_context AS u
  LEFT JOIN nba_analytics.upcoming_team_game_context AS x
    ON x.game_id = u.game_id AND x.team_abbr = u.team_abbr AND x.game_date BETWEEN @start_date AND @end_date
  LEFT JOIN (
    SELECT *, SAFE_DIVIDE(minutes_avg_last_10 - minutes_avg_season, minutes_avg_season) AS minutes_drift
    FROM nba_precompute.player_daily_cache
    WHERE cache_date BETWEEN @start_date AND @end_date
  ) AS c
    ON c.cache_date = u.game_date AND c.player_lookup = u.player_lookup
  LEFT JOIN nba_precompute.player_composite_factors AS f
    ON f.game_id = u.game_id AND f.player_lookup = u.player_lookup AND f.game_date BETWEEN @start_date AND @end_date
  LEFT JOIN nba_precompute.player_shot_zone_analysis AS p
    ON
      p.analysis_date = u.game_date
      AND p.player_lookup = u.player_lookup
      AND p.analysis_date BETWEEN @start_date AND @end_date
  LEFT JOIN nba_precompute.team_defense_zone_analysis AS t
    ON
      t.analysis_date = u.game_date
      AND t.team_abbr = u.opponent_team_abbr
      AND t.analysis_date BETWEEN @start_date AND @end_date
  LEFT JOIN player_form AS h
    ON
      h.player_lookup = u.player_lookup
      AND h.season_year = u.season_year
      AND h.game_date < u.game_date
      AND u.game_date <= COALESCE(h.next_game_date, u.game_date)
  LEFT JOIN opponent_history AS o ON o.game_id = u.game_id AND o.player_lookup = u.player_lookup
  WHERE u.game_date BETWEEN @start_date AND @end_date
),
scored AS (
  SELECT
    *,
    -- in whole tenths: a score on a limit is on it, not beside it
    100 * (
      IF(points_avg_last_5 IS NULL, 0, cache_weight)
      + IF(points_avg_last_10 IS NULL, 0, cache_weight)
      + IF(points_avg_season IS NULL, 0, cache_weight)
      + IF(points_std_last_10 IS NULL, 0, cache_weight)
      + IF(games_in_last_7_days IS NULL, 0, 10)
      + IF(fatigue_score IS NULL, 0, composite_weight)
      + IF(shot_zone_mismatch_score IS NULL, 0, composite_weight)
      + IF(pace_score IS NULL, 0, composite_weight)
      + IF(usage_spike_score IS NULL, 0, composite_weight)
      + IF(rest_advantage IS NULL, 0, 10)
      + IF(injury_risk IS NULL, 0, 10)
      + IF(recent_trend IS NULL, 0, cache_weight)
      + IF(minutes_change IS NULL, 0, cache_weight)
      + IF(opponent_def_rating IS NULL, 0, team_weight)
      + IF(opponent_pace IS NULL, 0, team_weight)
      + IF(home_away IS NULL, 0, 10)
      + IF(back_to_back IS NULL, 0, 10)
      + IF(playoff_game IS NULL, 0, 10)
      + IF(pct_paint IS NULL, 0, zone_weight)
      + IF(pct_mid_range IS NULL, 0, zone_weight)
      + IF(pct_three IS NULL, 0, zone_weight)
      + IF(pct_free_throw IS NULL, 0, cache_weight)
      + IF(team_pace IS NULL, 0, cache_weight)
      + IF(team_off_rating IS NULL, 0, cache_weight)
      + IF(team_win_pct IS NULL, 0, 10)
      + IF(has_vegas_line IS NULL, 0, 10)
      + IF(games_vs_opponent IS NULL, 0, 10)
      + IF(minutes_avg_last_10 IS NULL, 0, cache_weight)
      + IF(ppm_avg_last_10 IS NULL, 0, cache_weight)
      + IF(days_rest IS NULL, 0, 10)
      + IF(minutes_load_last_7d IS NULL, 0, 10)
      + IF(points_avg_last_3 IS NULL, 0, cache_weight)
      + IF(scoring_trend_slope IS NULL, 0, cache_weight)
      + IF(usage_rate_last_5 IS NULL, 0, cache_weight)
    ) / 340 AS quality,
    -- in table order, each followed by a comma
    CONCAT(
      IF(points_avg_last_5 IS NULL, 'points_avg_last_5,', ''),
      IF(points_avg_last_10 IS NULL, 'points_avg_last_10,', ''),
      IF(points_avg_season IS NULL, 'points_avg_season,', ''),
      IF(points_std_last_10 IS NULL, 'points_std_last_10,', ''),
      IF(games_in_last_7_days IS NULL, 'games_in_last_7_days,', ''),
      IF(fatigue_score IS NULL, 'fatigue_score,', ''),
      IF(shot_zone_mismatch_score IS NULL, 'shot_zone_mismatch_score,', ''),
      IF(pace_score IS NULL, 'pace_score,', ''),
      IF(usage_spike_score IS NULL, 'usage_spike_score,', ''),
      IF(rest_advantage IS NULL, 'rest_advantage,', ''),
      IF(injury_risk IS NULL, 'injury_risk,', ''),
      IF(recent_trend IS NULL, 'recent_trend,', ''),
      IF(minutes_change IS NULL, 'minutes_change,', ''),
      IF(opponent_def_rating IS NULL, 'opponent_def_rating,', ''),
      IF(opponent_pace IS NULL, 'opponent_pace,', ''),
      IF(home_away IS NULL, 'home_away,', ''),
      IF(back_to_back IS NULL, 'back_to_back,', ''),
      IF(playoff_game IS NULL, 'playoff_game,', ''),
      IF(pct_paint IS NULL, 'pct_paint,', ''),
      IF(pct_mid_range IS NULL, 'pct_mid_range,', ''),
      IF(pct_three IS NULL, 'pct_three,', ''),
      IF(pct_free_throw IS NULL, 'pct_free_throw,', ''),
      IF(team_pace IS NULL, 'team_pace,', ''),
      IF(team_off_rating IS NULL, 'team_off_rating,', ''),
      IF(team_win_pct IS NULL, 'team_win_pct,', ''),
      IF(vegas_points_line IS NULL, 'vegas_points_line,', ''),
      IF(vegas_opening_line IS NULL, 'vegas_opening_line,', ''),
      IF(vegas_line_move IS NULL, 'vegas_line_move,', ''),
      IF(has_vegas_line IS NULL, 'has_vegas_line,', ''),
      IF(avg_points_vs_opponent IS NULL, 'avg_points_vs_opponent,', ''),
      IF(games_vs_opponent IS NULL, 'games_vs_opponent,', ''),
      IF(minutes_avg_last_10 IS NULL, 'minutes_avg_last_10,', ''),
      IF(ppm_avg_last_10 IS NULL, 'ppm_avg_last_10,', ''),
      IF(days_rest IS NULL, 'days_rest,', ''),
      IF(minutes_load_last_7d IS NULL, 'minutes_load_last_7d,', ''),
      IF(spread_magnitude IS NULL, 'spread_magnitude,', ''),
      IF(implied_team_total IS NULL, 'implied_team_total,', ''),
      IF(points_avg_last_3 IS NULL, 'points_avg_last_3,', ''),
      IF(scoring_trend_slope IS NULL, 'scoring_trend_slope,', ''),
      IF(usage_rate_last_5 IS NULL, 'usage_rate_last_5,', '')
    ) AS missing_names
  FROM features
)
SELECT
  player_lookup,
  player_id,
  game_date,
  game_id,
  team_abbr,
  opponent_team_abbr,
  'v1_wide_40' AS feature_version,
  points_avg_last_5,
  points_avg_last_10,
  points_avg_season,
  points_std_last_10,
  games_in_last_7_days,
  fatigue_score,
  shot_zone_mismatch_score,
  pace_score,
  usage_spike_score,
  rest_advantage,
  injury_risk,
  recent_trend,
  minutes_change,
  opponent_def_rating,
  opponent_pace,
  home_away,
  back_to_back,
  playoff_game,
  pct_paint,
  pct_mid_range,
  pct_three,
  pct_free_throw,
  team_pace,
  team_off_rating,
  team_win_pct,
  vegas_points_line,
  vegas_opening_line,
  vegas_line_move,
  has_vegas_line,
  avg_points_vs_opponent,
  games_vs_opponent,
  minutes_avg_last_10,
  ppm_avg_last_10,
  days_rest,
  minutes_load_last_7d,
  spread_magnitude,
  implied_team_total,
  points_avg_last_3,
  scoring_trend_slope,
  usage_rate_last_5,
  quality AS feature_quality_score,
  IF(missing_names = '', [], SPLIT(RTRIM(missing_names, ','), ',')) AS missing_features,
  season_year,
  missing_games,
  sources_ready
  AND has_composite
  AND missing_games = 0
  AND quality >= 70
  AND points_avg_last_5 IS NOT NULL
  AND points_avg_last_10 IS NOT NULL
  AND points_avg_season IS NOT NULL
  AND points_std_last_10 IS NOT NULL
  AND games_in_last_7_days IS NOT NULL
  AND fatigue_score IS NOT NULL
  AND shot_zone_mismatch_score IS NOT NULL
  AND pace_score IS NOT NULL
  AND rest_advantage IS NOT NULL
  AND recent_trend IS NOT NULL
  AND minutes_change IS NOT NULL
  AND opponent_def_rating IS NOT NULL
  AND opponent_pace IS NOT NULL
  AND home_away IS NOT NULL
  AND back_to_back IS NOT NULL
  AND playoff_game IS NOT NULL
  AND pct_paint IS NOT NULL
  AND pct_mid_range IS NOT NULL
  AND pct_three IS NOT NULL
  AND pct_free_throw IS NOT NULL
  AND team_pace IS NOT NULL
  AND team_off_rating IS NOT NULL
  AND team_win_pct IS NOT NULL
  -- a project without injury reports must still predict
  AND (no_injury_report OR (usage_spike_score IS NOT NULL AND injury_risk IS NOT NULL)) AS is_production_ready,
  CASE WHEN quality >= 90 THEN 'high' WHEN quality >= 70 THEN 'medium' ELSE 'low' END AS data_quality_tier,
  has_cache AS _has_cache,
  has_composite AS _has_composite,
  has_zones AS _has_zones,
  has_team AS _has_team,
  no_injury_report AS _no_injury_report,
  player_status AS _player_status,
  opponent_games AS _opponent_games,
  team_games AS _team_games,
  games AS _games
FROM scored
