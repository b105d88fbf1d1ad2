"""Runs the transcripts of a Markdown page: what the page says a command prints, it must print.

In a fence of the language ``console``, a line ``$ command`` is run by bash (``> `` continues it),
and the lines below it are what it prints, both streams together; ``...`` stands for anything within
a line, a line ``...`` for any lines, none included. A fence of another language with
``title="NAME"`` is a file, written where the commands run. One page is one session: directory,
variables and the queue last from fence to fence.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)(?P<rest>.*)$")
TITLE = re.compile(r'title="(?P<name>[^"]+)"')
SENTINEL = "end-of-command"


class File(NamedTuple):
    """A file the page shows."""

    line: int
    name: str
    text: str


class Command(NamedTuple):
    """A command the page shows, with what it should print."""

    line: int
    command: str
    expected: tuple[str, ...]


def steps(page: str) -> Iterator[File | Command]:
    """The files and commands of a page, in its order."""
    for line, language, rest, lines in fences(page):
        if language == "console":
            yield from commands(line + 1, lines)
        elif title := TITLE.search(rest):
            yield File(line, title["name"], "\n".join(lines) + "\n")


def fences(page: str) -> Iterator[tuple[int, str, str, list[str]]]:
    """Line number, language, the rest of the opening line, and the text of each fence."""
    lines = enumerate(page.splitlines(), 1)
    for number, line in lines:
        if opening := FENCE.match(line):
            indent, text = opening["indent"], []
            for _, inner in lines:
                if inner.strip() == "```":
                    break
                text.append(inner.removeprefix(indent))
            yield number, opening["language"], opening["rest"], text


def commands(first: int, lines: list[str]) -> Iterator[Command]:
    """The commands of one fence whose text begins at line `first` of the page."""
    command: Command | None = None
    for number, line in enumerate(lines, first):
        if line.startswith("$ "):
            if command:
                yield command
            command = Command(number, line[2:], ())
        elif command is None:
            raise ValueError(f"line {number}: a console fence starts with `$ command`")
        elif line.startswith("> ") and not command.expected:
            command = command._replace(command=f"{command.command}\n{line[2:]}")
        else:
            command = command._replace(expected=(*command.expected, line))
    if command:
        yield command


ONCE = "compiling the kernel; it is kept for the next time\n"
"""Said by the first simulation of a fresh installation, and by no other."""


def matches(expected: tuple[str, ...], printed: str) -> bool:
    """Whether `printed` is what the page says; blanks at the ends of lines do not count."""
    printed = printed.replace(ONCE, "")
    pattern = "".join(
        r"(?:.*\n)*?"
        if line.strip() == "..."
        else r".*?".join(re.escape(part) for part in line.rstrip().split("...")) + r"\n"
        for line in expected
    )
    lines = [line.rstrip() for line in printed.rstrip("\n").split("\n")] if printed else []
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


class Shell:
    """A bash that runs one command after the other in `folder` and returns what each printed."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            process_group=0,
        )

    def run(self, command: str, timeout: float = 60) -> str:
        """What the command printed. Raises TimeoutError with what it printed until then."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        script = f"{{ {command}\n}} </dev/null\nprintf '\\n{SENTINEL}\\n'\n"
        self._bash.stdin.write(script.encode())
        self._bash.stdin.flush()
        printed, end = b"", f"\n{SENTINEL}\n".encode()
        deadline = time.monotonic() + timeout
        while not printed.endswith(end):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._bash.stdout], [], [], left)[0]:
                raise TimeoutError(printed.decode(errors="replace"))
            more = os.read(self._bash.stdout.fileno(), 65536)
            if not more:
                raise EOFError(printed.decode(errors="replace"))
            printed += more
        return printed.removesuffix(end).decode(errors="replace")

    def close(self) -> None:
        """End the shell and what still runs in its foreground."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.communicate()


def run_page(page: str, folder: Path, environment: dict[str, str]) -> list[str]:
    """Run a page in `folder`; what first is not as the page says, in lines, or nothing."""
    shell = Shell(folder, environment)
    try:
        for step in steps(page):
            if isinstance(step, File):
                path = folder / step.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(step.text)
                path.chmod(0o755 if step.text.startswith("#!") else 0o644)
                continue
            try:
                printed, late = shell.run(step.command), ""
            except (TimeoutError, EOFError) as error:
                printed, late = str(error), f" ({type(error).__name__})"
            if late or not matches(step.expected, printed):
                return [
                    f"line {step.line}: $ {step.command}{late}",
                    *(f"  the page: {line}" for line in step.expected),
                    *(f"  printed:  {line}" for line in printed.splitlines()),
                ]
    finally:
        shell.close()
    return []
