"""Which run is which job: the environment, epilogs, events and polls."""
