"""rclone as a child of ours: finding it, starting it, asking it and reading what it says."""
