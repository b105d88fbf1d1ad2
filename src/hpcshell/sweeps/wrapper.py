"""What runs a point, wherever it runs: a few lines for any POSIX shell, and no other program.

`point.sh BATCH [NUMBER]` reads BATCH/K, the fragments of `TOGETHER` points, of which its own sets
the point's folder, the directory to run in, the words of the command, and who runs it: the batch
and the number, the same when a job is put back into the queue. The folder then holds the streams
and `run`, of lines such as

    start b1c2d3e4.0 5012.20
    end b1c2d3e4.0 0 5014.71

with the code of its exit and the time since the machine was booted, which any shell can read
without starting a program. `cut` stands for `end` where the job was told to end: whether it was
done by then only its scheduler knows. A point that has run is left alone, and so is one that
another job runs. All names are its own, so that nothing of a point's environment is in its way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Final

NOT_MINE: Final = 75
"""The exit code of a job whose point another one runs."""
TOGETHER: Final = 32
"""Fragments of one file: a new file costs more than to read past so many of them."""

SCRIPT: Final = r"""#!/bin/sh
# Runs one point of a sweep: point.sh BATCH [NUMBER]
_hpc_number=${2:-${HPC_ARRAY_TASK_ID:-}}
. "$1/$((_hpc_number / TOGETHER))" || exit 70
unset IFS
[ -d "$_hpc_dir" ] || mkdir -p "$_hpc_dir" || exit 71
_hpc_run=$_hpc_dir/run
_hpc_clock() { _hpc_up=-; read -r _hpc_up _hpc_rest </proc/uptime; } 2>/dev/null
_hpc_clock
set -C
if ! echo "start $_hpc_me $_hpc_up" 2>/dev/null >"$_hpc_run"; then
    set +C
    [ -f "$_hpc_run" ] || exit 74
    _hpc_who= _hpc_code=
    while read -r _hpc_word _hpc_said _hpc_rest; do
        case $_hpc_word in
            start) _hpc_who=$_hpc_said _hpc_code= ;;
            end) [ "$_hpc_said" != "$_hpc_who" ] || _hpc_code=${_hpc_rest%% *} ;;
            cut) [ "$_hpc_said" != "$_hpc_who" ] || _hpc_code=cut ;;
        esac
    done <"$_hpc_run"
    if [ "$_hpc_code" = 0 ]; then
        echo "this point has run: $_hpc_dir"
        exit 0
    fi
    if [ -z "$_hpc_code" ] && [ -n "$_hpc_who" ] && [ "$_hpc_who" != "$_hpc_me" ]; then
        echo "another job runs this point: $_hpc_who" >&2
        exit 75
    fi
    echo "start $_hpc_me $_hpc_up" >>"$_hpc_run" || exit 74
fi
set +C
echo "point $HPC_SWEEP_POINT: its output is in $_hpc_dir"
cd "$_hpc_cd" || { echo "cannot enter $_hpc_cd" >>"$_hpc_dir/stderr"; set -- false; }
_hpc_end=end
trap '_hpc_end=cut' TERM INT HUP
trap : USR1 USR2
"$@" >>"$_hpc_dir/stdout" 2>>"$_hpc_dir/stderr"
_hpc_code=$?
_hpc_clock
echo "$_hpc_end $_hpc_me $_hpc_code $_hpc_up" >>"$_hpc_run" || exit 74
exit $_hpc_code
""".replace("TOGETHER", str(TOGETHER))

_SHELLS: Final = re.compile(
    r"\.|:|\[|alias|bg|bind|break|builtin|cd|command|continue|declare|dirs|disown|echo|"
    r"enable|eval|exec|exit|export|false|fc|fg|getopts|hash|help|history|jobs|kill|let|"
    r"local|logout|mapfile|popd|printf|pushd|pwd|read|readarray|readonly|return|set|shift|"
    r"shopt|source|suspend|test|times|trap|true|type|typeset|ulimit|umask|unalias|unset|"
    r"wait|caller|compgen|complete|compopt|chdir|newgrp|print|whence"
)
"""Commands of shells themselves: a point that names one means the program of that name."""
HERE: Final = "@HPC_HERE@"
"""In a word for another machine: the directory that the job starts in there."""


def fragment(
    number: int,
    *,
    directory: str,
    me: str,
    cd: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    far: bool = False,
) -> str:
    """What the point of this number in a batch is, for `SCRIPT`. `far`: words have a `HERE`."""
    word = _far_word if far else quote
    words = ["env", *argv] if _SHELLS.fullmatch(argv[0]) else argv
    lines = [
        *(f"export {name}={word(value)}" for name, value in env.items()),
        f"_hpc_dir={word(directory)} _hpc_me={me} _hpc_cd={word(cd)}",
        "set -- " + " ".join(map(word, words)),
    ]
    return f"{number})\n" + "\n".join(lines) + "\n;;\n"


def together(fragments: Sequence[str]) -> bytes:
    """One file of fragments."""
    text = 'case "$_hpc_number" in\n' + "".join(fragments) + "*) exit 70 ;;\nesac\n"
    return text.encode("utf-8", "surrogateescape")


def _far_word(text: str) -> str:
    """One word for the shell, and a home for `HERE`."""
    return '"$PWD"'.join(map(quote, text.split(HERE))) if HERE in text else quote(text)
