"""Output files by pattern, as in Slurm: `hpc-%j.out`, `logs/%x-%A_%4a.txt`.

    expand("%x-%A_%3a.out", job=12, element=7, name="a/b", user="u", node="n") -> "a_b-12_007.out"

`%j` the job, `12`, or the element, `12_3`; `%A` the job alone; `%a` the element's index;
`%x` the job's name; `%u` the user; `%N` the node; `%n` and `%t` 0 (the node's, the task's number);
`%b` the index modulo 10; `%s` `batch`; `%r` how often it was run before; `%%` a percent sign.
Numbers take a width of up to 10 (`%4a`). Anything else stays as it was written.
"""

from __future__ import annotations

import re
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import one_line, quote

NO_ELEMENT: Final = 4294967294
"""What `%a` is outside arrays, as in Slurm."""
LONGEST_PATH: Final = 4095
LONGEST_PART: Final = 255
FIELD: Final = r"(?a)%(?:%|(\d{0,9})([jAaxNutnbsr]))"


def expand(
    pattern: str,
    *,
    job: int,
    element: int | None,
    name: str,
    user: str,
    node: str,
    task: int = 0,
    restarts: int = 0,
) -> str:
    """The file this pattern means for one element (None: a plain job).

    A name brings no directory of its own into the path: its `/` becomes `_`, and so does a dot in
    front.
    """
    index = NO_ELEMENT if element is None else element

    def value(found: re.Match[str]) -> str:
        """What one field stands for; only those that occur are worked out."""
        known: int | str
        match found[2]:
            case None:
                return "%"
            case "j":
                known = job if element is None else f"{job}_{element}"
            case "x":
                known = one_part(name)
            case "u":
                known = one_part(user)
            case "N":
                known = one_part(node)
            case "s":
                known = "batch"
            case letter:
                numbers = {"A": job, "a": index, "b": index % 10, "n": 0, "t": task, "r": restarts}
                known = numbers[letter]
        return str(known).zfill(min(int(found[1] or 0), 10)) if isinstance(known, int) else known

    return re.sub(FIELD, value, pattern)


def check_pattern(pattern: str, option: str) -> str:
    """The pattern itself, if it can name a file."""
    if not pattern.strip():
        raise Wrong(f"{option}: an empty path names no file", "write a path such as logs/%x-%j.out")
    one_line(pattern, option, LONGEST_PATH)
    for part in pattern.split("/"):
        if len(part.encode()) > LONGEST_PART:
            raise Wrong(
                f"{option}: {quote(part, 20)} in the path has {len(part.encode()):,} bytes",
                f"a file's name has at most {LONGEST_PART}",
            )
    return pattern


def one_part(text: str) -> str:
    """A name as it may stand in a path: it brings no directory of its own."""
    part = text.replace("/", "_").replace("\0", "_")
    return "_" + part[1:] if part.startswith(".") else part
