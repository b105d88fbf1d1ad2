"""The daemon's events and what jobs write, told while it happens, as server-sent events."""
