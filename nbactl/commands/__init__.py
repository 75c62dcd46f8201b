"""One module per command: parse, call an op, render. `nbactl.cli` lists them and imports them late."""
