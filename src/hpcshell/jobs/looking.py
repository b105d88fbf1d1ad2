"""What can be seen to be wrong before anything is submitted: the script, the directory, the files.

All of it is checked again when the job starts; here it saves somebody the wait.
"""

from __future__ import annotations

import os
import stat

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.submission import Submission
from hpcshell.core.words import quote
from hpcshell.jobs.surroundings import here


class Missing(Wrong):
    """A script that is not there: wrong as it stands, with the exit code of what is not found."""

    exit_code = NotFound.exit_code


def read_script(path: str) -> bytes:
    """The content of a script. Raises `Wrong` for what cannot be read, `Missing` for nothing."""
    from hpcshell.core.options.script import LARGEST

    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise Wrong(f"{quote(path)} is a directory, not a script", "name the script in it")
        if not stat.S_ISREG(found.st_mode):
            raise Wrong(f"{quote(path)} is no regular file", "a script on stdin is submitted as -")
        if found.st_size > LARGEST:
            raise Wrong(
                f"{quote(path)} has {found.st_size:,} bytes", f"a script has at most {LARGEST:,}"
            )
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        raise Missing(f"there is no script {quote(path)}", "look at the spelling") from None
    except PermissionError:
        raise Wrong(f"{quote(path)} cannot be read by you", f"chmod u+r {quote(path)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Wrong(f"{quote(path)} cannot be read: {reason}", "name a file") from None


def check_submission(submission: Submission) -> None:
    """Raises `Wrong` for what could only fail when the job starts."""
    _check_directory(submission.cwd)
    if submission.script is not None:
        from hpcshell.core.options.script import check_script

        check_script(submission.script, submission.argv[0], os.uname().machine)
        _check_interpreter(submission.script, submission.argv[0])
    else:
        _check_command(submission)
    if submission.stdin and "%" not in submission.stdin:
        _check_input(os.path.join(submission.cwd, submission.stdin))
    for pattern, option in ((submission.stdout, "--output"), (submission.stderr, "--error")):
        if pattern:
            _check_output(pattern, submission.cwd, option)
    if not submission.stdout and not os.access(submission.cwd, os.W_OK | os.X_OK):
        raise Wrong(
            f"the output would go to {quote(submission.cwd)}, where you cannot write",
            "name a file: --output FILE",
        )


def _check_directory(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it cannot be"
        raise Wrong(
            f"working directory {quote(path)}: {reason}", "make it, or name another: --chdir DIR"
        ) from None
    if not stat.S_ISDIR(mode):
        raise Wrong(f"working directory {quote(path)} is not a directory", "name one: --chdir DIR")
    if not os.access(path, os.X_OK):
        raise Wrong(
            f"working directory {quote(path)} cannot be entered by you",
            "name another: --chdir DIR",
        )


def _check_interpreter(script: bytes, name: str) -> None:
    interpreter = os.fsdecode(script.partition(b"\n")[0][2:].split()[0])
    if os.path.isfile(interpreter) and os.access(interpreter, os.X_OK):
        return
    what = "no program" if os.path.exists(interpreter) else "not there"
    raise Wrong(
        f"{quote(name)} is to be run by {quote(interpreter)}, which is {what}",
        "mend its first line, for example #!/usr/bin/env bash",
    )


def _check_command(submission: Submission) -> None:
    """What is there must be a program. What is not there yet may still be built by another job."""
    word = submission.argv[0] if submission.argv else ""
    if "/" not in word or "\0" in word:
        return
    from hpcshell.core.options.script import check_program

    path = os.path.join(submission.cwd, word)
    if os.path.isdir(path):
        raise Wrong(f"command {quote(word)} is a directory", "name a program")
    try:
        with open(path, "rb") as file:
            check_program(file.read(64), word, os.uname().machine)
    except OSError:
        return


def _check_input(path: str) -> None:
    if not os.path.exists(path):
        raise Wrong(f"--input: there is no file {quote(path)}", "look at the spelling")
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)) or not os.access(path, os.R_OK):
        raise Wrong(f"--input: {quote(path)} cannot be read", "name a file that you may read")


def _check_output(pattern: str, cwd: str, option: str) -> None:
    """As far as the path is known before the job has its number."""
    path = os.path.join(cwd, pattern)
    known = path.partition("%")[0]
    directory = os.path.dirname(known)
    _check_not_ours(path, option)
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    if not os.path.isdir(directory):
        raise Wrong(f"{option}: {quote(directory)} is not a directory", "name another file")
    if known == path and os.path.lexists(path):
        _check_existing(path, option)
    elif not os.access(directory, os.W_OK | os.X_OK):
        raise Wrong(f"{option}: you cannot write in {quote(directory)}", "name another file")


def _check_not_ours(path: str, option: str) -> None:
    """A job that empties our database before it writes would take every other job with it."""
    where = here()
    for ours in (where.state, where.runtime):
        if os.path.normpath(path).startswith(f"{ours}/"):
            raise Wrong(
                f"{option}: {quote(path)} lies in the scheduler's own directory {quote(ours)}",
                "name a file somewhere else",
            )


def _check_existing(path: str, option: str) -> None:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        raise Wrong(
            f"{option}: {quote(path)} is a symbolic link; output does not go through one",
            "name the file it points to",
        )
    if stat.S_ISDIR(mode):
        raise Wrong(f"{option}: {quote(path)} is a directory", f"write {quote(path + '/%j.out')}")
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        raise Wrong(f"{option}: {quote(path)} is no regular file", "name another file")
    if not os.access(path, os.W_OK):
        raise Wrong(f"{option}: {quote(path)} cannot be written by you", "name another file")
