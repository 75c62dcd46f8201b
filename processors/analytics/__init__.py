"""Phase 3: what happened in games, and the context of games to come."""
