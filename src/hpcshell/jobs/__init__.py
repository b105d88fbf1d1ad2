"""The public Python face of all schedulers; `hpcshell` offers the most of it by itself.

The commands of the package use its parts, and only some of them: each is loaded when it is used.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcshell.jobs.face import Command as Command
    from hpcshell.jobs.face import Job as Job
    from hpcshell.jobs.face import JobFailed as JobFailed
    from hpcshell.jobs.face import TimedOut as TimedOut
    from hpcshell.jobs.face import View as View
    from hpcshell.jobs.face import call as call
    from hpcshell.jobs.face import job as job
    from hpcshell.jobs.face import partitions as partitions
    from hpcshell.jobs.face import queue as queue
    from hpcshell.jobs.face import submit as submit
    from hpcshell.jobs.face import submit_many as submit_many
    from hpcshell.jobs.face import submit_script as submit_script
    from hpcshell.jobs.face import wait as wait

__all__ = [
    "Command",
    "Job",
    "JobFailed",
    "TimedOut",
    "View",
    "call",
    "job",
    "partitions",
    "queue",
    "submit",
    "submit_many",
    "submit_script",
    "wait",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'hpcshell.jobs' has no attribute {name!r}")
    from hpcshell.jobs import face

    found = globals()[name] = getattr(face, name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
