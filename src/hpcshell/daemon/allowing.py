"""Scripts that are submitted must lie in `security.allowed_script_paths`, where there are any."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from hpcshell.core.errors import Refused
from hpcshell.core.submission import Submission
from hpcshell.core.words import quote

CHUNK: Final = 1 << 20


def check_script(submission: Submission, roots: Sequence[str]) -> None:
    """Raise `Refused` for a script that lies elsewhere, or is not what lies there: its copy is
    what runs, and nobody can change that any more."""
    if not roots or submission.script is None:
        return
    from hpcshell.machine.scripts import open_allowed

    path = os.path.join(submission.cwd, os.path.expanduser(submission.argv[0]))
    descriptor = open_allowed(path, roots)
    try:
        same = _content(descriptor, len(submission.script) + 1) == submission.script
    finally:
        os.close(descriptor)
    if not same:
        raise Refused(
            f"{quote(path)} is not the script that was handed over", "submit it once more"
        )


def _content(descriptor: int, most: int) -> bytes:
    found = bytearray()
    while len(found) < most and (chunk := os.read(descriptor, min(CHUNK, most - len(found)))):
        found += chunk
    return bytes(found)
