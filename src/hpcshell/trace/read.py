"""Reads a trace of any known format: told apart by what is in it, never by its name."""

from __future__ import annotations

from hpcshell.trace.gunzip import gunzip, is_gzip
from hpcshell.trace.history import read_history
from hpcshell.trace.record import Trace
from hpcshell.trace.sacct import read_sacct
from hpcshell.trace.swf import read_swf


def read_trace(name: str, content: bytes) -> Trace:
    """The trace in a file's bytes: the Standard Workload Format, `sacct -P`, `hpc history --json`,
    each plain or compressed by gzip.

    Raises `Wrong` with the name, and the line where there is one.
    """
    if is_gzip(content):
        content = gunzip(name, content)
    if b"\r" in content and b"\0" not in content:  # lines of old or of several systems
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    first = _first_line(content)
    if first.startswith(b"{"):
        return read_history(name, content)
    told = first.decode("utf-8-sig", "replace").rstrip("\r")
    fields = "|" in told or told[:5].lower() == "jobid"
    if not first.startswith(b";") and fields and told.replace("\t", " ").isprintable():
        return read_sacct(name, content.decode("utf-8-sig", "replace"))
    return read_swf(name, content)


def _first_line(content: bytes) -> bytes:
    """The first line that is not blank, at most its first thousand bytes."""
    start = content[:1_000_000].removeprefix(b"\xef\xbb\xbf").lstrip()
    return start[:1000].partition(b"\n")[0]
