"""Hop 6: every event of the sealed batches becomes a document of one index.

`export` is what others call, `exporter` one run of it; `plan` decides, `preparing` makes the index,
`task` is the unit of work, `document` renders, `bulk` sends, `proof` compares the index with the
lake.
"""
