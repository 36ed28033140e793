"""Brings exactly those entries of a library back that were trashed or purged by mistake, out of an older copy."""
