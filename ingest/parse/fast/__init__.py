"""The fast path: lines of the usual shapes, parsed as arrays just as the reference parser would."""
