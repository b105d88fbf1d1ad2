"""What a database says when it cannot, for a person."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hpcshell.core.errors import Broken, HpcError, NotYet, Wrong
from hpcshell.core.words import safe
from hpcshell.track.store.deadlines import SECONDS


class Full(Broken):
    """There is no room left for what is to be stored."""


class TooLong(Wrong):
    """What was asked took longer than any question may."""


def translated(error: SQLAlchemyError) -> HpcError:
    """The error for people. `NotYet` where nothing is wrong that will not pass."""
    said = safe(" ".join(str(getattr(error, "orig", None) or error).split()))[:300]
    if isinstance(error, DBAPIError):
        if "disk is full" in said or "No space left" in said:
            return Full("the disk of the tracker's database is full", "make room, then try again")
        if "interrupted" in said or "statement timeout" in said:
            return TooLong(
                f"the search was ended: it took longer than {SECONDS:.0f} s",
                "write fewer conditions, = or IN for LIKE, or look in one experiment alone",
            )
        away = error.connection_invalidated or "connect" in said or "shutting down" in said
        if away or "locked" in said or "starting up" in said or "deadlock" in said:
            return NotYet(f"the tracker's database does not answer: {said}", "try again later")
    return Broken(f"the tracker's database failed: {said}", "hpc doctor looks for the reason")
