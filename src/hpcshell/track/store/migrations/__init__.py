"""The versions of the tables, one module each; Alembic goes from one to the next."""
