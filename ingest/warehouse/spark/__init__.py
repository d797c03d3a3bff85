"""Hops 4 and 5 on Spark: landing tables that point into the lake, a ledger switched in one step."""
