"""PBS as a `Backend`: OpenPBS, PBS Pro and Torque."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hpcshell.backends.contract import (
    Answer,
    Backend,
    Change,
    Edit,
    Order,
    Seen,
    Site,
    Trouble,
    Words,
)
from hpcshell.backends.pbs import depend, ids, read, say
from hpcshell.backends.pbs import script as scripts
from hpcshell.backends.pbs import site as sites


class _Changing(Backend):
    """What is done to jobs that are there."""

    _told: Site | None

    def cancel(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change(ids, "qdel")

    def signal(self, ids: Sequence[str], signal: str) -> Sequence[Words]:
        return say.signal(ids, signal)

    def hold(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change(ids, "qhold")

    def release(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change(ids, "qrls")

    def requeue(self, ids: Sequence[str]) -> Sequence[Words]:
        """For operators; others are denied it."""
        return say.change(ids, "qrerun")

    def suspend(self, ids: Sequence[str]) -> Sequence[Words]:
        """For operators; others are denied it."""
        return say.change(ids, "qsig", "-s", "suspend")

    def resume(self, ids: Sequence[str]) -> Sequence[Words]:
        """For operators; others are denied it."""
        return say.change(ids, "qsig", "-s", "resume")

    def edit(self, ids: Sequence[str], changes: Mapping[Edit, object]) -> Sequence[Words]:
        return say.edit(ids, changes, self._told)

    def read_change(self, ids: Sequence[str], answers: Sequence[Answer]) -> Change:
        return say.read_change(ids, answers, self._told)


class PbsBackend(_Changing):
    """`site` is what `read_probe` or `read_site` returned to an earlier process: its flavour
    decides how arrays and nodes are asked for."""

    name = "pbs"
    title = "PBS"
    dialect = "pbs"
    programs = ("qsub", "qstat", "qdel")
    lacks: Mapping[str, str] = {
        **depend.LACKS,
        **scripts.LACKS,
        "estimate": "PBS tells no start ahead of a submission: submit, and see qstat -T",
        "history": "ended jobs are known only where the site keeps a job history",
        "requeue": "only operators may put a running job of PBS back: cancel it, submit it again",
        "suspend": "only operators may suspend a job of PBS: hold it while it waits",
        "resume": "only operators may resume a job of PBS: ask one of them",
    }

    def __init__(self, site: Site | None = None) -> None:
        super().__init__(site)
        self._told = site

    def probe(self) -> Words:
        return say.words("qstat", "-Bf")

    def read_probe(self, answer: Answer) -> Site | Trouble:
        found = sites.read_probe(answer)
        if isinstance(found, Site) and self._told is None:
            self._told = self.site = found
        return found

    def ask_site(self) -> Sequence[Words]:
        return [
            say.words("qstat", "-Bf"),
            say.words("qstat", "-Qf"),
            say.words("pbsnodes", "-a"),
        ]

    def read_site(self, answers: Sequence[Answer]) -> Site:
        self._told = self.site = sites.read_site(answers, self._told)
        return self._told

    def script(self, order: Order) -> str:
        return scripts.script(order, self._told)

    def submit(self, order: Order) -> Words:
        return say.submit(order, self._told)

    def read_submit(self, answer: Answer) -> str | Trouble:
        return say.read_submit(answer, self._told)

    def queue(self, user: str | None) -> Sequence[Words]:
        return say.queue_of(user)

    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        return read.read_all(answers, self._told)

    def history(self, ids: Sequence[str], since: float) -> Sequence[Words]:
        return say.history(ids, self._told)

    def read_history(self, answers: Sequence[Answer]) -> Seen:
        return read.read_all(answers, self._told)

    def element_id(self, native: str, index: int) -> str:
        return ids.element_id(native, index)

    def parse_id(self, native: str) -> tuple[str, int | None]:
        return ids.parse_id(native)
