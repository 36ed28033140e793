"""What a run was, for afterwards: one story as an HTML file, as Markdown or as JSON."""
