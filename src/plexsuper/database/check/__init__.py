"""Is a database sound? Every page, tree, index and relation is judged, without false alarm and without false comfort."""
