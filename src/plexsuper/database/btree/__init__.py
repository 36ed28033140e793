"""SQLite's files as bytes: pages, trees, records, free pages and the write-ahead log, read strictly and without SQLite."""
