"""The library databases as Plex writes them: schema, rows, names, marks and trash."""
