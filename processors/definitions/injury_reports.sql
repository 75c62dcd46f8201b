-- What the injury report that counts at a game's cutoff says, a row per listed player; each team submits its own.
-- uses: cutoffs
WITH injury_reports_seen AS (
  SELECT
    r.game_id,
    r.team_abbr,
    r.player_id,
    r.player_lookup,
    r.player_full_name,
    r.injury_status,
    r.reason,
    r.confidence_score,
    r.report_date,
    TIMESTAMP(DATETIME(r.report_date, TIME(r.report_hour, 0, 0)), 'America/New_York') AS report_at
  FROM nba_raw.nbac_injury_report AS r
  INNER JOIN cutoffs AS c ON c.game_id = r.game_id
  WHERE
    r.report_date BETWEEN DATE_SUB(@start_date, INTERVAL 14 DAY) AND @end_date
    AND TIMESTAMP(DATETIME(r.report_date, TIME(r.report_hour, 0, 0)), 'America/New_York') <= c.cutoff
  -- an unresolved name has no key of its own: its printed name stands in
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY
      r.game_id, r.player_lookup, IF(r.player_lookup IS NULL, r.player_full_name, NULL), r.report_date, r.report_hour
    ORDER BY r.processed_at DESC
  ) = 1
)
SELECT
  game_id,
  team_abbr,
  player_id,
  player_lookup,
  player_full_name,
  injury_status,
  reason,
  report_date,
  report_at
FROM injury_reports_seen
-- what was read badly was not read
WHERE COALESCE(confidence_score, 1) >= 0.8
QUALIFY report_at = MAX(report_at) OVER (PARTITION BY game_id, team_abbr)
