"""The library database while Plex runs: counted, watched, compared with what it had, never written."""
