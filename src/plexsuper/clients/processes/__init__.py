"""Processes of this host: what runs, what for, and children that can never hold their parent."""
