-- Player box rows of the dates asked for: the gamebook, or the fallback source where it has no active row.
WITH player_box_gamebook AS (
  SELECT
    game_id, player_lookup, player_id, player_name, team_abbr, player_status, dnp_reason, is_starter, minutes,
    points, field_goals_made, field_goals_attempted, three_pointers_made, three_pointers_attempted,
    free_throws_made, free_throws_attempted, offensive_rebounds, defensive_rebounds, assists, steals, blocks,
    turnovers, personal_fouls, plus_minus
  FROM nba_raw.nbac_gamebook_player_stats
  WHERE game_date BETWEEN @start_date AND @end_date
  -- an unresolved name has no key of its own: its printed name stands in
  QUALIFY ROW_NUMBER() OVER (PARTITION BY game_id, COALESCE(player_lookup, player_name) ORDER BY processed_at DESC) = 1
),
player_box_fallback AS (
  SELECT
    game_id, player_lookup, player_full_name, team_abbr, minutes,
    points, field_goals_made, field_goals_attempted, three_pointers_made, three_pointers_attempted,
    free_throws_made, free_throws_attempted, offensive_rebounds, defensive_rebounds, assists, steals, blocks,
    turnovers, personal_fouls
  FROM nba_raw.bdl_player_boxscores
  WHERE
    game_date BETWEEN @start_date AND @end_date
    AND game_id NOT IN (
      SELECT game_id FROM player_box_gamebook
      WHERE player_status = 'active'
    )
  QUALIFY ROW_NUMBER() OVER (PARTITION BY game_id, player_lookup ORDER BY processed_at DESC) = 1
),
player_box_chosen AS (
  SELECT *, 'nbac_gamebook' AS source
  FROM player_box_gamebook
  WHERE game_id NOT IN (SELECT game_id FROM player_box_fallback)
  UNION ALL
  SELECT
    game_id, player_lookup, NULL, player_full_name, team_abbr, NULL, NULL, NULL, minutes,
    points, field_goals_made, field_goals_attempted, three_pointers_made, three_pointers_attempted,
    free_throws_made, free_throws_attempted, offensive_rebounds, defensive_rebounds, assists, steals, blocks,
    turnovers, personal_fouls, NULL, 'bdl_boxscores'
  FROM player_box_fallback
),
player_box_timed AS (
  SELECT
    *,
    CASE
      WHEN REGEXP_CONTAINS(minutes, r'^\d+:\d\d$')
        THEN
          SAFE_CAST(SPLIT(minutes, ':')[SAFE_OFFSET(0)] AS INT64) * 60
          + SAFE_CAST(SPLIT(minutes, ':')[SAFE_OFFSET(1)] AS INT64)
      WHEN REGEXP_CONTAINS(minutes, r'^\d+$') THEN SAFE_CAST(minutes AS INT64) * 60
    END AS seconds_listed
  FROM player_box_chosen
)
SELECT
  game_id,
  player_lookup,
  player_id,
  player_name,
  team_abbr,
  -- the fallback source lists who sat out with zero minutes
  COALESCE(player_status, IF(seconds_listed > 0, 'active', 'dnp')) AS player_status,
  dnp_reason,
  is_starter,
  IF(seconds_listed > 0, seconds_listed, NULL) AS seconds,
  IF(seconds_listed > 0, points, NULL) AS points,
  IF(seconds_listed > 0, field_goals_made, NULL) AS field_goals_made,
  IF(seconds_listed > 0, field_goals_attempted, NULL) AS field_goals_attempted,
  IF(seconds_listed > 0, three_pointers_made, NULL) AS three_pointers_made,
  IF(seconds_listed > 0, three_pointers_attempted, NULL) AS three_pointers_attempted,
  IF(seconds_listed > 0, free_throws_made, NULL) AS free_throws_made,
  IF(seconds_listed > 0, free_throws_attempted, NULL) AS free_throws_attempted,
  IF(seconds_listed > 0, offensive_rebounds, NULL) AS offensive_rebounds,
  IF(seconds_listed > 0, defensive_rebounds, NULL) AS defensive_rebounds,
  IF(seconds_listed > 0, assists, NULL) AS assists,
  IF(seconds_listed > 0, steals, NULL) AS steals,
  IF(seconds_listed > 0, blocks, NULL) AS blocks,
  IF(seconds_listed > 0, turnovers, NULL) AS turnovers,
  IF(seconds_listed > 0, personal_fouls, NULL) AS personal_fouls,
  IF(seconds_listed > 0, plus_minus, NULL) AS plus_minus,
  source
FROM player_box_timed
