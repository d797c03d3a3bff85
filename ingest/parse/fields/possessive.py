"""The quantifier of patterns whose runs can match in one way only, so that they are never retried.

Each run is then matched several times as fast. Before Python 3.11.5 possessive quantifiers match
wrongly (CPython issue 106052): there the runs are greedy, and find the same.
"""

from __future__ import annotations

import sys

# Written behind `*` or `+`.
P = "+" if sys.version_info >= (3, 11, 5) else ""
