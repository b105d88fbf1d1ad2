"""Whose a job is that came through this server, and who may change it.

All jobs that come through it are the user's whom it runs as. A caller of another name is noted in a
tag of the job, so that it is known as theirs.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from functools import cache
from typing import Any, Final
from urllib.parse import quote

from hpcshell.core.errors import Refused
from hpcshell.core.words import quote as quoted
from hpcshell.web.security.callers import OPERATE, Caller

TAG: Final = "by:"


@cache
def server_user() -> str:
    """Whom this process runs as."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def tag_of(caller: Caller) -> str | None:
    """The tag of the jobs that a caller submits; None where their user says it."""
    return None if caller.user == server_user() else f"{TAG}{quote(caller.user, safe='')}"


def check_tags(caller: Caller, tags: Iterable[str]) -> None:
    """Raises `Refused` for a tag by which a job would be known as somebody else's."""
    for tag in tags:
        if tag.startswith(TAG) and tag != tag_of(caller) and not caller.may(OPERATE):
            raise Refused(
                f"the tag {quoted(tag)} would say that the job is another's",
                f"take a tag that does not begin with {TAG}",
            )


def owns(caller: Caller, job: dict[str, Any]) -> bool:
    """Whether a job, by its document, is the caller's."""
    mine = server_user() if job.get("cluster") else job.get("user")
    return caller.user == mine or tag_of(caller) in (job.get("tags") or ())


def check_owner(caller: Caller, job: dict[str, Any]) -> None:
    """Raises `Refused` for a job that this caller may not change."""
    if not caller.may(OPERATE) and not owns(caller, job):
        raise Refused(
            f"job {job['label']} is not {caller.user}'s",
            "ask whoever submitted it, or use a token of an operator",
        )


def check_server_owner(caller: Caller, what: str) -> None:
    """The same for what belongs to the user whom the server runs as."""
    if not caller.may(OPERATE) and caller.user != server_user():
        raise Refused(
            f"{what} belongs to {server_user()}, and not to {caller.user}",
            f"ask {server_user()}, or use a token of an operator",
        )
