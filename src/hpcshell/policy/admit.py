"""What can never run is refused when it is asked for, with the largest that could."""

from __future__ import annotations

from math import isfinite

from hpcshell.core.errors import Wrong
from hpcshell.core.records import WHOLE, Request, Resources
from hpcshell.core.settings import PartitionSettings, Settings
from hpcshell.core.words import nearest
from hpcshell.policy.place.nodes import Node
from hpcshell.policy.reasons import amount, figure, span
from hpcshell.policy.suited import check_cards


def admit(
    request: Request,
    total: Resources,
    settings: Settings,
    partition: str,
    node: Node | None = None,
) -> None:
    """Raise `Wrong` for a request that can never start on this machine in this partition. `node`:
    what is known of the machine's cards."""
    _check_figures(request)
    _check_machine(request, total)
    if request.picks_cards:
        check_cards(request, node or Node(name="", cpus=0, gpus=("",) * total.gpus))
    limits = settings.partitions.get(partition)
    if limits is None:
        raise _unknown_partition(partition, settings)
    _check_partition(request, partition, limits)


def admit_times(begin: float, deadline: float | None, time_limit: float | None, now: float) -> None:
    """Raise `Wrong` when what starts at `begin` at the earliest cannot end by `deadline`."""
    if deadline is None:
        return
    left = deadline - max(begin, now)
    if left <= 0:
        after = "its begin time" if begin > now else "now"
        raise Wrong(f"the deadline is {span(-left)} before {after}", "give a later one")
    if time_limit is not None and time_limit > left:
        raise Wrong(
            f"it may run for {span(time_limit)}, and the deadline leaves it {span(left)}",
            f"ask for at most --time={span(left, '')}, or give a later deadline",
        )


def _check_figures(request: Request) -> None:
    if request.cpus < 1:
        raise Wrong(f"asks for {request.cpus} cpus", "ask for at least 1")
    counts = {
        "memory": request.memory,
        "gpus": request.gpus,
        "gpu memory": request.gpu_mem,
        **request.others,
    }
    for name, count in counts.items():
        if count < 0:
            raise Wrong(f"asks for {count} {name}", "ask for 0 or more")
    if not 0 <= request.gpu_share < WHOLE:
        raise Wrong(f"a gpu_share of {request.gpu_share}", "it is hundredths of one gpu: 0 to 99")
    limit = request.time_limit
    if limit is not None and not (limit > 0 and isfinite(limit)):
        raise Wrong(f"a time limit of {limit:g} seconds", "leave --time out for no limit")


def _check_machine(request: Request, total: Resources) -> None:
    for name, asked, has in (
        ("cpus", request.cpus, total.cpus),
        ("memory", request.memory, total.memory),
        ("gpus", request.gpu_hundredths, total.gpu_hundredths),
    ):
        if asked > has:
            raise _too_large(name, asked, has)
    for name, asked in request.others.items():
        if name not in total.others:
            raise _unknown_resource(name, total)
        if asked > total.others[name]:
            raise _too_large(name, asked, total.others[name])


def _too_large(name: str, asked: int, has: int) -> Wrong:
    # Whole MiB: what is said must fit when it is asked for, and be fit to be typed.
    largest = figure(name, has >> 20 << 20 if name == "memory" else has)
    if not has:
        hint = f"leave {name} out, or say how many there are under [resources] in the configuration"
        return Wrong(f"asks for {amount(name, asked)}; this machine has none", hint)
    hint = f"the largest that would fit is {largest}"
    return Wrong(f"asks for {amount(name, asked)}; this machine has {largest}", hint)


def _unknown_resource(name: str, total: Resources) -> Wrong:
    known = ["cpus", "memory", "gpus", *total.others]
    near = nearest(name, known)
    hint = f"did you mean {near}? " if near else ""
    return Wrong(
        f"asks for a resource {name[:60]!r} that this machine does not have",
        f"{hint}there are {', '.join(known)}; more are named under [resources.others]",
    )


def _unknown_partition(name: str, settings: Settings) -> Wrong:
    near = nearest(name, list(settings.partitions))
    hint = f"did you mean {near}? " if near else ""
    there = ", ".join(sorted(settings.partitions)) or "none"
    return Wrong(f"there is no partition {name[:60]!r}", f"{hint}there are: {there}")


def _check_partition(request: Request, name: str, limits: PartitionSettings) -> None:
    for word, asked, most in (
        ("cpus", request.cpus, limits.max_cpus),
        ("memory", request.memory, limits.max_memory),
        ("gpus", request.gpu_hundredths, limits.max_gpus and limits.max_gpus * WHOLE),
    ):
        if most is not None and asked > most:
            largest = figure(word, most)
            raise Wrong(
                f"asks for {amount(word, asked)}; partition {name} allows {largest}",
                f"ask for at most {largest}, or use another partition",
            )
    if limits.max_time is None:
        return
    most_time = span(limits.max_time)
    if request.time_limit is None:
        raise Wrong(
            f"has no time limit; partition {name} allows {most_time}",
            f"add --time={span(limits.max_time, '')} or less",
        )
    if request.time_limit > limits.max_time:
        raise Wrong(
            f"asks for {span(request.time_limit)}; partition {name} allows {most_time}",
            f"ask for at most --time={span(limits.max_time, '')}, or use another partition",
        )
