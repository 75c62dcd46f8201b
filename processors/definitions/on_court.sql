-- Each player's plays, and his team's chances (possessions and offensive rebounds) while he was on court.
-- uses: plays, box_players
WITH on_court_teams AS (
  SELECT DISTINCT game_id, team_abbr, player_id
  FROM box_players
),
on_court_gaps AS (
  SELECT game_id
  FROM plays
  WHERE event_type <> 'substitution'
  GROUP BY game_id
  -- a game without any line-up stays so: its source gives none
  HAVING COUNT(players_on_court) BETWEEN 1 AND COUNT(*) - 1
),
-- a spell lasts from one substitution of a team to its next: the same five are on court
on_court_spells AS (
  SELECT
    e.game_id, t.team_abbr, e.play_number,
    e.event_type <> 'substitution' AND e.players_on_court IS NULL AS is_gap,
    IF(e.event_type = 'substitution' AND e.team_abbr = t.team_abbr, e.player_1_id, NULL) AS changed_id,
    CASE
      -- in the middle of substitutions a line-up may hold more or fewer than five of a team
      WHEN e.event_type = 'substitution' THEN NULL
      WHEN e.players_on_court IS NOT NULL THEN e.players_on_court
      -- nobody on the bench has a part in these
      WHEN
        e.event_type IN ('2pt', '3pt', 'rebound', 'turnover')
        OR (e.event_type = 'foul' AND e.sub_type NOT LIKE '%technical%')
        THEN [e.player_1_id, e.player_2_id]
    END AS seen_ids,
    COUNTIF(e.event_type = 'substitution' AND e.team_abbr = t.team_abbr) OVER (
      PARTITION BY e.game_id, t.team_abbr ORDER BY e.play_number
    ) AS spell
  FROM on_court_gaps AS g
  JOIN plays AS e ON e.game_id = g.game_id
  JOIN (SELECT DISTINCT game_id, team_abbr FROM on_court_teams) AS t ON t.game_id = e.game_id
),
on_court_sightings AS (
  SELECT DISTINCT s.game_id, s.team_abbr, s.spell, t.player_id
  FROM on_court_spells AS s
  CROSS JOIN UNNEST(s.seen_ids) AS seen_id
  JOIN on_court_teams AS t
    ON t.game_id = s.game_id AND t.team_abbr = s.team_abbr AND t.player_id = seen_id
),
-- five who are seen in a spell are its line-up, whatever the substitutions say: sources name wrong players there
on_court_sure AS (
  SELECT game_id, team_abbr, spell, ARRAY_AGG(player_id) AS player_ids
  FROM on_court_sightings
  GROUP BY game_id, team_abbr, spell
  HAVING COUNT(*) = 5
),
on_court_nearest AS (
  SELECT s.game_id, s.team_abbr, s.spell, f.spell AS sure_spell, f.player_ids
  FROM (
    SELECT DISTINCT game_id, team_abbr, spell FROM on_court_spells
    WHERE is_gap
  ) AS s
  JOIN on_court_sure AS f ON f.game_id = s.game_id AND f.team_abbr = s.team_abbr
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY s.game_id, s.team_abbr, s.spell ORDER BY ABS(f.spell - s.spell), f.spell
  ) = 1
),
on_court_fives AS (
  SELECT game_id, team_abbr, spell, player_id
  FROM (
    SELECT game_id, team_abbr, spell, player_id, 1 AS changes
    FROM on_court_nearest
    CROSS JOIN UNNEST(player_ids) AS player_id
    UNION ALL
    -- each substitution between the two spells takes its player off court or puts him there
    SELECT n.game_id, n.team_abbr, n.spell, s.changed_id AS player_id, 1 AS changes
    FROM on_court_nearest AS n
    JOIN on_court_spells AS s
      ON
        s.game_id = n.game_id AND s.team_abbr = n.team_abbr
        AND s.spell > LEAST(n.spell, n.sure_spell) AND s.spell <= GREATEST(n.spell, n.sure_spell)
    WHERE s.changed_id IS NOT NULL
    UNION ALL
    SELECT game_id, team_abbr, spell, player_id, 0 AS changes
    FROM on_court_sightings
  )
  GROUP BY game_id, team_abbr, spell, player_id
  HAVING MOD(SUM(changes), 2) = 1 OR MIN(changes) = 0
  QUALIFY COUNT(*) OVER (PARTITION BY game_id, team_abbr, spell) = 5
),
-- of both teams, or of the one whose five are certain
on_court_filled AS (
  SELECT s.game_id, s.play_number, ARRAY_AGG(f.player_id ORDER BY f.player_id) AS players_on_court
  FROM on_court_spells AS s
  JOIN on_court_fives AS f
    ON f.game_id = s.game_id AND f.team_abbr = s.team_abbr AND f.spell = s.spell
  WHERE s.is_gap
  GROUP BY s.game_id, s.play_number
),
on_court_events AS (
  SELECT
    e.game_id, e.period, e.possession, e.play_number, e.event_type, e.sub_type, e.team_abbr,
    e.clock_seconds_remaining, e.clock_runs_after, e.ends_for, e.offensive_rebound,
    COALESCE(e.players_on_court, f.players_on_court) AS players_on_court
  FROM plays AS e
  LEFT JOIN on_court_filled AS f ON f.game_id = e.game_id AND f.play_number = e.play_number
),
on_court_games AS (
  SELECT game_id
  FROM on_court_events
  WHERE event_type <> 'substitution'
  GROUP BY game_id
  HAVING 2 * COUNT(players_on_court) >= COUNT(*)
),
on_court_rows AS (
  SELECT
    game_id, period, possession, play_number, event_type, sub_type, team_abbr, clock_seconds_remaining,
    clock_runs_after, ends_for, offensive_rebound,
    TO_JSON_STRING(players_on_court) AS lineup
  FROM on_court_events
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
    SELECT game_id, period, possession, lineup_number FROM on_court_seen
    WHERE takes_part
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
    SELECT game_id, lineup_number, team_abbr FROM on_court_shares
    WHERE lineups = 1
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
  JOIN on_court_events AS e ON e.game_id = l.game_id AND e.play_number = l.lineup_number
  CROSS JOIN UNNEST(e.players_on_court) AS member
  JOIN on_court_teams AS b ON b.game_id = l.game_id AND b.player_id = member
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
