"""From a script to a job of the box: how it is run, what it asks for, what it is told apart by."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec.structs import replace

from hpcshell.client.client import Client
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.jobsfile import PRIORITIES, card_list
from hpcshell.core.options.row import Setting
from hpcshell.core.options.values import from_keywords
from hpcshell.core.records import Record
from hpcshell.core.settings import Settings
from hpcshell.core.words import name_from, quote
from hpcshell.gpu.sizing import sized
from hpcshell.jobs.prepare import Prepared
from hpcshell.jobs.surroundings import configured, working_directory
from hpcshell.machine.scripts import allowed

if TYPE_CHECKING:
    from hpcshell.predict.models.sizing import Cards

TAG: Final = "gpubox"
"""What all jobs have that came in this way."""
Source = Literal["prompt", "program", "line"]
SPELT: Final[dict[Source, dict[str, str]]] = {
    "prompt": {
        "gpus": "--share",
        "conda": "--conda-env",
        "gpus_allowed": "--gpus",
        "name": "--name",
    },
    "program": {
        "gpus": "gpus=",
        "conda": "conda_env=",
        "gpus_allowed": "allowed_gpus=",
        "name": "name=",
    },
    "line": {"conda": "conda_env", "gpus_allowed": "allowed_gpus"},
}
"""What options of a job are called where somebody says them."""
_INTERPRETERS: Final = {".py": "python3", ".sh": "bash"}


class BoxJob(Record, frozen=True, kw_only=True):
    """What somebody wants run. `priority` is 0 to 1000, `cards` such as `0-3,6` ("": any), `gpus`
    a number as at the prompt ("": by its model), `directory` where it runs ("": here), `screen`
    whether that is in a session that can be joined, `source` where it was said."""

    script: str
    arguments: tuple[str, ...] = ()
    priority: int = 500
    gpus: str = ""
    conda: str = ""
    cards: str = ""
    name: str = ""
    directory: str = ""
    screen: bool = False
    tags: tuple[str, ...] = ()
    source: Source = "prompt"


def priority_of(value: int | str) -> int:
    """Ours of 0 (high), 1 (normal), 2 (low). Raises `Wrong`."""
    found = PRIORITIES.get(str(value).strip())
    if found is None:
        raise Wrong(
            f"priority {quote(str(value))} is none of them", "write 0 (high), 1 (normal) or 2 (low)"
        )
    return found


def cards_of(value: str | Sequence[int] | None) -> str:
    """A list of cards as `0-3,6`, of text or numbers; "" for any."""
    if value is None or value == "" or value == ():
        return ""
    text = value if isinstance(value, str) else ",".join(map(str, value))
    return card_list(text, "allowed cards")


def draft(job: BoxJob, cards: Cards) -> Prepared:
    """The submission of a job, sized by what is known of the cards. Raises the `HpcError` that
    says why there is none."""
    settings = configured(working_directory()).settings
    path = os.path.join(job.directory or working_directory(), os.path.expanduser(job.script))
    real = allowed(path, settings.security.allowed_script_paths)
    argv = (*_run_by(real, job), *job.arguments)
    spelt = SPELT[job.source]
    options = [
        replace(one, origin=spelt.get(one.option, one.origin))
        for one in from_keywords(**_options(job, settings))
    ]
    said = Setting(option="gpus", text=job.gpus, origin=spelt.get("gpus", "gpus"))
    prepared = sized(argv, options, said, settings, cards)
    return replace(prepared, submission=replace(prepared.submission, guarded=real))


def _options(job: BoxJob, settings: Settings) -> dict[str, Any]:
    """The keywords of `hpcshell.submit` that say the same."""
    box = settings.box
    asked: dict[str, Any] = {
        "name": job.name or name_from(os.path.basename(job.script)),
        "priority": job.priority,
        "conda": job.conda or None,
        "gpus_allowed": job.cards or None,
        "chdir": job.directory or None,
        "screen": "any" if job.screen else None,
        "tag": [TAG, *job.tags],
    }
    if box.attempts > 1:
        asked |= {"retries": box.attempts - 1, "retry_delay": f"{box.retry_wait:g}s"}
    return {name: value for name, value in asked.items() if value is not None}


def _run_by(path: str, job: BoxJob) -> tuple[str, ...]:
    """The words that run a script: Python's by the Python of its environment."""
    ending = os.path.splitext(path)[1]
    if ending == ".py" and job.conda:
        return "python", path
    if ending == ".py" or not os.stat(path).st_mode & stat.S_IXUSR:
        if ending not in _INTERPRETERS:
            raise Wrong(
                f"{quote(path)} is no program, and not named as Python or a shell's script",
                f"chmod +x {quote(path)}",
            )
        return _INTERPRETERS[ending], path
    return (path,)


# ---------------------------------------------------------------------------------- handing over


def room(client: Client, settings: Settings) -> float:
    """How many more jobs may wait."""
    if settings.box.queue_limit is None:
        return float("inf")
    waiting = client.call("queue", tags=[TAG], states=["PENDING"], limit=0, offset=0)["total"]
    return max(0, settings.box.queue_limit - int(waiting))


def check_room(client: Client) -> None:
    """Raises `Refused` when as many jobs wait as may."""
    settings = configured(working_directory()).settings
    if not room(client, settings):
        raise Refused(
            f"the queue is full: {settings.box.queue_limit:,} jobs wait",
            "wait for some of them, or raise box.queue_limit",
        )


def hand_over(
    client: Client, prepared: Sequence[Prepared], *, dry_run: bool = False
) -> list[dict[str, Any]]:
    """Submit jobs, all of them or none: what the daemon answers for each."""
    submissions = [each.submission for each in prepared]
    answer: dict[str, Any] = client.call("submit", submissions=submissions, dry_run=dry_run)
    found: list[dict[str, Any]] = answer["jobs"]
    return found
