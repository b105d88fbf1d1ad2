"""Where a run happens, as its environment tells: the job, the rank, the machine, the user.

job_of(os.environ)    {"kind": "slurm", "cluster": "demo", "id": "130", "element": 5}
rank_of(os.environ)   0
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from typing import Any, Final

JobRef = dict[str, Any]
"""`kind`, `cluster` (of our own jobs the machine; the kind where the site does not say), `id`,
`element` (None: no array)."""

_RANKS: Final = ("RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
"""Strongest first: torchrun and the like, Open MPI, PMIx, PMI, Slurm's own start."""
_NATIVE: Final = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")


def job_of(environ: Mapping[str, str]) -> JobRef | None:
    """The job that this process belongs to, innermost first.

    Our own jobs carry the variables of the others, too, with the same number. Where one of those
    has another number, it was a cluster that started us, and our own were only passed on to it.
    """
    if found := _ours(environ):
        return found
    theirs = _without_ours(environ)
    return _slurm(theirs) or _pbs(theirs) or _lsf(theirs) or _sge(theirs)


def rank_of(environ: Mapping[str, str]) -> int:
    """Which of the processes of a distributed training this is; 0 where nobody says."""
    for name in _RANKS:
        if environ.get(name, "").isdecimal():
            return int(environ[name])
    return 0


def host() -> str:
    return socket.gethostname()


def user(environ: Mapping[str, str]) -> str:
    """The login name; the number of a user without a name."""
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        return environ.get("USER", "") or str(os.geteuid())


def _ours(environ: Mapping[str, str]) -> JobRef | None:
    number = environ.get("HPC_JOB_ID", "")
    if not number.isdecimal() or "HPC_RUN_ID" not in environ:  # a run of our daemon's has a number
        return None
    if any(environ.get(name, number) != number for name in _NATIVE):
        return None
    return _job("local", host(), number, environ.get("HPC_ARRAY_TASK_ID"))


def _without_ours(environ: Mapping[str, str]) -> Mapping[str, str]:
    """What is left once the variables are gone that one of our jobs has passed on."""
    number = environ.get("HPC_JOB_ID") if "HPC_RUN_ID" in environ else None
    names = (*_NATIVE, "SLURM_ARRAY_JOB_ID", "JOB_ID")
    return {name: value for name, value in environ.items() if name not in names or value != number}


def _slurm(environ: Mapping[str, str]) -> JobRef | None:
    number = environ.get("SLURM_ARRAY_JOB_ID") or environ.get("SLURM_JOB_ID", "")
    if not number.isdecimal():
        return None
    element = environ.get("SLURM_ARRAY_TASK_ID")
    return _job("slurm", environ.get("SLURM_CLUSTER_NAME", ""), number, element)


def _pbs(environ: Mapping[str, str]) -> JobRef | None:
    """`21.server`; an element is `106[4].server`, or `106-4.server` in some versions of Torque."""
    found = re.match(r"(\d+)(?:\[(\d*)\]|-(\d+))?(?:\.|$)", environ.get("PBS_JOBID", ""))
    if found is None:
        return None
    return _job("pbs", "", found[1], found[2] or found[3])


def _lsf(environ: Mapping[str, str]) -> JobRef | None:
    number = environ.get("LSB_JOBID", "")
    if not number.isdecimal():
        return None
    index = environ.get("LSB_JOBINDEX", "0")  # 0 outside of arrays
    return _job("lsf", "", number, index if index != "0" else None)


def _sge(environ: Mapping[str, str]) -> JobRef | None:
    number = environ.get("JOB_ID", "")  # a name that anybody may use
    if not number.isdecimal() or not any(name.startswith("SGE_") for name in environ):
        return None
    return _job("sge", "", number, environ.get("SGE_TASK_ID"))  # "undefined" outside of arrays


def _job(kind: str, cluster: str, number: str, element: str | None) -> JobRef:
    index = int(element) if element is not None and element.isdecimal() else None
    return {"kind": kind, "cluster": cluster or kind, "id": number, "element": index}
