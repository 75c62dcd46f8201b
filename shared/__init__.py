"""What every floor shares: tables, the warehouse, settings, time, errors."""
