"""The side of the training script: a spool file per run, and a sender in the background."""
