"""`GPUScheduler`: a program's way to the GPU box. The scheduler is the daemon's, there is no
other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from hpcshell.client.client import Client
from hpcshell.core.boxkeys import BoxFile
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.words import shortened
from hpcshell.gpu.adding import BoxJob, cards_of, check_room, draft, hand_over, priority_of
from hpcshell.gpu.config import SchedulerConfig, path_of
from hpcshell.gpu.looking import active, status
from hpcshell.gpu.starting import bring_up
from hpcshell.jobs.sizing import cards_behind
from hpcshell.jobs.surroundings import here

if TYPE_CHECKING:
    from hpcshell.gpu import GPUProvider


class GPUScheduler:
    """Start it, add jobs, look, stop.

        scheduler = GPUScheduler(SchedulerConfig(num_gpus=2, queue_size_limit=10))
        assert scheduler.start()
        job_id = scheduler.add_job("train.py", args=["--epochs", "10"], gpus=0.5)
        scheduler.get_status()["active_jobs"]
        scheduler.stop()

    `config` becomes the configuration of the box when it starts (see `hpc gpu start --config`),
    which goes on when this program has ended; without it what is configured holds. `gpu_provider`
    names who tells of the cards (`"fake"`), or is one, which is then the kind that the daemon asks:
    it is the daemon that speaks to cards, not this program. Errors are `HpcError`s: message, hint,
    exit code.
    """

    def __init__(
        self,
        config: SchedulerConfig | None = None,
        gpu_provider: GPUProvider | str | None = None,
    ) -> None:
        self.config = config
        self.gpu_provider = gpu_provider
        self._client: Client | None = None

    def start(self, *, replace: bool = False) -> bool:
        """Start the daemon unless it runs, with this configuration. True once it answers.

        Raises `Refused` where the box has another configuration already: `replace` puts this one in
        its place, all of it, and keeps the former one beside it as `gpu.json~`.
        """
        hello = bring_up(here(), self._box(), "GPUScheduler", replace=replace)
        self._client = Client(here())
        return bool(hello["pid"])

    def add_job(
        self,
        script: str | os.PathLike[str],
        args: Sequence[str | int | float | os.PathLike[str]] = (),
        priority: int = 1,
        gpus: float | str | None = None,
        conda_env: str = "",
        allowed_gpus: str | Sequence[int] | None = None,
        name: str = "",
    ) -> str:
        """Submit a script; its id. When this returns it is on disk and will run.

        `priority` is 0 (high), 1 or 2 (low). `gpus`: how many (0.5), else by its model, else one.
        `allowed_gpus`: on which cards it may run, `"0-3,6"` or numbers. Raises `Refused` where the
        script may not be run or the queue is full.
        """
        job = BoxJob(
            script=path_of(script, "add_job: script"),
            arguments=_arguments(args),
            priority=priority_of(priority),
            gpus="" if gpus is None else str(gpus),
            conda=conda_env,
            cards=cards_of(allowed_gpus),
            name=name,
            source="program",
        )
        client = self._started()
        prepared = draft(job, cards_behind(client)())
        check_room(client)
        return str(hand_over(client, [prepared])[0]["id"])

    def get_status(self) -> dict[str, Any]:
        """How it stands, as `hpc gpu status --json` tells: `status` (running, stopped), `uptime` in
        seconds, `jobs_processed`, `queue` (how many wait, by priority), `resources` (the cards),
        `active_jobs`, `health`."""
        if self._client is None:
            return {"status": "stopped"}
        return {**status(self._client), "active_jobs": active(self._client)}

    def stop(self) -> bool:
        """Take no more jobs. False if it was not started.

        What was added stays in the queue and runs on under the daemon: `hpc daemon stop` stops it.
        """
        if self._client is None:
            return False
        self._client.close()
        self._client = None
        return True

    def _started(self) -> Client:
        if self._client is None:
            raise Refused("the scheduler was not started", "call start() first")
        return self._client

    def _box(self) -> BoxFile | None:
        """The configuration, with the provider in it where one is given."""
        box = self.config.box if self.config is not None else None
        if self.gpu_provider is None:
            return box
        named = self.gpu_provider if isinstance(self.gpu_provider, str) else self.gpu_provider.name
        said = SchedulerConfig(provider=named, **self._count()).box
        if box is None:
            return said
        count = said.scheduler if self.config and self.config.num_gpus is None else box.scheduler
        gpu = replace(box.gpu, provider=said.gpu.provider)
        return replace(box, gpu=gpu, scheduler=replace(box.scheduler, num_gpus=count.num_gpus))

    def _count(self) -> dict[str, int]:
        """As many cards as the provider given makes up; a driver tells of its own."""
        provider = self.gpu_provider
        if provider is None or isinstance(provider, str) or provider.name != "fake":
            return {}
        return {"num_gpus": len(provider.cards())}


def _arguments(args: object) -> tuple[str, ...]:
    """The words. Raises `Wrong` for one text, which would be taken apart by letters, and for what
    stands for no word, as None does."""
    if isinstance(args, str) or not isinstance(args, Iterable):
        raise Wrong(f"add_job: args={shortened(repr(args))} is no list", "write ['--mode', 'test']")
    for word in args:
        if not isinstance(word, str | int | float | os.PathLike):
            hint = "give text, numbers or paths"
            raise Wrong(f"add_job: args: {shortened(repr(word))} is no argument", hint)
    return tuple(map(str, args))
