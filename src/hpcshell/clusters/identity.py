"""Whether what answers under the name of a cluster is what jobs were submitted to.

A name leads to another site when its configuration is changed, or the environment by which the
scheduler's commands find it. There the same numbers are other jobs, and that a job is not there
means nothing: nothing of what is on record is ended, changed or sent there.
"""

from __future__ import annotations

import os
from typing import Final

from hpcshell.backends.contract import Site
from hpcshell.core.errors import Refused
from hpcshell.core.settings import ClusterSettings

_LEADING: Final = (
    *("SLURM_CONF", "SLURM_CLUSTERS", "PBS_CONF_FILE", "PBS_SERVER", "PBS_DEFAULT"),
    *("LSF_ENVDIR", "SGE_ROOT", "SGE_CELL", "SGE_QMASTER_PORT"),
)
"""What in the environment tells commands on this machine which site is meant."""


class Another(Refused):
    """Another cluster answers under a name."""

    def __init__(self, name: str, was: str, now: str) -> None:
        super().__init__(
            f"{name} leads to another cluster now: {now} answers, and its jobs are on {was}",
            f"give {now} a name of its own (hpc cluster add) and let {name} lead to {was} again; "
            f"or give the jobs there up: hpc cluster remove {name} --give-up",
        )


def way_to(settings: ClusterSettings) -> str:
    """What decides which site answers, as far as that can be seen from here."""
    if settings.ssh:
        return " ".join((settings.backend, settings.ssh, settings.jump, *settings.ssh_options))
    said = (f"{name}={os.environ[name]}" for name in _LEADING if name in os.environ)
    return " ".join((settings.backend, *said))


def differ(one: Site, other: Site) -> bool:
    """Whether they are certainly not the same."""
    return bool(one.identity and other.identity and one.identity != other.identity)
