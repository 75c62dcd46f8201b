"""What a command does, as plain functions that return frozen values."""
