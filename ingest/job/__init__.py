"""Hops 1 to 3: discover what is new, parse it in tasks, seal the batch."""
