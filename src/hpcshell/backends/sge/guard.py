"""What a job asks of its parents itself, because Grid Engine does not.

`-hold_jid` keeps a job back until its parents are gone, however they went. So the script of a job
that waits for a success or a failure begins with a guard: it reads how the parents ended from
their own directories, and if that is not what was asked for, it writes one sentence to
`record/N.never`, says it on its standard error, and ends with code 1 before anything of the job
has run. Of an array that was submitted in parts all parts count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hpcshell.backends.contract import Order, Parent
from hpcshell.backends.jobscript import quote
from hpcshell.core.errors import Wrong

_ASKED: Final = ("afterok", "afternotok", "aftercorr")
_FATE: Final = """\
hpc_fate() { # DIRECTORY [ELEMENT]: whether all of a parent, or this element of it, completed
    local want=1 found code end try
    [ -n "$2" ] || want=$(($(sed -n 's/^hpc_elements=/+/p' "$1"/job*.sh)))
    for try in 1 2 3 4 5; do # what was written on another node may be seen late
        found=0
        for end in "$1/record/"${2:-*}.end; do
            [ -e "$end" ] && read -r code _ <"$end" || continue
            [ "$code" = 0 ] || return 1
            found=$((found + 1))
        done
        ((found < want || found == 0)) || return 0
        sleep 1
    done
    return 1
}
hpc_never() { # SENTENCE
    { echo "$1" >"$hpc_record.never"; } 2>/dev/null
    echo "hpc: this job was not run: $1" >&2
    exit 1
}"""
"""A parent that was killed leaves no `.end`, and one that was deleted while it waited leaves
nothing at all: what is missing after five looks did not complete."""


def guard(order: Order) -> list[str]:
    """Lines of shell for `Names.first`; none where nothing has to be asked."""
    tests = [line for parent in order.parents for line in _tests(parent)]
    return ['rm -f "$hpc_record.never"', _FATE, *tests, ""] if tests else []


def _tests(parent: Parent) -> Iterator[str]:
    if parent.kind not in _ASKED:
        return
    directories: Sequence[str] = parent.directories or ("",) * len(parent.ids)
    for native, directory in zip(parent.ids, directories, strict=False):
        if not directory:
            raise _foreign(parent.kind, native)
        task = native.partition(".")[2]
        element = (
            '"$hpc_element"' if parent.kind == "aftercorr" else str(int(task) - 1) if task else ""
        )
        fate = f"hpc_fate {quote(directory)} {element}".rstrip()
        if parent.kind == "afternotok":
            yield f"! {fate} || hpc_never {quote(f'job {native} did not fail')}"
        else:
            yield f"{fate} || hpc_never {quote(f'job {native} did not complete')}"


def _foreign(kind: str, native: str) -> Wrong:
    return Wrong(
        f"Grid Engine has no {kind}, and job {native} was not submitted from here, "
        "so nobody can tell how it ends",
        f"use afterany:{native}, and look in the job at what that one left",
    )
