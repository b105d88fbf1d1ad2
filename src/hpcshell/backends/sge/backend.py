"""Grid Engine 8.1 (Son of Grid Engine) and Univa's: the back end."""

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
from hpcshell.backends.sge import accounting, read, script, site
from hpcshell.backends.sge import changes as changing
from hpcshell.backends.sge.troubles import classify
from hpcshell.backends.sge.values import ENVIRONMENT
from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

_ID: Final = re.compile(r"(?a)([0-9]{1,18})(?:\.([1-9][0-9]{0,17}))?\Z")
_TERSE: Final = re.compile(r"(?a)^([0-9]{1,18})(?:\.[0-9]+-[0-9]+:[0-9]+)?[ \t]*\n", re.MULTILINE)
_TOLD: Final = re.compile(
    r"(?a)^Your job(?:-array)? ([0-9]{1,18})\b.* has been submitted", re.MULTILINE
)
_NOT_TAKEN: Final = re.compile(r"Unable to run job|could not be scheduled")

LACKS: Final[Mapping[str, str]] = {
    "signal": "Grid Engine sends no signals of one's choice: cancel ends a job, suspend stops "
    "it, and --signal USR1@60 warns it before its time limit",
    "after": "Grid Engine cannot wait for a job's beginning: use afterany, for its end",
    "delay": "Grid Engine cannot wait some minutes after a parent: begin the job with a sleep",
    "any": "Grid Engine waits for all parents, never for any one: submit the job once for each",
    "foreign": "Grid Engine has no afterok: for jobs that were not submitted from here "
    "there is afterany",
    "qos": "Grid Engine has no QOS: choose a queue (--partition) or a project (--account)",
    "comment": "Grid Engine keeps no comments: hpc keeps them here",
    "estimate": "Grid Engine tells no expected start: --test-only says whether it could ever run",
    "gang": "Grid Engine starts no jobs together: ask for one job with several tasks",
}


class SgeBackend(Backend):
    """Times: all commands run with `TZ=UTC` and write UTC. Element N is task N + 1 (see
    `sge.script`), a success or failure of a parent is looked at by the job itself (`sge.guard`)."""

    name = "sge"
    title = "Grid Engine"
    dialect = "sge"
    programs = ("qsub", "qstat", "qacct", "qdel", "qalter", "qhold", "qrls", "qmod", "qconf")
    lacks = LACKS

    # ------------------------------------------------------------------------------- who is there

    def probe(self) -> Words:
        return site.probe()

    def read_probe(self, answer: Answer) -> Site | Trouble:
        return site.read_probe(answer)

    def ask_site(self) -> Sequence[Words]:
        return site.questions()

    def read_site(self, answers: Sequence[Answer]) -> Site:
        return site.read(answers, self.site)

    # --------------------------------------------------------------------------------- submitting

    def script(self, order: Order) -> str:
        return script.script(order, self.site)

    def submit(self, order: Order) -> Words:
        argv = ("qsub", "-terse", *order.spec.native, order.job_script)
        return Words(argv=argv, env=ENVIRONMENT, patience=60.0)

    def read_submit(self, answer: Answer) -> str | Trouble:
        """A command that exits 0 without a number may have submitted it all the same."""
        found = _TERSE.findall(answer.out) or _TOLD.findall(answer.out)
        if found and answer.code is not None and not _NOT_TAKEN.search(answer.said):
            return str(found[-1])
        trouble = classify(answer, self.site)
        if answer.code == 0 and trouble.kind == "broken":
            return Trouble(
                kind="busy", message=trouble.message or "qsub said nothing", hint=trouble.hint
            )
        return trouble

    def estimate(self, order: Order) -> Words:
        argv = ("qsub", *order.spec.native, "-w", "v")  # the script is not there yet
        return Words(argv=argv, env=ENVIRONMENT, stdin=self.script(order).encode())

    def read_estimate(self, answer: Answer) -> Estimate:
        if answer.code == 0 and "found suitable queue" in answer.out:
            return Estimate()
        return Estimate(trouble=classify(answer, self.site))

    # ----------------------------------------------------------------------------------- watching

    def queue(self, user: str | None) -> Sequence[Words]:
        return (read.question(user),)

    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        return read.read_queue(answers, self.site)

    def history(self, ids: Sequence[str], since: float) -> Sequence[Words]:
        return accounting.questions(ids, since)

    def read_history(self, answers: Sequence[Answer]) -> Seen:
        return accounting.read_history(answers, self.site)

    # ----------------------------------------------------------------------------------- changing

    def cancel(self, ids: Sequence[str]) -> Sequence[Words]:
        return changing.said("qdel", ids=ids)

    def read_change(self, ids: Sequence[str], answers: Sequence[Answer]) -> Change:
        return changing.read_change(ids, answers, self.site)

    def hold(self, ids: Sequence[str]) -> Sequence[Words]:
        return changing.said("qhold", ids=ids)

    def release(self, ids: Sequence[str]) -> Sequence[Words]:
        """The error state holds a job back, too."""
        return (*changing.said("qrls", ids=ids), *changing.said("qmod", "-cj", ids=ids))

    def requeue(self, ids: Sequence[str]) -> Sequence[Words]:
        return changing.said("qmod", "-rj", ids=ids)

    def suspend(self, ids: Sequence[str]) -> Sequence[Words]:
        return changing.said("qmod", "-sj", ids=ids)

    def resume(self, ids: Sequence[str]) -> Sequence[Words]:
        return changing.said("qmod", "-usj", ids=ids)

    def edit(self, ids: Sequence[str], changes: Mapping[Edit, object]) -> Sequence[Words]:
        return changing.edited(ids, changes, self.site)

    # -------------------------------------------------------------------------------------- names

    def element_id(self, native: str, index: int) -> str:
        return f"{self.parse_id(native)[0]}.{index + 1}"

    def parse_id(self, native: str) -> tuple[str, int | None]:
        found = _ID.match(native)
        if found is None:
            raise Wrong(
                f"{quote(native)} is no id of Grid Engine", "ids look like 12, elements like 12.3"
            )
        return found[1], None if found[2] is None else int(found[2]) - 1
