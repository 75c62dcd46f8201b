"""From a warehouse URL to its engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import UsageError

if TYPE_CHECKING:
    from shared.warehouse.duckdb import DuckDBWarehouse


def connect(url: str, *, wait: float = 10.0) -> DuckDBWarehouse:
    """The warehouse that a URL names; nothing is opened yet.

    Args:
        url: `duckdb:///` and the path of a file.
        wait: seconds to wait for another process that uses it.

    Raises:
        UsageError: no engine has this URL.
    """
    scheme = url.partition(":")[0]
    if scheme != "duckdb":
        raise UsageError(
            f"{url!r} is no warehouse that nbactl knows",
            why=f"{scheme!r} names no engine",
            hint="duckdb:///path/to/file, or duckdb:////absolute/path/to/file",
        )
    from shared.warehouse.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(url, wait=wait)
