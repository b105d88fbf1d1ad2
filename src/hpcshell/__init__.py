"""A whole cluster in one package: a durable scheduler for the machine it is installed on.

    import hpcshell

    job = hpcshell.submit(["python", "train.py"], cpus=4, time="2h")
    print(job.result())

Everything is loaded when it is first used: importing this package costs next to nothing.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # `typing` alone would cost more than all the rest; checkers know the name
if TYPE_CHECKING:
    from hpcshell.core.errors import HpcError as HpcError
    from hpcshell.jobs import Job as Job
    from hpcshell.jobs import JobFailed as JobFailed
    from hpcshell.jobs import job as job
    from hpcshell.jobs import queue as queue
    from hpcshell.jobs import submit as submit
    from hpcshell.jobs import submit_many as submit_many

__all__ = ["HpcError", "Job", "JobFailed", "job", "queue", "submit", "submit_many"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'hpcshell' has no attribute {name!r}")
    if name == "HpcError":
        from hpcshell.core import errors as home
    else:
        from hpcshell import jobs as home  # type: ignore[no-redef]
    found = globals()[name] = getattr(home, name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
