"""LSF's stand-in (`lsf.py`) with jobs that run.

    with running(folder) as cluster:    bsub, bjobs, bkill ... are in cluster.programs

It answers as the other does, and refuses what that refuses; what becomes of jobs, when, is the
engine's: arrays, holds, conditions of -w, begin times, limits, signals. A minute of -W is
`MINUTE` seconds long. What a job leaves is told as LSF does: exit codes, and TERM_ words.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hpcshell.backends.contract import Answer, Words
from tests.support.clusters import engine
from tests.support.clusters.engine import Asked, Engine
from tests.support.clusters.lsf import COMMANDS, Job, Lsf, Unrecorded, _only

MINUTE: Final = 5.0
_STATES: Final = {"waiting": "PEND", "running": "RUN", "suspended": "USUSP"}
_REASONS: Final = {
    "deleted": "TERM_OWNER: job killed by owner",
    "limit": "TERM_RUNLIMIT: job killed after reaching LSF run time limit",
}
_TERM: Final = re.compile(r"(started|done|exit|ended)\((\d+)(?:\[(\d+|\*)\])?\)")
_DOWN: Final = Answer(code=255, err="Cannot connect to LSF. Please wait ...\n")


class LiveLsf(Lsf):
    """Every job of the engine's has LSF's own record of it in `told`."""

    def __init__(self, folder: Path, programs: Path) -> None:
        super().__init__(folder, "root")
        self.engine = Engine()
        self.programs = programs
        self._asked: Asked | None = None
        self._down = False

    def reply(self, asked: Asked) -> Answer:
        if self._down:
            return _DOWN
        with self.engine.lock:
            self._asked = asked
            return self.answer(Words(argv=asked.argv, stdin=asked.stdin.encode()))

    @contextmanager
    def away(self) -> Iterator[None]:
        self._down = True
        try:
            yield
        finally:
            self._down = False

    # --------------------------------------------------------------------- what the others rely on

    def jobs(self) -> list[Job]:
        for job in self.engine.jobs:
            _show(job)
        return [job.told for job in self.engine.jobs]

    def _save(self, jobs: list[Job]) -> None:
        """New ones are begun; what was changed of the others counts from now on."""
        known = {id(job.told): job for job in self.engine.jobs}
        for told in jobs:
            if id(told) in known:
                known[id(told)].limit = _limit(told)
            else:
                self.engine.add([self._made(told)])

    def _made(self, told: Job) -> engine.Job:
        asked = self._asked
        assert asked is not None
        number, index, options = told["number"], told["index"], told["options"]
        spooled = self.folder / f"{number}.sh"
        spooled.write_text(told["script"], "utf-8")
        throttle = re.search(r"%(\d+)$", options["-J"])
        self.engine.throttles[number] = int(throttle[1]) if throttle else 0
        mine = {"LSB_JOBID": str(number), "LSB_JOBINDEX": str(index), "LSB_BATCH_JID": str(number)}
        return engine.Job(
            number=number,
            index=index,
            argv=("bash", str(spooled)),
            env={**asked.env, **mine, "LSB_JOBNAME": told["name"], "LS_SUBCWD": asked.cwd},
            cwd=asked.cwd,
            output=options["-oo"].replace("%I", str(index)).replace("%J", str(number)),
            limit=_limit(told),
            slots=int(told["slots"]),
            held=told["stat"] == "PSUSP",
            begin=_instant(options.get("-b", "")),
            ready=lambda: self._ready(options.get("-w", ""), index),
            told=told,
        )

    def _ready(self, condition: str, index: int) -> bool:
        """Whether `done(12) && ended(13[4])` holds; what never can waits for ever."""
        if not condition:
            return True
        if _TERM.sub("", condition).strip(" &|()"):
            raise Unrecorded(f"bsub -w {condition}")
        holds = [
            self._holds(found[1], found[2], found[3], index) for found in _TERM.finditer(condition)
        ]
        return any(holds) if "||" in condition else all(holds)

    def _holds(self, kind: str, number: str, which: str | None, index: int) -> bool:
        wanted = index if which == "*" else which and int(which)
        jobs = [job for job in self.engine.of(int(number)) if wanted in (None, job.index)]
        ended = [job.state == "ended" for job in jobs]
        good = [
            done and not job.why and job.code == 0 for done, job in zip(ended, jobs, strict=True)
        ]
        match kind:
            case "started":
                return all(job.begun is not None for job in jobs)
            case "done":
                return all(good)
            case "exit":
                return all(ended) and not any(good)
        return all(ended)

    # ------------------------------------------------------------------------------------- changes

    def _bkill(self, rest: Sequence[str]) -> Answer:
        if rest[:1] != ["-s"]:
            return self._each(rest, "is being terminated", self._deleted)
        number = signal.Signals[f"SIG{rest[1].removeprefix('SIG')}"]

        def heard(told: Job) -> str | None:
            job = self._of(told)
            if job.state == "ended":
                return "Job has already finished"
            if job.state == "waiting":
                return "Job has not started yet"
            self.engine.signal(job, number)
            return None

        return self._each(rest[2:], "is being signaled", heard)

    def _deleted(self, told: Job) -> str | None:
        job = self._of(told)
        if job.state == "ended":
            return "Job has already finished"
        self.engine.delete(job)
        return None

    def _bstop(self, rest: Sequence[str]) -> Answer:
        def stop(told: Job) -> str | None:
            job = self._of(told)
            if job.state == "ended":
                return "Job has already finished"
            if job.state == "waiting":
                job.held = True
            elif job.state == "running":
                self.engine.suspend(job)
            return None

        return self._each(rest, "is being stopped", stop)

    def _bresume(self, rest: Sequence[str]) -> Answer:
        def resume(told: Job) -> str | None:
            job = self._of(told)
            if job.state == "ended":
                return "Job has already finished"
            job.held = False
            if job.state == "suspended":
                self.engine.resume(job)
            return None

        return self._each(rest, "is being resumed", resume)

    def _brequeue(self, rest: Sequence[str]) -> Answer:
        _only(rest[:3] == ["-r", "-d", "-e"], "brequeue", rest)

        def requeue(told: Job) -> str | None:
            self.engine.requeue(self._of(told))
            return None

        return self._each(rest[3:], "is being requeued", requeue)

    def _of(self, told: Job) -> engine.Job:
        return next(job for job in self.engine.jobs if job.told is told)


def _show(job: engine.Job) -> None:
    """Brings LSF's record of it up to date."""
    told: dict[str, Any] = job.told
    told |= {"start": job.begun, "finish": job.ended, "exit_code": "", "exit_reason": ""}
    if job.state != "ended":
        told["stat"] = "PSUSP" if job.held and job.state == "waiting" else _STATES[job.state]
        told["pend_reason"] = _why_it_waits(job)
        return
    good = job.code == 0 and not job.why
    told["stat"] = "DONE" if good else "EXIT"
    told["exit_reason"] = _REASONS.get(job.why, "")
    if job.code:
        told["exit_code"] = str(job.code if job.code > 0 else 128 - job.code)


def _why_it_waits(job: engine.Job) -> str:
    if job.held:
        return "The job was suspended by the user while pending;"
    if job.begin > time.time():
        return "Job's specified start time not reached;"
    return (
        "Job dependency condition not satisfied;"
        if not job.ready()
        else "New job is waiting for scheduling;"
    )


def _limit(told: Job) -> float | None:
    return float(told["limit"]) * MINUTE if told["limit"] else None


def _instant(text: str) -> float:
    """Of -b, in UTC as all is said."""
    if not text:
        return 0.0
    return datetime.strptime(text, "%Y:%m:%d:%H:%M").replace(tzinfo=UTC).timestamp()


@contextmanager
def running(folder: Path) -> Iterator[LiveLsf]:
    programs = folder / "bin"
    programs.mkdir()
    cluster = LiveLsf(folder, programs)
    try:
        with engine.served(programs, COMMANDS, cluster.reply):
            yield cluster
    finally:
        cluster.engine.close()
