"""Phase 4: what is known before a slate."""
