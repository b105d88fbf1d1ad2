"""Where experiments, runs and their metrics are kept: SQLite, or PostgreSQL by URL."""
