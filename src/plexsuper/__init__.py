"""plexsuper takes a Plex library through a complete indexing run, unattended, on storage that can fail."""
