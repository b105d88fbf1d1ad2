"""Lines of a file of jobs as jobs of the daemon, found again by their tags."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from hpcshell.client.client import Client
from hpcshell.core.jobsfile import JobLine
from hpcshell.gpu.adding import BoxJob, draft, hand_over, room
from hpcshell.gpu.looking import rows
from hpcshell.jobs.sizing import cards_behind
from hpcshell.jobs.surroundings import configured, working_directory

_LINE = "line:"


class LineQueue:
    """Where the lines of one file go. `screen`: their jobs run in sessions that can be joined."""

    def __init__(self, client: Client, jobs_file: str, *, screen: bool = False) -> None:
        self.client = client
        self.screen = screen
        self._directory = os.path.dirname(os.path.abspath(jobs_file))
        self._tag = f"jobs:{file_key(jobs_file)}"

    def known(self) -> dict[str, str]:
        """The jobs there are of lines of the file, ended or not: their ids by the keys of the
        lines."""
        return {
            tag.removeprefix(_LINE): str(row["id"])
            for verb in ("queue", "history")
            for row in rows(self.client, verb, tags=[self._tag])
            for tag in row["tags"]
            if tag.startswith(_LINE)
        }

    def room(self) -> float:
        """How many more jobs may wait."""
        return room(self.client, configured(working_directory()).settings)

    def submit(self, lines: Sequence[JobLine]) -> list[str]:
        """The ids of the jobs that lines have become, all of them or none. Raises the `HpcError`
        that says why not."""
        cards = cards_behind(self.client)()
        prepared = [draft(self._job(line), cards) for line in lines]
        return [str(answer["id"]) for answer in hand_over(self.client, prepared)]

    def _job(self, line: JobLine) -> BoxJob:
        return BoxJob(
            script=line.script,
            arguments=line.arguments,
            priority=line.priority,
            conda=line.conda,
            cards=line.cards,
            directory=self._directory,
            screen=self.screen,
            source="line",
            tags=(self._tag, f"{_LINE}{line.key}"),
        )


def file_key(path: str) -> str:
    """A short name for a file, however it is named."""
    return hashlib.blake2b(os.fsencode(os.path.realpath(path)), digest_size=6).hexdigest()
