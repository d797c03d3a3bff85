"""Spark itself: its session, tasks spread over it, its failures in words, one process at a time."""
