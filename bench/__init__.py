"""Measures the parser against what people use instead: `make bench`."""
