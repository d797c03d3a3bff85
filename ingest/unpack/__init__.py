"""Decompression of raw objects: gzip, bzip2 and zstd, known by their first bytes."""
