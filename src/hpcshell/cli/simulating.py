"""What `hpc simulate` does: loaded only when it is used, since it brings numpy along."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Final

from hpcshell.cli import exits
from hpcshell.cli.contenders import policies_of
from hpcshell.cli.outcome import keep, tell, write
from hpcshell.cli.outputs import check_outputs
from hpcshell.cli.scene import Chosen, Scene, scene_of, trace_of
from hpcshell.cli.talk import Talk
from hpcshell.core.errors import Wrong
from hpcshell.core.records import Request
from hpcshell.core.units import duration, format_duration
from hpcshell.core.words import quote, safe
from hpcshell.policy.booking import allowed
from hpcshell.policy.choice import rights_of
from hpcshell.sim.logged import missed, strangers
from hpcshell.sim.policies import Policy
from hpcshell.sim.simulate import (
    Engine,
    Progress,
    Simulation,
    beyond_kernel,
    effort,
    engine_for,
    load_compiled,
    simulate,
)
from hpcshell.trace.naming import alone
from hpcshell.trace.write import write_swf

GENERATING: Final = ("seed", "load", "overestimate", "out")
"""Options that mean something only with --generate."""
WORTH_A_BAR: Final = 200_000
"""Jobs in all (see `effort`) from which on progress is shown."""
PICTURES: Final = (".png", ".svg")
NAMES: Final = 8
"""So many names of a log are told."""


def answer(talk: Talk, chosen: Chosen) -> int:
    """Read or make the workload, simulate it, tell what came of it; the exit code."""
    policies = policies_of(chosen)
    _check(chosen, policies)
    trace = trace_of(chosen)
    if chosen["out"] is not None:
        write(chosen["out"], (piece.decode() for piece in write_swf(trace)), "--out")
        if not (chosen["policies"] or chosen["compare"]):
            talk.say(f"wrote {len(trace):,} jobs")
            return exits.OK
    scene = scene_of(trace, policies, chosen)
    _introduce(talk, scene, chosen)
    simulations = _simulations(talk, scene, chosen["engine"])
    tell(talk, simulations)
    _tell_late(talk, scene, simulations)
    keep(simulations, chosen)
    if never := [policy.label for policy in policies[len(simulations) :]]:
        talk.say(f"interrupted before {', '.join(never)} ran")
    return exits.INTERRUPTED if simulations[-1].cut_short else exits.OK


# ------------------------------------------------------------------------------- what was asked for


def _check(chosen: Chosen, policies: list[Policy]) -> None:
    """Refuse what cannot be meant, before anything long begins."""
    trace, made = chosen["trace"], chosen["generate"]
    if (trace is None) == (made is None):
        both = "both a trace and --generate" if trace else "neither a trace nor --generate"
        raise Wrong(f"there is {both}", "name a file, - for stdin, or --generate lublin")
    for option in GENERATING:
        if trace is not None and chosen[option] is not None:
            raise Wrong(f"--{option} goes with --generate only", "leave it out")
    if chosen["cpus"] is not None and chosen["machine"] is not None:
        raise Wrong("--cpus and --machine both say how large the machine is", "give one of them")
    part = chosen["since"] is not None or chosen["until"] is not None
    if trace is not None and part and chosen["jobs"] is not None:
        raise Wrong("--jobs and --from or --until both choose a part", "give one of them")
    if chosen["checkpoint"] is not None:
        _check_saving(chosen["checkpoint"], policies)
    check_outputs(chosen, policies)
    plot = chosen["plot"]
    if plot is not None and not os.path.isdir(plot):
        ending = os.path.splitext(plot)[1].lower()
        if ending and ending not in PICTURES:
            hint = "end it in .png or .svg, or name a directory"
            raise Wrong(f"--plot: {quote(plot)} is no picture that can be drawn", hint)


def _check_saving(every: str, policies: list[Policy]) -> None:
    duration(every, "--checkpoint")
    if not any(map(_preempts, policies)):
        raise Wrong(
            "--checkpoint: none of the policies lets jobs make room for others",
            "name a policy file with preempts, preempt_gap or tier",
        )


def _preempts(policy: Policy) -> bool:
    """Whether runs may have to make room under it."""
    return policy.settings is not None and rights_of(policy.settings) is not None


# ------------------------------------------------------------------------------------- simulating


def _introduce(talk: Talk, scene: Scene, chosen: Chosen) -> None:
    """What is simulated, as it was understood."""
    workload, policies = scene.workload, scene.policies
    span = format_duration(round(float(workload.submit[-1] - workload.submit[0])))
    each = "each event" if policies[0].variant == "sc15" else "all events of an instant"
    talk.say(
        f"{workload.name}: {_many(len(workload), 'job')} submitted over {span} to "
        f"{_many(workload.machine, 'processor')}; one decision for {each}"
    )
    if scene.layout is not None:
        talk.say(f"jobs are placed on {len(scene.layout.nodes):,} nodes: {scene.layout.way}")
    for fault in scene.faults:
        jobs = "are lost" if fault.lose else "run again"
        what, where = f"{_many(fault.cpus, 'processor')} go down", "on them"
        if fault.node or fault.cpus == 1:
            what, where = f"{safe(fault.node) or '1 processor'} goes down", "on it"
        talk.say(
            f"fault: {what} at {format_duration(fault.at)} for "
            f"{format_duration(fault.span)}; jobs {where} {jobs}"
        )
    for one in scene.reservations:
        talk.say(
            f"reservation {safe(one.name)}: {_apart(one.request)}, from "
            f"{format_duration(one.start)} until {format_duration(one.end)}, for {allowed(one)}"
        )
        for kind, name, there in missed(workload, [each.settings for each in policies], one):
            told = f"no job is of {kind} {safe(name)}: {_there(there)}"
            talk.say(f"reservation {safe(one.name)}: {told}")
    talk.say(*_unused(scene, chosen))
    if chosen["gangs"] is not None:
        single = "has one job, which waits for nobody"
        talk.say(*_some([f"gang {safe(gang)}: {single}" for gang in alone(workload)]))
    for policy in policies:
        talk.say(*_doubts(scene, policy, chosen))


def _some(told: list[str]) -> list[str]:
    """Not more lines than are read."""
    more = [f"and {len(told) - NAMES:,} more"] if len(told) > NAMES else []
    return told[:NAMES] + more


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _apart(request: Request) -> str:
    what = _many(request.cpus, "processor")
    return what if request.nodes < 2 else f"{what} of each of {request.nodes:,} nodes"


def _unused(scene: Scene, chosen: Chosen) -> Iterator[str]:
    """What of the options changes nothing, whatever the policy."""
    if any(policy.settings is not None for policy in scene.policies):
        return
    asked = {"user"} | {"account" for one in scene.reservations if one.accounts}
    for pair in chosen["maps"]:
        meant = pair.partition("=")[0].strip().lower()
        if meant not in asked:
            yield f"--map {safe(pair)} changes nothing: only a policy file goes by the {meant}"


def _doubts(scene: Scene, policy: Policy, chosen: Chosen) -> Iterator[str]:
    """What of a policy changes nothing."""
    if chosen["fill"] is not None and not policy.fills:
        yield f"{policy.name}: --fill changes nothing: nobody passes the first in line out of turn"
    if chosen["engine"] == "compiled" and (why := _uncompiled(scene, policy)):
        yield f"{policy.name}: the compiled kernel is not used: {why}"
    if policy.settings is None:
        return
    for section, name, there in strangers(scene.workload, policy.settings):
        yield f"{policy.name}: no job is of [{section}.{safe(name)}]: {_there(there)}"


def _uncompiled(scene: Scene, policy: Policy) -> str:
    """Why the compiled kernel does not run it, and what does; "": it does."""
    workload, _, faults, layout, reservations = scene
    if beyond := beyond_kernel(workload, policy, faults, layout, reservations):
        return f"{beyond}, and the decisions of the daemon are replayed"
    return "faults strike in plain Python only" if faults else ""


def _there(names: list[str]) -> str:
    """Which names a log has."""
    if not names:
        return "it tells of none"
    return f"the log has {', '.join(map(safe, names[:NAMES]))}{', ...' * (len(names) > NAMES)}"


def _tell_late(talk: Talk, scene: Scene, simulations: list[Simulation]) -> None:
    """What came when nobody was there any more, or yet."""
    first = float(scene.workload.submit[0])
    for one in scene.reservations:
        if one.end <= first:
            talk.say(f"reservation {safe(one.name)}: is over before the first job; it did nothing")
    for found in simulations:
        if found.cut_short or not found.measures.jobs:
            continue
        over = float(found.schedule.end.max())
        told = [(f"fault at {format_duration(one.at)}", one.at) for one in scene.faults]
        told += [(f"reservation {safe(one.name)}", one.start) for one in scene.reservations]
        for what, begins in told:
            if begins >= over:
                talk.say(
                    f"{what}: under {found.policy.label} all jobs had ended at "
                    f"{format_duration(over)}; it came too late and did nothing"
                )


def _simulations(talk: Talk, scene: Scene, engine: Engine) -> list[Simulation]:
    """One for each policy, in their order; the last may be cut short."""
    workload, policies, faults, layout, reservations = scene
    jobs = len(workload) * len(policies)
    work = sum(effort(workload, policy, faults, layout, reservations) for policy in policies)
    chosen: Engine = engine_for(work, engine)
    replayed = all(beyond_kernel(workload, one, faults, layout, reservations) for one in policies)
    if chosen == "compiled" and not (faults or replayed):
        load_compiled(lambda: talk.say("compiling the kernel; it is kept for the next time"))
    found: list[Simulation] = []
    with _bar(talk, jobs, work) as progress:
        for policy in policies:
            before = len(found) * len(workload)
            found.append(
                simulate(
                    workload,
                    policy,
                    chosen,
                    faults=faults,
                    layout=layout,
                    reservations=reservations,
                    progress=lambda started, before=before: progress(before + started),  # type: ignore[misc]
                )
            )
            if found[-1].cut_short:
                break
    return found


@contextlib.contextmanager
def _bar(talk: Talk, jobs: int, work: int) -> Iterator[Progress]:
    """Progress on a terminal, where it takes long enough to be watched."""
    if talk.quiet or work < WORTH_A_BAR or not sys.stderr.isatty():
        yield lambda started: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=jobs)
        yield lambda started: bar.update(task, completed=started)
