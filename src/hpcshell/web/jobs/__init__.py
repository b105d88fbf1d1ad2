"""Jobs that come over REST: handed over once, changed by their owners, read as they write."""
