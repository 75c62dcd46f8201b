-- A team's last ten processed games after each of them: pace and scoring, valid until its next one.
-- Sums are in units of 2^-40 (see player_history).
WITH team_pace_form_games AS (
  SELECT
    team_abbr,
    season_year,
    game_date,
    game_id,
    CAST(FLOOR(pace * 1099511627776 + 0.5) AS INT64) AS pace_fixed,
    CAST(FLOOR(offensive_rating * 1099511627776 + 0.5) AS INT64) AS rating_fixed
  FROM nba_analytics.team_offense_game_summary
  WHERE game_date BETWEEN DATE_SUB(@start_date, INTERVAL 370 DAY) AND DATE_SUB(@end_date, INTERVAL 1 DAY)
)
SELECT
  team_abbr,
  season_year,
  game_date,
  LEAD(game_date) OVER game_order AS next_game_date,
  COUNT(*) OVER last_10 AS games,
  SAFE_DIVIDE(SUM(pace_fixed) OVER last_10, COUNT(pace_fixed) OVER last_10) / 1099511627776 AS pace,
  SAFE_DIVIDE(SUM(rating_fixed) OVER last_10, COUNT(rating_fixed) OVER last_10) / 1099511627776 AS offensive_rating
FROM team_pace_form_games
WINDOW
  game_order AS (PARTITION BY season_year, team_abbr ORDER BY game_date, game_id),
  last_10 AS (
    PARTITION BY season_year, team_abbr ORDER BY game_date, game_id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW
  )
