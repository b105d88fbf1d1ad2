"""task-spooler (`tsp`), the queue of one user on one machine, as a back end of HPCShell.

It shows all that a back end is: words to say, and sense made of the answers. It has no arrays, no
limits and one kind of dependency; what it lacks it says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hpcshell.backends.contract import (
    Answer,
    Backend,
    Change,
    Order,
    Seen,
    Sighting,
    Site,
    Trouble,
    Words,
    first_lines,
)
from hpcshell.backends.jobscript import Names, job_script, quote
from hpcshell.core.errors import Wrong

LACKS = {
    "array": "task-spooler has no arrays: submit a job for each element",
    "time_limit": "task-spooler has no time limits: put timeout(1) before the command",
    "begin": "task-spooler begins jobs as soon as it can: submit it later",
    "partition": "task-spooler has one queue: leave out the partition",
    "gpus": "task-spooler knows no GPUs: leave them out",
    "nodes": "task-spooler has one machine: leave out the nodes",
    "dependency": "task-spooler waits for one job that goes well: use afterok with one id",
    "signal": "task-spooler sends no signal but TERM: cancel the job",
    "hold": "task-spooler holds no job back: submit it later",
    "release": "task-spooler holds no job back: there is none to release",
    "requeue": "task-spooler runs a job once: submit it again",
    "suspend": "task-spooler suspends no job: cancel it, and submit it again",
    "resume": "task-spooler suspends no job: there is none to resume",
    "edit": "task-spooler changes no job: cancel it, and submit it again",
    "start_time": "task-spooler's list tells no times: see tsp -i ID",
    "history": "task-spooler forgets a job that is removed: the job's own record tells its end",
}
STATES = {"queued": "PENDING", "running": "RUNNING", "skipped": "CANCELLED"}
HEADING = "ID   State "
LINE = re.compile(
    r"(?a)(?P<id>\d{1,9}) +(?P<state>\S+) +(?P<output>\([^)]*\)|\S+) +"
    r"(?:(?P<level>-?\d{1,3}) +[\d.]+/[\d.]+/[\d.]+ +)?(?P<command>.*)\Z"
)
LABEL = re.compile(r"\[hpc:([^\s\]]+)")


class TspBackend(Backend):
    name = "tsp"
    title = "task-spooler"
    dialect = "hpc"
    programs = ("tsp",)
    lacks = LACKS
    carries_environment = True

    def probe(self) -> Words:
        return Words(argv=("tsp", "-V"))

    def read_probe(self, answer: Answer) -> Site | Trouble:
        found = re.match(r"Task Spooler v([\d.]+)", answer.out)
        return Site(version=found[1], accounting=False) if found else trouble(answer)

    def script(self, order: Order) -> str:
        """A job is not told its number: it finds it in the list, by its key."""
        refuse_what_it_lacks(order)
        mine = rf"s/^\([0-9]*\) .*\[hpc:{order.key}\].*/\1/p"
        names = Names(job=f'"$(tsp -l | sed -n {quote(mine)})"', element="''")
        return job_script([], order, names)

    def submit(self, order: Order) -> Words:
        """The label is the key, so that the job is known again in the list."""
        after = [word for parent in order.parents for word in ("-D", *parent.ids)]
        slots = str(max(order.spec.layout.cpus, order.spec.submission.request.cpus))
        queued = ("tsp", "-B", "-L", f"hpc:{order.key}", "-N", slots, *after)
        return Words(argv=(*queued, "bash", order.job_script))

    def read_submit(self, answer: Answer) -> str | Trouble:
        word = answer.out.strip()
        good = answer.code == 0 and word.isascii() and word.isdigit()
        return word if good else trouble(answer)

    def queue(self, user: str | None) -> Sequence[Words]:
        return [Words(argv=("tsp", "-l"))]

    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        """Its list is believed from its heading on, if every line of it makes sense."""
        (answer,) = answers
        heading, *lines = answer.out.splitlines() or [""]
        found = [LINE.match(line) for line in lines]
        sightings = tuple(sighting(line) for line in found if line)
        if answer.code != 0 or not heading.startswith(HEADING):
            return Seen(whole=False, trouble=trouble(answer))
        if not all(found):
            return Seen(sightings=sightings, whole=False, trouble=trouble(answer))
        return Seen(sightings=sightings)

    def cancel(self, ids: Sequence[str]) -> Sequence[Words]:
        """-r takes one that waits out of the list, -k ends one that runs: one of them works."""
        return [
            Words(argv=("tsp", flag, number))
            for number, _ in map(self.parse_id, ids)
            for flag in ("-r", "-k")
        ]

    def read_change(self, ids: Sequence[str], answers: Sequence[Answer]) -> Change:
        pairs = zip(ids, answers[::2], answers[1::2], strict=True)
        return Change(
            troubles={
                native: trouble(killed)
                for native, removed, killed in pairs
                if removed.code != 0 and killed.code != 0
            }
        )

    def element_id(self, native: str, index: int) -> str:
        raise Wrong(*sentence("array"))

    def parse_id(self, native: str) -> tuple[str, int | None]:
        if not re.fullmatch(r"(?a)\d{1,9}", native):
            raise Wrong(f"{native!r} is no id of task-spooler", "write a number, such as 12")
        return native, None


def sentence(what: str) -> tuple[str, str]:
    """Message and hint for something that it lacks."""
    message, _, hint = LACKS[what].partition(": ")
    return message, hint


def refuse_what_it_lacks(order: Order) -> None:
    submission, layout = order.spec.submission, order.spec.layout
    kinds = [parent.kind for parent in order.parents]
    asked: Mapping[str, object] = {
        "array": order.indices,
        "time_limit": submission.request.time_limit is not None,
        "begin": submission.begin,
        "hold": submission.hold,
        "partition": submission.partition,
        "gpus": layout.every_gpu or submission.request.gpu_hundredths,
        "nodes": (layout.nodes or 1) > 1,
        "dependency": kinds not in ([], ["afterok"]) or any(len(p.ids) > 1 for p in order.parents),
    }
    for what, given in asked.items():
        if given:
            raise Wrong(*sentence(what))


def sighting(line: re.Match[str]) -> Sighting:
    """A line of `tsp -l`. Error levels from 128 up are 256 less there; -1 is 255, or a signal."""
    key = LABEL.search(line["command"])
    code = int(line["level"]) if line["level"] else None
    state = STATES.get(line["state"], "UNKNOWN")
    if line["state"] == "finished" and code is not None:
        state = "COMPLETED" if code == 0 else "FAILED"
    return Sighting(
        native=line["id"],
        number=line["id"],
        key=key[1] if key else "",
        state=state,
        word=line["state"],
        exit_code=None if code in (None, -1) else code % 256,
    )


def trouble(answer: Answer) -> Trouble:
    said = first_lines(answer.said)
    if answer.missing:
        return Trouble(kind="broken", message="there is no tsp", hint="install task-spooler")
    if answer.code is None:
        return Trouble(kind="busy", message="tsp does not answer")
    if "cannot be" in said or "not finished or not running" in said:
        return Trouble(kind="gone", message=said)
    if "strange PID" in said:  # it is just being started
        return Trouble(kind="busy", message=said)
    if answer.code == 2:
        return Trouble(kind="limit", message="its queue is full", hint="wait until a job has ended")
    return Trouble(kind="broken", message=said or "an empty answer")
