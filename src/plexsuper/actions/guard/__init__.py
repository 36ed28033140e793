"""Keeps library entries from being lost because storage failed: gate before a scan, watch during it, proof after it."""
