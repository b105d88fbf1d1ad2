"""Slurm as a back end: which words mean which verb, and which reader takes their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from hpcshell.backends.contract import (
    Answer,
    Backend,
    Change,
    Edit,
    Estimate,
    Order,
    Seen,
    Site,
    Trouble,
    Words,
)
from hpcshell.backends.slurm import queue, say
from hpcshell.backends.slurm.lacks import LACKS
from hpcshell.backends.slurm.script import script
from hpcshell.backends.slurm.troubles import by_job, classify
from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

_SUBMITTED: Final = r"(?m)^(\d+)(?:;\S+)?$"
_ID: Final = r"(?a)(\d+)(?:\+\d+)?(?:_(\d+))?\Z"


class SlurmBackend(Backend):
    """Slurm from 20.11 on. It knows what `read_site` was told last, for better hints."""

    name = "slurm"
    title = "Slurm"
    dialect = "sbatch"
    programs = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
    lacks = LACKS
    carries_environment = True
    waits_for_script = True
    accounted_codes = 128

    def __init__(self, known: Site | None = None) -> None:
        self._site = known or Site()
        self._ahead = queue.Ahead()

    def probe(self) -> Words:
        return say.config()

    def read_probe(self, answer: Answer) -> Site | Trouble:
        from hpcshell.backends.slurm import site

        return site.read_probe(answer)

    def ask_site(self) -> Sequence[Words]:
        return say.site()

    def read_site(self, answers: Sequence[Answer]) -> Site:
        from hpcshell.backends.slurm import site

        self._site = site.read_site(answers)
        return self._site

    def script(self, order: Order) -> str:
        return script(order)

    def submit(self, order: Order) -> Words:
        return say.submit(order, script(order))

    def read_submit(self, answer: Answer) -> str | Trouble:
        """sbatch may say more than the id, and may have submitted though it was not waited for."""
        found = re.findall(_SUBMITTED, answer.out)
        if found and answer.code in (0, None):
            return str(found[-1])
        if answer.code == 0 and not answer.missing:
            return Trouble(kind="busy", message="sbatch named no job", hint="look for it first")
        return classify(answer, self._site)

    def estimate(self, order: Order) -> Words:
        return say.estimate(order, script(order))

    def read_estimate(self, answer: Answer) -> Estimate:
        from hpcshell.backends.slurm import site

        return site.read_estimate(answer, self._site)

    def queue(self, user: str | None) -> Sequence[Words]:
        return say.queue(user)

    def hear(self, piece: bytes) -> None:
        self._ahead.hear(piece)

    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        ahead, self._ahead = self._ahead, queue.Ahead()
        return queue.read_queue(answers[0] if answers else Answer(code=None), ahead)

    def history(self, ids: Sequence[str], since: float) -> Sequence[Words]:
        return say.history(ids, since) if self._site.accounting else ()

    def read_history(self, answers: Sequence[Answer]) -> Seen:
        from hpcshell.backends.slurm import history

        return history.read_history(answers)

    def cancel(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.cancel(ids)

    def read_change(self, ids: Sequence[str], answers: Sequence[Answer]) -> Change:
        """A command that failed without naming a job failed for all of its own."""
        troubles: dict[str, Trouble] = {}
        for few, answer in zip(say.chunks(ids), answers, strict=False):
            named = by_job(answer.said, self._site)
            known = {each: named[each] for each in few if each in named}
            if answer.code != 0 and not known:
                known = dict.fromkeys(few, classify(answer, self._site))
            troubles |= known
        return Change(troubles=troubles)

    def signal(self, ids: Sequence[str], signal: str) -> Sequence[Words]:
        return say.signal(ids, signal)

    def hold(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change("hold", ids)

    def release(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change("release", ids)

    def requeue(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change("requeue", ids)

    def suspend(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change("suspend", ids)

    def resume(self, ids: Sequence[str]) -> Sequence[Words]:
        return say.change("resume", ids)

    def edit(self, ids: Sequence[str], changes: Mapping[Edit, object]) -> Sequence[Words]:
        return say.edit(ids, changes)

    def element_id(self, native: str, index: int) -> str:
        return f"{native}_{index}"

    def parse_id(self, native: str) -> tuple[str, int | None]:
        found = re.match(_ID, native)
        if found is None:
            raise Wrong(f"{quote(native)} is no id of Slurm's", "write 12, or 12_3 for an element")
        return found[1], int(found[2]) if found[2] else None
