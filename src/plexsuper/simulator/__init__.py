"""The embedded Plex: a server that a real client cannot tell from Plex for everything plexsuper uses."""
