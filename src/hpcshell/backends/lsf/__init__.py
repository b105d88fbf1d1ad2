"""IBM Spectrum LSF 10.1.0.2 and later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

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
from hpcshell.backends.lsf import history, jobs, read, say
from hpcshell.backends.lsf.script import LACKS, SHIFT, command, native_parts, script


class LsfBackend(Backend):
    """Through bsub, bjobs and their like. See `script` for what is asked and `say` for how.

    An element's index is one more in LSF than here, because LSF has no index 0. bhist is the
    accounting: every user may ask it, and it tells of jobs that have not ended, too.
    """

    name = "lsf"
    title = "LSF"
    dialect = "lsf"
    programs = ("bsub", "bjobs", "bkill", "lsid")
    lacks = LACKS
    carries_environment = True

    def probe(self) -> Words:
        return say.words("lsid")

    def read_probe(self, answer: Answer) -> Site | Trouble:
        return read.probe(answer, self.site)

    def ask_site(self) -> Sequence[Words]:
        return say.site()

    def read_site(self, answers: Sequence[Answer]) -> Site:
        return read.site(answers, self.site)

    def script(self, order: Order) -> str:
        return script(order)

    def submit(self, order: Order) -> Words:
        """The script goes through stdin: as an argument it would be a command, its directives
        unread."""
        return say.words(*command(order), stdin=script(order).encode(), patience=60.0)

    def read_submit(self, answer: Answer) -> str | Trouble:
        return read.submitted(answer, self.site)

    def queue(self, user: str | None) -> Sequence[Words]:
        return say.queue(user)

    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        return jobs.seen(answers, self.site)

    def history(self, ids: Sequence[str], since: float) -> Sequence[Words]:
        return say.history(ids)

    def read_history(self, answers: Sequence[Answer]) -> Seen:
        return history.seen(answers, self.site)

    def cancel(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change(ids, "bkill")

    def read_change(self, ids: Sequence[str], answers: Sequence[Answer]) -> Change:
        return read.change(ids, answers, self.site)

    def signal(self, ids: Sequence[str], signal: str) -> Sequence[Words]:
        return say.signal(ids, signal)

    def hold(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change(ids, "bstop")

    def release(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change(ids, "bresume")

    def requeue(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change(ids, "brequeue", "-r", "-d", "-e")

    suspend = hold
    resume = release

    def edit(self, ids: Sequence[str], changes: Mapping[Edit, object]) -> Sequence[Words]:
        return say.edit(ids, changes)

    def element_id(self, native: str, index: int) -> str:
        number, _ = native_parts(native)
        return f"{number}[{index + SHIFT}]"

    def parse_id(self, native: str) -> tuple[str, int | None]:
        return native_parts(native)


__all__: Final = ["LsfBackend"]
