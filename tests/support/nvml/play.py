"""What the library of `nvml.c` is to play, and a process in which nvidia-ml-py and ours ask it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from hpcshell.core.gpus import Survey

SOURCE = Path(__file__).with_name("nvml.c")
LIBRARY = "libnvidia-ml.so.1"
NOT_AVAILABLE = 2**64 - 1

KEYS = (
    *("bus", "name", "memory", "used", "load", "temperature", "power", "limit", "ecc", "mode"),
    *("mig", "xid"),
)
NOT_SUPPORTED, NO_PERMISSION, DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND = 3, 4, 9, 12
GPU_IS_LOST, RESET_REQUIRED, VERSION_MISMATCH, UNKNOWN = 15, 16, 18, 999
EXCLUSIVE_THREAD, PROHIBITED, EXCLUSIVE_PROCESS = 1, 2, 3


@dataclass(frozen=True)
class Process:
    pid: int
    memory: int | None = 0
    kind: str = "Compute"

    def line(self) -> str:
        memory = NOT_AVAILABLE if self.memory is None else self.memory
        return f"process\t{self.kind}\t{self.pid}\t{memory}"


@dataclass(frozen=True)
class Device:
    """A card, or a slice of one. None: not supported. `power` and `limit` in milliwatts, `load` in
    parts of a hundred, as NVML has them. `fails`: codes by the function of NVML, or by `*`."""

    uuid: str
    bus: str = "00000000:07:00.0"
    name: str | None = "NVIDIA A100-SXM4-80GB"
    memory: int | None = 80 << 30
    used: int = 0
    load: int | None = 0
    temperature: int | None = 35
    power: int | None = 60_000
    limit: int | None = 400_000
    ecc: int | None = 0
    mode: int | None = 0
    mig: int | None = 0
    xid: int | None = None
    processes: tuple[Process, ...] = ()
    links: tuple[str, ...] = ()
    slices: tuple[Device, ...] = ()
    fails: Mapping[str, int] = field(default_factory=dict)

    def lines(self, verb: str = "card") -> Iterator[str]:
        told = [f"{key}={getattr(self, key)}" for key in KEYS if getattr(self, key) is not None]
        yield "\t".join([verb, f"uuid={self.uuid}", *told])
        yield from (process.line() for process in self.processes)
        yield from (f"link\t{remote}" for remote in self.links)
        yield from (f"fails\t{function}\t{code}" for function, code in self.fails.items())
        for each in self.slices:
            yield from each.lines("slice")


@dataclass(frozen=True)
class Play:
    """`errors`: codes by function, whatever is asked; `hangs`: functions that never return;
    `rounds`: a file with a dot for each time the cards were counted, and an h where it hangs."""

    cards: tuple[Device, ...] = ()
    driver: str = "550.54.15"
    errors: Mapping[str, int] = field(default_factory=dict)
    hangs: tuple[str, ...] = ()
    rounds: Path | None = None

    def text(self) -> str:
        lines = [f"driver\t{self.driver}"]
        lines += [f"error\t{function}\t{code}" for function, code in self.errors.items()]
        lines += [f"hang\t{function}" for function in self.hangs]
        lines += [f"rounds\t{self.rounds}"] if self.rounds else []
        lines += [line for card in self.cards for line in card.lines()]
        return "\n".join(lines) + "\n"


def box(count: int = 8) -> tuple[Device, ...]:
    """So many cards of a usual machine, joined by a switch."""
    one = Device("", links=("00000000:F0:00.0",) * 12)
    return tuple(
        replace(one, uuid=f"GPU-{number:08x}", bus=f"00000000:{number + 1:02X}:00.0")
        for number in range(count)
    )


def build(directory: Path, *flags: str) -> Path:
    """A directory with the library in it, for LD_LIBRARY_PATH."""
    directory.mkdir(parents=True, exist_ok=True)
    plain = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror")
    target = directory / LIBRARY
    subprocess.run(["gcc", *plain, *flags, "-o", target, SOURCE], check=True)
    return directory


class Driver:
    """A library that plays, and whoever asks it: `environment` is theirs."""

    def __init__(self, directory: Path, library: Path) -> None:
        self._play = directory / "play"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CUDA_")
        }
        self.environment |= {"NVML_PLAY": str(self._play), "LD_LIBRARY_PATH": str(library)}
        self._asker: subprocess.Popen[str] | None = None

    def plays(self, *cards: Device, play: Play | None = None) -> None:
        """What is played from now on, whole or not at all."""
        fresh = self._play.with_suffix(".new")
        fresh.write_text((play or Play(cards)).text())
        fresh.replace(self._play)

    def survey(self) -> Survey:
        """The next survey of one sampler."""
        return self._ask("survey")

    def first_survey(self) -> Survey:
        """The first survey of a new sampler."""
        return self._ask("new")

    def _ask(self, word: str) -> Survey:
        if self._asker is None:
            self._asker = subprocess.Popen(
                [sys.executable, "-m", "tests.support.nvml.asker", str(self._play.parent)],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._asker.stdin is not None
        assert self._asker.stdout is not None
        self._asker.stdin.write(f"{word}\n")
        self._asker.stdin.flush()
        return msgspec.json.decode(self._asker.stdout.readline(), type=Survey)

    def close(self) -> None:
        if self._asker is not None:
            self._asker.kill()
            self._asker.communicate()


@contextmanager
def driver(directory: Path, library: Path) -> Iterator[Driver]:
    one = Driver(directory, library)
    try:
        yield one
    finally:
        one.close()
