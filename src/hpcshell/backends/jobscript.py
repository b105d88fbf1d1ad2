"""The part of a job script that is the same for every scheduler: it prepares, runs, and records.

A job's directory on the cluster holds

    job.sh              this script, with the scheduler's directives in front
    script              the user's script, as it was submitted
    env                 assignments for the shell, readable by nobody else
    record/N.begin      `ID TIME NODE` of the latest run of element N (`job` for a plain job)
    record/N.end        `CODE TIME NODE` once it has ended; there is none while it runs
    record/N.never      why the script ended without having run the job, where it did so

so that how a job ended can be told when the accounting is silent. `TIME` is in Unix seconds. A
record appears whole or not at all. What cannot be recorded keeps no job from running.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from shlex import quote as plainly_quoted
from typing import Final

from hpcshell.backends.contract import Order
from hpcshell.core.indexset import IndexSet
from hpcshell.core.patterns import FIELD, one_part
from hpcshell.core.records import Record

_IDENTIFIER: Final = r"(?a)[A-Za-z_][A-Za-z0-9_]*\Z"
_ELSEWHERES: Final = (
    r"(?:BASH.*|HOSTNAME|TMPDIR|SSH_.*|DISPLAY"
    r"|PBS_.*|LSB_.*|LS_.*|SGE_.*|JOB_ID|JOB_NAME|NSLOTS|NHOSTS|QUEUE|REQUEST|RESTARTED|ENVIRONMENT"
    r")\Z"
)
"""What belongs to the machine or the shell a job was submitted from, or to a job around it: it goes
along only if it was named."""
_SHELLS: Final = (
    r"(?:_|SHLVL|IFS|PWD|OLDPWD|EUID|UID|PPID|SHELLOPTS"
    r"|BASH(?:OPTS|PID|_ALIASES|_ARGC|_ARGV|_CMDS|_COMMAND|_COMPAT|_LINENO|_SOURCE|_SUBSHELL"
    r"|_VERSINFO|_XTRACEFD)"
    r"|DIRSTACK|EPOCHREALTIME|EPOCHSECONDS|FUNCNAME|GROUPS|HISTCMD|LINENO|OPTIND|PIPESTATUS"
    r"|RANDOM|SRANDOM|SECONDS)\Z"
)
"""What bash gives no other value, or works by."""
_SCRIPTS: Final = (
    r"hpc_(?:dir|job|element|elements|record|path|out|err|signals|child|heard|last|code|never|fate"
    r"|asked_for|fd[012]|gate|gate_PID|go)\Z"
)
"""What job scripts work by."""
_SAVED_CLOSED: Final = "{hpc_fd0}<&- {hpc_fd1}>&- {hpc_fd2}>&-"
_SURVIVED: Final = ("TERM", "INT", "HUP", "XCPU", "USR1", "USR2")
"""Signals that a scheduler sends to all of a job, and that are the job's to answer."""


class Names(Record, frozen=True, kw_only=True):
    """What a scheduler calls things inside a job, as text for the shell.

    `job` and `element` expand to the number and the index (an empty word outside arrays). `index`
    is the variable in which programs look for the index. `forward` are signals that reach the first
    process only and are handed on. `first` are lines of shell that come before everything but the
    record of the beginning.
    """

    job: str
    element: str
    index: str = ""
    forward: tuple[str, ...] = ()
    first: Sequence[str] = ()


class Recorded(Record, frozen=True, kw_only=True):
    """What a job has recorded of one element: when and where it began, how it ended, and why it
    was `never` run, if it was not ("")."""

    native: str = ""
    begun: float | None = None
    node: str = ""
    code: int | None = None
    ended: float | None = None
    never: str = ""


_ESCAPES: Final = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r"})


def quote(text: str) -> str:
    """The text as one word for bash, on one line: some schedulers read directives from any line of
    a script, and no value may bring one of its own."""
    if "\n" in text or "\r" in text:
        return f"$'{text.translate(_ESCAPES)}'"
    return plainly_quoted(text)


def job_script(directives: Iterable[str], order: Order, names: Names) -> str:
    """The whole script: directive lines as they are to stand there, then what they are for."""
    parts = [
        "#!/bin/bash",
        *directives,
        f"# Submitted with hpc as {order.key}.",
        "",
        *_who(order, names),
        *names.first,
        *_surroundings(order),
        *(_capture(order) if order.capture else ()),
        *_setup(order),
        *_run(order, names),
    ]
    return "\n".join(parts) + "\n"


def _who(order: Order, names: Names) -> list[str]:
    """Who this is, and the record of its beginning."""
    return [
        f"hpc_dir={quote(order.directory)}",
        f"hpc_job={names.job}",
        f"hpc_element={names.element}",
        *_moved(order, names),
        'hpc_record="$hpc_dir/record/${hpc_element:-job}"',
        "hpc_path=$PATH",
        "hpc_note() { # FILE WORD",
        '    local PATH=$hpc_path file="$1.$$"',
        '    { echo "$2 $(date +%s) $(uname -n)" >"$file" && mv -f "$file" "$1"; } 2>/dev/null',
        "}",
        'rm -f "$hpc_record.end"',
        'hpc_note "$hpc_record.begin" "$hpc_job"',
        "hpc_code=143 # as if by TERM, where a signal ends this shell before the job has ended",
        "trap 'hpc_end=$?; [ $hpc_end != 0 ] || hpc_end=$hpc_code;"
        ' hpc_note "$hpc_record.end" $hpc_end\' EXIT',
        "",
    ]


def _moved(order: Order, names: Names) -> list[str]:
    """Our own index, where the site was told of a part of the array with smaller ones."""
    if not order.offset:
        return []
    moved = f"hpc_element=$((hpc_element + {order.offset}))"
    return [moved, f'export {names.index}="$hpc_element"'] if names.index else [moved]


def _surroundings(order: Order) -> list[str]:
    submission = order.spec.submission
    lines = [
        'if [ -r "$hpc_dir/env" ]; then . "$hpc_dir/env"; fi',
        'export HPC_JOB_ID="$hpc_job" HPC_SUBMISSION=' + quote(order.key),
        f"export HPC_JOB_NAME={quote(submission.name)}",
    ]
    lines.append(f"export HPC_CPUS={order.spec.layout.cpus}{_memory(order)}")
    if order.spec.layout.every_gpu:
        lines.append('export HPC_GPUS="${CUDA_VISIBLE_DEVICES-}"')
    if submission.array:
        every = IndexSet.parse(submission.array.partition("%")[0])
        lines += [
            'export HPC_ARRAY_JOB_ID="$hpc_job" HPC_ARRAY_TASK_ID="$hpc_element"',
            f"export HPC_ARRAY_TASK_COUNT={len(every)} HPC_ARRAY_TASK_MIN={every.first}"
            f" HPC_ARRAY_TASK_MAX={every.last}",
        ]
    if submission.cwd:
        lines += [
            f"export HPC_SUBMIT_DIR={quote(submission.env.get('HPC_SUBMIT_DIR', submission.cwd))}",
            f"cd -- {quote(submission.cwd)} || exit 1",
        ]
    return [*lines, f"umask {submission.umask:04o}", ""]


def own_variables(order: Order) -> set[str]:
    """Names of what the script tells of the job, whatever the environment says."""
    names = {"HPC_JOB_ID", "HPC_SUBMISSION", "HPC_JOB_NAME", "HPC_CPUS"}
    names |= {"HPC_MEMORY"} if order.spec.layout.memory else set()
    names |= {"HPC_GPUS"} if order.spec.layout.every_gpu else set()
    if order.spec.submission.array:
        each = ("JOB_ID", "TASK_ID", "TASK_COUNT", "TASK_MIN", "TASK_MAX")
        names |= {f"HPC_ARRAY_{name}" for name in each}
    return names


def _memory(order: Order) -> str:
    return f" HPC_MEMORY={order.spec.layout.memory}" if order.spec.layout.memory else ""


def _capture(order: Order) -> list[str]:
    """The job's own output files, opened as the patterns say, each only once."""
    submission = order.spec.submission
    if not submission.stdout:
        return []
    into = ">>" if submission.append else ">"
    lines = [
        'hpc_parents() { case $1 in */*) mkdir -p -- "${1%/*}" ;; esac; }',
        f"hpc_out={shell_pattern(submission.stdout, submission.name)}",
        f'hpc_parents "$hpc_out"; exec {into}"$hpc_out" || exit 1',
    ]
    if not submission.stderr:
        return [*lines, "exec 2>&1", ""]
    return [
        *lines,
        f"hpc_err={shell_pattern(submission.stderr, submission.name)}",
        f'hpc_parents "$hpc_err"; exec 2{into}"$hpc_err" || exit 1',
        "",
    ]


def shell_pattern(pattern: str, name: str) -> str:
    """A pattern of `core.patterns` as words that the shell of the job makes its path of."""
    parts: list[str] = []
    last = 0
    for found in re.finditer(FIELD, pattern):
        parts += [quote(pattern[last : found.start()])] if found.start() > last else []
        parts.append(_field(found, name))
        last = found.end()
    parts += [quote(pattern[last:])] if last < len(pattern) else []
    return "".join(parts) or "''"


def _field(found: re.Match[str], name: str) -> str:
    width = min(int(found[1] or 0), 10)
    match found[2]:
        case None:
            return "'%'"
        case "x":
            return quote(one_part(name)) if name else '"$(basename "$0")"'
        case "u":
            return '"$(id -un)"'
        case "N":
            return '"$(uname -n)"'
        case "s":
            return "batch"
        case "n" | "t" | "r":
            return "0".zfill(max(width, 1))
        case "j" if width:
            plain = f"printf '%0{width}d' \"$hpc_job\""
            return f'"$([ "$hpc_element" ] && echo "${{hpc_job}}_$hpc_element" || {plain})"'
        case "j":
            return '"$hpc_job${hpc_element:+_$hpc_element}"'
        case "A":
            return f'"$(printf \'%0{width}d\' "$hpc_job")"' if width else '"$hpc_job"'
        case "b":
            return f"\"$(printf '%0{width or 1}d' $((10#${{hpc_element:-4294967294}} % 10)))\""
        case _:
            index = '"${hpc_element:-4294967294}"'
            return f"\"$(printf '%0{width}d' {index})\"" if width else index


def _setup(order: Order) -> list[str]:
    """Modules, environments, and lines of the user's own, in this order."""
    spec = order.spec
    if not (spec.modules or spec.conda or spec.venv or spec.setup):
        return []
    from hpcshell.core.options.prelude import Prelude  # whoever only looks does not need it

    prelude = Prelude(modules=spec.modules, conda=spec.conda, venv=spec.venv, setup=spec.setup)
    return [*prelude.lines(), ""]


def _run(order: Order, names: Names) -> list[str]:
    """Run it with the standard input that the job has, wait for it, record how it ended."""
    submission = order.spec.submission
    words = list(submission.argv)
    script = submission.script is not None
    shown = " ".join(['"$hpc_dir/script"', *map(quote, words[1:])] if script else map(quote, words))
    source = shell_pattern(submission.stdin, submission.name) if submission.stdin else "&$hpc_fd0"
    every = " ".join(dict.fromkeys((*_SURVIVED, "QUIT", *names.forward)))
    survived = [name for name in _SURVIVED if name not in names.forward]
    return [
        "exec {hpc_fd0}<&0 {hpc_fd1}>&1 {hpc_fd2}>&2",
        "exec 2>/dev/null # this shell is not to say which signal killed the job",
        "coproc hpc_gate { # until it is let through, a signal ends this shell and no job begins",
        f"    trap - {every} # some are ignored in what is in the background",
        "    echo; read -r hpc_go || exit",
        f"    exec {shown} 2>&$hpc_fd2 >&$hpc_fd1 <{source} {_SAVED_CLOSED}",
        "}",
        "hpc_child=$! hpc_signals=0",
        'read -r hpc_go <&"${hpc_gate[0]-}"',
        f"trap '' {' '.join(['PIPE', *survived])}",
        *(
            f"trap 'hpc_signals=$((hpc_signals + 1)); kill -{name} \"$hpc_child\"' {name}"
            for name in names.forward
        ),
        'echo >&"${hpc_gate[1]-}"',
        "hpc_heard=-1",
        "while [ $hpc_heard != $hpc_signals ]; do # a signal ends a wait before its time",
        "    hpc_heard=$hpc_signals",
        '    wait "$hpc_child"',
        "    hpc_last=$? # bash may lose it (-1) where a signal ended both",
        "    [ $hpc_last -lt 0 ] || hpc_code=$hpc_last",
        "done",
        "trap '' TERM INT HUP XCPU USR1 USR2 # one in the midst of the exit would change its code",
        "exit $hpc_code",
    ]


# ------------------------------------------------------------------------------- the other files


def environment_file(
    variables: Mapping[str, str],
    named: Container[str] = (),
    unset: Iterable[str] = (),
    own: Container[str] = (),
) -> tuple[str, dict[str, str]]:
    """The text of `env`, and why variables are left out: those that no shell could set, and those
    that were `named` and yet cannot be had. `unset`: what the submit command had set for itself,
    and hands on. `own`: what the script tells of the job (`own_variables`)."""
    lines, left = [f"unset {name}" for name in unset], dict[str, str]()
    for name, value in variables.items():
        if not re.match(_IDENTIFIER, name) or "\0" in value:
            left[name] = "no shell can set it"
        elif why := _kept(name, own):
            left |= {name: why} if name in named else {}
        elif name in named or not re.match(_ELSEWHERES, name):
            lines.append(f"export {name}={quote(value)}")
    return "".join(line + "\n" for line in lines), left


def _kept(name: str, own: Container[str]) -> str:
    """Why a variable cannot be had under this name; "": it can."""
    if re.match(_SHELLS, name):
        return "the shell keeps it for itself"
    if re.match(_SCRIPTS, name):
        return "the job script keeps it for itself"
    return "the job finds its own there" if name in own else ""


def read_records(files: Mapping[str, str]) -> dict[int | None, Recorded]:
    """What a job's directory `record` says, by element (None: a plain job). Files whose names or
    contents are not ours are passed over."""
    found: dict[int | None, Recorded] = {}
    for name in {file.rpartition(".")[0] for file in files}:
        element = None if name == "job" else int(name) if name.isdecimal() else -1
        begin, end = files.get(f"{name}.begin", "").split(), files.get(f"{name}.end", "").split()
        if element == -1 or not (len(begin) == 3 or len(end) == 3):
            continue
        known = Recorded()
        if len(begin) == 3 and begin[1].isdecimal():
            never = files.get(f"{name}.never", "").strip()
            known = Recorded(native=begin[0], begun=float(begin[1]), node=begin[2], never=never)
        if len(end) == 3 and end[0].isdecimal() and end[1].isdecimal():
            known = Recorded(
                native=known.native,
                begun=known.begun,
                node=end[2],
                code=int(end[0]),
                ended=float(end[1]),
                never=known.never,
            )
        found[element] = known
    return found
