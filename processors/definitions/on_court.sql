-- Each player's plays, and his team's chances (possessions and offensive rebounds) while he was on court.
-- uses: plays, box_players
WITH on_court_games AS (
  SELECT game_id
  FROM plays
  WHERE event_type <> 'substitution'
  GROUP BY game_id
  HAVING 2 * COUNTIF(players_on_court IS NOT NULL) >= COUNT(*)
),
on_court_rows AS (
  SELECT
    game_id, period, possession, play_number, event_type, sub_type, team_abbr, clock_seconds_remaining,
    clock_runs_after, ends_for, offensive_rebound,
    TO_JSON_STRING(players_on_court) AS lineup
  FROM plays
  WHERE players_on_court IS NOT NULL
),
on_court_lineups AS (
  SELECT game_id, lineup, MIN(play_number) AS lineup_number
  FROM on_court_rows
  GROUP BY game_id, lineup
),
on_court_seen AS (
  SELECT
    r.game_id, r.period, r.possession, r.play_number, r.team_abbr, r.clock_seconds_remaining,
    r.clock_runs_after, r.ends_for, r.offensive_rebound, l.lineup_number,
    -- free throws belong to the line-up at the foul: those who come in for them have no part
    r.event_type IN ('2pt', '3pt', 'turnover', 'rebound')
      OR (r.event_type = 'foul' AND r.sub_type NOT LIKE '%technical%') AS takes_part
  FROM on_court_rows AS r
  JOIN on_court_lineups AS l ON l.game_id = r.game_id AND l.lineup = r.lineup
),
on_court_possessions AS (
  SELECT game_id, period, possession, ends_for AS team_abbr, FALSE AS closes_period
  FROM plays
  WHERE ends_for IS NOT NULL
  UNION ALL
  SELECT
    game_id, period, possession + IF(ends_for IS NULL, 0, 1) AS possession, period_ends_for AS team_abbr,
    TRUE AS closes_period
  FROM plays
  WHERE period_ends_for <> ''
),
on_court_pairs AS (
  SELECT DISTINCT game_id, period, possession, lineup_number
  FROM (
    SELECT game_id, period, possession, lineup_number FROM on_court_seen WHERE takes_part
    UNION ALL
    -- whoever is on court while the clock runs has a part in the possession that goes on then
    SELECT game_id, period, possession + IF(ends_for IS NULL, 0, 1) AS possession, lineup_number
    FROM on_court_seen
    WHERE clock_runs_after
  )
),
on_court_closing AS (
  SELECT game_id, period, lineup_number
  FROM on_court_seen
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY game_id, period ORDER BY play_number DESC) = 1
),
on_court_shares AS (
  SELECT
    o.game_id, o.period, o.possession, o.team_abbr, COUNT(*) AS lineups,
    -- a period that ends without another event ends with the line-up last seen
    COALESCE(MIN(p.lineup_number), MIN(c.lineup_number)) AS lineup_number
  FROM on_court_possessions AS o
  LEFT JOIN on_court_pairs AS p
    ON p.game_id = o.game_id AND p.period = o.period AND p.possession = o.possession
  LEFT JOIN on_court_closing AS c
    ON o.closes_period AND c.game_id = o.game_id AND c.period = o.period
  GROUP BY o.game_id, o.period, o.possession, o.team_abbr
),
on_court_weights AS (
  SELECT game_id, lineup_number, team_abbr, COUNT(*) AS chances
  FROM (
    SELECT game_id, lineup_number, team_abbr FROM on_court_shares WHERE lineups = 1
    UNION ALL
    -- an offensive rebound as the period ends gives no new chance
    SELECT game_id, lineup_number, team_abbr
    FROM on_court_seen
    WHERE offensive_rebound AND clock_seconds_remaining > 0
  )
  GROUP BY game_id, lineup_number, team_abbr
),
on_court_members AS (
  SELECT l.game_id, l.lineup_number, b.team_abbr, b.player_id
  FROM on_court_lineups AS l
  JOIN plays AS e ON e.game_id = l.game_id AND e.play_number = l.lineup_number
  CROSS JOIN UNNEST(e.players_on_court) AS member
  JOIN (SELECT DISTINCT game_id, player_id, team_abbr FROM box_players) AS b
    ON b.game_id = l.game_id AND b.player_id = member
),
on_court_present AS (
  SELECT m.game_id, m.player_id, w.chances
  FROM on_court_weights AS w
  JOIN on_court_members AS m
    ON m.game_id = w.game_id AND m.lineup_number = w.lineup_number AND m.team_abbr = w.team_abbr
  UNION ALL
  -- line-ups changed during the possession: one chance for everyone who had a part in it
  SELECT game_id, player_id, 1 AS chances
  FROM (
    SELECT DISTINCT s.game_id, s.period, s.possession, m.player_id
    FROM on_court_shares AS s
    JOIN on_court_pairs AS p
      ON p.game_id = s.game_id AND p.period = s.period AND p.possession = s.possession
    JOIN on_court_members AS m
      ON m.game_id = p.game_id AND m.lineup_number = p.lineup_number AND m.team_abbr = s.team_abbr
    WHERE s.lineups > 1
  )
),
on_court_chances AS (
  SELECT game_id, player_id, SUM(chances) AS chances
  FROM on_court_present
  GROUP BY game_id, player_id
),
on_court_plays AS (
  SELECT game_id, player_1_id AS player_id, COUNT(*) AS plays
  FROM plays
  WHERE
    player_1_id IS NOT NULL
    AND (
      event_type IN ('2pt', '3pt', 'turnover')
      -- a single free throw belongs to a made shot or to a trip that keeps the ball
      OR (trip = 'normal' AND ft_number = ft_total AND ft_total > 1)
    )
  GROUP BY game_id, player_1_id
)
SELECT c.game_id, c.player_id, COALESCE(p.plays, 0) AS plays, c.chances
FROM on_court_chances AS c
JOIN on_court_games AS g ON g.game_id = c.game_id
LEFT JOIN on_court_plays AS p ON p.game_id = c.game_id AND p.player_id = c.player_id
