"""Hops 4 and 5 on Spark: landing tables that point into the lake, and a ledger switched at once."""
