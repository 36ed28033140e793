"""Plex in a container: the engine, its images, and one container with a server in it."""
