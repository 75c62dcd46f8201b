WITH joined AS (
  SELECT
    u.*,
    p.data_quality_tier AS player_tier,
    p.is_production_ready AS player_ready,
    p.missing_games AS player_missing,
    p.primary_scoring_zone AS primary_zone,
    p.paint_rate_last_10 AS paint_rate,
    p.mid_range_rate_last_10 AS mid_range_rate,
    p.three_pt_rate_last_10 AS three_rate,
    t.data_quality_tier AS team_tier,
    t.is_production_ready AS team_ready,
    t.missing_games AS team_missing,
    t.paint_defense_vs_league_avg AS paint_vs,
    t.mid_range_defense_vs_league_avg AS mid_range_vs,
    t.three_pt_defense_vs_league_avg AS three_vs
  FROM nba_analytics.upcoming_player_game_context AS u
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
  WHERE u.game_date BETWEEN @start_date AND @end_date
),
measured AS (
  SELECT
    *,
    100
    + CASE WHEN days_rest = 0 THEN -15 WHEN days_rest >= 2 THEN 5 ELSE 0 END
    + IF(games_in_last_7_days >= 4, -10, 0)
    + IF(minutes_in_last_7_days > 240, -10, 0)
    + IF(avg_minutes_per_game_last_7 > 35, -8, 0)
    + CASE WHEN back_to_backs_last_14_days >= 2 THEN -12 WHEN back_to_backs_last_14_days = 1 THEN -5 ELSE 0 END
      AS freshness,
    CASE primary_zone
      WHEN 'paint' THEN paint_vs * LEAST(paint_rate / 50, 1)
      WHEN 'mid_range' THEN mid_range_vs * LEAST(mid_range_rate / 50, 1)
      WHEN 'three' THEN three_vs * LEAST(three_rate / 50, 1)
      WHEN 'balanced'
        THEN paint_vs * paint_rate / 100 + mid_range_vs * mid_range_rate / 100 + three_vs * three_rate / 100
    END AS mismatch,
    0.3 * (projected_usage_rate - avg_usage_rate_last_7_games) AS usage_gain
  FROM joined
),
scored AS (
  SELECT
    *,
    IF(missing_games_last_14_days > 0, NULL, CAST(GREATEST(0, LEAST(100, freshness)) AS FLOAT64)) AS fatigue_score,
    GREATEST(-10.0, LEAST(10.0, IF(ABS(mismatch) > 5, 1.2 * mismatch, mismatch))) AS shot_zone_mismatch_score,
    GREATEST(-3.0, LEAST(3.0, pace_differential / 2)) AS pace_score,
    GREATEST(
      -3.0,
      LEAST(
        3.0,
        CASE
          WHEN usage_gain > 0 AND star_teammates_out = 1 THEN usage_gain * 1.15
          WHEN usage_gain > 0 AND star_teammates_out >= 2 THEN usage_gain * 1.3
          ELSE usage_gain
        END
      )
    ) AS usage_spike_score
  FROM measured
),
counted AS (
  SELECT
    *,
    IF(fatigue_score IS NULL, 0, 1) + IF(shot_zone_mismatch_score IS NULL, 0, 1)
    + IF(pace_score IS NULL, 0, 1) + IF(usage_spike_score IS NULL, 0, 1) AS factors_known,
    -- alphabetical, each followed by a comma
    CONCAT(
      IF(avg_usage_rate_last_7_games IS NULL, 'avg_usage_rate_last_7_games,', ''),
      IF(days_rest IS NULL, 'days_rest,', ''),
      IF(pace_differential IS NULL, 'pace_differential,', ''),
      IF(primary_zone IS NULL, 'player_shot_zone,', ''),
      IF(projected_usage_rate IS NULL, 'projected_usage_rate,', ''),
      IF(star_teammates_out IS NULL, 'star_teammates_out,', ''),
      CASE
        WHEN primary_zone = 'paint' THEN IF(paint_vs IS NULL, 'team_defense_zone,', '')
        WHEN primary_zone = 'mid_range' THEN IF(mid_range_vs IS NULL, 'team_defense_zone,', '')
        WHEN primary_zone = 'three' THEN IF(three_vs IS NULL, 'team_defense_zone,', '')
        ELSE IF(paint_vs IS NULL OR mid_range_vs IS NULL OR three_vs IS NULL, 'team_defense_zone,', '')
      END
    ) AS missing_names
  FROM scored
)
SELECT
  player_lookup,
  player_id,
  game_date,
  game_id,
  team_abbr,
  opponent_team_abbr,
  fatigue_score,
  shot_zone_mismatch_score,
  pace_score,
  usage_spike_score,
  (fatigue_score - 100) / 20 + shot_zone_mismatch_score + pace_score + usage_spike_score
    AS total_composite_adjustment,
  factors_known,
  IF(missing_names = '', [], SPLIT(RTRIM(missing_names, ','), ',')) AS missing_inputs,
  season_year,
  missing_games,
  factors_known >= IF(injury_report_at IS NULL, 3, 4)
  -- without a report nobody can know the usage to come; every other factor is owed
  AND fatigue_score IS NOT NULL AND shot_zone_mismatch_score IS NOT NULL AND pace_score IS NOT NULL
  AND missing_games = 0 AND COALESCE(player_ready AND player_missing = 0 AND team_ready AND team_missing = 0, FALSE)
    AS is_production_ready,
  CASE
    WHEN factors_known = 4 AND player_tier = 'high' AND team_tier = 'high' THEN 'high'
    WHEN factors_known >= 3 THEN 'medium'
    ELSE 'low'
  END AS data_quality_tier,
  injury_report_at IS NULL AS _no_injury_report
FROM counted
