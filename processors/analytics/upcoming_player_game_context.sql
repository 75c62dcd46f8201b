-- uses: slate_days, slate_games, injury_reports, slate_players, player_history, player_form
-- uses: points_lines, team_games, unprocessed_games, team_pace_form, team_defense_form
WITH roster AS (
  SELECT
    p.player_lookup,
    p.player_id,
    p.player_full_name,
    p.listed_date,
    t.game_id,
    t.game_date,
    t.season_year,
    t.season_phase,
    t.team_abbr,
    t.opponent_team_abbr,
    t.home_game,
    t.opponent_days_rest,
    t.season_games_entering AS team_games,
    t.injury_report_at AS report_at,
    IF(t.injury_report_at IS NULL, NULL, COALESCE(r.injury_status, 'not_listed')) AS player_status,
    r.reason AS injury_reason
  FROM slate_players AS p
  INNER JOIN nba_analytics.upcoming_team_game_context AS t
    ON t.game_date = p.slate_date AND t.team_abbr = p.team_abbr
  LEFT JOIN injury_reports AS r
    ON r.game_id = t.game_id AND r.team_abbr = t.team_abbr AND r.player_lookup = p.player_lookup
  WHERE t.game_date BETWEEN @start_date AND @end_date
),
formed AS (
  SELECT
    r.*,
    f.player_id AS history_player_id,
    f.game_date AS last_played_date,
    f.previous_game_date,
    f.games_played,
    f.last_rested_game_date,
    IF(f.games_10 = 10, f.tenth_last_date, NULL) AS window_start,
    f.points_avg_5,
    f.points_avg_10,
    f.points_avg_season,
    f.minutes_avg_7,
    f.minutes_avg_season,
    f.usage_avg_7,
    f.efg_season - f.efg_5 AS shooting_decline,
    COALESCE(f.over_streak, 0) AS over_streak,
    COALESCE(f.under_streak, 0) AS under_streak,
    COALESCE(f.game_date >= DATE_SUB(r.game_date, INTERVAL 30 DAY), FALSE) AS played_lately,
    COALESCE(r.player_status IN ('out', 'doubtful'), FALSE) AS is_out,
    -- minutes-weighted usage in units of 2^-40 (see player_history)
    CAST(FLOOR(f.usage_avg_7 * f.minutes_avg_7 / 48 * 1099511627776 + 0.5) AS INT64) AS usage_share
  FROM roster AS r
  LEFT JOIN player_form AS f
    ON
      f.player_lookup = r.player_lookup
      AND f.season_year = r.season_year
      AND f.game_date < r.game_date
      AND r.game_date <= COALESCE(f.next_game_date, r.game_date)
),
teamed AS (
  SELECT
    *,
    COALESCE(
      played_lately AND is_out AND games_played >= 10
      AND (points_avg_season >= 18 OR (minutes_avg_season >= 28 AND points_avg_season >= 12)),
      FALSE
    ) AS is_star_out,
    COALESCE(played_lately AND player_status = 'questionable', FALSE) AS is_questionable,
    COALESCE(played_lately AND player_status = 'probable', FALSE) AS is_probable
  FROM formed
),
shared AS (
  SELECT
    *,
    COUNTIF(is_star_out) OVER team - IF(is_star_out, 1, 0) AS stars_out,
    COUNTIF(is_questionable) OVER team - IF(is_questionable, 1, 0) AS questionable_mates,
    COUNTIF(is_probable) OVER team - IF(is_probable, 1, 0) AS probable_mates,
    COALESCE(SUM(IF(played_lately AND is_out, usage_share, 0)) OVER team, 0) AS vacated_share,
    COALESCE(SUM(IF(played_lately AND NOT is_out, usage_share, 0)) OVER team, 0)
    -- the player himself counts even when he has not played lately
    + IF(played_lately OR is_out, 0, COALESCE(usage_share, 0)) AS active_share
  FROM teamed
  WINDOW team AS (PARTITION BY game_id, team_abbr)
),
load AS (
  SELECT
    r.game_id,
    r.player_lookup,
    COUNTIF(h.game_date >= DATE_SUB(r.game_date, INTERVAL 7 DAY)) AS games_7,
    COUNT(*) AS games_14,
    SUM(IF(h.game_date >= DATE_SUB(r.game_date, INTERVAL 7 DAY), h.seconds, 0)) AS seconds_7,
    SUM(h.seconds) AS seconds_14,
    COUNTIF(
      DATE_DIFF(h.game_date, h.previous_game_date, DAY) = 1
      AND h.previous_game_date >= DATE_SUB(r.game_date, INTERVAL 14 DAY)
    ) AS back_to_backs
  FROM roster AS r
  INNER JOIN player_history AS h
    ON
      h.player_lookup = r.player_lookup
      AND h.season_year = r.season_year
      AND h.game_date BETWEEN DATE_SUB(r.game_date, INTERVAL 14 DAY) AND DATE_SUB(r.game_date, INTERVAL 1 DAY)
  GROUP BY r.game_id, r.player_lookup
),
holes AS (
  SELECT
    f.game_id,
    f.player_lookup,
    COUNTIF(f.window_start IS NULL OR u.game_date >= f.window_start) AS missing_games,
    COUNTIF(u.game_date >= DATE_SUB(f.game_date, INTERVAL 14 DAY)) AS missing_14,
    MAX(u.game_date) AS newest
  FROM formed AS f
  INNER JOIN unprocessed_games AS u
    ON u.team_abbr = f.team_abbr AND u.season_year = f.season_year AND u.game_date < f.game_date
  GROUP BY f.game_id, f.player_lookup
),
joined AS (
  SELECT
    s.*,
    COALESCE(o.missing_games, 0) AS missing_games,
    COALESCE(o.missing_14, 0) AS missing_14,
    IF(o.newest > s.last_played_date, NULL, DATE_DIFF(s.game_date, s.last_played_date, DAY) - 1) AS days_rest,
    IF(o.missing_14 > 0, NULL, COALESCE(l.games_7, 0)) AS games_7,
    IF(o.missing_14 > 0, NULL, COALESCE(l.games_14, 0)) AS games_14,
    IF(o.missing_14 > 0, NULL, COALESCE(l.seconds_7, 0)) AS seconds_7,
    IF(o.missing_14 > 0, NULL, COALESCE(l.seconds_14, 0)) AS seconds_14,
    IF(o.missing_14 > 0, NULL, COALESCE(l.back_to_backs, 0)) AS back_to_backs,
    n.points_line AS raw_line,
    n.points_line BETWEEN 0.5 AND 60 AS line_valid,
    n.bookmaker,
    n.line_at,
    n.opening_line,
    own.pace AS team_pace,
    opp.pace AS opponent_pace,
    d.defensive_rating AS opponent_rating,
    d.fta_per_100
  FROM shared AS s
  LEFT JOIN load AS l ON l.game_id = s.game_id AND l.player_lookup = s.player_lookup
  LEFT JOIN holes AS o ON o.game_id = s.game_id AND o.player_lookup = s.player_lookup
  LEFT JOIN points_lines AS n ON n.game_id = s.game_id AND n.player_lookup = s.player_lookup
  LEFT JOIN team_pace_form AS own
    ON
      own.team_abbr = s.team_abbr
      AND own.season_year = s.season_year
      AND own.game_date < s.game_date
      AND s.game_date <= COALESCE(own.next_game_date, s.game_date)
  LEFT JOIN team_pace_form AS opp
    ON
      opp.team_abbr = s.opponent_team_abbr
      AND opp.season_year = s.season_year
      AND opp.game_date < s.game_date
      AND s.game_date <= COALESCE(opp.next_game_date, s.game_date)
  LEFT JOIN team_defense_form AS d
    ON
      d.team_abbr = s.opponent_team_abbr
      AND d.season_year = s.season_year
      AND d.game_date < s.game_date
      AND s.game_date <= COALESCE(d.next_game_date, s.game_date)
)
SELECT
  player_lookup,
  COALESCE(player_id, history_player_id) AS player_id,
  player_full_name,
  game_id,
  game_date,
  season_year,
  season_phase,
  team_abbr,
  opponent_team_abbr,
  home_game,
  listed_date AS last_listed_date,
  last_played_date,
  COALESCE(games_played, 0) AS games_played_season,
  COALESCE(line_valid, FALSE) AS has_points_line,
  IF(line_valid, raw_line, NULL) AS current_points_line,
  bookmaker AS current_points_line_source,
  line_at AS current_points_line_at,
  IF(opening_line BETWEEN 0.5 AND 60, opening_line, NULL) AS opening_points_line,
  IF(line_valid AND opening_line BETWEEN 0.5 AND 60, raw_line - opening_line, NULL) AS line_movement,
  days_rest,
  days_rest = 0 AS back_to_back,
  DATE_DIFF(last_played_date, previous_game_date, DAY) - 1 AS days_rest_before_last_game,
  DATE_DIFF(game_date, last_rested_game_date, DAY) AS days_since_2_plus_days_rest,
  games_7 AS games_in_last_7_days,
  games_14 AS games_in_last_14_days,
  seconds_7 / 60 AS minutes_in_last_7_days,
  seconds_14 / 60 AS minutes_in_last_14_days,
  SAFE_DIVIDE(seconds_7 / 60, games_7) AS avg_minutes_per_game_last_7,
  back_to_backs AS back_to_backs_last_14_days,
  opponent_days_rest,
  points_avg_5 AS points_avg_last_5,
  points_avg_10 AS points_avg_last_10,
  usage_avg_7 AS avg_usage_rate_last_7_games,
  minutes_avg_7 AS minutes_avg_last_7_games,
  IF(
    report_at IS NULL OR is_out,
    NULL,
    usage_avg_7 * LEAST(1.3, 1 + SAFE_DIVIDE(vacated_share, active_share))
  ) AS projected_usage_rate,
  shooting_decline AS shooting_pct_decline_last_5,
  over_streak AS prop_over_streak,
  under_streak AS prop_under_streak,
  team_pace AS team_pace_last_10,
  opponent_pace AS opponent_pace_last_10,
  opponent_pace - team_pace AS pace_differential,
  opponent_rating AS opponent_def_rating_last_10,
  fta_per_100 AS opponent_fta_per_100_allowed,
  player_status,
  injury_reason,
  report_at AS injury_report_at,
  IF(report_at IS NULL, NULL, stars_out) AS star_teammates_out,
  IF(report_at IS NULL, NULL, questionable_mates) AS questionable_teammates,
  IF(report_at IS NULL, NULL, probable_mates) AS probable_teammates,
  missing_games,
  missing_14 AS missing_games_last_14_days,
  CASE WHEN games_played >= 10 THEN 'high' WHEN games_played * 3 >= 20 THEN 'medium' ELSE 'low' END
    AS data_quality_tier,
  NOT(line_valid AND opening_line BETWEEN 0.5 AND 60) AS _line_off,
  team_games AS _team_games
FROM joined
