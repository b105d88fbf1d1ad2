"""How the tables of squeue and sacct are taken apart, whatever stands in names and comments.

Fields end with a control character that separates them. Names and comments may hold anything that
can be typed, newlines and bars too, so what only Slurm writes stands in front and a record begins
where the front of one is seen: whatever is in a name spoils at most the texts behind it. The first
line names the fields: without it nothing is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from hpcshell.backends.contract import Answer, Trouble
from hpcshell.backends.slurm.troubles import classify

GAP: Final = "\x1f"
KEY: Final = "hpc:"
"""What stands in front of an order's key in a job's comment."""


def split(body: str, end: str, front: str, gaps: int) -> Iterable[str]:
    """The records in `body`, each with `gaps` gaps between its fields, or with more in the last of
    them; what is no record is passed over.

    Only where a text has an end or a gap in it are the fronts looked for. A front that stands in a
    text is told by the fields that are missing before it or behind it.
    """
    lines = usual(body, end, gaps)
    return _whole(re.split(front, body), end, gaps) if lines is None else lines


def usual(body: str, end: str, gaps: int) -> list[str] | None:
    """The records, if none has an end or a gap in its texts."""
    lines = body.removesuffix(end).split(end) if body else []
    return lines if all(line.count(GAP) == gaps for line in lines) else None


def _whole(pieces: Iterable[str], end: str, gaps: int) -> Iterator[str]:
    """Pieces that are records, and those that make one together."""
    begun = ""
    for piece in pieces:
        begun = piece if piece.count(GAP) >= gaps else begun + piece
        if begun.count(GAP) >= gaps:
            yield begun.removesuffix(end)
            begun = ""


def key_of(comment: str) -> str:
    if not comment.startswith(KEY):
        return ""
    return comment[len(KEY) :].split(None, 1)[0] if len(comment) > len(KEY) else ""


def silence(answer: Answer, program: str) -> Trouble:
    """Why an answer is not believed, though it may say nothing of a trouble."""
    if answer.code == 0 and not answer.missing and "rror:" not in answer.err:
        return Trouble(
            kind="busy", message=f"{program}'s answer is not whole, or is none", hint="ask again"
        )
    # what stands in its output are jobs, and no words about a trouble
    code = "" if answer.code is None else f" with {answer.code}"
    told = answer.err.strip() or f"{program} ended{code} and said nothing of why"
    return classify(replace(answer, out="", err=told) if answer.out.strip() else answer)
