"""The library database as a file: read, check, repair, copy and change it safely while Plex is down."""
