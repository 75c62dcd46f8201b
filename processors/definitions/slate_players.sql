-- Who may play on a slate: players listed in the last 30 days or named on the report of a slate game,
-- with the team of their newest listing.
-- uses: slate_days, slate_games, injury_reports
WITH slate_players_listed AS (
  SELECT
    player_lookup,
    player_id,
    player_full_name,
    team_abbr,
    season_year,
    game_id,
    game_date,
    LAST_VALUE(player_id IGNORE NULLS) OVER (
      PARTITION BY season_year, player_lookup
      ORDER BY game_date, game_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS known_player_id,
    LEAD(game_date) OVER (PARTITION BY season_year, player_lookup ORDER BY game_date, game_id) AS next_listed_date
  FROM nba_analytics.player_game_summary
  WHERE game_date BETWEEN DATE_SUB(@start_date, INTERVAL 370 DAY) AND DATE_SUB(@end_date, INTERVAL 1 DAY)
),
slate_players_candidates AS (
  SELECT
    d.slate_date,
    l.player_lookup,
    l.known_player_id AS player_id,
    l.player_full_name,
    l.team_abbr,
    l.game_date AS listed_date,
    0 AS is_report,
    l.game_id,
    CAST(NULL AS TIMESTAMP) AS report_at
  FROM slate_days AS d
  INNER JOIN slate_players_listed AS l
    ON
      l.season_year = d.season_year
      AND l.game_date < d.slate_date
      AND d.slate_date <= COALESCE(l.next_listed_date, d.slate_date)
      AND l.game_date >= DATE_SUB(d.slate_date, INTERVAL 30 DAY)
  UNION ALL
  SELECT
    g.game_date, r.player_lookup, r.player_id, r.player_full_name, r.team_abbr, r.report_date, 1, r.game_id, r.report_at
  FROM injury_reports AS r
  INNER JOIN slate_games AS g ON g.game_id = r.game_id
  WHERE r.player_lookup IS NOT NULL
),
slate_players_newest AS (
  SELECT
    slate_date,
    player_lookup,
    FIRST_VALUE(player_id IGNORE NULLS) OVER newest_first AS player_id,
    player_full_name,
    team_abbr,
    listed_date,
    ROW_NUMBER() OVER (
      PARTITION BY slate_date, player_lookup
      -- both teams of a game may name a player who changes sides: the later report knows better
      ORDER BY listed_date DESC, is_report DESC, game_id DESC, report_at DESC, team_abbr DESC
    ) AS nth
  FROM slate_players_candidates
  WINDOW newest_first AS (
    PARTITION BY slate_date, player_lookup
    ORDER BY listed_date DESC, is_report DESC, game_id DESC, report_at DESC, team_abbr DESC
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
  )
)
SELECT slate_date, player_lookup, player_id, player_full_name, team_abbr, listed_date
FROM slate_players_newest
WHERE nth = 1
