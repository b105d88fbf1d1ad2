"""OpenPBS's stand-in (`pbs.py`) with jobs that run.

    with running(folder) as cluster:    qsub, qstat, qdel ... are in cluster.programs

It takes the forms that were recorded, refuses what never was (`qalter -p` apart, which is in the
manual only), answers unknown queues, ids and forms as recorded, and shows jobs in the recorded
blocks of their stages. What becomes of jobs, when, is the engine's: arrays and their throttles,
holds, dependencies, begin times, walltimes, signals. There is a history of jobs, and who asks is no
operator.
"""

from __future__ import annotations

import getpass
import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hpcshell.backends.contract import Answer
from hpcshell.backends.pbs.values import seconds
from tests.support.clusters import engine, pbs_shown
from tests.support.clusters.engine import Asked, Engine, Job
from tests.support.clusters.pbs import site_answers
from tests.support.clusters.pbs_program import (
    DOWN,
    ELEMENT,
    NEVER,
    PROGRAMS,
    UNKNOWN,
    Said,
    accepted,
    directives,
    full,
    indices,
    refusal,
    shapes,
    split,
)
from tests.support.clusters.pbs_recordings import Recorded, recorded

_TERM: Final = re.compile(r"(after\w*):([^,]+)")
_ID: Final = re.compile(r"(\d+)(\[(\d*)\])?\.pbshost")


class _Refused(Exception):
    """A recorded answer, with another id in the place of the recorded one."""

    def __init__(self, record: Recorded, old: str = "", new: str = "") -> None:
        super().__init__(record.command)
        told = record.err.replace(old, new) if old else record.err
        self.answer = Answer(code=record.code, out=record.out, err=told)


class _Changing:
    """What is done to jobs that are there."""

    engine: Engine

    def _of(self, native: str, unknown: str) -> list[Job]:
        """The job, all of the array, or the element."""
        found = _ID.fullmatch(native)
        jobs = self.engine.of(int(found[1])) if found else []
        array = bool(jobs) and jobs[0].index is not None
        if found and found[3]:
            jobs = [job for job in jobs if job.index == int(found[3])]
        if found is None or not jobs or array != (found[2] is not None):
            raise _Refused(recorded(unknown), "99999.pbshost", native)
        return jobs

    def _changed(self, said: Said, asked: Asked) -> Answer:
        """Each id on its own, and the last code that is not 0."""
        code, err = 0, ""
        for native in map(full, said.rest[said.program == "qmove" :]):
            try:
                self._change(said, native)
            except _Refused as refused:
                code, err = refused.answer.code or 0, err + refused.answer.err
        return Answer(code=code, err=err)

    def _change(self, said: Said, native: str) -> None:
        jobs = self._of(native, UNKNOWN[said.program])
        if said.program in ELEMENT and re.search(r"\[\d", native):
            which = f"{said.program} {ELEMENT[said.program]}"
            raise _Refused(recorded(which), "110[6].pbshost", native)
        change: Callable[[Said, str, list[Job]], None] = getattr(self, f"_{said.program}")
        change(said, native, jobs)

    def _qdel(self, said: Said, native: str, jobs: list[Job]) -> None:
        if pbs_shown.over(jobs):
            if re.search(r"\[\d", native):
                again = recorded("qdel $(echo '109[].pbshost' | sed 's/\\[\\]/[1]/')", number=1)
                raise _Refused(again, "109[1].pbshost", native)
            raise _Refused(recorded("qdel 96.pbshost"), "96.pbshost", native)
        for job in jobs:
            self.engine.delete(job)
        if "[]" in native:
            jobs[0].told["deleted"] = max(job.ended or 0.0 for job in jobs)

    def _qhold(self, said: Said, native: str, jobs: list[Job]) -> None:
        for job in jobs:
            job.held = job.held or job.state == "waiting"

    def _qrls(self, said: Said, native: str, jobs: list[Job]) -> None:
        for job in jobs:
            job.held = False

    def _qalter(self, said: Said, native: str, jobs: list[Job]) -> None:
        told = jobs[0].told
        for letter, value in said.options:
            name, _, text = value.partition("=")
            if (letter, name) == ("l", "walltime"):
                told["resources"]["walltime"] = text
                for job in jobs:
                    job.limit = seconds(text)
            elif (letter, name) == ("W", "max_run_subjobs"):
                self.engine.throttles[jobs[0].number] = int(text)
            elif letter in _ALTERED:
                told[_ALTERED[letter]] = value
            else:
                raise AssertionError(f"never recorded: qalter -{letter} {value}")

    def _qmove(self, said: Said, native: str, jobs: list[Job]) -> None:
        target = said.rest[0]
        if target in ("short", "nosuch"):
            raise _Refused(recorded(f"qmove {target} 103.pbshost"), "103.pbshost", native)
        jobs[0].told["queue"] = target

    def _qsig(self, said: Said, native: str, jobs: list[Job]) -> None:
        name = dict(said.options)["s"]
        if name in ("suspend", "resume"):
            raise _Refused(recorded("qsig -s suspend 102.pbshost"), "102.pbshost", native)
        for job in jobs:
            self.engine.signal(job, signal.Signals[f"SIG{name.removeprefix('SIG')}"])

    def _qrerun(self, said: Said, native: str, jobs: list[Job]) -> None:
        raise _Refused(recorded("qrerun 102.pbshost"), "102.pbshost", native)


class LivePbs(_Changing):
    """Every job of the engine's has in `told` what PBS knows of it; elements share that."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs = folder, programs
        self.engine = Engine()
        self._site = site_answers(history=True)
        self._down = False
        self._next = 200
        self._commands: Mapping[str, Callable[[Said, Asked], Answer]] = {
            "qsub": self._qsub,
            "qstat": self._qstat,
            "qselect": self._qselect,
            "pbsnodes": self._pbsnodes,
        }

    def reply(self, asked: Asked) -> Answer:
        said = split(asked.argv)
        try:
            if self._down:
                raise _Refused(recorded(DOWN[said.program], "10-server-down"))
            with self.engine.lock:
                return self._commands.get(said.program, self._changed)(said, asked)
        except _Refused as refused:
            return refused.answer

    @contextmanager
    def away(self) -> Iterator[None]:
        self._down = True
        try:
            yield
        finally:
            self._down = False

    # --------------------------------------------------------------------------------- submitting

    def _qsub(self, said: Said, asked: Asked) -> Answer:
        if len(said.rest) != 1 or not Path(said.rest[0]).is_file():
            raise _Refused(recorded("qsub nosuchscript.sh"))
        text = Path(said.rest[0]).read_text()
        options = [*said.options, *directives(text)]
        if found := refusal(options):
            raise _Refused(found)
        for letter, name in sorted(set(shapes(options)) - accepted()):
            return _never(f"qsub -{letter} {name}")
        self._check_queue(dict(reversed(options)).get("q", "workq"))
        number, self._next = self._next, self._next + 1
        spooled = self.folder / f"{number}.SC"
        spooled.write_text(text)
        jobs = self._made(number, options, str(spooled), asked)
        self.engine.add(jobs)
        array = jobs[0].index is not None
        return Answer(code=0, out=f"{number}{'[]' if array else ''}.pbshost\n")

    def _check_queue(self, queue: str) -> None:
        if f"Queue: {queue}\n" not in self._site["Qf"]:
            raise _Refused(recorded("qsub -q nosuch ok.sh"))
        there = [job for job in self.engine.jobs if job.state != "ended"]
        if queue == "limited" and sum(job.told["queue"] == queue for job in there) >= 2:
            raise _Refused(recorded("qsub -h -q limited ok.sh", number=2))

    def _made(
        self, number: int, options: Sequence[tuple[str, str]], script: str, asked: Asked
    ) -> list[Job]:
        one = dict(reversed(options))
        resources, width, throttle = _resources(options), one.get("J", ""), _throttle(options)
        depend = next((v for k, v in options if k == "W" and v.startswith("depend=")), "")
        told: dict[str, Any] = {
            "name": one.get("N", "job.sh"),
            "user": getpass.getuser(),
            "queue": one.get("q", "workq"),
            "variables": one.get("v", ""),
            "priority": one.get("p", "0"),
            "account": one.get("A", ""),
            "output": one.get("o", os.devnull),
            "arguments": " ".join(asked.argv[1:]),
            "resources": resources,
            "array": width.partition("%")[0],
            "depend": depend.removeprefix("depend="),
        }
        self.engine.throttles[number] = throttle
        ready = self._ready(told["depend"])
        return [
            Job(
                number=number,
                index=index,
                argv=("/bin/bash", script),
                env=_environment(number, index, told, asked),
                cwd=str(Path.home()),
                output=told["output"].replace("^array_index^", str(index)),
                limit=seconds(resources["walltime"]) if "walltime" in resources else None,
                slots=int(resources["ncpus"]),
                held="h" in one,
                begin=_instant(one.get("a", "")),
                ready=ready,
                told=told,
            )
            for index in _indices(width)
        ]

    def _ready(self, depend: str) -> engine.Ready:
        """All of `afterok:12.host:13.host,afterany:14[].host`."""
        terms = [
            (kind, int(part.partition(".")[0].rstrip("[]")))
            for kind, parts in _TERM.findall(depend)
            for part in parts.split(":")
        ]

        def ready() -> bool | None:
            told = [self._holds(kind, self.engine.of(number)) for kind, number in terms]
            return None if None in told else all(told)

        return ready

    def _holds(self, kind: str, jobs: Sequence[Job]) -> bool | None:
        """None: never. What was dropped takes with it all that waits for it."""
        if not jobs or any(job.why == "never" for job in jobs):
            return None
        if kind == "after":
            begun = any(job.begun for job in jobs)
            return None if not begun and pbs_shown.over(jobs) else begun
        if not pbs_shown.over(jobs):
            return False
        last = max(jobs, key=lambda job: job.ended or 0.0)
        good = not last.why and last.code == 0
        if kind == "afterany" or good == (kind == "afterok"):
            return True
        return None

    # ----------------------------------------------------------------------------------- watching

    def _qstat(self, said: Said, asked: Asked) -> Answer:
        letters = "".join(sorted(letter for letter, _ in said.options))
        if letters in self._site and not said.rest:
            return Answer(code=0, out=self._site[letters])
        if not set(letters) <= set("ftx") or "f" not in letters:
            return _never(f"qstat {letters}")
        code, out, err = 0, "", ""
        for native in map(full, said.rest or self._live()):
            try:
                out += self._shown(native, history="x" in letters, elements="t" in letters)
            except _Refused as refused:
                code, err = refused.answer.code or 0, err + refused.answer.err
        return Answer(code=code, out=out, err=err)

    def _shown(self, native: str, *, history: bool, elements: bool) -> str:
        jobs = self._of(native, "qstat 99999")
        every = self.engine.of(jobs[0].number)
        if pbs_shown.over(every) and not history:
            raise _Refused(recorded("qstat 90.pbshost"), "90.pbshost", native)
        if jobs[0].index is None:
            return pbs_shown.plain(jobs[0])
        if "[]" not in native:
            return pbs_shown.element(jobs[0], every)
        parts = [pbs_shown.element(job, every) for job in every] if elements else []
        return "".join([pbs_shown.array(every), *parts])

    def _live(self) -> list[str]:
        """Whole jobs that have not ended, in their order."""
        numbers = dict.fromkeys(job.number for job in self.engine.jobs)
        live = [jobs for jobs in map(self.engine.of, numbers) if not pbs_shown.over(jobs)]
        return [
            pbs_shown.native(jobs[0]) if jobs[0].index is None else pbs_shown.whole(jobs[0].number)
            for jobs in live
        ]

    def _qselect(self, said: Said, asked: Asked) -> Answer:
        if [letter for letter, _ in said.options] != ["u"]:
            return _never(f"qselect {said.options}")
        mine = said.options[0][1] == getpass.getuser()
        return Answer(code=0, out="".join(f"{native}\n" for native in self._live() if mine))

    def _pbsnodes(self, said: Said, asked: Asked) -> Answer:
        if [letter for letter, _ in said.options] != ["a"]:
            return _never(f"pbsnodes {said.options}")
        return Answer(code=0, out=self._site["nodes"])


_ALTERED: Final = {"N": "name", "A": "account", "p": "priority"}


def _never(said: str) -> Answer:
    return Answer(code=NEVER, err=f"stand-in: never recorded: {said}\n")


def _resources(options: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Of `-l select=2:ncpus=4:mem=1gb -l walltime=...`: the sums, as PBS shows them."""
    asked = dict(value.split("=", 1) for letter, value in options if letter == "l")
    select = asked.pop("select", "1:ncpus=1")
    chunks, _, rest = select.partition(":")
    each = dict(part.split("=", 1) for part in rest.split(":") if "=" in part)
    found = {"ncpus": str(int(chunks) * int(each.get("ncpus", 1))), "nodect": chunks}
    found |= {name: each[name] for name in ("mem", "ngpus") if name in each}
    return found | {"place": asked.pop("place", "pack"), "select": select} | asked


def _throttle(options: Sequence[tuple[str, str]]) -> int:
    for letter, value in options:
        name, _, most = value.partition("%" if letter == "J" else "=")
        if letter == "J" and most:
            return int(most)
        if (letter, name) == ("W", "max_run_subjobs"):
            return int(most)
    return 0


def _indices(text: str) -> list[int | None]:
    """Of -J; None is a job that is no array."""
    return [*indices(text)] or [None]


def _environment(
    number: int, index: int | None, told: Mapping[str, Any], asked: Asked
) -> dict[str, str]:
    """What PBS sets, beside what a login does, and the variables of -v."""
    kept = ("HOME", "USER", "LOGNAME", "SHELL", "LANG")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    place = "" if index is None else f"[{index}]"
    found |= {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PBS_ENVIRONMENT": "PBS_BATCH",
        "PBS_JOBID": f"{number}{place}.pbshost",
        "PBS_JOBNAME": told["name"],
        "PBS_QUEUE": told["queue"],
        "PBS_O_WORKDIR": asked.cwd,
        "PBS_O_HOST": "pbshost",
    }
    if index is not None:
        found |= {"PBS_ARRAY_INDEX": str(index), "PBS_ARRAY_ID": f"{number}[].pbshost"}
    given = (part.partition("=") for part in told["variables"].split(",") if "=" in part)
    return found | {name: value for name, _, value in given}


def _instant(text: str) -> float:
    """Of -a, in UTC as all is said."""
    if not text:
        return 0.0
    minute, _, second = text.partition(".")
    moment = datetime.strptime(minute, "%Y%m%d%H%M").replace(tzinfo=UTC)
    return moment.timestamp() + int(second or 0)


@contextmanager
def running(folder: Path) -> Iterator[LivePbs]:
    programs = folder / "bin"
    programs.mkdir()
    cluster = LivePbs(folder, programs)
    try:
        with engine.served(programs, PROGRAMS, cluster.reply):
            yield cluster
    finally:
        cluster.engine.close()
