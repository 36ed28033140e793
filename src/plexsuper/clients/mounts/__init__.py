"""Mounts of ours and of others: made in private, shown, replaced and taken away by calls of the kernel."""
