"""The REST of MLflow tracking, answered from our own store, for MLflow's own client."""
