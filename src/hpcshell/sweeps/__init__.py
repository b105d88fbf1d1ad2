"""Studies of many runs: what has run once never runs twice, and what broke off goes on.

    from hpcshell import sweeps

    sweep = sweeps.create({"command": "python3 train.py", "sweep": {"grid": {"lr": [0.1, 0.01]}}})
    sweep.run(on="local")
    sweep.wait()
    print(sweep.best(1))

A sweep is a folder below `sweeps/outputs`. Each part is loaded when it is used.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcshell.sweeps.face import Sweep as Sweep
    from hpcshell.sweeps.face import create as create
    from hpcshell.sweeps.face import load as load
    from hpcshell.sweeps.face import open_sweep as open_sweep
    from hpcshell.sweeps.face import recent as recent

__all__ = ["Sweep", "create", "load", "open_sweep", "recent"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'hpcshell.sweeps' has no attribute {name!r}")
    from hpcshell.sweeps import face

    found = globals()[name] = getattr(face, name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
