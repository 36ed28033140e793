"""Copies of a library database: taken consistently, described, kept, and put in place in one step."""
