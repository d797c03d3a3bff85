"""clickstream: from raw web logs to answers, with balanced books."""

__version__ = "0.1.0"
