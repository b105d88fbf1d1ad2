"""Sweeps on PBS and Slurm: a job, or an element of an array, for each combination of parameters.

    from hpcshell.hpc import HPCJobManager

    manager = HPCJobManager.auto_detect(
        walltime="04:00:00", resources="select=1:ncpus=4:mem=16gb", script_path="train.py"
    )
    ids = manager.submit_sweep(
        [{"lr": 0.1}, {"lr": 0.01}], mode="array", sweep_dir="outputs/lr", sweep_id="lr"
    )
    print(manager.get_job_status(ids[0]))

What is submitted is a script that can be read, in the directory of the sweep; how it is submitted
and watched is the business of `hpcshell.schedulers`.
"""

from hpcshell.hpc.managers import HPCJobManager as HPCJobManager
from hpcshell.hpc.managers import PBSJobManager as PBSJobManager
from hpcshell.hpc.managers import SlurmJobManager as SlurmJobManager

__all__ = ["HPCJobManager", "PBSJobManager", "SlurmJobManager"]
