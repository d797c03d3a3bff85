"""Spark itself: its session, the fan-out of tasks, its failures, one process at a time.

The modules of this package import pyspark; the package alone does not.
"""

from __future__ import annotations

import os


def is_submitted() -> bool:
    """Return whether spark-submit started this process and has made its session."""
    return "PYSPARK_GATEWAY_PORT" in os.environ
