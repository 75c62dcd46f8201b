-- The slates asked for and their seasons.
-- uses: slate_games
SELECT game_date AS slate_date, MIN(season_year) AS season_year
FROM slate_games
GROUP BY game_date
