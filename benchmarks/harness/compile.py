"""The two small C programs, compiled on the fly where there is a compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent / "programs"


class NoCompiler(Exception):
    """There is no C compiler, or it could not compile the program."""


def compile_program(name: str, into: Path) -> Path:
    """Compile `programs/NAME.c` into the directory `into`; static if the C library allows it."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NoCompiler("no C compiler (apt-get install gcc libc6-dev)")
    target = into / name
    source = SOURCES / f"{name}.c"
    said = ""
    for extra in (["-static"], []):
        command = [compiler, "-O2", *extra, "-o", str(target), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return target
        said = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message"
    raise NoCompiler(f"{compiler} could not compile {source.name}: {said}")
