"""A Plex on another machine: what runs there, what it needs, and whether that server lives afterwards."""
