"""What does the way to a login node cost?

Here: a command against `subprocess.run` of the same, and the directory of a job written. Through
ssh, to a server of our own on loopback: a command through the shared connection, against plain ssh
through it and against ssh without one. Each pair is measured turn by turn; printed are medians, and
their ratio.

    python benchmarks/link.py [--times 200] [--far-times 20]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Final

from hpcshell.core.commands import Words
from hpcshell.machine.link import Link, LocalLink, SshLink

from harness.figures import median
from harness.report import Cell, table

TRUE: Final = Words(argv=("true",))
JOB: Final = {
    "job.sh": (b"#!/bin/bash\n" * 200, 0o755),
    "script": (b"echo hello\n" * 50, 0o755),
    "env": (b"NAME=value\n" * 100, 0o600),
}
Act = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--far-times", type=int, default=20)
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hpc-"))
        rows = _here(options.times, directory)
        rows += _far(options.far_times, directory, stack)
    print(table(["what", "ms", "against", "ms", "ratio"], rows))


def _here(times: int, directory: str) -> list[list[Cell]]:
    link = LocalLink()
    write = _writer(link, f"{directory}/here")
    return [
        _row("say true", lambda: link.say(TRUE), "subprocess.run", _plain(["true"]), times),
        _row("write a job's directory", write, "say true", lambda: link.say(TRUE), times),
    ]


def _far(times: int, directory: str, stack: ExitStack) -> list[list[Cell]]:
    sys.path.append(str(Path(__file__).parents[1]))
    from tests.support.clusters.sshd import Sshd, need_sshd

    need_sshd()
    sshd = stack.enter_context(Sshd(Path(directory)))
    account = sshd.account("bench")
    link = SshLink("127.0.0.1", options=account.options, control=f"{directory}/c")
    stack.callback(link.close)
    link.home()
    shared = _plain(link.master.session("true"))
    alone = _plain(["ssh", "-S", "none", *account.options, "127.0.0.1", "true"])
    write = _writer(link, f"{directory}/far")
    ten = [TRUE] * 10
    return [
        _row("ssh: say true", lambda: link.say(TRUE), "ssh true, shared", shared, times),
        _row("ssh: say true", lambda: link.say(TRUE), "ssh true, alone", alone, times),
        _row(
            "ssh: say ten", lambda: link.say_all(ten), "ssh: say one", lambda: link.say(TRUE), times
        ),
        _row("ssh: write a job's directory", write, "ssh true, shared", shared, times),
    ]


def _writer(link: Link, base: str) -> Act:
    count = iter(range(sys.maxsize))
    return lambda: link.write(f"{base}/{next(count)}", JOB)


def _plain(argv: list[str]) -> Act:
    return lambda: subprocess.run(
        argv, capture_output=True, stdin=subprocess.DEVNULL, env=os.environ, check=True
    )


def _row(what: str, ours: Act, against: str, theirs: Act, times: int) -> list[Cell]:
    """One measured pair, the two in turns, so that a busy machine is busy for both."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for act, seconds in zip((ours, theirs), spent, strict=True):
            start = perf_counter()
            act()
            seconds.append(perf_counter() - start)
    our, their = (1000 * median(seconds) for seconds in spent)
    return [what, our, against, their, our / their]


if __name__ == "__main__":
    main()
