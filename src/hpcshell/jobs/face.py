"""Submit, watch and cancel jobs of this machine's scheduler, or of a cluster.

    job = hpcshell.submit(["python", "train.py"], cpus=4, memory="8G", time_limit="2h")
    job.wait()
    print(job.state, job.logs())

`on` names what takes a job: `local`, a cluster of the configuration, a kind of scheduler, `auto`;
None: as the configuration says. A job remembers where it is. Any number of threads may use it at
once. Errors are `HpcError`s: message, hint, exit code.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from hpcshell.core.errors import HpcError, WaitTimedOut, Wrong
from hpcshell.core.options.values import from_keywords
from hpcshell.core.units import LONGEST
from hpcshell.core.words import nearest, quote, safe
from hpcshell.jobs.asking import Asked, prepare_for
from hpcshell.jobs.doors import LOCAL, Door
from hpcshell.jobs.looking import read_script
from hpcshell.jobs.opened import door, name_of
from hpcshell.jobs.prepare import words_of
from hpcshell.jobs.surroundings import configured, working_directory
from hpcshell.jobs.tending import see_to

if TYPE_CHECKING:
    from typing import Unpack

    from hpcshell.jobs.options import Options

Command: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""The path of a script, a line for the shell, or a list of words."""

View: TypeAlias = dict[str, Any]
"""The document of a job, as `hpc show --json` prints it."""

LIVE = frozenset({"PENDING", "RUNNING", "SUSPENDED", "COMPLETING"})
"""The states of a job that has not ended."""

FILTERS = frozenset({"user", "states", "names", "tags", "partition"})
"""What `queue` chooses jobs by."""

TAIL = 4096
"""Bytes of the log that a `JobFailed` carries."""

PIECE = 1 << 20
"""Bytes of a file on a cluster that are read at once."""


class TimedOut(WaitTimedOut, TimeoutError):
    """A wait ended before what it waited for; the job goes on."""


class JobFailed(HpcError):
    """A job did not complete. `exit_code` is its own (128 and the signal that killed it)."""

    kind = "job_failed"

    def __init__(self, view: View, tail: str) -> None:
        label, state, reason = view["label"], view["state"], view.get("reason")
        how = f"exit code {view['exit_code']}" if view.get("exit_code") is not None else ""
        if view.get("signal"):
            how = f"killed by signal {view['signal']}"
        told = safe(reason or "") or how  # the reason holds the exit code, and more
        message = f"job {label} {state}" + (f" ({told})" if told else "")
        if tail:
            message += f"; its output ends:\n{tail.rstrip()}"
        named = f"--on {view['cluster']} {label}" if view.get("cluster") else label
        super().__init__(
            message, f"all of it: hpc logs {named}; its story: hpc show --story {named}"
        )
        self.view = view
        self.state: str = state
        self.signal: int | None = view.get("signal")
        self.tail = tail
        self.exit_code = 128 + self.signal if self.signal else view.get("exit_code") or 1


# ---------------------------------------------------------------------------------- asking


def call(verb: str, *, on: str | None = None, **args: Any) -> Any:
    """Ask the daemon or a cluster one thing; see docs/reference for the verbs."""
    return door(on).call(verb, **args)


def wait(
    ids: Sequence[str],
    *,
    any_one: bool = False,
    timeout: float | None = None,
    on: str | None = None,
) -> View:
    """Wait until all (or any) of these have ended: `done`, `pending`, `timed_out`."""
    patience = _patience(timeout)
    answer: View = door(on).call("wait", ids=list(ids), any=any_one, timeout=patience)
    return answer


def _patience(timeout: float | None) -> float | None:
    """JSON knows no NaN and no infinity: the daemon would read both as "for ever"."""
    if timeout is None or timeout == math.inf:
        return None
    # NaN is within no bounds
    if not isinstance(timeout, int | float) or not -LONGEST <= timeout <= LONGEST:
        raise Wrong(f"timeout={quote(str(timeout))} is no possible time", "give seconds, or None")
    return float(timeout)


def partitions() -> frozenset[str]:
    """The partitions that the configuration knows here."""
    return frozenset(configured(working_directory()).settings.partitions)


# ---------------------------------------------------------------------------------- submitting


def submit(command: Command, *, on: str | None = None, **options: Unpack[Options]) -> Job:
    """Submit a script or a command; when this returns it is on disk and will run.

    Text that is the path of a file is a script (its directives count, and the keywords win over
    them); other text with blanks is a line for the shell; a list of words is a command.
    """
    way = door(on)
    return _submit(way, [_prepared(way, command, options)])[0]


def submit_many(
    commands: Iterable[Command | Mapping[str, Any]],
    *,
    on: str | None = None,
    **options: Unpack[Options],
) -> list[Job]:
    """Submit several at once: all of them are accepted, or none.

    An item may be a table of keywords with the `command` among them; these win over `options`. A
    cluster takes one after the other: if it refuses one, those before it are cancelled.
    """
    prepared = []
    way = door(on)
    for item in commands:
        if isinstance(item, Mapping):
            own = {name: value for name, value in item.items() if name != "command"}
            if "command" not in item:
                raise Wrong("an item names no command", 'write {"command": [...], ...}')
            prepared.append(_prepared(way, item["command"], {**options, **own}))
        else:
            prepared.append(_prepared(way, item, options))
    return _submit(way, prepared) if prepared else []


def submit_script(
    path: str | os.PathLike[str],
    args: Sequence[str] = (),
    *,
    interpreter: str | None = None,
    on: str | None = None,
    **options: Unpack[Options],
) -> Job:
    """Submit a script with arguments. `interpreter` (bash, sh) runs one without a `#!` line."""
    name, way, settings = os.fspath(path), door(on), from_keywords(**options)
    script = read_script(name)
    asked = prepare_for(way, [name, *args], script, settings, interpreter=interpreter)
    return _submit(way, [asked])[0]


def _prepared(way: Door, command: Command, options: Mapping[str, Any]) -> Asked:
    argv, path = words_of(command)
    script = None if path is None else read_script(path)
    return prepare_for(way, argv, script, from_keywords(**options))


def _submit(way: Door, prepared: Sequence[Asked]) -> list[Job]:
    """This machine takes all of them at once; whoever else takes one after the other."""
    if name_of(way) == LOCAL:
        return _hand_over(way, prepared)
    taken: list[Job] = []
    try:
        for each in prepared:
            taken += _hand_over(way, [each])
    except HpcError:
        for on in {one.on for one in taken}:
            door(on).call("cancel", ids=[one.label for one in taken if one.on == on])
        raise
    return taken


def _hand_over(way: Door, prepared: Sequence[Asked]) -> list[Job]:
    accepted = way.call("submit", submissions=[each.submission for each in prepared])["jobs"]
    see_to(way)
    return [
        Job(
            answer["id"],
            elements=answer["elements"] if each.array else None,
            on=answer.get("cluster") or name_of(way),
        )
        for each, answer in zip(prepared, accepted, strict=True)
    ]


# ------------------------------------------------------------------------------------- the jobs


def job(selector: int | str, *, on: str | None = None) -> Job:
    """The job that an id, an element (`"12_3"`), a name or `"@"` means. Raises `NotFound`."""
    views = call("show", on=on, ids=[str(selector)])["jobs"]
    if len(views) != 1:
        raise Wrong(f"{selector!r} names {len(views)} jobs", "use hpcshell.queue() for several")
    return _job_of(views[0])


def queue(*, on: str | None = None, **filters: Any) -> list[Job]:
    """The jobs that wait and run. `filters`: `user`, `states`, `names`, `tags`, `partition`."""
    for unknown in filters.keys() - FILTERS:
        near = nearest(unknown, FILTERS)
        hint = f"did you mean {near}=?" if near else f"there are {', '.join(sorted(FILTERS))}"
        raise Wrong(f"{unknown}= is no filter of jobs", hint)
    way, found = door(on), list[Job]()
    while True:
        page = way.call("queue", limit=1000, offset=len(found), **filters)
        found += [_job_of(view) for view in page["rows"]]
        if not page["rows"] or len(found) >= page["total"]:
            return found


def _job_of(view: View) -> Job:
    total = view["elements"]["total"] if view.get("elements") else None
    on = view.get("cluster") or LOCAL
    return Job(view["id"], element=view["element"], elements=total, on=on)


class Job:
    """A submitted job, or with `element` one element of an array. Nothing in it grows stale.

    `id` is the scheduler's own: a number, or text where a cluster gives text (`w7`: it waits here
    until the cluster takes it). `elements` is the number of elements of an array, None for a plain
    job. `array_job[3]` is its element 3. `on` is where it is: `local`, or a cluster.
    """

    __slots__ = ("element", "elements", "id", "on")

    def __init__(
        self,
        id: int | str,
        *,
        element: int | None = None,
        elements: int | None = None,
        on: str = LOCAL,
    ) -> None:
        self.id = id
        self.element = element
        self.elements = elements
        self.on = on

    @property
    def label(self) -> str:
        """`"12"` or `"12_3"`: what `hpc` calls it."""
        return str(self.id) if self.element is None else f"{self.id}_{self.element}"

    def __repr__(self) -> str:
        place = "" if self.on == LOCAL else f" on {self.on}"
        return f"<hpcshell.Job {self.label}{place}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Job):
            return NotImplemented
        return (self.on, self.id, self.element) == (other.on, other.id, other.element)

    def __hash__(self) -> int:
        return hash((self.on, self.id, self.element))

    def __getitem__(self, index: int) -> Job:
        if self.elements is None:
            raise TypeError(f"job {self.label} is no array")
        return Job(self.id, element=index, on=self.on)

    def _call(self, verb: str, **args: Any) -> Any:
        return door(self.on).call(verb, ids=[self.label], **args)

    def show(self) -> View:
        """All that is known about it."""
        view: View = self._call("show")["jobs"][0]
        return view

    @property
    def state(self) -> str:
        """PENDING, RUNNING, COMPLETED, FAILED, ..."""
        return str(self.show()["state"])

    def wait(self, timeout: float | None = None) -> str:
        """Wait until it has ended; its state. Raises `TimedOut` after `timeout` seconds."""
        answer = wait([self.label], timeout=timeout, on=self.on)
        if answer["timed_out"]:
            raise TimedOut(f"job {self.label} has not ended after {timeout:g} s")
        return str(answer["done"][0]["state"])

    def result(self, timeout: float | None = None) -> str:
        """Wait until it has ended and return what it wrote to its output.

        Of an array that is the output of all elements, one after the other. Raises `JobFailed` if
        it did not complete, `TimedOut` after `timeout` seconds.
        """
        if self.wait(timeout) != "COMPLETED":
            view = self.show()
            raise JobFailed(view, self._tail(view))
        return self.logs()

    def logs(self, stream: str = "stdout") -> str:
        """What it has written so far to `stdout` or `stderr` (the same, where they are joined)."""
        if stream not in ("stdout", "stderr"):
            raise Wrong(f"there is no stream {stream!r}", "stdout or stderr")
        rows = self._call("outputs")["outputs"]
        return "".join(self._read(row[stream]) for row in rows if row["run"])

    def cancel(self) -> bool:
        """Cancel it. False if it had ended already; what runs may take its grace time to end."""
        return bool(self._call("cancel")["jobs"])

    def hold(self) -> bool:
        """Keep it from starting. False if there was nothing to hold."""
        return bool(self._call("hold")["jobs"])

    def release(self) -> bool:
        """Let it start again. False if there was nothing to release."""
        return bool(self._call("release")["jobs"])

    def suspend(self) -> bool:
        """Let it stand still. False if nothing of it runs."""
        return bool(self._call("suspend")["jobs"])

    def resume(self) -> bool:
        """Let it go on, as soon as its CPUs are free. False if nothing of it is suspended."""
        return bool(self._call("resume")["jobs"])

    def _tail(self, view: View) -> str:
        """The end of what the first that failed has written to its errors."""
        failed = (view.get("elements") or {}).get("failed") or []
        one = self[failed[0]["element"]] if failed and self.elements else self
        try:
            row = one._call("outputs")["outputs"][0]
        except (HpcError, LookupError):
            return ""
        if not row["run"]:
            return ""
        return self._read(row["stderr"], TAIL) or self._read(row["stdout"], TAIL)

    def _read(self, path: str, last: int | None = None) -> str:
        """The content of a log, or its last bytes; nothing if it is gone."""
        return read_here(path, last) if self.on == LOCAL else read_there(self.on, path, last)


def read_here(path: str, last: int | None = None) -> str:
    """The content of a file of this machine, or its last bytes; nothing if it is gone."""
    try:
        with open(path, "rb") as file:
            if last is not None:
                file.seek(max(0, file.seek(0, os.SEEK_END) - last))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def read_there(cluster: str, path: str, last: int | None = None) -> str:
    """The same of a file that lies on a cluster."""
    way, where = door(cluster), {"cluster": cluster, "path": path}
    size = way.call("size", **where)["size"] or 0
    at, pieces = 0 if last is None else max(0, size - last), []
    while at < size and (piece := way.call("read", **where, offset=at, most=PIECE)["bytes"]):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces).decode(errors="replace")
