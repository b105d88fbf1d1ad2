"""What a study consists of: points from a specification, trials from a search, what comes next.

All of it is pure: text and records in, records out. Whoever runs points supplies what is known.
"""
