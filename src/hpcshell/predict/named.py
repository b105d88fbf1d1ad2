"""What a configuration expects of run times, by the name it has there."""

from __future__ import annotations

from hpcshell.predict.foresight import Predicted
from hpcshell.predict.runtimes import PREDICTORS, Learnt
from hpcshell.predict.shrunk import ShrunkForesight

Learning = Predicted | ShrunkForesight
"""What learns from runs that have ended."""


def foresight_named(name: str) -> Learning | None:
    """A new one, that has learnt nothing; None: runs are expected to take their time limits."""
    if name == "request":
        return None
    return ShrunkForesight() if name == "shrunk" else Predicted(PREDICTORS[name].make())


def learnt_by(foresight: object) -> Learnt:
    """What it has learnt; nothing, of what does not learn."""
    return foresight.learnt() if isinstance(foresight, Learning) else []


def taught(name: str, rows: Learnt) -> Learning | None:
    """One of that name that has learnt this."""
    foresight = foresight_named(name)
    if foresight is not None:
        foresight.learn(rows)
    return foresight
