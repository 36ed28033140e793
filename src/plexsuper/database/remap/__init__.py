"""The paths of a library changed when its media moved: planned and proved first, written in one transaction."""
