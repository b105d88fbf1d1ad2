"""A study whose points themselves write down how often they ran."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hpcshell import sweeps
from hpcshell.core.errors import NotFound
from hpcshell.sweeps import disk
from hpcshell.sweeps.standing import Standing
from tests.support.runners import eventually

PATIENCE = 60.0
POINT = """\
echo "begin $HPC_SWEEP_POINT" >>"{counts}"
while [ -e "{gate}" ] && [ ! -e "$HPC_SWEEP_DIR/go" ]; do sleep 0.05; done
{body}
echo "end $HPC_SWEEP_POINT" >>"{counts}"
"""


class Study:
    """A project in a directory, and the sweep of one script over `n`. While the gate is closed its
    points begin and do not end."""

    def __init__(self, project: Path, points: int, body: str = "", **spec: Any) -> None:
        self.project = project
        project.mkdir(exist_ok=True)
        self.counts, self.gate = project.parent / "counts", project.parent / "closed"
        self.counts.touch()
        self.write(body)
        self.spec = {
            "name": "study",
            "command": ["/bin/sh", "point.sh"],
            "passing": "environment",
            "sweep": {"grid": {"n": list(range(points))}},
            **spec,
        }

    def write(self, body: str) -> None:
        """What each point does between its two lines; `$N` is its parameter."""
        text = POINT.format(counts=self.counts, gate=self.gate, body=body)
        (self.project / "point.sh").write_text(text)

    def create(self) -> sweeps.Sweep:
        return sweeps.create(self.spec, project=self.project)

    def end(self) -> None:
        """Nobody of it goes on."""
        with contextlib.suppress(NotFound):
            sweep = sweeps.open_sweep("study", self.project)
            self.open()
            sweep.cancel()
            with disk.locked(sweep.folder.file("keeper.lock")):
                pass

    def keeper(self) -> int:
        """The process that stays with the sweep, once there is one."""
        name = f"tend {os.path.realpath(self.project)}/".encode()
        found: list[int] = []

        def seen() -> bool:
            commands = {int(pid): command(pid) for pid in os.listdir("/proc") if pid.isdigit()}
            found[:] = [
                pid for pid, words in commands.items() if name in words.replace(b"\0", b" ")
            ]
            return bool(found)

        eventually(seen, PATIENCE)
        return found[0]

    # ------------------------------------------------------------------------------------ the gate

    def close(self) -> None:
        self.gate.touch()

    def open(self) -> None:
        self.gate.unlink(missing_ok=True)

    def let_end(self, one: Standing) -> None:
        """This point alone may go on."""
        Path(one.directory, "go").touch()

    # ----------------------------------------------------------------------------------- the counts

    def told(self, word: str) -> Counter[str]:
        """How often each point has said that it begins, or ends."""
        found = re.findall(rf"^{word} (\w+)$", self.counts.read_text(), re.MULTILINE)
        return Counter(found)

    @property
    def began(self) -> Counter[str]:
        return self.told("begin")

    @property
    def ended(self) -> Counter[str]:
        return self.told("end")

    def until_begun(self, count: int = 1) -> None:
        """That many points have begun."""
        eventually(lambda: len(self.began) >= count, PATIENCE)

    def until_ended(self, count: int = 1) -> None:
        eventually(lambda: len(self.ended) >= count, PATIENCE)

    def until_gone(self, sweep: sweeps.Sweep) -> None:
        """Nothing runs any more of what was submitted so far: a node that comes back ends it."""
        keys = [key.encode() for key in sweep.folder.ledger().intents]

        def alive() -> bool:
            commands = [command(pid) for pid in os.listdir("/proc") if pid.isdigit()]
            return any(key in words for key in keys for words in commands)

        eventually(lambda: not alive(), PATIENCE)

    def check_each_ended_once(self, sweep: sweeps.Sweep) -> None:
        """Every point has come to its end, and none began again after that."""
        states = Counter(one.state for one in sweep.standings())
        points = len(sweep.folder.rows())
        assert states == {"COMPLETED": points}
        assert self.ended == dict.fromkeys((row.id for row in sweep.folder.rows()), 1)
        over: set[str] = set()
        for line in self.counts.read_text().splitlines():
            word, point = line.split()
            assert point not in over, f"{point} ran after it had ended"
            if word == "end":
                over.add(point)

    # -------------------------------------------------------------------------------------- clients

    def client(self, text: str) -> subprocess.Popen[str]:
        """Another process, which has loaded all it needs and waits for a line to begin with
        `text`, of Python, where `sweep` is the sweep."""
        program = (
            "import sys\n"
            "from hpcshell import sweeps\n"
            "from hpcshell.sweeps import keeping\n"
            f"sweep = sweeps.open_sweep('study', {str(self.project)!r})\n"
            "print('ready', flush=True); sys.stdin.readline()\n"
            f"{text}\n"
            "print('done', flush=True)\n"
        )
        started = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        return started


def command(pid: str) -> bytes:
    try:
        return Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return b""  # gone since


def let_go(client: subprocess.Popen[str]) -> None:
    """It begins now."""
    assert client.stdin is not None
    client.stdin.write("go\n")
    client.stdin.flush()


def until(sweep: sweeps.Sweep, true: Callable[[Counter[str]], object]) -> Counter[str]:
    """Wait until it is so of how many points are in each state."""
    seen: Counter[str] = Counter()

    def looked() -> object:
        nonlocal seen
        seen = sweep.counts()
        return true(seen)

    eventually(looked, PATIENCE)
    return seen


def with_states(sweep: sweeps.Sweep, *states: str) -> list[Standing]:
    return [one for one in sweep.standings() if one.state in states]


def lines_of(sweep: sweeps.Sweep) -> list[bytes]:
    """The ledger, line by line."""
    return Path(sweep.folder.file("jobs.jsonl")).read_bytes().splitlines(keepends=True)


def cut_ledger(sweep: sweeps.Sweep, kinds: Mapping[str, bool] | set[str]) -> None:
    """Take the lines of these kinds away again: whoever wrote them was killed before."""
    kept = [line for line in lines_of(sweep) if not any(f'"{k}"'.encode() in line for k in kinds)]
    Path(sweep.folder.file("jobs.jsonl")).write_bytes(b"".join(kept))
