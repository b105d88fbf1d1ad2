"""A command for another program, as data: what is said, and what was answered.

Back ends make the `Words` and read the `Answer`; `machine` has them said, here or through ssh.
"""

from __future__ import annotations

from collections.abc import Mapping

from hpcshell.core.records import Record


class Words(Record, frozen=True, kw_only=True):
    """One command for the site: argv, what it reads, what is added to its environment, and after
    how many seconds without an answer it is given up."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    env: Mapping[str, str] = {}
    patience: float = 30.0


class Answer(Record, frozen=True, kw_only=True):
    """What came of it. `code` is None where no answer came in time; `missing`: there is no such
    command. Bytes that are not UTF-8 are replaced."""

    code: int | None
    out: str = ""
    err: str = ""
    missing: bool = False

    @property
    def said(self) -> str:
        """What was said, errors first, on one line or more."""
        return "\n".join(text.strip() for text in (self.err, self.out) if text.strip())
