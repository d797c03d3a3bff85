"""Hop 6: every event of the sealed batches becomes a document of one index.

`export` plans and proves, `part` is the task, `document` renders, `bulk` sends; `engine` is the
local Elasticsearch for trying things out and for the tests.
"""
