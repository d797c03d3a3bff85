"""Percent-encoded fields, as CloudFront writes them: section 3.9 of the format specification."""

from __future__ import annotations

import re

from ingest.parse.fields.text import decode
from ingest.parse.fields.urls import ENCODED, decoded_bytes

_BAD = re.compile("%(?![0-9A-Fa-f]{2})")


def decode_percent(text: str, warnings: set[str]) -> str:
    """Return `text` decoded once; `+` stays. What cannot be decoded is added to `warnings`.

    A `%` without two hex digits stays; bytes that are not UTF-8, and NUL, become U+FFFD.
    """
    if "%" not in text:
        return text
    if _BAD.search(text):
        warnings.add("bad_percent_encoding")
    return decode(decoded_bytes(text), warnings, code="bad_percent_encoding")


def decode_agent(text: str, warnings: set[str]) -> str:
    """Return a user agent: decoded again when no blank shows that once was enough."""
    once = decode_percent(text, warnings)
    if " " not in once and ENCODED.search(once):
        return decode_percent(once, warnings)
    return once
