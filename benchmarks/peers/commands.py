"""Contenders that are one command for a whole batch: nothing durable, nothing to submit to."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import ClassVar

from harness.compile import NoCompiler, compile_program
from peers.contender import (
    TRUE,
    Contender,
    Extra,
    Latencies,
    missing_program,
    program_version,
    rest,
)


def run_quietly(command: list[str], stdin: Path | None = None) -> None:
    """Run it with no output; an error if it fails."""
    with open(stdin or "/dev/null", "rb") as source:
        subprocess.run(command, stdin=source, stdout=subprocess.DEVNULL, check=True)


class CLimit(Contender):
    """As fast as this machine starts programs at all."""

    name = "C limit"
    install = "apt-get install gcc libc6-dev"
    pace: ClassVar = {"throughput": 2000.0}

    def missing(self) -> str | None:
        try:
            self.program = compile_program("limit", Path.cwd())
        except NoCompiler as error:
            return str(error)
        return None

    def version(self) -> str:
        return "vfork + execv"

    def throughput(self, tasks: int) -> None:
        run_quietly([str(self.program), str(self.width), str(tasks), TRUE])


class Make(Contender):
    name = "make"
    install = "apt-get install make"
    pace: ClassVar = {"throughput": 1600.0, "chain": 850.0, "fan": 1200.0}

    def missing(self) -> str | None:
        return missing_program("make", self.install)

    def version(self) -> str:
        return program_version("make", "--version")

    def prepare(self, question: str, tasks: int) -> None:
        Path("Makefile").write_text(makefile(question, tasks))

    def throughput(self, tasks: int) -> None:
        run_quietly(["make", f"-j{self.width}", "all"])

    chain = fan = throughput


class Ninja(Contender):
    name = "ninja"
    install = "apt-get install ninja-build"
    pace: ClassVar = {"throughput": 500.0, "chain": 390.0, "fan": 450.0}

    def missing(self) -> str | None:
        return missing_program("ninja", self.install)

    def version(self) -> str:
        return program_version("ninja", "--version")

    def prepare(self, question: str, tasks: int) -> None:
        Path("build.ninja").write_text(ninja_file(question, tasks))

    def throughput(self, tasks: int) -> None:
        run_quietly(["ninja", f"-j{self.width}"])

    chain = fan = throughput


class Xargs(Contender):
    name = "xargs"
    install = "apt-get install findutils"
    pace: ClassVar = {"throughput": 1200.0}

    def missing(self) -> str | None:
        return missing_program("xargs", self.install)

    def version(self) -> str:
        return program_version("xargs", "--version")

    def prepare(self, question: str, tasks: int) -> None:
        Path("numbers").write_text("".join(f"{n}\n" for n in range(tasks)))

    def throughput(self, tasks: int) -> None:
        run_quietly(["xargs", f"-P{self.width}", "-n1", TRUE], stdin=Path("numbers"))


class MoreutilsParallel(Contender):
    name = "moreutils parallel"
    install = "apt-get install moreutils"
    pace: ClassVar = {"throughput": 1250.0}

    def missing(self) -> str | None:
        # Where GNU parallel is installed too, Debian moves this one aside.
        for name in ("parallel.moreutils", "parallel"):
            program = shutil.which(name)
            if program and "GNU" not in program_version(program, "--version"):
                self.program = program
                return None
        return self.install

    def throughput(self, tasks: int) -> None:
        run_quietly([self.program, f"-j{self.width}", TRUE, "--", *map(str, range(tasks))])


class GnuParallel(Contender):
    name = "GNU parallel"
    install = "apt-get install parallel"
    pace: ClassVar = {"throughput": 180.0, "latency": 4.0}

    def missing(self) -> str | None:
        program = shutil.which("parallel")
        if program and "GNU" in program_version(program, "--version"):
            return None
        return self.install

    def version(self) -> str:
        return program_version("parallel", "--version")

    def prepare(self, question: str, tasks: int) -> None:
        Path("numbers").write_text("".join(f"{n}\n" for n in range(tasks)))
        if question == "latency":
            self.probe = compile_program("probe", Path.cwd())

    def throughput(self, tasks: int) -> None:
        run_quietly(["parallel", f"-j{self.width}", TRUE], stdin=Path("numbers"))

    def latency(self, tasks: int) -> Extra:
        seen = Latencies(self)
        for _ in range(tasks + 1):
            rest()
            begun = time.time()
            run_quietly(["parallel", str(self.probe), ":::", str(self.probe_file)])
            seen.note(begun, time.time())
        return seen.extra()


def edges(question: str, tasks: int) -> list[tuple[str, list[str]]]:
    """The graph of a question, as (name, the names it waits for), in an order that is valid.

    `chain`: each after the one before. `fan`: `first`, then all, then `last`. Else: no edges.
    """
    names = [f"t{n}" for n in range(tasks)]
    if question == "chain":
        return [(name, names[n - 1 : n]) for n, name in enumerate(names)]
    if question == "fan":
        middle = [(name, ["first"]) for name in names]
        return [("first", []), *middle, ("last", names)]
    return [(name, []) for name in names]


def makefile(question: str, tasks: int) -> str:
    graph = edges(question, tasks)
    wanted = " ".join(name for name, _ in graph)
    rules = [f"{name}: {' '.join(after)}\n\t@{TRUE}\n" for name, after in graph]
    return f".PHONY: all {wanted}\nall: {wanted}\n" + "".join(rules)


def ninja_file(question: str, tasks: int) -> str:
    """The targets are never made, so ninja runs every one of them."""
    rules = [f"build {name}: true {' '.join(after)}\n" for name, after in edges(question, tasks)]
    return f"rule true\n  command = {TRUE}\n" + "".join(rules)
