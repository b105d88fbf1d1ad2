"""A sampler that makes a survey whenever it is told to: `new` (of a new provider) or `survey`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from hpcshell.core.gpus import Survey
from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.machine.gpus import sampler
from hpcshell.machine.gpus.choosing import provider
from hpcshell.machine.gpus.contract import GpusMissing
from hpcshell.machine.gpus.tenants import Who


def begun(state: str) -> Iterator[Survey]:
    try:
        asked = sampler.Sampler(provider("nvml", GpuSettings(), ""), Who(state))
    except GpusMissing as error:
        return iter([sampler.missing("nvml", error)])
    return sampler.surveys("nvml", asked)


def main() -> None:
    state = sys.argv[1]
    found: Iterator[Survey] | None = None
    for line in sys.stdin:
        if found is None or line.strip() == "new":
            found = begun(state)
        sampler.write(next(found), sys.stdout.fileno())


if __name__ == "__main__":
    main()
