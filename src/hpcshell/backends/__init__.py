"""The schedulers of other machines: Slurm, PBS, LSF, Grid Engine, and what entry points add."""
