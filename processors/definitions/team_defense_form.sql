-- A team's last ten processed games after each of them: what it allows, valid until its next one.
-- Sums are in units of 2^-40 (see player_history).
WITH team_defense_form_games AS (
  SELECT
    defending_team_abbr AS team_abbr,
    season_year,
    game_date,
    game_id,
    CAST(FLOOR(defensive_rating * 1099511627776 + 0.5) AS INT64) AS rating_fixed,
    IF(opponent_possessions IS NULL, NULL, opp_ft_attempts) AS ft_attempts,
    CAST(FLOOR(opponent_possessions * 1099511627776 + 0.5) AS INT64) AS possessions_fixed
  FROM nba_analytics.team_defense_game_summary
  WHERE game_date BETWEEN DATE_SUB(@start_date, INTERVAL 370 DAY) AND DATE_SUB(@end_date, INTERVAL 1 DAY)
)
SELECT
  team_abbr,
  season_year,
  game_date,
  LEAD(game_date) OVER game_order AS next_game_date,
  SAFE_DIVIDE(SUM(rating_fixed) OVER last_10, COUNT(rating_fixed) OVER last_10) / 1099511627776 AS defensive_rating,
  100 * SAFE_DIVIDE(SUM(ft_attempts) OVER last_10, SUM(possessions_fixed) OVER last_10 / 1099511627776) AS fta_per_100
FROM team_defense_form_games
WINDOW
  game_order AS (PARTITION BY season_year, team_abbr ORDER BY game_date, game_id),
  last_10 AS (
    PARTITION BY season_year, team_abbr ORDER BY game_date, game_id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW
  )
