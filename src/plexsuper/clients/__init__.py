"""Clients are the only ones who touch the world; raw JSON, XML, rows and dicts end here."""
