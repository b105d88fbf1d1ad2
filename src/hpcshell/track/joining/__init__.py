"""Which run was which job: what witnesses tell of jobs, put together, and runs that follow them."""
