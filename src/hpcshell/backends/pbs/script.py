"""The job script: directives, then what is common to all schedulers."""

from __future__ import annotations

from typing import Final

from hpcshell.backends.contract import Order, Site
from hpcshell.backends.jobscript import Names, job_script
from hpcshell.backends.pbs.arrays import guard
from hpcshell.backends.pbs.directives import directives
from hpcshell.backends.pbs.site import TORQUE
from hpcshell.core.errors import Wrong

LACKS: Final = {
    "qos": "PBS has no QOS: choose a queue",
    "nice": "PBS has no nice value: use the priority",
    "signal": "PBS sends no signal ahead of the time limit: let the job look at the clock",
    "deadline": "PBS has no deadline for the end of a job: use the time limit",
    "gang": "PBS starts no jobs together: ask for the nodes of all of them in one job",
}


def script(order: Order, site: Site | None) -> str:
    """The whole text. Raises `Wrong` for what PBS cannot be asked for, or would read otherwise."""
    _refuse(order)
    torque = site is not None and site.flavour == TORQUE
    index = "PBS_ARRAYID" if torque else "PBS_ARRAY_INDEX"
    names = Names(
        job='"${PBS_JOBID%%[!0-9]*}"',
        element=f'"${index}"' if order.indices else "''",
    )
    text = job_script([*directives(order, site), *guard(order, torque)], order, names)
    if "\0" in text or "\r\n" in text:
        raise Wrong(
            "the job script would hold a line that ends with a carriage return, or a NUL",
            "take it out of the arguments and set-up lines; qsub refuses such scripts",
        )
    return text


def _refuse(order: Order) -> None:
    submission = order.spec.submission
    asked = {
        "qos": submission.qos,
        "nice": submission.nice,
        "signal": submission.warn or submission.checkpoint,
        "deadline": submission.deadline is not None,
        "gang": submission.gang,
    }
    for what, given in asked.items():
        if given:
            sentence, _, hint = LACKS[what].partition(": ")
            raise Wrong(sentence, hint)
