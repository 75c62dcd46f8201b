"""Thirty arenas, each where its city is."""

from math import asin, cos, radians, sin, sqrt

import pytest

from shared.tables.team_locations import TEAM_LOCATIONS

PLACES = {team: (latitude, longitude) for team, latitude, longitude, _ in TEAM_LOCATIONS}
OFFSETS = {team: offset for team, _, _, offset in TEAM_LOCATIONS}


def _miles(one: str, other: str) -> float:
    (lat1, lon1), (lat2, lon2) = (map(radians, PLACES[team]) for team in (one, other))
    part = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * 3958.8 * asin(sqrt(part))


def test_thirty_teams_in_order() -> None:
    teams = [row[0] for row in TEAM_LOCATIONS]
    assert teams == sorted(set(teams))
    assert len(teams) == 30


@pytest.mark.parametrize(
    ("one", "other", "miles"),
    [
        ("BOS", "NYK", 188),
        ("NYK", "BKN", 5),
        ("LAL", "LAC", 8),
        ("LAL", "BOS", 2594),
        ("MIA", "POR", 2703),
        ("DAL", "HOU", 225),
        ("GSW", "SAC", 73),
        ("CHI", "MIL", 82),
    ],
)
def test_distances(one: str, other: str, miles: int) -> None:
    assert _miles(one, other) == pytest.approx(miles, rel=0.02, abs=1.5)


def test_no_two_teams_stand_in_one_place() -> None:
    assert len(set(PLACES.values())) == 30


def test_offsets_follow_the_longitude() -> None:
    # Standard time is the sun's within two hours everywhere in the league.
    assert all(abs(OFFSETS[team] - PLACES[team][1] / 15) < 2 for team in PLACES)
    assert {team for team, offset in OFFSETS.items() if offset == -8} == {"GSW", "LAC", "LAL", "POR", "SAC"}
    assert {team for team, offset in OFFSETS.items() if offset == -7} == {"DEN", "PHX", "UTA"}
