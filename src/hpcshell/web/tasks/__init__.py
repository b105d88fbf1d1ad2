"""What the server does besides answering, a task in each module; `running` keeps them at it."""
