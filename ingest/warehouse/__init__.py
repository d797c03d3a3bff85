"""Hops 4 and 5: sealed batches into landing tables, and dbt on the same engine."""
