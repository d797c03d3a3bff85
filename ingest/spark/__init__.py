"""Spark itself: its session, tasks spread over it, its failures in words, one process at a time.

Whoever imports a module of this package imports pyspark; the package alone does not.
"""

from __future__ import annotations

import os


def is_submitted() -> bool:
    """Return whether spark-submit started this process: then its session is the one to take."""
    return "PYSPARK_GATEWAY_PORT" in os.environ
