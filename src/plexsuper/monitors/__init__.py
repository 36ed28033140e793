"""Monitors notice facts: each watches one thing for ever, publishes what changed and decides nothing."""
