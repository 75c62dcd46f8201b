-- Events of each game in playing order, with the possession that each one belongs to or ends.
WITH plays_loaded AS (
  SELECT
    game_id, game_date, event_sequence, period, clock_seconds_remaining, event_type,
    COALESCE(sub_type, '') AS sub_type, team_abbr, player_1_id, player_1_lookup, player_2_id, player_2_lookup,
    COALESCE(shot_made, FALSE) AS shot_made, x_ft, y_ft, ft_number, ft_total,
    -- BigQuery stores an unknown array as an empty one
    IF(ARRAY_LENGTH(players_on_court) > 0, players_on_court, NULL) AS players_on_court,
    CASE team_abbr
      WHEN SUBSTR(game_id, 10, 3) THEN SUBSTR(game_id, 14, 3)
      WHEN SUBSTR(game_id, 14, 3) THEN SUBSTR(game_id, 10, 3)
    END AS opponent_abbr
  FROM nba_raw.nbac_play_by_play
  WHERE game_date BETWEEN @start_date AND @end_date
  QUALIFY
    event_type NOT IN ('steal', 'block')
    AND ROW_NUMBER() OVER (PARTITION BY game_id, event_sequence ORDER BY processed_at DESC) = 1
),
plays_marked AS (
  SELECT
    game_id, period, clock_seconds_remaining, event_sequence,
    -- a foul gives free throws to the other team
    IF(event_type = 'foul', opponent_abbr, team_abbr) AS team_abbr,
    event_type = 'freethrow' AND ft_total = 1 AS is_single,
    event_type IN ('2pt', '3pt') AS is_basket,
    event_type = 'foul' AND sub_type LIKE '%technical%' AND sub_type <> 'double technical' AS is_technical,
    event_type = 'foul' AND sub_type NOT LIKE '%technical%' AS is_live,
    event_type = 'foul' AND sub_type LIKE 'flagrant%' AS is_flagrant,
    event_type = 'foul' AND sub_type = 'away-from-play' AS is_away,
    -- the team that shoots these keeps the ball
    event_type = 'foul'
    AND (
      sub_type LIKE 'flagrant%' OR sub_type IN ('clear-path', 'transition take', 'away-from-play')
    ) AS is_retained
  FROM plays_loaded
  WHERE event_type IN ('foul', 'freethrow') OR (event_type IN ('2pt', '3pt') AND shot_made)
),
plays_stoppages AS (
  SELECT
    game_id, period, clock_seconds_remaining, team_abbr,
    MAX(IF(is_single, event_sequence, NULL)) AS last_single,
    MAX(IF(is_live, event_sequence, NULL)) AS live_foul,
    MAX(IF(is_retained, event_sequence, NULL)) AS retained_foul,
    LOGICAL_OR(is_basket) AS has_basket,
    LOGICAL_OR(is_technical) AS has_technical,
    LOGICAL_OR(is_flagrant) AS has_flagrant,
    LOGICAL_OR(is_away) AS has_away
  FROM plays_marked
  GROUP BY game_id, period, clock_seconds_remaining, team_abbr
),
plays_trips AS (
  SELECT
    e.game_id, e.game_date, e.event_sequence, e.period, e.clock_seconds_remaining, e.event_type, e.sub_type,
    e.team_abbr, e.opponent_abbr, e.player_1_id, e.player_1_lookup, e.player_2_id, e.player_2_lookup,
    e.shot_made, e.x_ft, e.y_ft, e.ft_number, e.ft_total, e.players_on_court,
    -- a basket numbered after its own and-1 belongs before the foul
    IF(
      e.event_type IN ('2pt', '3pt') AND s.last_single < e.event_sequence AND s.live_foul < e.event_sequence,
      2 * s.live_foul - 1, 2 * e.event_sequence
    ) AS playing_order,
    CASE
      WHEN e.event_type <> 'freethrow' THEN NULL
      -- a single free throw without a foul or basket to explain it is for a technical
      WHEN
        e.ft_total = 1 AND s.live_foul IS NULL
        AND (s.has_technical OR NOT s.has_basket OR e.event_sequence < s.last_single)
        THEN 'technical'
      -- technicals are shot first: only the last single can be the and-1 or the personal foul's
      WHEN
        e.ft_total = 1 AND s.has_technical
        AND (e.event_sequence < s.last_single OR (NOT s.has_basket AND s.retained_foul IS NULL))
        THEN 'technical'
      -- away from the play during a made shot: the ball goes over after it, as after an and-1
      WHEN s.retained_foul = s.live_foul AND NOT (s.has_away AND s.has_basket) THEN 'retained'
      ELSE 'normal'
    END AS trip,
    e.event_type IN ('2pt', '3pt') AND e.shot_made
    AND COALESCE(s.last_single IS NOT NULL AND s.live_foul IS NOT NULL, FALSE) AS and_one,
    -- a flagrant foul just after a basket, on a later clock: the basket has ended the possession
    COALESCE(s.has_flagrant AND NOT s.has_basket AND e.ft_total = 1, FALSE) AS after_basket
  FROM plays_loaded AS e
  LEFT JOIN plays_stoppages AS s
    ON
      s.game_id = e.game_id AND s.period = e.period
      AND s.clock_seconds_remaining = e.clock_seconds_remaining AND s.team_abbr = e.team_abbr
      AND (e.event_type = 'freethrow' OR e.shot_made)
),
plays_ordered AS (
  SELECT
    *,
    ROW_NUMBER() OVER playing AS play_number,
    LAST_VALUE(
      IF(event_type IN ('2pt', '3pt', 'freethrow'), team_abbr, NULL) IGNORE NULLS
    ) OVER before AS shot_team,
    LAST_VALUE(
      IF(
        event_type IN ('2pt', '3pt', 'freethrow'),
        NOT shot_made AND (event_type <> 'freethrow' OR (ft_number = ft_total AND trip = 'normal')),
        NULL
      ) IGNORE NULLS
    ) OVER before AS shot_live,
    LAST_VALUE(
      CASE
        WHEN event_type IN ('substitution', 'timeout') THEN NULL
        WHEN trip = 'retained' AND shot_made AND ft_number = ft_total THEN team_abbr
        ELSE ''
      END IGNORE NULLS
    ) OVER before AS retained_by,
    LEAD(period) OVER playing AS next_period,
    LEAD(clock_seconds_remaining) OVER playing AS next_clock,
    LEAD(event_type) OVER playing AS next_type,
    LEAD(sub_type) OVER playing AS next_sub_type,
    LEAD(team_abbr) OVER playing AS next_team
  FROM plays_trips
  WINDOW
    playing AS (
      PARTITION BY game_id ORDER BY period, clock_seconds_remaining DESC, playing_order, event_sequence
    ),
    before AS (playing ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
plays_ended AS (
  SELECT
    game_id, game_date, event_sequence, period, clock_seconds_remaining, event_type, sub_type, team_abbr,
    opponent_abbr, player_1_id, player_1_lookup, player_2_id, player_2_lookup, shot_made, x_ft, y_ft,
    ft_number, ft_total, players_on_court, trip, play_number,
    next_period IS NULL OR next_period <> period AS ends_period,
    IF(next_period = period, next_clock, 0) < clock_seconds_remaining AS clock_runs_after,
    CASE
      WHEN event_type IN ('2pt', '3pt') THEN IF(shot_made AND NOT and_one, team_abbr, NULL)
      WHEN event_type = 'freethrow'
        THEN
          IF(
            shot_made AND ft_number = ft_total AND trip <> 'technical'
            AND NOT (trip = 'retained' AND after_basket)
            -- the shooters' next play, with nothing in between, goes on with the same possession
            AND NOT COALESCE(
              next_period = period AND next_clock < clock_seconds_remaining
              AND (
                (next_team = team_abbr AND next_type IN ('2pt', '3pt', 'turnover'))
                OR (next_team = opponent_abbr AND next_type = 'foul' AND next_sub_type = 'shooting')
              ),
              FALSE
            ),
            team_abbr, NULL
          )
      WHEN event_type = 'rebound' THEN IF(shot_live AND team_abbr <> shot_team, shot_team, NULL)
      WHEN event_type = 'turnover' THEN team_abbr
      -- the league counts an empty possession of the other team when the next event after free throws
      -- that keep the ball is a foul, but not a shooting foul
      WHEN event_type = 'foul' AND sub_type <> 'shooting' AND sub_type NOT LIKE '%technical%' THEN
        CASE retained_by WHEN team_abbr THEN opponent_abbr WHEN opponent_abbr THEN team_abbr END
    END AS ends_for,
    COALESCE(event_type = 'rebound' AND shot_live AND team_abbr = shot_team, FALSE) AS offensive_rebound
  FROM plays_ordered
)
SELECT
  game_id, game_date, play_number, event_sequence, period, clock_seconds_remaining, event_type, sub_type,
  team_abbr, opponent_abbr, player_1_id, player_1_lookup, player_2_id, player_2_lookup, shot_made, x_ft, y_ft,
  ft_number, ft_total, trip, players_on_court,
  clock_runs_after, ends_period, ends_for, offensive_rebound,
  COUNT(ends_for) OVER before AS possession,
  -- control that began with time left is a possession; so is a team rebound of a miss at the buzzer
  IF(
    ends_period,
    LAST_VALUE(
      CASE
        WHEN ends_for IS NOT NULL
          THEN
            CASE
              WHEN clock_seconds_remaining <= 0 THEN ''
              WHEN ends_for = team_abbr THEN opponent_abbr
              ELSE team_abbr
            END
        WHEN offensive_rebound THEN team_abbr
        WHEN event_type IN ('2pt', '3pt') OR (trip = 'normal' AND ft_number = ft_total) THEN
          IF(clock_seconds_remaining > 0, team_abbr, '')
      END IGNORE NULLS
    ) OVER up_to,
    NULL
  ) AS period_ends_for
FROM plays_ended
WINDOW
  playing AS (PARTITION BY game_id ORDER BY play_number),
  up_to AS (playing ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
  before AS (playing ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
