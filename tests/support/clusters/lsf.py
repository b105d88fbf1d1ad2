"""A stand-in for LSF's commands, which answers in the words that public sources show.

    lsf = Lsf(folder)
    lsf.answer(Words(argv=("lsid",)))     in this process
    lsf.install(folder / "bin")           as programs, for whoever starts commands
    lsf.run("12[3]")                      starts a waiting element, runs its script to the end

What no source shows (an option, a directive with an escape in it) is refused with `Unrecorded`: the
stand-in knows less than LSF, and never more. Nothing starts by itself. `folder` holds all state.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from hpcshell.backends.contract import Answer, Words
from hpcshell.core.indexset import IndexSet

Job = dict[str, Any]
COMMANDS: Final = shlex.split(
    "lsid bqueues bparams bsub bjobs bhist bkill bstop bresume brequeue bmod bswitch"
)
QUEUES: Final = {"normal": 1440.0, "short": 60.0}
MOST_SLOTS: Final = 64
LARGEST_INDEX: Final = 1000
_VALUED: Final = shlex.split(
    "-J -Jd -q -P -G -U -n -R -M -gpu -W -sp -b -t -wa -wt -w -u -o -oo -e -eo -app -sla"
)
_BARE: Final = shlex.split("-x -H -r -rn -B -N -ti")
_ID: Final = re.compile(r"([0-9]+)(?:\[([0-9]+)\])?")
_LSID: Final = """\
IBM Spectrum LSF Standard 10.1.0.9, Nov 01 2019
Copyright International Business Machines Corp. 1992, 2016.
US Government Users Restricted Rights - Use, duplication or disclosure restricted.

My cluster name is standin
My master name is login1
"""

_FIXED: Final = {
    ("lsid",): _LSID,
    ("bparams", "-a"): (f"    DEFAULT_QUEUE = normal\n    MAX_JOB_ARRAY_SIZE = {LARGEST_INDEX}\n"),
}


class Unrecorded(AssertionError):
    """No source shows what LSF does with this."""


class Lsf:
    """The scheduler. Every call reads its state from the folder and writes it back."""

    def __init__(self, folder: Path, user: str = "ada") -> None:
        self.folder, self.user = folder, user
        self._file = folder / "jobs.json"

    def install(self, programs: Path) -> None:
        """Puts LSF's commands into this folder."""
        programs.mkdir(parents=True, exist_ok=True)
        root = Path(__file__).resolve().parents[3]
        for name in COMMANDS:
            program = programs / name
            start = [sys.executable, __file__, str(self.folder), self.user, name]
            program.write_text(
                "#!/bin/sh\n"
                f'PYTHONPATH={shlex.quote(f"{root}/src")} exec {shlex.join(start)} "$@"\n'
            )
            program.chmod(0o755)

    def answer(self, words: Words) -> Answer:
        name, *rest = words.argv
        if name == "date" and rest == ["+%s"]:
            return Answer(code=0, out=f"{time.time():.0f}\n")
        if name not in COMMANDS:
            return Answer(code=127, err=f"{name}: command not found", missing=True)
        if words.argv in _FIXED:
            return Answer(code=0, out=_FIXED[words.argv])
        _only(hasattr(self, f"_{name}"), name, rest)
        command: Callable[..., Answer] = getattr(self, f"_{name}")
        return command(rest, words.stdin.decode()) if name == "bsub" else command(rest)

    def jobs(self) -> list[Job]:
        jobs: list[Job] = json.loads(self._file.read_text()) if self._file.exists() else []
        return jobs

    def _save(self, jobs: list[Job]) -> None:
        self._file.write_text(json.dumps(jobs))

    # ---------------------------------------------------------------------------- what happens

    def run(self, native: str) -> None:
        """Runs a waiting job to its end, with what LSF sets in its environment."""
        jobs = self.jobs()
        for job in _named(jobs, native):
            assert job["stat"] == "PEND", job
            job |= {"stat": "RUN", "start": time.time()}
            self._save(jobs)
            mine = {"LSB_JOBID": str(job["number"]), "LSB_JOBINDEX": str(job["index"])}
            spooled = self.folder / f"{job['number']}.sh"
            spooled.write_text(job["script"], "utf-8")
            done = subprocess.run(
                ["bash", spooled], stdin=subprocess.DEVNULL, env=os.environ | mine, check=False
            )
            _end(job, done.returncode, "")
        self._save(jobs)

    def set(self, native: str, **values: object) -> None:
        """Makes something of a job: `stat="EXIT", exit_reason="TERM_RUNLIMIT: ..."`."""
        jobs = self.jobs()
        for job in _named(jobs, native):
            job |= values
        self._save(jobs)

    # -------------------------------------------------------------------------------- commands

    def _bqueues(self, rest: Sequence[str]) -> Answer:
        _only(len(rest) == 3 and rest[:2] == ["-json", "-o"], "bqueues", rest)
        known = {"STATUS": "Open:Active", "DEFAULT_RUNLIMIT": ""}
        records = [
            known | {"QUEUE_NAME": name, "MAX_RUNLIMIT": f"{limit}/login1"}
            for name, limit in QUEUES.items()
        ]
        return _document("bqueues", "QUEUES", [_picked(one, rest[2]) for one in records])

    def _bsub(self, rest: Sequence[str], script: str) -> Answer:
        options = dict(_options(_directives(script))) | dict(_options(rest))
        if why := _refusal(self.jobs(), options):
            return Answer(code=255, err=f"{why}. Job not submitted.\n")
        jobs = self.jobs()
        number = 1 + max((job["number"] for job in jobs), default=100)
        name, indices = _job_name(options["-J"])
        queue = options.get("-q", "normal").split()[0]
        for index in indices or [0]:
            shown = f"{name}[{index}]" if index else name
            jobs.append(_new(options, number, index, shown, queue) | {"script": script})
        self._save(jobs)
        default = "" if "-q" in options else "default "
        return Answer(code=0, out=f"Job <{number}> is submitted to {default}queue <{queue}>.\n")

    def _bjobs(self, rest: Sequence[str]) -> Answer:
        _only(
            len(rest) == 6 and rest[0] == "-u" and rest[2:5] == ["-a", "-json", "-o"], "bjobs", rest
        )
        if not (jobs := self.jobs()):
            return Answer(code=0, err="No job found\n")
        return _document(
            "bjobs", "JOBS", [_picked(_record(job, self.user), rest[5]) for job in jobs]
        )

    def _bhist(self, rest: Sequence[str]) -> Answer:
        _only(rest[:3] == ["-l", "-n", "0"], "bhist", rest)
        jobs = self.jobs()
        found = [job for native in rest[3:] for job in _named(jobs, native)]
        if not found:
            return Answer(code=255, err="No matching job found\n")
        rule = "-" * 78
        return Answer(code=0, out=f"{rule}\n".join(_story(job, self.user) for job in found))

    def _bkill(self, rest: Sequence[str]) -> Answer:
        if rest[:1] == ["-s"]:
            return self._each(rest[2:], "is being signaled", lambda job: None)
        return self._each(rest, "is being terminated", _killed)

    def _bstop(self, rest: Sequence[str]) -> Answer:
        return self._moved(rest, "is being stopped", {"PEND": "PSUSP", "RUN": "USUSP"})

    def _bresume(self, rest: Sequence[str]) -> Answer:
        return self._moved(rest, "is being resumed", {"PSUSP": "PEND", "USUSP": "RUN"})

    def _brequeue(self, rest: Sequence[str]) -> Answer:
        _only(rest[:3] == ["-r", "-d", "-e"], "brequeue", rest)
        again = dict.fromkeys(("RUN", "USUSP", "SSUSP", "DONE", "EXIT"), "PEND")
        return self._moved(rest[3:], "is being requeued", again)

    def _moved(self, ids: Sequence[str], said: str, states: dict[str, str]) -> Answer:
        def move(job: Job) -> str | None:
            job["stat"] = states.get(job["stat"], job["stat"])
            return None

        return self._each(ids, said, move)

    def _bmod(self, rest: Sequence[str]) -> Answer:
        *options, native = rest
        named = {"-W": "limit", "-sp": "priority", "-P": "project"}

        def modify(job: Job) -> str | None:
            if options == ["-Wn"]:
                job["limit"] = ""
            elif options[0] in named:
                job[named[options[0]]] = options[1]
            elif options[0] == "-J" and not options[1].startswith("%"):
                job["name"] = options[1]
            else:
                _only(options[0] == "-J", "bmod", rest)
            return None

        return self._each([native], "are being changed", modify, "Parameters of job")

    def _bswitch(self, rest: Sequence[str]) -> Answer:
        queue, *ids = rest
        if queue not in QUEUES:
            return Answer(code=255, err=f"{queue}: No such queue\n")

        def switch(job: Job) -> str | None:
            job["queue"] = queue
            return None

        return self._each(ids, f"is switched to queue <{queue}>", switch)

    def _each(
        self,
        ids: Sequence[str],
        said: str,
        act: Callable[[Job], str | None],
        what: str = "Job",
    ) -> Answer:
        _only(bool(ids) and "0" not in ids, "without an id", ids)
        jobs, out, err = self.jobs(), [], []
        for native in ids:
            found = _named(jobs, native)
            refused = list(filter(None, map(act, found))) if found else ["No matching job found"]
            if refused and len(refused) >= len(found):
                err.append(f"Job <{native}>: {refused[0]}\n")
            else:
                out.append(f"{what} <{native}> {said}\n")
        self._save(jobs)
        return Answer(code=255 if err else 0, out="".join(out), err="".join(err))


def _end(job: Job, code: int, reason: str) -> None:
    job |= {"stat": "EXIT" if code or reason else "DONE", "finish": time.time()}
    job |= {"exit_code": str(code) if code else "", "exit_reason": reason}


def _refusal(jobs: list[Job], options: dict[str, str]) -> str:
    for queue in options.get("-q", "normal").split():
        if queue not in QUEUES:
            return f"{queue}: No such queue"
        if float(options.get("-W", 0)) > QUEUES[queue]:
            return "Cannot exceed queue's hard limit(s)"
    if int(options.get("-n", 1)) > MOST_SLOTS:
        return "Too many processors requested"
    _, indices = _job_name(options["-J"])
    if indices and indices.last > LARGEST_INDEX:
        return "Job array index too large"
    known = {job["number"] for job in jobs}
    for parent in re.findall(r"\(([0-9]+)", options.get("-w", "")):
        if int(parent) not in known:
            return f"{parent}: No matching job found"
    return ""


def _new(options: dict[str, str], number: int, index: int, name: str, queue: str) -> Job:
    return {
        "number": number,
        "index": index,
        "name": name,
        "queue": queue,
        "description": options.get("-Jd", ""),
        "project": options.get("-P", "default"),
        "stat": "PSUSP" if "-H" in options else "PEND",
        "submit": time.time(),
        "limit": options.get("-W", ""),
        "slots": options.get("-n", "1"),
        "priority": options.get("-sp", ""),
        "options": options,
        "pend_reason": "New job is waiting for scheduling;",
    }


def _record(job: Job, user: str) -> dict[str, str]:
    limit = f"{float(job['limit'])}/n1" if job["limit"] else ""
    return {
        "JOBID": str(job["number"]),
        "JOBINDEX": str(job["index"]),
        "STAT": job["stat"],
        "USER": user,
        "QUEUE": job["queue"],
        "JOB_NAME": job["name"],
        "JOB_DESCRIPTION": job["description"],
        "PROJ_NAME": job["project"],
        "JOB_PRIORITY": job["priority"],
        "EXIT_CODE": job.get("exit_code", ""),
        "EXIT_REASON": job.get("exit_reason", ""),
        "CPU_USED": "0.0 second(s)",
        "PEND_REASON": job["pend_reason"] if job["stat"] in ("PEND", "PSUSP") else "",
        "SUBMIT_TIME": _minute(job["submit"]),
        "START_TIME": _minute(job.get("start")),
        "FINISH_TIME": _minute(job.get("finish")),
        "ESTIMATED_START_TIME": "",
        "EXEC_HOST": "n1" if job.get("start") else "",
        "SLOTS": job["slots"],
        "RUNTIMELIMIT": limit,
        "MAX_MEM": "",
        "SUB_CWD": "$HOME",
    }


def _story(job: Job, user: str) -> str:
    place = f"[{job['index']}]" if job["index"] else ""
    header = (
        f"Job <{job['number']}{place}>, Job Name <{job['name']}>, User <{user}>, Project"
        f" <{job['project']}>, Command <#!/bin/bash>, Job Description <{job['description']}>"
    )
    lines = [(job["submit"], f"Submitted from host <login1>, to Queue <{job['queue']}>;")]
    if job.get("start"):
        lines.append((job["start"], "Starting (Pid 87178);"))
    if job["stat"] in ("DONE", "EXIT"):
        used = "The CPU time used is 0.0 seconds"
        code, why = job.get("exit_code"), job.get("exit_reason")
        how = f"Exited with exit code {code}. {used};" if code else f"Exited; {used};"
        good = job["stat"] == "DONE"
        lines.append((job["finish"], f"Done successfully. {used};" if good else how))
        lines += [] if good else [(job["finish"], f"Completed <exit>; {why}".rstrip("; ") + ";")]
    story = "\n".join(_folded(f"{time.strftime('%a %b %e %H:%M:%S', time.gmtime(at))}: {said}")
                      for at, said in lines)  # fmt: skip
    tail = "Summary of time in seconds spent in various states by  Sun Jan 10 17:50:12\n"
    return f"\n{_folded(header)}\n{story}\n\n{tail}  PEND\n  1\n"


def _killed(job: Job) -> str | None:
    if job["stat"] in ("DONE", "EXIT"):
        return "Job has already finished"
    _end(job, 0, "TERM_OWNER: job killed by owner")
    return None


def _only(shown: bool, command: str, rest: Sequence[str]) -> None:
    if not shown:
        raise Unrecorded(f"{command} {shlex.join(rest)}")


def _named(jobs: list[Job], native: str) -> list[Job]:
    found = _ID.fullmatch(native)
    if found is None:
        raise Unrecorded(native)
    number, index = int(found[1]), found[2]
    mine = [job for job in jobs if job["number"] == number]
    return mine if index is None else [job for job in mine if job["index"] == int(index)]


def _directives(script: str) -> list[str]:
    words: list[str] = []
    for line in script.splitlines():
        if line.startswith("#BSUB"):
            if re.search(r"[\\$`#']", line[5:]) or not line.isascii():
                raise Unrecorded(line)
            words += shlex.split(line[5:])
    return words


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    rest = iter(words)
    for word in rest:
        if word in _BARE:
            yield word, ""
        elif word in _VALUED:
            yield word, next(rest)
        else:
            raise Unrecorded(f"bsub {word}")


def _job_name(text: str) -> tuple[str, IndexSet | None]:
    found = re.fullmatch(r"([^\[\]]+)(?:\[([0-9,:-]+)\](?:%[0-9]+)?)?", text)
    indices = IndexSet.parse(found[2]) if found and found[2] else None
    if found is None or (indices and indices.first < 1):
        raise Unrecorded(f"bsub -J {text}")
    return found[1], indices


def _picked(record: dict[str, str], fields: str) -> dict[str, str]:
    """The fields that were asked for; one that no source names is a KeyError."""
    return {name: record[name] for name in fields.upper().split()}


def _document(command: str, count: str, records: list[dict[str, str]]) -> Answer:
    out = {"COMMAND": command, count: len(records), "RECORDS": records}
    return Answer(code=0, out=json.dumps(out, indent=2, ensure_ascii=False) + "\n")


def _minute(instant: float | None) -> str:
    return time.strftime("%b %d %H:%M", time.gmtime(instant)) if instant else ""


def _folded(line: str) -> str:
    """As bhist folds: at 80 columns, in the middle of a word, with 21 blanks in front."""
    first, rest = line[:80], line[80:]
    parts = [rest[begin : begin + 59] for begin in range(0, len(rest), 59)]
    return "\n".join([first, *(f"{'':21}{part}" for part in parts)])


def main() -> None:
    folder, user, name, *rest = sys.argv[1:]
    stdin = sys.stdin.buffer.read() if name == "bsub" else b""
    answer = Lsf(Path(folder), user).answer(Words(argv=(name, *rest), stdin=stdin))
    sys.stdout.write(answer.out)
    sys.stderr.write(answer.err)
    sys.exit(answer.code)


if __name__ == "__main__":
    main()
