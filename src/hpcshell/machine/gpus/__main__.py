"""The sampler, a process of its own: surveys of the cards as JSON lines, until nobody reads them.

python -m hpcshell.machine.gpus nvml|amd|fake --state DIRECTORY [--interval SECONDS] ...
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.machine import kernel
from hpcshell.machine.gpus import choosing, sampler
from hpcshell.machine.gpus.contract import GpusMissing
from hpcshell.machine.gpus.tenants import Who


def main(argv: Sequence[str] | None = None) -> int:
    """Returns its exit code."""
    plain = GpuSettings()
    parser = argparse.ArgumentParser(prog="hpc-cards", description="Tells of the cards.")
    parser.add_argument("provider", choices=("nvml", "amd", "fake"))
    parser.add_argument("--state", required=True, help="the state directory whose runs are known")
    parser.add_argument("--interval", type=float, default=plain.interval)
    parser.add_argument("--count", type=int, help="look at so many of the first cards")
    parser.add_argument("--memory", type=int, default=plain.memory, help="of made-up cards")
    parser.add_argument("--model", default=plain.model, help="of made-up cards")
    parser.add_argument("--play", default="", help="the file that made-up cards play")
    options = parser.parse_args(argv)
    # The pipe closes when our parent dies; but while a driver keeps us nobody looks.
    kernel.on_parent_death(signal.SIGKILL)
    settings = GpuSettings(count=options.count, memory=options.memory, model=options.model)
    name, out = options.provider, sys.stdout.fileno()
    try:
        provider = choosing.provider(name, settings, options.play)
    except GpusMissing as error:
        sampler.tell(iter([sampler.missing(name, error)]), 0, out)
        return error.exit_code
    asked = sampler.Sampler(provider, Who(options.state), options.count)
    sampler.tell(sampler.surveys(name, asked), options.interval, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
