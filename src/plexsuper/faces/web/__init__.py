"""The web page of a run: what happens now and what happened, live, for whoever looks in from a phone."""
