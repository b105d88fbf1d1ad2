"""Jobs that come as documents: what they say, made ready and handed over.

Where the server was started is nobody's business who asks it over the network: they are submitted
from the home directory of its user.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.core.options.script import LARGEST
from hpcshell.core.options.values import from_keywords
from hpcshell.jobs.asking import Asked, document, prepare_for
from hpcshell.jobs.doors import Door
from hpcshell.jobs.looking import read_script
from hpcshell.jobs.opened import door, name_of
from hpcshell.jobs.prepare import Away, words_of
from hpcshell.jobs.tending import see_to
from hpcshell.web.jobs.owners import tag_of
from hpcshell.web.security.callers import Caller

MOST: Final = 10_000
"""Jobs of one request."""


class NewJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job to be run: either a `command` or a `script`."""

    command: str | list[str] | None = None
    """Words to run; or text: the path of a script on the server, or a line for the shell. A path
    counts from the home directory of the server's user."""
    script: str | None = None
    """The text of a script. Its #HPC, #SBATCH, #PBS, #BSUB and #$ lines count; `options` win."""
    args: list[str] = []
    """What the script is called with."""
    options: dict[str, Any] = {}
    """Options of a job by their names: `cpus`, `memory`, `time_limit`, `array`, `env`, `name`, ...
    as `hpc submit` takes them. Without `chdir` it runs, and leaves its output, in the home
    directory of the server's user; that is also what a relative `chdir` counts from."""

    ALSO: ClassVar[dict[str, Any]] = {
        "oneOf": [
            {
                "required": ["command"],
                "properties": {
                    "command": {"type": ["string", "array"]},
                    "script": {"type": "null"},
                    "args": {"maxItems": 0},
                },
            },
            {
                "required": ["script"],
                "properties": {"command": {"type": "null"}, "script": {"type": "string"}},
            },
        ]
    }


def submit(
    caller: Caller, jobs: Sequence[NewJob], on: str | None, dry_run: bool
) -> list[dict[str, Any]]:
    """Submit all of them, or none; the documents of `hpc submit --json`. On a cluster they are
    handed over one by one, and taken back if one is refused."""
    if not 1 <= len(jobs) <= MOST:
        raise Wrong(f"{len(jobs):,} jobs cannot be submitted at once", f"send 1 to {MOST:,}")
    way = door(on)
    prepared = [_prepared(way, job, caller) for job in jobs]
    if name_of(way) == "local":
        answers = _handed(way, prepared, dry_run)
    else:
        answers = _one_by_one(way, prepared, dry_run)
    return [
        document(asked, answer, dry_run=dry_run or "script" in answer)
        for asked, answer in zip(prepared, answers, strict=True)
    ]


def _handed(way: Door, prepared: Sequence[Asked], dry_run: bool) -> list[dict[str, Any]]:
    submissions = [asked.submission for asked in prepared]
    answers: list[dict[str, Any]] = way.call("submit", submissions=submissions, dry_run=dry_run)[
        "jobs"
    ]
    if not dry_run:
        see_to(way)
    return answers


def _one_by_one(way: Door, prepared: Sequence[Asked], dry_run: bool) -> list[dict[str, Any]]:
    taken: list[dict[str, Any]] = []
    try:
        for asked in prepared:
            taken += _handed(way, [asked], dry_run)
    except HpcError:
        if not dry_run:
            for job in taken:
                door(job.get("cluster") or name_of(way)).call("cancel", ids=[str(job["id"])])
        raise
    return taken


def _prepared(way: Door, job: NewJob, caller: Caller) -> Asked:
    settings = from_keywords(**_options(job.options))
    if (tag := tag_of(caller)) is not None:
        settings += from_keywords(tag=tag)
    if (job.command is None) == (job.script is None):
        raise Wrong(
            "a job is either a command or a script", 'send {"command": ["python", "train.py"]}'
        )
    home = os.path.expanduser("~")
    away = Away(home, home)
    if job.script is not None:
        script = _bytes(job.script)
        name = str(job.options.get("name") or job.options.get("job_name") or "script")
        return prepare_for(way, [name, *job.args], script, settings, interpreter="sh", away=away)
    if job.args:
        raise Wrong("args go with a script", "put them behind the words of the command")
    assert job.command is not None
    argv, path = words_of(_from(home, job.command))
    content = None if path is None else read_script(path)
    return prepare_for(way, argv, content, settings, away=away)


def _from(home: str, command: str | list[str]) -> str | list[str]:
    """The command, where it is the path of a script as one that is whole."""
    if isinstance(command, list):
        return command
    path = os.path.join(home, command)
    return command if any(map(str.isspace, command)) and not os.path.exists(path) else path


def _options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raises `Wrong` for names that no keyword can have."""
    for name in options:
        if not name.isidentifier():
            raise Wrong(f"{name[:60]!r} is no option of a job", "see: hpc submit --help")
    return options


def _bytes(text: str) -> bytes:
    content = text.encode("utf-8", "surrogateescape")
    if len(content) > LARGEST:
        raise Wrong(f"the script has {len(content):,} bytes", f"a script has at most {LARGEST:,}")
    return content
