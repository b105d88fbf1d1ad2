"""What runs a point, wherever it runs: a few lines for any POSIX shell, and no other program.

`point.sh BATCH [NUMBER]` reads BATCH/K, the fragments of `TOGETHER` points, of which its own sets

    dir     the point's folder
    me      who runs it: the batch and the number, the same when a job is put back into the queue

and the words of the command. The folder then holds the streams and `run`, of lines such as

    start b1c2d3e4.0 5012.20
    end 0 5014.71

with the code of its exit and the time since the machine was booted, which any shell can read
without starting a program. A point that has run is left alone, and so is one that another job runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from shlex import quote
from typing import Final

NOT_MINE: Final = 75
"""The exit code of a job whose point another one runs."""
TOGETHER: Final = 32
"""Fragments of one file: a new file costs more than to read past so many of them."""

SCRIPT: Final = r"""#!/bin/sh
# Runs one point of a sweep: point.sh BATCH [NUMBER]
number=${2:-${HPC_ARRAY_TASK_ID:-}}
. "$1/$((number / TOGETHER))" || exit 70
[ -d "$dir" ] || mkdir -p "$dir" || exit 71
now() { up=; read -r up rest </proc/uptime; } 2>/dev/null
now
set -C
if ! echo "start $me $up" 2>/dev/null >"$dir/run"; then
    set +C
    [ -f "$dir/run" ] || exit 74
    who= code=
    while read -r word said rest; do
        case $word in
            start) who=$said code= ;;
            end) code=$said ;;
        esac
    done <"$dir/run"
    if [ "$code" = 0 ]; then
        echo "this point has run: $dir"
        exit 0
    fi
    if [ -z "$code" ] && [ -n "$who" ] && [ "$who" != "$me" ]; then
        echo "another job runs this point: $who" >&2
        exit 75
    fi
    echo "start $me $up" >>"$dir/run" || exit 74
fi
set +C
echo "point $HPC_SWEEP_POINT: its output is in $dir"
cd "$cd" || { echo "cannot enter $cd" >>"$dir/stderr"; set -- false; }
trap : TERM INT HUP USR1 USR2
"$@" >>"$dir/stdout" 2>>"$dir/stderr"
code=$?
now
echo "end $code $up" >>"$dir/run" || exit 74
exit $code
""".replace("TOGETHER", str(TOGETHER))

HERE: Final = "@HPC_HERE@"
"""In a word for another machine: the directory that the job starts in there."""


def fragment(
    number: int,
    *,
    directory: str,
    me: str,
    cd: str,
    argv: Iterable[str],
    env: Mapping[str, str],
    far: bool = False,
) -> str:
    """What the point of this number in a batch is, for `SCRIPT`. `far`: words have a `HERE`."""
    word = _far_word if far else quote
    lines = [
        f"dir={word(directory)} me={me} cd={word(cd)}",
        *(f"export {name}={word(value)}" for name, value in env.items()),
        "set -- " + " ".join(map(word, argv)),
    ]
    return f"{number})\n" + "\n".join(lines) + "\n;;\n"


def together(fragments: Sequence[str]) -> bytes:
    """One file of fragments."""
    text = 'case "$number" in\n' + "".join(fragments) + "*) exit 70 ;;\nesac\n"
    return text.encode("utf-8", "surrogateescape")


def _far_word(text: str) -> str:
    """One word for the shell, and a home for `HERE`."""
    return '"$PWD"'.join(map(quote, text.split(HERE))) if HERE in text else quote(text)
