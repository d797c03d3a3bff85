"""Raw logs of a small shop with a known answer.

`vocabulary` and `visits` draw who does what, `lines`, `odd` and `kinds` turn it into lines,
`truth` counts what they say, `plan` decides on files, and `write_sample` writes them.
"""

from ingest.sample.plan import FORMATS, MIXED, USUAL_FORMATS
from ingest.sample.write import write_sample

__all__ = ["FORMATS", "MIXED", "USUAL_FORMATS", "write_sample"]
