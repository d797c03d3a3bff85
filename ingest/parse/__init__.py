"""Bytes of a raw object in, verdicts out: no Spark, no storage, no clock.

A parser is a pure function of the bytes, the settings, the header lines seen before in the same
object and the ingest time.
"""
