"""All benchmark programs, one after the other; options are passed on to each.

The exit code is 0, or with `--strict` 1 if one of them missed a goal.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAMS = ("throughput", "submit", "latency", "graph", "scale", "simulate")


def main() -> int:
    arguments = sys.argv[1:]
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
    if "--json" in arguments:
        print("--json names one file: give it to a single program", file=sys.stderr)
        return 2
    worst = 0
    for number, program in enumerate(PROGRAMS):
        command = [sys.executable, str(Path(__file__).with_name(f"{program}.py")), *arguments]
        if number and "--install" in command:
            command.remove("--install")
        print(f"\n## {program}\n", flush=True)
        worst = max(worst, subprocess.run(command, check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
