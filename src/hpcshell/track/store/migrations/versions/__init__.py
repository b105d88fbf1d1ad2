"""`vNUMBER_what.py`; a published one is never changed."""
