"""Speaking to the daemon over its socket."""
