"""The process that starts, limits, watches and reaps jobs, and outlives the daemon."""
