"""Layouts: an Apache LogFormat or nginx log_format string, and the lines that it describes.

Rules: section 4.2 of the format specification.
"""
