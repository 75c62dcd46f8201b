-- The points line of each player and game that counts at the game's cutoff, and the one it opened with.
-- uses: cutoffs
WITH points_lines_seen AS (
  SELECT
    p.game_id,
    p.player_lookup,
    p.bookmaker,
    p.snapshot_timestamp,
    p.points_line,
    ABS(p.over_price - p.under_price) AS price_gap
  FROM nba_raw.odds_api_player_points_props AS p
  INNER JOIN cutoffs AS c ON c.game_id = p.game_id
  WHERE
    p.game_date BETWEEN @start_date AND @end_date
    AND p.player_lookup IS NOT NULL
    AND p.snapshot_timestamp <= c.cutoff
  -- the newest load of each line; a FLOAT64 may order a window, not partition it
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY p.game_id, p.player_lookup, p.bookmaker, p.snapshot_timestamp
    ORDER BY p.points_line, p.processed_at DESC
  ) = RANK() OVER (
    PARTITION BY p.game_id, p.player_lookup, p.bookmaker, p.snapshot_timestamp ORDER BY p.points_line
  )
),
points_lines_ordered AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY game_id, player_lookup ORDER BY points_line, bookmaker, snapshot_timestamp
    ) AS nth,
    COUNT(*) OVER (PARTITION BY game_id, player_lookup) AS n
  FROM points_lines_seen
),
points_lines_medians AS (
  SELECT game_id, player_lookup, (MIN(points_line) + MAX(points_line)) / 2 AS median_line
  FROM points_lines_ordered
  WHERE 2 * nth IN (n, n + 1, n + 2)
  GROUP BY game_id, player_lookup
),
points_lines_ranked AS (
  SELECT
    s.game_id,
    s.player_lookup,
    s.bookmaker,
    s.snapshot_timestamp,
    s.points_line,
    DENSE_RANK() OVER (
      PARTITION BY s.game_id, s.player_lookup
      ORDER BY
        CASE s.bookmaker
          WHEN 'draftkings' THEN 1 WHEN 'fanduel' THEN 2 WHEN 'betmgm' THEN 3 WHEN 'caesars' THEN 4 ELSE 5
        END,
        s.bookmaker
    ) AS bookmaker_rank,
    -- of several lines in one snapshot the most even one counts, then the most usual, then the lowest
    ROW_NUMBER() OVER (
      PARTITION BY s.game_id, s.player_lookup, s.bookmaker, s.snapshot_timestamp
      ORDER BY COALESCE(s.price_gap, 1e9), ABS(s.points_line - m.median_line), s.points_line
    ) AS line_rank
  FROM points_lines_seen AS s
  INNER JOIN points_lines_medians AS m ON m.game_id = s.game_id AND m.player_lookup = s.player_lookup
),
points_lines_of_bookmaker AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY game_id, player_lookup ORDER BY snapshot_timestamp) AS from_first,
    ROW_NUMBER() OVER (PARTITION BY game_id, player_lookup ORDER BY snapshot_timestamp DESC) AS from_last
  FROM points_lines_ranked
  WHERE bookmaker_rank = 1 AND line_rank = 1
)
SELECT
  l.game_id,
  l.player_lookup,
  l.points_line,
  l.bookmaker,
  l.snapshot_timestamp AS line_at,
  o.points_line AS opening_line
FROM points_lines_of_bookmaker AS l
INNER JOIN points_lines_of_bookmaker AS o
  ON o.game_id = l.game_id AND o.player_lookup = l.player_lookup AND o.from_first = 1
WHERE l.from_last = 1
