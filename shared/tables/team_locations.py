"""Where the thirty teams are at home: what travel distance and time-zone changes are measured from.

Each entry is (team, latitude, longitude, hours from UTC in standard time). Standard time, because
teams cross zones on the same day and summer time shifts all of them alike; Arizona, which has none,
is an hour nearer to the Pacific for the few weeks of a season that lie in summer time.
"""

TEAM_LOCATIONS: tuple[tuple[str, float, float, int], ...] = (
    ("ATL", 33.7573, -84.3963, -5),
    ("BKN", 40.6826, -73.9754, -5),
    ("BOS", 42.3662, -71.0621, -5),
    ("CHA", 35.2251, -80.8392, -5),
    ("CHI", 41.8807, -87.6742, -6),
    ("CLE", 41.4965, -81.6882, -5),
    ("DAL", 32.7905, -96.8103, -6),
    ("DEN", 39.7487, -105.0077, -7),
    ("DET", 42.3411, -83.0553, -5),
    ("GSW", 37.7680, -122.3877, -8),
    ("HOU", 29.7508, -95.3621, -6),
    ("IND", 39.7640, -86.1555, -5),
    ("LAC", 33.9451, -118.3431, -8),
    ("LAL", 34.0430, -118.2673, -8),
    ("MEM", 35.1382, -90.0506, -6),
    ("MIA", 25.7814, -80.1870, -5),
    ("MIL", 43.0451, -87.9174, -6),
    ("MIN", 44.9795, -93.2761, -6),
    ("NOP", 29.9490, -90.0821, -6),
    ("NYK", 40.7505, -73.9934, -5),
    ("OKC", 35.4634, -97.5151, -6),
    ("ORL", 28.5392, -81.3839, -5),
    ("PHI", 39.9012, -75.1720, -5),
    ("PHX", 33.4457, -112.0712, -7),
    ("POR", 45.5316, -122.6668, -8),
    ("SAC", 38.5802, -121.4997, -8),
    ("SAS", 29.4270, -98.4375, -6),
    ("TOR", 43.6435, -79.3791, -5),
    ("UTA", 40.7683, -111.9011, -7),
    ("WAS", 38.8981, -77.0209, -5),
)
