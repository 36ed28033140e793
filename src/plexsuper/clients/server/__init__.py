"""The Plex server as something that runs: found, started, frozen, let go on, stopped, and supervised by one alone."""
