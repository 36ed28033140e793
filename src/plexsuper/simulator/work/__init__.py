"""What the server does with the library: scans, analyses, metadata, sonic analysis, the butler, and the processes it does that with."""
