"""How errors look in other tongues than Python: where, of what kind, and the message.

Each looks at one line (and those after it) and says nothing where no error of its own begins.
Those that are more particular come first in `TONGUES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

Said = tuple[str, str, str]
Tongue = Callable[[Sequence[str], int], Said | None]
_NEAR: Final = 40
"""Lines after the first in which the rest of an error is looked for."""
GPU_FULL: Final = "CUDA out of memory|CUDA_ERROR_OUT_OF_MEMORY|HIP out of memory"
_DEADLY: Final = (
    "Segmentation fault|Aborted|Bus error|Floating point exception|Illegal instruction|Killed"
)
SIGNS: Final = re.compile(
    rf"Error|ERROR|Exception|Caused by|Unrecognized|terminate called|Assertion|panic|{GPU_FULL}"
    rf"|{_DEADLY}|Fortran|: (?:line )?[0-9]+: "
)
"""A line that has none of them begins no error: most lines need not be looked at by each tongue."""


def _after(pattern: str, lines: Sequence[str], at: int) -> re.Match[str] | None:
    for line in lines[at + 1 : at + 1 + _NEAR]:
        if found := re.search(pattern, line):
            return found
    return None


def _java(lines: Sequence[str], at: int) -> Said | None:
    found = re.match(
        r'(?:Exception in thread "[^"]*" |Caused by: )?'
        r"(?P<kind>(?:[a-z]\w*\.)+[A-Z][\w$]*(?:Exception|Error))(?:: (?P<message>.*))?\Z",
        lines[at],
    )
    place = r"^\s+at (?P<in>[\w.$<>/]+)\((?P<where>[^)]*)\)"
    frame = re.match(place, lines[at + 1]) if found and at + 1 < len(lines) else None
    if found is None or frame is None:
        return None
    return f"{frame['where']} in {frame['in']}", found["kind"], found["message"] or ""


def _julia(lines: Sequence[str], at: int) -> Said | None:
    found = re.match(r"ERROR: (?:LoadError: )?(?:(?P<kind>\w+Error)(?:: | |\(|\Z))?", lines[at])
    if found is None:
        return None
    frame = _after(r"^ *\[1\] (?P<in>[^\s(]+)", lines, at)
    place = _after(r"(?:^ *@ | at ).*?(?P<where>[^\s/\\]+:[0-9]+)", lines, at)
    where = " in ".join([*([place["where"]] if place else []), *([frame["in"]] if frame else [])])
    return where, found["kind"] or "ERROR", lines[at][found.end() :]


def _matlab(lines: Sequence[str], at: int) -> Said | None:
    found = re.match(
        r"(?:\{\x08)?Error using (?P<in>[\w./>]+)(?: \(line (?P<line>[0-9]+)\))?\Z", lines[at]
    )
    if found is None:
        missing = re.match(r"(?:\{\x08)?Unrecognized function or variable '.*'", lines[at])
        return ("", "MATLAB", missing[0].removeprefix("{\x08")) if missing else None
    where = f"{found['in']}:{found['line']}" if found["line"] else found["in"]
    return where, "MATLAB", lines[at + 1].strip() if at + 1 < len(lines) else ""


def _r(lines: Sequence[str], at: int) -> Said | None:
    """`Error in f(x) : message`, the message on the next line where it is long."""
    found = re.match(r"Error(?: in (?P<in>.+?))? ?: ?(?P<message>.*)\Z", lines[at])
    halted = _after(r"^Execution halted", lines, at) if found else None
    if found is None or not (found["in"] or halted):
        return None
    following = lines[at + 1].strip() if at + 1 < len(lines) else ""
    return found["in"] or "", "R", found["message"] or following


def _terminate(lines: Sequence[str], at: int) -> Said | None:
    found = re.match(r"terminate called (?:after throwing .*'(?P<kind>[^']*)'|.*)", lines[at])
    if found is None:
        return None
    what = re.match(r"\s*what\(\): *(?P<what>.*)", lines[at + 1]) if at + 1 < len(lines) else None
    return "", found["kind"] or "terminate called", what["what"] if what else ""


def _assertion(lines: Sequence[str], at: int) -> Said | None:
    found = re.search(
        r"(?P<file>[^\s/]+:[0-9]+): (?P<in>[^:]*): (?P<message>Assertion .*failed\.?)", lines[at]
    )
    return (f"{found['file']} in {found['in']}", "", found["message"]) if found else None


def _rust(lines: Sequence[str], at: int) -> Said | None:
    found = re.match(
        r"thread '.*'(?: \([0-9]+\))? panicked at (?P<where>\S+?:[0-9]+):[0-9]+:", lines[at]
    )
    if found is None:
        return None
    return found["where"], "panic", lines[at + 1] if at + 1 < len(lines) else ""


def _go(lines: Sequence[str], at: int) -> Said | None:
    found = re.match(r"panic: (?P<message>.*)", lines[at])
    place = _after(r"^\t\S*?(?P<where>[^\s/]+\.go:[0-9]+)", lines, at) if found else None
    return (place["where"], "panic", found["message"]) if found and place else None


def _fortran(lines: Sequence[str], at: int) -> Said | None:
    found = re.match(r"Fortran runtime error: (?P<message>.*)", lines[at])
    return ("", "Fortran runtime error", found["message"]) if found else None


def _gpu(lines: Sequence[str], at: int) -> Said | None:
    return ("", "CUDA out of memory", "") if re.search(GPU_FULL, lines[at]) else None


def _died(lines: Sequence[str], at: int) -> Said | None:
    """What a shell says of a process that a signal ended: `run.sh: line 3:  812 Killed  ./a`."""
    shell = re.search(
        rf"(?P<file>[^\s/:]+): line (?P<line>[0-9]+): +[0-9]+ (?P<how>{_DEADLY})\b", lines[at]
    )
    if shell:
        return f"{shell['file']}:{shell['line']}", shell["how"], ""
    bare = re.match(rf"(?:.*: )?(?P<how>{_DEADLY})(?: \(core dumped\))?\Z", lines[at])
    return ("", bare["how"], "") if bare else None


def _shell(lines: Sequence[str], at: int) -> Said | None:
    """`run.sh: line 3: foo: command not found`, and dash's `run.sh: 3: foo: not found`."""
    found = re.match(
        r"(?:.*/)?(?P<file>[^\s/:]+): (?:line )?(?P<line>[0-9]+): (?P<message>.+)\Z", lines[at]
    )
    if found is None or _died(lines, at):
        return None
    return f"{found['file']}:{found['line']}", "", found["message"]


TONGUES: Final[tuple[Tongue, ...]] = (
    _java, _julia, _matlab, _r, _terminate, _assertion, _rust, _go, _fortran, _gpu, _shell,
)  # fmt: skip
DEATHS: Final[tuple[Tongue, ...]] = (_died,)
"""Only that a program died, which others may say the reason of."""
