"""Table contracts as data."""
