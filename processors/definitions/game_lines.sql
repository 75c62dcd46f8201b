-- The spread or total of each outcome that counts at the game's cutoff, and the one it opened with.
-- uses: cutoffs
WITH game_lines_loaded AS (
  SELECT l.game_id, l.market, l.outcome, l.bookmaker, l.snapshot_timestamp, l.point
  FROM nba_raw.odds_api_game_lines AS l
  INNER JOIN cutoffs AS c ON c.game_id = l.game_id
  WHERE l.game_date BETWEEN @start_date AND @end_date AND l.snapshot_timestamp <= c.cutoff
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY l.game_id, l.bookmaker, l.market, l.outcome, l.snapshot_timestamp ORDER BY l.processed_at DESC
  ) = 1
),
game_lines_seen AS (
  SELECT
    l.game_id,
    l.market,
    l.outcome,
    l.bookmaker,
    l.snapshot_timestamp,
    l.point,
    DENSE_RANK() OVER (
      PARTITION BY l.game_id, l.market, l.outcome
      ORDER BY
        CASE l.bookmaker
          WHEN 'draftkings' THEN 1 WHEN 'fanduel' THEN 2 WHEN 'betmgm' THEN 3 WHEN 'caesars' THEN 4 ELSE 5
        END,
        l.bookmaker
    ) AS bookmaker_rank
  FROM game_lines_loaded AS l
  WHERE l.point IS NOT NULL
),
game_lines_of_bookmaker AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY game_id, market, outcome ORDER BY snapshot_timestamp) AS from_first,
    ROW_NUMBER() OVER (PARTITION BY game_id, market, outcome ORDER BY snapshot_timestamp DESC) AS from_last
  FROM game_lines_seen
  WHERE bookmaker_rank = 1
)
SELECT
  l.game_id,
  l.market,
  l.outcome,
  l.bookmaker,
  l.snapshot_timestamp AS line_at,
  l.point,
  o.point AS opening_point
FROM game_lines_of_bookmaker AS l
INNER JOIN game_lines_of_bookmaker AS o
  ON o.game_id = l.game_id AND o.market = l.market AND o.outcome = l.outcome AND o.from_first = 1
WHERE l.from_last = 1
