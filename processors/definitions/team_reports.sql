-- Teams whose injury state is known: they have a report, or a report names their game.
-- uses: injury_reports, slate_games
WITH team_reports_of_games AS (
  SELECT game_id, MAX(report_at) AS report_at
  FROM injury_reports
  GROUP BY game_id
),
team_reports_of_teams AS (
  SELECT
    game_id,
    team_abbr,
    MAX(report_at) AS report_at,
    COUNTIF(injury_status = 'out') AS players_out,
    COUNTIF(injury_status IN ('questionable', 'doubtful')) AS players_questionable
  FROM injury_reports
  GROUP BY game_id, team_abbr
),
team_reports_sides AS (
  SELECT game_id, home_team_abbr AS team_abbr FROM slate_games
  UNION ALL
  SELECT game_id, away_team_abbr FROM slate_games
)
SELECT
  s.game_id,
  s.team_abbr,
  COALESCE(t.report_at, g.report_at) AS report_at,
  COALESCE(t.players_out, 0) AS players_out,
  COALESCE(t.players_questionable, 0) AS players_questionable
FROM team_reports_sides AS s
INNER JOIN team_reports_of_games AS g ON g.game_id = s.game_id
LEFT JOIN team_reports_of_teams AS t ON t.game_id = s.game_id AND t.team_abbr = s.team_abbr
