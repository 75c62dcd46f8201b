"""Where tables live: one small protocol, an engine for each kind of warehouse."""
