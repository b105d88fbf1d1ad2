"""The experiment tracker, as a training script uses it.

    from hpcshell import track

    with track.run("mnist", config={"lr": 0.1}) as run:
        run.log(loss=0.3, step=1)

Each part is loaded when it is used.
"""

TYPE_CHECKING = False  # `typing` alone would cost more than all the rest; checkers know the name
if TYPE_CHECKING:
    from hpcshell.track.client.active import ActiveRun as ActiveRun
    from hpcshell.track.client.current import active as active
    from hpcshell.track.client.current import artifact as artifact
    from hpcshell.track.client.current import checkpoint as checkpoint
    from hpcshell.track.client.current import log as log
    from hpcshell.track.client.current import log_many as log_many
    from hpcshell.track.client.current import note as note
    from hpcshell.track.client.current import params as params
    from hpcshell.track.client.current import tag as tag
    from hpcshell.track.client.start import run as run

__all__ = [
    "ActiveRun",
    "active",
    "artifact",
    "checkpoint",
    "log",
    "log_many",
    "note",
    "params",
    "run",
    "tag",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'hpcshell.track' has no attribute {name!r}")
    if name == "ActiveRun":
        from hpcshell.track.client import active as home
    elif name == "run":
        from hpcshell.track.client import start as home  # type: ignore[no-redef]
    else:
        from hpcshell.track.client import current as home  # type: ignore[no-redef]
    found = globals()[name] = getattr(home, name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
