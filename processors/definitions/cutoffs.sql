-- The moment of each game after which no line or report counts.
-- uses: schedule
SELECT
  game_id,
  game_date,
  CASE
    WHEN game_start_time IS NOT NULL AND game_start_time < @as_of THEN game_start_time
    -- without a tip-off time the day in New York bounds it; whether the game has ended since must not matter
    WHEN game_start_time IS NULL AND TIMESTAMP(DATE_ADD(game_date, INTERVAL 1 DAY), 'America/New_York') < @as_of
      THEN TIMESTAMP(DATE_ADD(game_date, INTERVAL 1 DAY), 'America/New_York')
    ELSE @as_of
  END AS cutoff
FROM schedule
WHERE game_date BETWEEN @start_date AND @end_date
