"""What the server is asked and what it answers, in both of Plex's dialects."""
