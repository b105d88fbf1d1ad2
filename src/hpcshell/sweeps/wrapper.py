"""What runs a point, wherever it runs: a few lines for any POSIX shell, and no other program.

`point.sh BATCH [NUMBER]` reads BATCH/NUMBER, which sets

    dir     the point's folder
    me      who runs it: the batch and the number, the same when a job is put back into the queue
    far     not empty: the clock of files is not that of this machine, so times are written down

and the words of the command. The folder then holds `started` (who, and when), the streams, and
`exit` (the code, and when). A point that has run is left alone, and so is one that another job
runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from shlex import quote
from typing import Final

NOT_MINE: Final = 75
"""The exit code of a job whose point another one runs."""

SCRIPT: Final = r"""#!/bin/sh
# Runs one point of a sweep: point.sh BATCH [NUMBER]
number=${2:-${HPC_ARRAY_TASK_ID:-}}
. "$1/$number" || exit 70
[ -d "$dir" ] || mkdir -p "$dir" || exit 71
if [ -s "$dir/exit" ]; then
    read -r code rest <"$dir/exit"
    if [ "$code" = 0 ]; then
        echo "this point has run: $dir"
        exit 0
    fi
    : >"$dir/exit"
fi
now=
[ -z "$far" ] || now=$(date +%s)
set -C
if ! echo "$me $now" 2>/dev/null >"$dir/started"; then
    who=
    [ ! -s "$dir/started" ] || read -r who rest <"$dir/started"
    if [ -n "$who" ] && [ "$who" != "$me" ]; then
        echo "another job runs this point: $who" >&2
        exit 75
    fi
fi
set +C
echo "point $HPC_SWEEP_POINT: its output is in $dir"
if [ -n "$cd" ]; then
    cd "$cd" || { echo "cannot enter $cd" >>"$dir/stderr"; set -- false; }
fi
trap : TERM INT HUP USR1 USR2
"$@" >>"$dir/stdout" 2>>"$dir/stderr"
code=$?
[ -z "$far" ] || now=$(date +%s)
echo "$code $now" >"$dir/exit" || exit 74
exit $code
"""


HERE: Final = "@HPC_HERE@"
"""In a word for another machine: the directory that the job starts in there."""


def fragment(
    *,
    directory: str,
    me: str,
    cd: str,
    argv: Iterable[str],
    env: Mapping[str, str],
    far: bool = False,
) -> bytes:
    """What a point is, for `SCRIPT`."""
    lines = [
        f"dir={_word(directory)}",
        f"me={me}",
        f"cd={_word(cd)}",
        f"far={'yes' if far else ''}",
        *(f"export {name}={_word(value)}" for name, value in env.items()),
        "set -- " + " ".join(map(_word, argv)),
    ]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def _word(text: str) -> str:
    """One word for the shell, and a home for `HERE`."""
    return '"$PWD"'.join(map(quote, text.split(HERE))) if HERE in text else quote(text)
