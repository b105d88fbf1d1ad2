"""One interface to every scheduler: submit scripts, watch them, whatever runs them.

    from hpcshell.schedulers import JobManager, ResourceRequirements

    manager = JobManager()
    train = manager.submit("train.sh", "train", ResourceRequirements(cpus_per_task=4, memory_gb=16))
    manager.wait(train)

`LocalScheduler` is the embedded scheduler of this machine: its jobs are durable, outlive the
program that submitted them, and are the jobs that `hpc queue` shows (`local_12` is job 12). The
others hand jobs to a cluster, where `hpc --on` shows them; their ids are the site's.
"""

from hpcshell.schedulers.clusters import ClusterScheduler as ClusterScheduler
from hpcshell.schedulers.clusters import LSFScheduler as LSFScheduler
from hpcshell.schedulers.clusters import PBSScheduler as PBSScheduler
from hpcshell.schedulers.clusters import SGEScheduler as SGEScheduler
from hpcshell.schedulers.clusters import SLURMScheduler as SLURMScheduler
from hpcshell.schedulers.contract import FINISHED as FINISHED
from hpcshell.schedulers.contract import STATUS as STATUS
from hpcshell.schedulers.contract import JobInfo as JobInfo
from hpcshell.schedulers.contract import JobStatus as JobStatus
from hpcshell.schedulers.contract import ResourceRequirements as ResourceRequirements
from hpcshell.schedulers.contract import Scheduler as Scheduler
from hpcshell.schedulers.local import LocalScheduler as LocalScheduler
from hpcshell.schedulers.manager import JobManager as JobManager

__all__ = [
    "ClusterScheduler",
    "JobInfo",
    "JobManager",
    "JobStatus",
    "LSFScheduler",
    "LocalScheduler",
    "PBSScheduler",
    "ResourceRequirements",
    "SGEScheduler",
    "SLURMScheduler",
    "Scheduler",
]
