"""Faces show a run: each is a fold of the event stream and knows nothing else."""
