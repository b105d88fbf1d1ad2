"""Slurm: sbatch, squeue, sacct, scancel, scontrol, sinfo."""

from hpcshell.backends.slurm.backend import SlurmBackend as SlurmBackend
