"""Hand-made raw data: a small league whose boxes and events add up, and single rows for what a test wants to say.

`league()` gives a few dates of four teams; `write` puts tables into a folder in any format that `data load` reads.
Everything follows from the arguments, so the same call gives the same rows.
"""

import csv
import gzip
import json
import random
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared.tables.model import Table
from shared.tables.raw import (
    FALLBACK_BOX,
    GAME_LINES,
    INJURY_REPORT,
    PLAY_BY_PLAY,
    PLAYER_BOX,
    POINTS_PROPS,
    RAW_TABLES,
    SCHEDULE,
    TEAM_BOX,
)

Row = dict[str, Any]
Tables = dict[str, list[Row]]

SEASON = 2024
LOADED = datetime(2024, 12, 1, tzinfo=UTC)
"""When every row was loaded, unless a test says otherwise."""
TEAMS = ("BOS", "NYK", "LAL", "GSW")
FINAL_DATES = tuple(date(2024, 11, day) for day in (1, 3, 4, 6, 8))
"""Dates of the small league with final games: a start, a pause, a back-to-back, and two more."""
SLATE = date(2024, 11, 10)
"""The date of the small league that is still to be played."""
_PAIRS = (("NYK", "BOS"), ("GSW", "LAL")), (("BOS", "LAL"), ("NYK", "GSW")), (("BOS", "GSW"), ("LAL", "NYK"))
_FIRST_NAMES = ("Al", "Bo", "Cy", "Di", "Ed", "Fy", "Gus", "Hal", "Ira", "Jo")
_PLAYING = 8
_SPOTS = {"rim": (1.0, 1.5), "paint": (5.0, 6.0), "mid_range": (10.0, 12.0), "corner": (22.0, 2.0), "arc": (5.0, 24.0)}


def player_names(team: str) -> list[str]:
    """Display names of a team: eight who play, one who sits, one who is inactive; Los Angeles has a star."""
    names = [f"{first} {team.title()}" for first in _FIRST_NAMES]
    return ["Luka Dončić", *names[1:]] if team == "LAL" else names


def lookup(name: str) -> str:
    """A display name as `player_lookup` spells it."""
    folded = unicodedata.normalize("NFKD", name).lower()
    return "".join(letter for letter in folded if letter.isascii() and letter.isalnum())


def team_id(team: str) -> int:
    return 1610612000 + sum(ord(letter) for letter in team)


def player_id(team: str, index: int) -> int:
    return team_id(team) % 1000 * 100 + index


def row_of(table: Table, **values: object) -> Row:
    """A row with every column of the contract; what is not said is NULL.

    Raises:
        KeyError: there is no such column, or one that must have a value has none.
    """
    wrong = values.keys() - set(table.column_names)
    lacking = {column.name for column in table.columns if column.mode == "REQUIRED"} - values.keys()
    if wrong or lacking:
        raise KeyError(f"{table.name}: unknown {sorted(wrong)}, lacking {sorted(lacking)}")
    return {name: values.get(name) for name in table.column_names}


def game_id(day: date, away: str, home: str) -> str:
    return f"{day:%Y%m%d}_{away}_{home}"


def tip_off(day: date) -> datetime:
    """Half past seven in the evening in New York, in winter."""
    return datetime(day.year, day.month, day.day, 0, 30, tzinfo=UTC) + timedelta(days=1)


def scheduled(
    day: date, away: str, home: str, *, score: tuple[int, int] | None = None, season: int = SEASON, **other: object
) -> Row:
    """A game of the schedule; with a score (away, home) it is final."""
    return row_of(
        SCHEDULE,
        **{
            "game_id": game_id(day, away, home),
            "nba_game_id": f"002{season % 100:02}{day:%m%d}{TEAMS.index(home) if home in TEAMS else 9}",
            "game_date": day,
            "season_year": season,
            "game_status": 3 if score else 1,
            "game_start_time": tip_off(day),
            "home_team_abbr": home,
            "away_team_abbr": away,
            "home_team_id": team_id(home),
            "away_team_id": team_id(away),
            "home_team_score": score[1] if score else None,
            "away_team_score": score[0] if score else None,
            "neutral_site": False,
            "processed_at": LOADED,
            **other,
        },
    )


def injured(game: Row, name: str, team: str, status: str, **other: object) -> Row:
    """A line of the injury report of five in the afternoon on the day of a game."""
    return row_of(
        INJURY_REPORT,
        **{
            "report_date": game["game_date"],
            "report_hour": 17,
            "game_id": game["game_id"],
            "game_date": game["game_date"],
            "team_abbr": team,
            "player_lookup": lookup(name),
            "player_full_name": name,
            "injury_status": status,
            "reason": "Ankle",
            "processed_at": LOADED,
            **other,
        },
    )


def prop(game: Row, name: str, line: float, **other: object) -> Row:
    """A points line an hour before the tip."""
    return row_of(
        POINTS_PROPS,
        **{
            "game_id": game["game_id"],
            "game_date": game["game_date"],
            "player_lookup": lookup(name),
            "player_name": name,
            "bookmaker": "draftkings",
            "snapshot_timestamp": tip_off(game["game_date"]) - timedelta(hours=1),
            "points_line": line,
            "over_price": 1.9,
            "under_price": 1.9,
            "processed_at": LOADED,
            **other,
        },
    )


def game_line(game: Row, market: str, outcome: str, point: float, **other: object) -> Row:
    """A spread or total an hour before the tip."""
    return row_of(
        GAME_LINES,
        **{
            "game_id": game["game_id"],
            "game_date": game["game_date"],
            "bookmaker": "draftkings",
            "market": market,
            "outcome": outcome,
            "point": point,
            "price": 1.9,
            "snapshot_timestamp": tip_off(game["game_date"]) - timedelta(hours=1),
            "processed_at": LOADED,
            **other,
        },
    )


def fallback(box: Row, minutes: int) -> Row:
    """The row of the fallback source that says what a gamebook row says."""
    same = {name: box[name] for name in FALLBACK_BOX.column_names if name in box}
    return row_of(FALLBACK_BOX, **{**same, "player_full_name": box["player_name"], "minutes": str(minutes)})


@dataclass
class _Side:
    """One team of a game, and what its players have done so far."""

    team: str
    boxes: list[Row]

    def add(self, index: int, **counts: int) -> None:
        for name, number in counts.items():
            self.boxes[index][name] += number

    def sum(self, name: str) -> int:
        return sum(box[name] for box in self.boxes[:_PLAYING])


_COUNTS = (
    "points",
    "field_goals_made",
    "field_goals_attempted",
    "three_pointers_made",
    "three_pointers_attempted",
    "free_throws_made",
    "free_throws_attempted",
    "offensive_rebounds",
    "defensive_rebounds",
    "assists",
    "steals",
    "blocks",
    "turnovers",
    "personal_fouls",
)


def played(day: date, away: str, home: str, *, season: int = SEASON) -> Tables:
    """A final game: its schedule row, both boxes and its events, which agree with one another."""
    for attempt in count():
        simulation = _Simulation(day, away, home, season, random.Random(f"{day}{away}{home}{attempt}"))  # noqa: S311
        tables = simulation.play()
        (game,) = tables[SCHEDULE.name]
        if game["home_team_score"] != game["away_team_score"]:
            return tables
    raise AssertionError


class _Simulation:
    """Eight stints of six minutes with five of the eight players each; everybody plays thirty minutes."""

    def __init__(self, day: date, away: str, home: str, season: int, dice: random.Random) -> None:
        self.schedule = scheduled(day, away, home, score=(0, 0), season=season)
        self.dice = dice
        self.sides = [_Side(team, [self._box(team, index) for index in range(10)]) for team in (away, home)]
        self.events: list[Row] = []
        self.period, self.clock, self.five = 1, 720.0, list(range(5))

    def play(self) -> Tables:
        for stint in range(8):
            self.period, self.clock = stint // 2 + 1, 720.0 - stint % 2 * 360
            self.five = [(stint + place) % _PLAYING for place in range(5)]
            self._stint()
        away, home = self.sides
        self.schedule |= {"home_team_score": home.sum("points"), "away_team_score": away.sum("points")}
        return {
            SCHEDULE.name: [self.schedule],
            PLAYER_BOX.name: [box for side in self.sides for box in side.boxes],
            TEAM_BOX.name: [self._team_box(side) for side in self.sides],
            PLAY_BY_PLAY.name: self.events,
        }

    def _stint(self) -> None:
        plays = [self._plays(), self._plays()]
        step = 358 / (len(plays[0]) + len(plays[1]))
        offense = self.dice.randrange(2)
        while plays[0] or plays[1]:
            if not plays[offense]:
                offense = 1 - offense
            kind, index = plays[offense].pop()
            keeps_ball = getattr(self, f"_{kind}")(offense, index)
            self.clock -= step
            offense = offense if keeps_ball else 1 - offense

    def _plays(self) -> list[tuple[str, int]]:
        chosen = [("shot", index) for index in self.five for _ in range(2)]
        chosen += [("trip", index) for index in self.five if self.dice.random() < 0.2]
        chosen += [("turnover", index) for index in self.five if self.dice.random() < 0.25]
        self.dice.shuffle(chosen)
        return chosen

    def _shot(self, offense: int, index: int) -> bool:
        side, other = self.sides[offense], self.sides[1 - offense]
        spot = self.dice.choices(list(_SPOTS), (30, 20, 12, 10, 28))[0]
        three, made = spot in {"corner", "arc"}, self.dice.random() < 0.46
        value = 3 if three else 2
        side.add(index, field_goals_attempted=1, three_pointers_attempted=int(three))
        second: tuple[str, int] | None = None
        if made:
            side.add(index, points=value, field_goals_made=1, three_pointers_made=int(three))
            if self.dice.random() < 0.6:
                second = side.team, self._mate(index)
                side.add(second[1], assists=1)
        elif self.dice.random() < 0.1:
            second = other.team, self.dice.choice(self.five)
            other.add(second[1], blocks=1)
        x, y = _SPOTS[spot]
        shot = {"shot_made": made, "shot_value": value, "x_ft": x, "y_ft": y}
        self._event(f"{value}pt", side.team, index, second, **shot)
        return not made and self._rebound(offense)

    def _rebound(self, offense: int) -> bool:
        """Whoever takes it; true if the shooters keep the ball."""
        kept = self.dice.random() < 0.2
        side, index = self.sides[offense if kept else 1 - offense], self.dice.choice(self.five)
        side.add(index, **{"offensive_rebounds" if kept else "defensive_rebounds": 1})
        self.clock -= 0.5
        self._event("rebound", side.team, index, None)
        self.clock += 0.5
        return kept

    def _trip(self, offense: int, index: int) -> bool:
        side, other = self.sides[offense], self.sides[1 - offense]
        fouler = self.dice.choice(self.five)
        other.add(fouler, personal_fouls=1)
        self._event("foul", other.team, fouler, (side.team, index), sub_type="shooting")
        made = False
        for number in (1, 2):
            made = self.dice.random() < 0.75
            side.add(index, free_throws_attempted=1, free_throws_made=int(made), points=int(made))
            throw = {"shot_made": made, "shot_value": 1, "ft_number": number, "ft_total": 2}
            self._event("freethrow", side.team, index, None, **throw)
        return not made and self._rebound(offense)

    def _turnover(self, offense: int, index: int) -> bool:
        side, other = self.sides[offense], self.sides[1 - offense]
        side.add(index, turnovers=1)
        thief: tuple[str, int] | None = None
        if self.dice.random() < 0.5:
            thief = other.team, self.dice.choice(self.five)
            other.add(thief[1], steals=1)
        self._event("turnover", side.team, index, thief)
        return False

    def _mate(self, index: int) -> int:
        return self.dice.choice([other for other in self.five if other != index])

    def _event(self, kind: str, team: str, index: int, second: tuple[str, int] | None, **other: object) -> None:
        people: Row = {"player_1_id": player_id(team, index), "player_1_lookup": lookup(player_names(team)[index])}
        if second:
            people |= {
                "player_2_id": player_id(*second),
                "player_2_lookup": lookup(player_names(second[0])[second[1]]),
            }
        self.events.append(
            row_of(
                PLAY_BY_PLAY,
                **self._common(),
                event_sequence=len(self.events) + 1,
                period=self.period,
                clock_seconds_remaining=round(self.clock, 1),
                event_type=kind,
                players_on_court=[player_id(side.team, place) for side in self.sides for place in self.five],
                team_abbr=team,
                **people,
                **other,
            )
        )

    def _common(self) -> Row:
        return {
            name: self.schedule[name] for name in ("game_id", "nba_game_id", "game_date", "season_year", "processed_at")
        }

    def _box(self, team: str, index: int) -> Row:
        name = player_names(team)[index]
        box = row_of(
            PLAYER_BOX,
            **self._common(),
            player_id=player_id(team, index),
            player_lookup=lookup(name),
            player_name=name,
            team_abbr=team,
            player_status=("active", "dnp", "inactive")[max(0, index - _PLAYING + 1)],
            is_starter=index < 5,
        )
        if index < _PLAYING:
            box |= {"minutes": "30:00", "plus_minus": 0, **dict.fromkeys(_COUNTS, 0)}
        else:
            box["dnp_reason"] = "Coach's Decision"
        return box

    def _team_box(self, side: _Side) -> Row:
        return row_of(
            TEAM_BOX,
            **self._common(),
            team_id=team_id(side.team),
            team_abbr=side.team,
            is_home=side.team == self.schedule["home_team_abbr"],
            minutes="240:00",
            points=side.sum("points"),
            fg_made=side.sum("field_goals_made"),
            fg_attempted=side.sum("field_goals_attempted"),
            three_pt_made=side.sum("three_pointers_made"),
            three_pt_attempted=side.sum("three_pointers_attempted"),
            ft_made=side.sum("free_throws_made"),
            ft_attempted=side.sum("free_throws_attempted"),
            offensive_rebounds=side.sum("offensive_rebounds"),
            defensive_rebounds=side.sum("defensive_rebounds"),
            assists=side.sum("assists"),
            steals=side.sum("steals"),
            blocks=side.sum("blocks"),
            personal_fouls=side.sum("personal_fouls"),
            turnovers=side.sum("turnovers"),
        )


def joined(parts: Iterable[Mapping[str, Sequence[Row]]]) -> Tables:
    """The rows of several games together."""
    tables: Tables = {}
    for part in parts:
        for name, rows in part.items():
            tables.setdefault(name, []).extend(rows)
    return tables


def league(dates: Sequence[date] = FINAL_DATES, slates: Sequence[date] = (SLATE,), *, season: int = SEASON) -> Tables:
    """Two games on each date: final ones with boxes and events, then scheduled ones."""
    pairs = [_PAIRS[at % len(_PAIRS)] for at in range(len(dates) + len(slates))]
    final = [played(day, *pair, season=season) for day, two in zip(dates, pairs, strict=False) for pair in two]
    ahead = [
        {SCHEDULE.name: [scheduled(day, *pair, season=season)]}
        for day, two in zip(slates, pairs[len(dates) :], strict=True)
        for pair in two
    ]
    return joined([*final, *ahead])


def with_market(tables: Tables) -> Tables:
    """The same league with an injury report, points lines and game lines for its last dates."""
    games = sorted(tables[SCHEDULE.name], key=lambda game: str(game["game_id"]))[-4:]
    reports, props, lines = [], [], []
    for game in games:
        home, away = game["home_team_abbr"], game["away_team_abbr"]
        reports.append(injured(game, player_names(home)[1], home, "out"))
        reports.append(injured(game, player_names(away)[2], away, "questionable"))
        props += [prop(game, player_names(team)[0], 15.5 + at) for at, team in enumerate((home, away))]
        lines += [game_line(game, "spreads", home, -3.5), game_line(game, "spreads", away, 3.5)]
        lines.append(game_line(game, "totals", "over", 221.5))
    return {**tables, INJURY_REPORT.name: reports, POINTS_PROPS.name: props, GAME_LINES.name: lines}


def one(rows: Iterable[Row], **where: object) -> Row:
    """The row, to look at or to change, that has these values."""
    (found,) = [row for row in rows if all(row[name] == value for name, value in where.items())]
    return found


# ---------------------------------------------------------------- files

_ARROW = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "FLOAT64": pa.float64(),
    "BOOL": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "ARRAY<INT64>": pa.list_(pa.int64()),
}


def write(folder: Path, tables: Mapping[str, Sequence[Row]], form: str = "parquet", *, name: str = "") -> Path:
    """Write one file per table; `name` makes it `table/name.form` instead of `table.form`."""
    for table, rows in tables.items():
        path = folder / table / f"{name}.{form}" if name else folder / f"{table}.{form}"
        path.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[form](path, rows)
    return folder


def write_parquet(path: Path, rows: Sequence[Row], **types: pa.DataType) -> None:
    """Write rows with the contract's types, or with others where a test wants them wrong."""
    contract = next(table for table in RAW_TABLES if table.name in path.parts or path.name.startswith(table.name))
    known = {column.name: _ARROW[column.type] for column in contract.columns}
    names = list(rows[0]) if rows else list(known)
    fields = [pa.field(name, types.get(name) or known.get(name) or pa.string()) for name in names]
    pq.write_table(pa.Table.from_pylist(list(rows), pa.schema(fields)), path)


def _write_ndjson(path: Path, rows: Sequence[Row]) -> None:
    path.write_bytes(_packed(path, "".join(json.dumps(row, default=_text, ensure_ascii=False) + "\n" for row in rows)))


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    lines = _Lines()
    writer = csv.DictWriter(lines, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _text(value) for key, value in row.items()} for row in rows)
    path.write_bytes(_packed(path, "".join(lines)))


class _Lines(list[str]):
    def write(self, line: str) -> None:
        self.append(line)


def _packed(path: Path, text: str) -> bytes:
    return gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode()


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


_WRITERS = {
    "parquet": write_parquet,
    "ndjson": _write_ndjson,
    "jsonl": _write_ndjson,
    "ndjson.gz": _write_ndjson,
    "csv": _write_csv,
    "csv.gz": _write_csv,
}
