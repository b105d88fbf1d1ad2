"""`hpc run` on a cluster: submitted, its output shown as it grows, its exit code ours."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from hpcshell.cli import exits, far
from hpcshell.cli.fetch import bring_back
from hpcshell.cli.staying import stay_with
from hpcshell.cli.submit import named, present_script, say_understood
from hpcshell.cli.talk import Talk
from hpcshell.core.errors import HpcError, Wrong
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.submission import Submission
from hpcshell.core.words import safe
from hpcshell.jobs.asking import Asked

if TYPE_CHECKING:
    from hpcshell.jobs.doors import Door

LARGEST: Final = 1 << 20
"""Bytes of input that go along: they stay on record with the job."""
PATIENCE: Final = 2.0
"""Seconds without any input after which it is said that it is waited for."""
LEFT: Final = (KeyboardInterrupt, SystemExit, BrokenPipeError)
"""How somebody goes away who has no more use for the job."""


def run(talk: Talk, way: Door, prepared: Asked, *, reads: bool) -> int:
    """Submit it, follow it to its end and return its exit code; who leaves takes it along. `reads`:
    our standard input is for it."""
    if prepared.array:
        raise Wrong("hpc run takes no array", "submit it, then follow it: hpc logs -f @")
    if reads and not talk.dry_run:
        prepared = _with_input(talk, prepared)
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


def _with_input(talk: Talk, prepared: Asked) -> Asked:
    """With what we would read, unless a file was named for that."""
    asked = prepared.submission
    assert not isinstance(asked, Submission)
    specs = {"": asked} if isinstance(asked, JobSpec) else asked.specs
    if any(spec.submission.stdin for spec in specs.values()) or not (read := _read(talk)):
        return prepared
    given = {name: replace(spec, input=read) for name, spec in specs.items()}
    if isinstance(asked, JobSpec):
        return prepared._replace(submission=given[""])
    return prepared._replace(submission=replace(asked, specs=given))


def _read(talk: Talk) -> bytes:
    """All of our standard input. Raises `Wrong` if that is too much to go along."""
    from hpcshell.machine.inputs import readable, whole

    try:
        descriptor = sys.stdin.fileno()
        there = readable(descriptor, PATIENCE)
        if there is None:
            return b""
        if not there:
            talk.say("hpc: reads the command's input until it ends (to give it none: < /dev/null)")
        found = whole(descriptor, LARGEST)
    except (OSError, ValueError, AttributeError):  # no descriptor stands behind it
        return b""
    if found is None:
        hint = "keep it in a file that is there: --input FILE"
        raise Wrong("no more than 1 MiB of standard input goes along to a cluster", hint)
    return found


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
