"""The options of a job: one table, the dialects they are written in, and how they are read."""
