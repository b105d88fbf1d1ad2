"""What is handed to a cluster: a submission, and what only means something where there are nodes.

A `Submission` says how much an element needs on one machine; a `Layout` keeps what was said of
nodes, tasks and GPUs apart, because every site's scheduler wants to hear it in its own words.
"""

from __future__ import annotations

from collections.abc import Mapping

from hpcshell.core.records import Record
from hpcshell.core.submission import Submission


class Layout(Record, frozen=True, kw_only=True):
    """The shape of a request, as it was said; None and 0: not said, the site's own default holds.

    Memory is in bytes. `nodes_most`: of a range of nodes (`2-4`), the most. `gpus` are for the
    whole job, `gpus_per_node` for each node, `gpus_per_task` for each task; one of them at most.
    `gpu_type` is a model as the site calls it, such as `a100`. `gres`: other generic resources of
    each node, `licenses` of the job. `exclusive`: "" for shared nodes, else `yes` or the site's own
    word (`user`, `mcs`).
    """

    nodes: int | None = None
    nodes_most: int | None = None
    tasks: int | None = None
    tasks_per_node: int | None = None
    cpus_per_task: int | None = None
    memory: int = 0
    memory_per_cpu: int = 0
    memory_per_gpu: int = 0
    gpus: int = 0
    gpus_per_node: int = 0
    gpus_per_task: int = 0
    cpus_per_gpu: int = 0
    gpu_type: str = ""
    gres: Mapping[str, int] = {}
    licenses: Mapping[str, int] = {}
    exclusive: str = ""
    constraint: str = ""

    @property
    def cpus(self) -> int:
        """CPUs of the whole job, where one is not said counted as one."""
        return (self.cpus_per_task or 1) * self.every_task

    @property
    def every_task(self) -> int:
        """Tasks of the whole job, at least one."""
        if self.tasks is not None:
            return self.tasks
        return (self.tasks_per_node or 1) * (self.nodes or 1)

    @property
    def every_gpu(self) -> int:
        """GPUs of the whole job."""
        each_node, each_task = self.gpus_per_node * (self.nodes or 1), self.every_task
        return self.gpus or each_node or self.gpus_per_task * each_task


class JobSpec(Record, frozen=True, kw_only=True):
    """A job for a cluster. Nothing in it belongs to one scheduler but the words in `native`.

    `submission.env` is what the job finds of the caller's environment; `named` are those of it that
    were named on their own (`--env`, `--export NAME=VALUE`), which go along to another machine,
    too. `whole`: the rest of the caller's environment was asked for as well.
    `stage_in` are files and directories here that go along, relative to `origin`, and `stage_out`
    names and patterns of what comes back into it; `own`: the working directory is a new one of the
    job's own. `input` is what it reads, instead of a file that is there. `setup` are lines of shell
    that run before the job in the job's own shell. `native` are words for the site's submit
    command, handed on as they stand."""

    submission: Submission
    layout: Layout = Layout()
    named: Mapping[str, str] = {}
    whole: bool = True
    modules: tuple[str, ...] = ()
    conda: str = ""
    venv: str = ""
    setup: tuple[str, ...] = ()
    native: tuple[str, ...] = ()
    stage_in: tuple[str, ...] = ()
    stage_out: tuple[str, ...] = ()
    origin: str = ""
    own: bool = False
    input: bytes = b""
