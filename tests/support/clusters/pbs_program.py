"""The program that stands for qsub, qstat, qdel and their like: see `pbs.py`."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, NoReturn

from tests.support.clusters.pbs_recordings import Recorded, recorded, recordings
from tests.support.clusters.pbs_stages import STAGES, block

NEVER = 99
_ONE = "abcdCeJjklmMNopqrRSuvWAPDFs"
"""Letters whose option takes a value, of all commands."""
Option = tuple[str, str]


class Said(NamedTuple):
    """A command line in parts."""

    program: str
    options: list[Option]
    rest: list[str]


class Job(NamedTuple):
    """`stage` is one of `STAGES`; elements have their own."""

    name: str
    variables: str
    stage: str
    queue: str


def never(said: str) -> NoReturn:
    print(f"stand-in: never recorded: {said}", file=sys.stderr)
    raise SystemExit(NEVER)


def replay(record: Recorded, old: str = "", new: str = "") -> NoReturn:
    """The recorded answer, with another id in the place of the recorded one."""
    sys.stdout.write(record.out.replace(old, new) if old else record.out)
    sys.stderr.write(record.err.replace(old, new) if old else record.err)
    raise SystemExit(record.code)


def split(argv: Sequence[str]) -> Said:
    program = Path(argv[0]).name
    options: list[Option] = []
    words = list(argv[1:])
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word.startswith("--"):
            options.append((word, ""))
            continue
        options += _letters(program, word[1:], words)
    return Said(program, options, words)


def _letters(program: str, letters: str, words: list[str]) -> Iterator[Option]:
    while letters:
        letter, letters = letters[0], letters[1:]
        takes = letter in _ONE if program != "qstat" else letter in "uFD"
        if not takes:
            yield letter, ""
            continue
        yield letter, letters or (words.pop(0) if words else "")
        return


# ----------------------------------------------------------------------------------- submitting


def shapes(options: Sequence[Option]) -> Iterator[tuple[str, str]]:
    """What of options must have been recorded: the letter, and what is named inside its value."""
    for letter, value in options:
        names = re.findall(r"(?:^|[,:+])([a-z_]+)=", value) if letter == "l" else []
        if letter == "W":
            names = [value.partition("=")[0]]
        if letter == "J":
            names = [re.sub(r"\d+", "N", value)]
        if letter == "W" and value.startswith("depend="):
            names = [re.sub(r"[\d]+(\[\])?", "N", part) for part in re.findall(r"after\w*", value)]
        yield from ((letter, name) for name in names or [""])


@cache
def accepted() -> set[tuple[str, str]]:
    """The shapes of all options that qsub was heard to take, on its line or in a script."""
    taken = [record for record in recordings() if record.argv[:1] == ["qsub"] and not record.code]
    found = {shape for record in taken for shape in shapes(split(record.argv).options)}
    script = recorded("cat directives.sh").out
    return found | set(shapes(directives(script))) | {("f", "")}


def directives(script: str) -> list[Option]:
    """Up to the first line that is neither blank nor a comment."""
    options: list[Option] = []
    for line in script.splitlines():
        if line.startswith("#PBS"):
            options += split(["qsub", *shlex.split(line[4:])]).options
        elif line.strip() and not line.lstrip().startswith("#"):
            break
    return options


def refusal(options: Sequence[Option]) -> Recorded | None:
    """The recorded answer to one of these very options."""
    for record in recordings("0[03]-*.txt"):
        said = split(record.argv) if record.argv[:1] == ["qsub"] else None
        if said and record.code and len(said.options) == 1 and said.options[0] in options:
            return record
    return None


def qsub(said: Said, folder: Path) -> NoReturn:
    if len(said.rest) != 1 or not Path(said.rest[0]).is_file():
        replay(recorded("qsub nosuchscript.sh"))
    options = [*said.options, *directives(Path(said.rest[0]).read_text())]
    if found := refusal(options):
        replay(found)
    for letter, name in sorted(set(shapes(options)) - accepted()):
        never(f"qsub -{letter} {name}")
    told = dict(reversed(options))
    number = 200 + len(list((folder / "jobs").iterdir()))
    array = told.get("J", "")
    native = f"{number}[].pbshost" if array else f"{number}.pbshost"
    job = Job(told.get("N", "job.sh"), told.get("v", ""), "", told.get("q", "workq"))
    stage = "held" if "h" in told else "queued"
    save(folder, native, job._replace(stage="array" if array else stage))
    for index in indices(array):
        save(folder, f"{number}[{index}].pbshost", job._replace(stage="element queued"))
    print(native)
    raise SystemExit(0)


def indices(text: str) -> Iterator[int]:
    if found := re.match(r"(\d+)-(\d+)(?::(\d+))?", text):
        yield from range(int(found[1]), int(found[2]) + 1, int(found[3] or 1))


# --------------------------------------------------------------------------------------- memory


def save(folder: Path, native: str, job: Job) -> None:
    (folder / "jobs" / native).write_text(json.dumps(job))


def load(folder: Path) -> dict[str, Job]:
    """In the order in which they were submitted."""
    paths = sorted((folder / "jobs").iterdir(), key=lambda path: _order(path.name))
    return {path.name: Job(*json.loads(path.read_text())) for path in paths}


def _order(native: str) -> tuple[int, int]:
    found = re.match(r"(\d+)(?:\[(\d*)\])?", native)
    assert found is not None
    return int(found[1]), int(found[2] or -1)


def full(native: str) -> str:
    return native if "." in native else f"{native}.pbshost"


# ------------------------------------------------------------------------------------- watching


def qstat(said: Said, folder: Path) -> NoReturn:
    letters = "".join(sorted(letter for letter, _ in said.options))
    if letters in ("Bf", "Qf", "--version", "B", "Q") and not said.rest:
        answer = (folder / "answers" / letters).read_text()
        sys.stdout.write(answer)
        raise SystemExit(0)
    if not set(letters) <= set("ftx") or "f" not in letters:
        never(" ".join([said.program, letters]))
    if "x" in letters and not (folder / "history").exists():
        replay(recorded("qstat -x -f 1"), "1.pbshost", full(said.rest[0]) if said.rest else "")
    show(said, letters, load(folder))


def show(said: Said, letters: str, jobs: dict[str, Job]) -> NoReturn:
    code, history = 0, "x" in letters
    live = [native for native, job in jobs.items() if "[" not in native or "[]" in native]
    for asked in map(full, said.rest) if said.rest else live:
        job = jobs.get(asked)
        if job is None:
            code = complain("qstat 99999", "99999.pbshost", asked)
        elif STAGES[job.stage].ended == "F" and not history:
            code = complain("qstat 90.pbshost", "90.pbshost", asked) if said.rest else code
        else:
            sys.stdout.write(block(asked, job.name, job.variables, job.queue, job.stage))
            for native in elements(asked, jobs) if "t" in letters else ():
                element = jobs[native]
                sys.stdout.write(block(native, *element[:2], element.queue, element.stage))
    raise SystemExit(code)


def elements(native: str, jobs: dict[str, Job]) -> list[str]:
    front = native.partition("[]")[0] + "["
    return [one for one in jobs if "[]" in native and one.startswith(front) and one != native]


def complain(command: str, old: str, new: str) -> int:
    record = recorded(command)
    sys.stderr.write(record.err.replace(old, new))
    return record.code


def qselect(said: Said, folder: Path) -> NoReturn:
    if said.options and said.options[0] != ("u", "alice"):
        raise SystemExit(0)
    for native, job in load(folder).items():
        if STAGES[job.stage].ended != "F" and ("[]" in native or "[" not in native):
            print(native)
    raise SystemExit(0)


def pbsnodes(said: Said, folder: Path) -> NoReturn:
    if [letter for letter, _ in said.options] != ["a"]:
        never(f"pbsnodes {said.options}")
    sys.stdout.write((folder / "answers" / "nodes").read_text())
    raise SystemExit(0)


# ------------------------------------------------------------------------------------- changing


def changing(said: Said, folder: Path) -> NoReturn:
    """qdel, qhold and the others: each id on its own, and the last code that is not 0."""
    code = 0
    rest = said.rest[1:] if said.program == "qmove" else said.rest
    for asked in map(full, rest):
        code = change_one(said, asked, load(folder), folder) or code
    raise SystemExit(code)


def change_one(said: Said, native: str, jobs: dict[str, Job], folder: Path) -> int:
    job = jobs.get(native)
    if job is None:
        return complain(UNKNOWN[said.program], "99999.pbshost", native)
    stage = STAGES[job.stage]
    if said.program == "qdel" and stage.ended == "F":
        return complain("qdel 96.pbshost", "96.pbshost", native)
    if said.program in ("qhold", "qrls", "qalter") and re.search(r"\[\d", native):
        return complain(f"{said.program} {ELEMENT[said.program]}", "110[6].pbshost", native)
    after = _CHANGES[said.program](said, job, native)
    if isinstance(after, int):
        return after
    save(folder, native, after)
    if said.program == "qdel":
        for one in elements(native, jobs):
            if not STAGES[jobs[one].stage].ended:
                save(folder, one, jobs[one]._replace(stage="element deleted"))
    return 0


UNKNOWN = {
    **{name: f"{name} 99999" for name in ("qdel", "qhold", "qrls", "qrerun")},
    "qalter": "qalter -l walltime=10 99999",
    "qmove": "qmove short 99999",
    "qsig": "qsig -s TERM 99999",
}
ELEMENT = {
    "qhold": "$(echo '110[].pbshost' | sed 's/\\[\\]/[6]/')",
    "qrls": "$(echo '110[].pbshost' | sed 's/\\[\\]/[6]/')",
    "qalter": "-l walltime=10 $(echo '110[].pbshost' | sed 's/\\[\\]/[6]/')",
}


def _deleted(said: Said, job: Job, native: str) -> Job | int:
    if "[]" in native:
        return job._replace(stage="array deleted")
    if "[" in native:
        return job._replace(stage="element deleted")
    return job._replace(stage="cancelled" if job.stage == "running" else "deleted")


def _held(said: Said, job: Job, native: str) -> Job | int:
    return job._replace(stage="held" if job.stage == "queued" else job.stage)


def _released(said: Said, job: Job, native: str) -> Job | int:
    return job._replace(stage="queued" if job.stage == "held" else job.stage)


def _altered(said: Said, job: Job, native: str) -> Job | int:
    if set(said.options) & {("l", "walltime=01:05:00")} and job.stage == "running":
        return complain("qalter -l walltime=01:05:00 102.pbshost", "102.pbshost", native)
    allowed = {"l", "N", "A", "W"}
    if not {letter for letter, _ in said.options} <= allowed:
        never(f"qalter {said.options}")
    return job._replace(name=dict(said.options).get("N", job.name))


def _moved(said: Said, job: Job, native: str) -> Job | int:
    target = said.rest[0]
    if target in ("short", "nosuch"):
        return complain(f"qmove {target} 103.pbshost", "103.pbshost", native)
    if target != "stopped":
        never(f"qmove {target}")
    return job._replace(queue=target)


def _signalled(said: Said, job: Job, native: str) -> Job | int:
    name = dict(said.options).get("s", "")
    if name == "suspend":
        return complain("qsig -s suspend 102.pbshost", "102.pbshost", native)
    if name != "TERM":
        never(f"qsig -s {name}")
    return job._replace(stage="signalled")


def _rerun(said: Said, job: Job, native: str) -> Job | int:
    return complain("qrerun 102.pbshost", "102.pbshost", native)


_CHANGES: dict[str, Callable[[Said, Job, str], Job | int]] = {
    "qdel": _deleted,
    "qhold": _held,
    "qrls": _released,
    "qalter": _altered,
    "qmove": _moved,
    "qsig": _signalled,
    "qrerun": _rerun,
}
_ALL: dict[str, Callable[[Said, Path], NoReturn]] = {
    "qsub": qsub,
    "qstat": qstat,
    "qselect": qselect,
    "pbsnodes": pbsnodes,
    **dict.fromkeys(_CHANGES, changing),
}
PROGRAMS = tuple(_ALL)
DOWN = {
    "qstat": "qstat",
    "qsub": "qsub -f ok.sh",
    "qdel": "qdel 1",
    "qhold": "qhold 1",
    "qselect": "qselect",
    "pbsnodes": "pbsnodes -a",
}


def main(argv: Sequence[str]) -> None:
    folder = Path(os.environ["PBS_STANDIN"])
    said = split(argv)
    with (folder / "said").open("a") as log:
        log.write(json.dumps([said.program, *argv[1:]]) + "\n")
    if (folder / "down").exists():
        if said.program not in DOWN:
            never(f"{said.program} while the server is down")
        replay(recorded(DOWN[said.program], "10-server-down"))
    _ALL[said.program](said, folder)
