"""Actions carry out orders: each is one deed from beginning to end, undone if it is cancelled."""
