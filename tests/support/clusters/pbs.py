"""A stand-in for OpenPBS, which no distribution packages: its commands, answering from recordings.

    with pbs_stand_in(folder) as cluster:       qsub, qstat, qdel ... are found in cluster.path
        cluster.move("200.pbshost", "running")  a job goes on when the test says so
        cluster.down()                          the server does not answer any more

What it can show: that commands have forms which OpenPBS 23.06 was heard to take (every option,
every resource named in -l, every attribute of -W, every form of -J must be in a recording of
something that worked, else exit code 99 and a sentence), that directives are where qsub looks for
them, that recorded refusals (a queue, a resource, a time, an id that is not known) are understood,
and that every stage of a job's life is read as it was written.

What it cannot show: that a combination of options works which was never typed together, what qsub
does with characters that it was never given, and when things happen: it has no scheduler and runs
nothing. Blocks that were recorded through `grep` alone are completed from whole ones (see
`pbs_stages`). The Torque variant answers what public sources print, not recordings of ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from hpcshell.backends.contract import Answer, Words
from tests.support.clusters.pbs_program import PROGRAMS, Job, load, save
from tests.support.clusters.pbs_recordings import as_text, of_json, recorded
from tests.support.clusters.pbs_stages import STAGES

_ROOT = Path(__file__).parents[3]
_QUEUES = ("workq", "short", "closed", "stopped", "bobonly", "limited", "routeq")
_SHIM = """#!{python}
import sys
sys.path[:0] = {paths!r}
from tests.support.clusters.pbs_program import main
main(sys.argv)
"""
TORQUE_SERVER = """Server: torquehost
    server_state = Active
    scheduling = True
    default_queue = batch
    keep_completed = 300
    next_job_number = 4711
    pbs_version = 6.1.2

"""
"""The attributes of `qstat -Bf` that tell Torque, as its documentation names them."""


class StandIn:
    """The commands in `path`, and the jobs that they know."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "bin"

    def run(self, words: Words) -> Answer:
        """Has them said as a link would here."""
        env = {
            **os.environ,
            **words.env,
            "PATH": f"{self.path}:/usr/bin:/bin",
            "PBS_STANDIN": str(self.folder),
        }
        done = subprocess.run(
            words.argv, input=words.stdin, env=env, capture_output=True, timeout=60
        )
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        return Answer(code=done.returncode, out=out, err=err)

    def move(self, native: str, stage: str) -> None:
        """This job or element is now at one of the recorded stages."""
        assert stage in STAGES, f"one of {', '.join(STAGES)}"
        save(self.folder, native, self.jobs[native]._replace(stage=stage))

    @property
    def jobs(self) -> dict[str, Job]:
        return load(self.folder)

    @property
    def said(self) -> list[list[str]]:
        """Every command that was run, in order."""
        return [json.loads(line) for line in (self.folder / "said").read_text().splitlines()]

    def down(self) -> None:
        (self.folder / "down").touch()

    def up(self) -> None:
        (self.folder / "down").unlink()


@contextlib.contextmanager
def pbs_stand_in(folder: Path, *, history: bool = True, torque: bool = False) -> Iterator[StandIn]:
    """With `history` the server of recording 01, without it a fresh one."""
    for name in ("bin", "jobs", "answers"):
        (folder / name).mkdir(parents=True)
    (folder / "said").touch()
    for name in PROGRAMS:
        shim = folder / "bin" / name
        shim.write_text(_SHIM.format(python=sys.executable, paths=[str(_ROOT), str(_ROOT / "src")]))
        shim.chmod(0o755)
    if history:
        (folder / "history").touch()
    answers = _torque() if torque else site_answers(history)
    for name, text in answers.items():
        (folder / "answers" / name).write_text(text)
    yield StandIn(folder)


def site_answers(history: bool) -> dict[str, str]:
    """What OpenPBS says of itself, its queues and its nodes, by the letters of the question."""
    server = recorded("qstat -Bf").out
    queues = recorded("qstat -Qf").out
    nodes = recorded("pbsnodes -a", "00-fresh-server").out
    if history:
        on = "    job_history_enable = True\n    max_concurrent"
        server = server.replace("    max_concurrent", on)
        shown = [(name, of_json("qstat -Qf -F json", name)) for name in _QUEUES]
        queues = "".join(as_text(f"Queue: {name}", told) for name, told in shown)
        nodes = recorded("pbsnodes -a", "04-states").out
    version = recorded("qstat --version").out
    return {"Bf": server, "Qf": queues, "nodes": nodes, "--version": version}


def _torque() -> dict[str, str]:
    queue = as_text(
        "Queue: batch",
        {
            "queue_type": "Execution",
            "resources_default": {"walltime": "01:00:00"},
            "enabled": "True",
            "started": "True",
        },
    )
    nodes = "exec-host\n     state = free\n     np = 8\n     properties = fast\n     gpus = 2\n\n"
    return {"Bf": TORQUE_SERVER, "Qf": queue, "nodes": nodes, "--version": "Version: 6.1.2\n"}
