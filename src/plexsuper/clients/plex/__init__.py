"""What Plex is asked and what it answers, over HTTP and by its own files: typed values, no URL or JSON beyond here."""
