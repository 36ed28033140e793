"""The media storage: proved by content, asked for files by name, read ahead; nothing here can hang the run."""
