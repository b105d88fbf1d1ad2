"""`hpc run` on a cluster: submitted, its output shown as it grows, its exit code ours."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Final

from hpcshell.cli import exits, far
from hpcshell.cli.fetch import bring_back
from hpcshell.cli.staying import stay_with
from hpcshell.cli.submit import named, present_script, say_understood
from hpcshell.cli.talk import Talk
from hpcshell.core.errors import HpcError, Wrong
from hpcshell.core.words import safe
from hpcshell.jobs.asking import Asked

if TYPE_CHECKING:
    from hpcshell.jobs.doors import Door

LEFT: Final = (KeyboardInterrupt, SystemExit, BrokenPipeError)
"""How somebody goes away who has no more use for the job."""


def run(talk: Talk, way: Door, prepared: Asked) -> int:
    """Submit it, follow it to its end and return its exit code; who leaves takes it along."""
    if prepared.array:
        raise Wrong("hpc run takes no array", "submit it, then follow it: hpc logs -f @")
    answer = way.call("submit", submissions=[prepared.submission], dry_run=talk.dry_run)
    job = answer["jobs"][0]
    if talk.dry_run:
        say_understood(talk, prepared)
        present_script(talk, job, prepared)
        return exits.OK
    name = named(job)
    talk.say(*(f"note: {safe(note)}" for note in job.get("notes", ())))
    try:
        stay_with(talk, way)
        _follow(way, name)
        return _end(talk, way, name)
    except LEFT:
        with contextlib.suppress(HpcError):
            way.call("cancel", ids=[name])
            talk.say(f"cancelled job {safe(name)}")
        raise


def _follow(way: Door, name: str) -> None:
    out, err = sys.stdout.buffer, sys.stderr.buffer

    def tails(row: far.Row) -> list[far.FarTail]:
        streams = {row["stderr"]: err, row["stdout"]: out}  # joined ones are our output
        return [far.FarTail(way, row, path, _writing(to)) for path, to in streams.items()]

    far.follow(way, [name], tails)


def _writing(out: Any) -> far.Sink:
    def write(chunk: bytes) -> None:
        out.write(chunk)
        out.flush()

    return write


def _end(talk: Talk, way: Door, name: str) -> int:
    ends = way.call("wait", ids=[name], any=False, timeout=None)["done"]
    code = bring_back(talk, way, ends)[1]
    if talk.json:
        talk.document(way.call("show", ids=[name])["jobs"][0])
    for end in ends:
        if end["state"] not in ("COMPLETED", "FAILED"):
            why = f": {safe(end['reason'])}" if end.get("reason") else ""
            talk.say(f"job {safe(name)} {end['state']}{why}")
    return exits.of_ends(ends, propagate=True) or code
