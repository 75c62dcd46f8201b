-- uses: schedule, slate_games, team_games, cutoffs, game_lines, injury_reports, team_reports
WITH slate_teams AS (
  SELECT *
  FROM team_games
  WHERE game_status != 4 AND game_date BETWEEN @start_date AND @end_date
),
results AS (
  SELECT
    *,
    COUNT(*) OVER so_far AS games,
    COUNTIF(margin > 0) OVER so_far AS wins,
    COUNTIF(home_game) OVER so_far AS home_games
  FROM team_games
  WHERE is_final AND game_date < @end_date
  WINDOW so_far AS (
    PARTITION BY season_year, team_abbr ORDER BY game_date, game_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
),
form AS (
  -- a streak is what has been counted since the count last stood still
  SELECT
    *,
    wins - MAX(IF(margin <= 0, wins, 0)) OVER so_far AS win_streak,
    (games - wins) - MAX(IF(margin > 0, games - wins, 0)) OVER so_far AS loss_streak,
    (games - home_games) - MAX(IF(home_game, games - home_games, 0)) OVER so_far AS road_streak,
    LEAD(game_date) OVER (PARTITION BY season_year, team_abbr ORDER BY game_date, game_id) AS next_game_date
  FROM results
  WINDOW so_far AS (
    PARTITION BY season_year, team_abbr ORDER BY game_date, game_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
),
calendar AS (
  -- the slate row is the D of these counts: no game after D + 8 is looked at
  SELECT
    s.game_id,
    s.team_abbr,
    COUNTIF(g.game_date < s.game_date) AS scheduled_before,
    COUNTIF(
      g.is_final AND g.game_date BETWEEN DATE_SUB(s.game_date, INTERVAL 7 DAY) AND DATE_SUB(s.game_date, INTERVAL 1 DAY)
    )
      AS games_in_last_7_days,
    COUNTIF(
      g.is_final
      AND g.game_date BETWEEN DATE_SUB(s.game_date, INTERVAL 14 DAY) AND DATE_SUB(s.game_date, INTERVAL 1 DAY)
    )
      AS games_in_last_14_days,
    COUNTIF(g.game_date BETWEEN DATE_ADD(s.game_date, INTERVAL 1 DAY) AND DATE_ADD(s.game_date, INTERVAL 7 DAY))
      AS games_in_next_7_days,
    COUNTIF(g.game_date < s.game_date AND g.game_status IN (1, 2)) AS unfinished,
    MIN(
      IF(
        g.game_date BETWEEN DATE_ADD(s.game_date, INTERVAL 1 DAY) AND DATE_ADD(s.game_date, INTERVAL 8 DAY),
        g.game_date,
        NULL
      )
    ) AS next_date
  FROM slate_teams AS s
  INNER JOIN team_games AS g
    ON g.team_abbr = s.team_abbr AND g.season_year = s.season_year AND g.game_status != 4
  GROUP BY s.game_id, s.team_abbr
),
entering AS (
  SELECT
    s.*,
    f.games,
    f.wins,
    f.win_streak,
    f.loss_streak,
    f.road_streak,
    f.game_date AS last_game_date,
    f.margin AS last_game_margin,
    -- a season opens at the team's own arena, whatever is known of its travels before
    COALESCE(f.venue, s.team_abbr) AS last_venue,
    COALESCE(f.neutral_site, FALSE) AS last_neutral,
    DATE_DIFF(s.game_date, f.game_date, DAY) - 1 AS team_days_rest
  FROM slate_teams AS s
  LEFT JOIN form AS f
    ON
      f.team_abbr = s.team_abbr
      AND f.season_year = s.season_year
      AND f.game_date < s.game_date
      AND s.game_date <= COALESCE(f.next_game_date, s.game_date)
),
located AS (
  SELECT
    e.*,
    IF(e.neutral_site OR e.last_neutral, NULL, ABS(there.utc_offset_standard - here.utc_offset_standard))
      AS time_zone_changes,
    IF(
      e.neutral_site OR e.last_neutral,
      NULL,
      2 * 3958.8 * ASIN(
        LEAST(
          1.0,
          SQRT(
            POW(SIN((there.latitude - here.latitude) * ACOS(-1) / 360), 2)
            + COS(here.latitude * ACOS(-1) / 180) * COS(there.latitude * ACOS(-1) / 180)
            * POW(SIN((there.longitude - here.longitude) * ACOS(-1) / 360), 2)
          )
        )
      )
    ) AS travel_miles
  FROM entering AS e
  LEFT JOIN nba_static.team_locations AS here ON here.team_abbr = e.last_venue
  LEFT JOIN nba_static.team_locations AS there ON there.team_abbr = e.venue
),
lined AS (
  SELECT
    l.*,
    o.team_days_rest AS opponent_days_rest,
    c.scheduled_before,
    c.games_in_last_7_days,
    c.games_in_last_14_days,
    c.games_in_next_7_days,
    c.unfinished,
    DATE_DIFF(c.next_date, l.game_date, DAY) - 1 AS next_game_days_rest,
    IF(ABS(spread.point) <= 40, spread.point, NULL) AS game_spread,
    IF(ABS(spread.opening_point) <= 40, spread.opening_point, NULL) AS opening_spread,
    spread.bookmaker AS spread_bookmaker,
    spread.line_at AS spread_at,
    IF(total.point BETWEEN 150 AND 300, total.point, NULL) AS game_total,
    IF(total.opening_point BETWEEN 150 AND 300, total.opening_point, NULL) AS opening_total,
    total.bookmaker AS total_bookmaker,
    total.line_at AS total_at,
    NOT(ABS(spread.point) <= 40 AND ABS(spread.opening_point) <= 40) AS spread_off,
    NOT(total.point BETWEEN 150 AND 300 AND total.opening_point BETWEEN 150 AND 300) AS total_off,
    r.report_at,
    r.players_out,
    r.players_questionable
  FROM located AS l
  INNER JOIN calendar AS c ON c.game_id = l.game_id AND c.team_abbr = l.team_abbr
  LEFT JOIN entering AS o ON o.game_id = l.game_id AND o.team_abbr = l.opponent_team_abbr
  LEFT JOIN game_lines AS spread
    ON spread.game_id = l.game_id AND spread.market = 'spreads' AND spread.outcome = l.team_abbr
  LEFT JOIN game_lines AS total
    ON total.game_id = l.game_id AND total.market = 'totals' AND total.outcome = 'over'
  LEFT JOIN team_reports AS r ON r.game_id = l.game_id AND r.team_abbr = l.team_abbr
)
SELECT
  team_abbr,
  game_id,
  nba_game_id,
  game_date,
  season_year,
  season_type,
  CASE
    WHEN season_type IN ('play_in', 'playoffs') THEN 'playoffs'
    WHEN EXTRACT(MONTH FROM game_date) IN (10, 11) THEN 'early'
    WHEN EXTRACT(MONTH FROM game_date) IN (12, 1, 2) THEN 'mid'
    ELSE 'late'
  END AS season_phase,
  opponent_team_abbr,
  home_game,
  game_start_time,
  scheduled_before + 1 AS game_number_in_season,
  COALESCE(games, 0) AS season_games_entering,
  COALESCE(wins, 0) AS season_wins_entering,
  COALESCE(win_streak, 0) AS team_win_streak_entering,
  COALESCE(loss_streak, 0) AS team_loss_streak_entering,
  last_game_date,
  last_game_margin,
  CASE WHEN last_game_margin > 0 THEN 'W' WHEN last_game_margin < 0 THEN 'L' END AS last_game_result,
  team_days_rest,
  team_days_rest = 0 AS team_back_to_back,
  opponent_days_rest,
  games_in_last_7_days,
  games_in_last_14_days,
  next_game_days_rest,
  games_in_next_7_days,
  game_spread,
  spread_bookmaker AS game_spread_source,
  opening_spread,
  game_spread - opening_spread AS spread_movement,
  game_total,
  total_bookmaker AS game_total_source,
  opening_total,
  game_total - opening_total AS total_movement,
  GREATEST(COALESCE(spread_at, total_at), COALESCE(total_at, spread_at)) AS betting_lines_updated_at,
  IF(report_at IS NULL, NULL, players_out) AS players_out_count,
  IF(report_at IS NULL, NULL, players_questionable) AS questionable_players_count,
  report_at AS injury_report_at,
  travel_miles,
  time_zone_changes,
  IF(home_game, 0, COALESCE(road_streak, 0) + 1) AS consecutive_road_games,
  CASE IF(game_spread IS NULL, 1, 0) + IF(game_total IS NULL, 1, 0) + IF(report_at IS NULL, 1, 0)
    WHEN 0 THEN 'high'
    WHEN 1 THEN 'medium'
    ELSE 'low'
  END AS data_quality_tier,
  COALESCE(spread_off, FALSE) OR COALESCE(total_off, FALSE) AS _line_off,
  unfinished AS _unfinished
FROM lined
