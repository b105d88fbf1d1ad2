"""What `hpc simulate` is to simulate, from its options: the log, the machine, the policies, and
what happens besides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from hpcshell.cli.inputs import LARGEST_LIST, LARGEST_TABLE, content, stdin_content
from hpcshell.core.errors import Wrong
from hpcshell.core.units import count, duration, factor
from hpcshell.core.words import nearest, quote, safe
from hpcshell.policy.place.deal import WAYS
from hpcshell.policy.reserve import Reservation
from hpcshell.sim.bookings import reservations_of
from hpcshell.sim.faults import Fault, fault_of
from hpcshell.sim.lublin import MODELS, lublin
from hpcshell.sim.machines import Layout, MachineFile, machine_of
from hpcshell.sim.policies import Policy
from hpcshell.sim.replaying import fitting
from hpcshell.sim.simulate import check
from hpcshell.trace.clean import FILTERS, Workload, clean
from hpcshell.trace.naming import ganged, mapped
from hpcshell.trace.part import between, numbered, parted
from hpcshell.trace.read import read_trace
from hpcshell.trace.record import Trace

Chosen = Mapping[str, Any]
"""The options as they were typed, by name."""

GENERATED_JOBS: Final = "10000"
GENERATED_CPUS: Final = "256"
GENERATED_SEED: Final = "1"


class Scene(NamedTuple):
    """See the module."""

    workload: Workload
    policies: list[Policy]
    faults: tuple[Fault, ...]
    layout: Layout | None
    reservations: tuple[Reservation, ...]


def scene_of(trace: Trace, policies: list[Policy], chosen: Chosen) -> Scene:
    """All of it, as far as it can be checked before anything long begins. Raises `Wrong`."""
    faults = tuple(map(fault_of, chosen["faults"]))
    machine = machine_file(chosen)
    workload = _workload(trace, chosen, machine)
    layout = _layout(chosen, faults, machine)
    workload = parted(fitting(workload, layout), trace)
    for fault in faults:
        if fault.cpus > workload.machine:
            raise Wrong(
                f"--fault: {fault.cpus:,} processors cannot go down",
                f"the machine has {workload.machine:,}",
            )
    check(workload, faults, layout)
    apart = () if machine is None else reservations_of(machine, workload.machine, layout)
    return Scene(workload, policies, faults, layout, apart)


# ------------------------------------------------------------------------------ log and machine


def trace_of(chosen: Chosen) -> Trace:
    """The log, read or made; with what is known of its jobs besides."""
    trace = _trace(chosen)
    if chosen["maps"]:
        trace = mapped(trace, chosen["maps"])
    if chosen["gangs"] is not None:
        trace = ganged(trace, safe(chosen["gangs"]), content(chosen["gangs"], LARGEST_LIST))
    return trace


def _trace(chosen: Chosen) -> Trace:
    if chosen["generate"] is not None:
        return _generated(chosen)
    name = chosen["trace"]
    if name == "-":
        return read_trace("stdin", stdin_content())
    return read_trace(safe(name), content(name))


def _generated(chosen: Chosen) -> Trace:
    model = chosen["generate"].strip().lower()
    kinds = {f"lublin:{kind}": model for kind, model in MODELS.items()}
    kinds["lublin"] = MODELS["batch"]
    if model not in kinds:
        near = nearest(model, kinds)
        meant = f"; did you mean {near}?" if near else ""
        hint = f"there are {', '.join(sorted(kinds))}"
        raise Wrong(f"--generate: there is no model {quote(model)}{meant}", hint)
    load, overestimate = chosen["load"], chosen["overestimate"]
    return lublin(
        _processors(chosen, machine_file(chosen)) or int(GENERATED_CPUS),
        _jobs_to_make(chosen["jobs"] or GENERATED_JOBS),
        count(chosen["seed"] or GENERATED_SEED, "--seed", least=0, most=2**53),
        model=kinds[model],
        load=None if load is None else factor(load, "--load", least=1e-6, most=1e3),
        overestimate=0.0 if overestimate is None else factor(overestimate, "--overestimate"),
    )


def _jobs_to_make(text: str) -> int:
    if re.fullmatch(r"[0-9]+-[0-9]+", text.strip()):
        told = f"--jobs: with --generate it is how many jobs are made, not {quote(text)}"
        raise Wrong(told, "write --jobs 5000")
    return count(text, "--jobs")


def machine_file(chosen: Chosen) -> MachineFile | None:
    """The machine file, if one was given."""
    name = chosen["machine"]
    return None if name is None else machine_of(safe(name), content(name, LARGEST_TABLE))


def _processors(chosen: Chosen, machine: MachineFile | None) -> int | None:
    """Of the machine; None: as the log says."""
    if machine is not None and machine.machine.processors:
        return machine.machine.processors
    return None if chosen["cpus"] is None else count(chosen["cpus"], "--cpus")


def _layout(
    chosen: Chosen, faults: tuple[Fault, ...], machine: MachineFile | None
) -> Layout | None:
    """The nodes, where it matters what is on which."""
    asked = chosen["place"]
    if asked is None and not any(fault.node for fault in faults):
        return None
    way = "best_fit" if asked is None else asked.strip().lower().replace("-", "_")
    if way not in WAYS:
        raise Wrong(f"--place: there is no {quote(asked)}", f"there are {', '.join(WAYS)}")
    if machine is None or not machine.machine.node:
        option = "--fault" if asked is None else "--place"
        raise Wrong(
            f"{option}: it is not said what nodes the machine has",
            "name a file with [[node]] tables: --machine FILE",
        )
    return Layout(machine.machine.nodes(), way)


def _workload(trace: Trace, chosen: Chosen, machine: MachineFile | None) -> Workload:
    how = FILTERS[chosen["chosen_filter"]]
    workload = clean(trace, _processors(chosen, machine), how)
    part = _part(trace, workload, chosen)
    if part is not None:
        workload = clean(
            part, workload.machine, how, guessed="machine_unknown" in workload.oddities
        )
    if chosen["checkpoint"] is not None:
        workload = replace(workload, saves=duration(chosen["checkpoint"], "--checkpoint"))
    return workload


def _part(trace: Trace, workload: Workload, chosen: Chosen) -> Trace | None:
    """Of a log the part that was asked for; None: all of it."""
    since, until = chosen["since"], chosen["until"]
    if since is not None or until is not None:
        first = 0.0 if since is None else duration(since, "--from", zero=True)
        last = inf if until is None else duration(until, "--until")
        if first >= last:
            raise Wrong(f"--from {since} is not before --until {until}", "exchange them")
        return between(trace, workload, first, last)
    if chosen["jobs"] is not None and chosen["generate"] is None:
        return numbered(trace, workload, *_job_numbers(chosen["jobs"]))
    return None


def _job_numbers(text: str) -> tuple[int, int]:
    """The first and the last: of `11-20`, or of `100`, the first hundred."""
    found = re.fullmatch(r"(?:([0-9]{1,15})-)?([0-9]{1,15})", text.strip())
    if found is None:
        hint = "write 11-20, or 100 for the first hundred"
        raise Wrong(f"--jobs: {quote(text)} is no range of jobs", hint)
    return int(found[1] or 1), int(found[2])
