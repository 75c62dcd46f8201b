"""How DuckDB holds the types of the contracts."""

from __future__ import annotations

_TYPES = {
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "STRING": "VARCHAR",
    "BOOL": "BOOLEAN",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    "JSON": "JSON",
    "ARRAY<STRING>": "VARCHAR[]",
    "ARRAY<INT64>": "BIGINT[]",
}


def duckdb_type(googlesql: str) -> str:
    """The DuckDB type that holds a GoogleSQL type of the contracts."""
    return _TYPES[googlesql]
