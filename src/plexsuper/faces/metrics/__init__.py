"""A run in the numbers that Prometheus collects."""

from plexsuper.faces.metrics.exposition import CONTENT_TYPE, render
from plexsuper.faces.metrics.fold import Metrics

__all__ = ["CONTENT_TYPE", "Metrics", "render"]
