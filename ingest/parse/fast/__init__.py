"""The fast path: plain lines parsed with whole arrays, exactly as the reference parser does."""
