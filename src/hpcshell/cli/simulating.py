"""What `hpc simulate` does: loaded only when it is used, since it brings numpy along."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from typing import Any, Final

from hpcshell.cli import exits
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.units import count, duration, factor, format_clock, format_duration
from hpcshell.core.words import nearest, quote, safe
from hpcshell.machine.configfiles import policy_settings
from hpcshell.policy.place.deal import WAYS
from hpcshell.sim.faults import Fault, fault_of
from hpcshell.sim.lublin import MODELS, lublin
from hpcshell.sim.machines import Layout, Machine, machine_of
from hpcshell.sim.policies import Policy, configured, policy_names, policy_of
from hpcshell.sim.replaying import fitting
from hpcshell.sim.report.documents import document, jobs_csv, table_csv
from hpcshell.sim.simulate import Engine, Progress, Simulation, effort, engine_for, simulate
from hpcshell.trace.clean import FILTERS, Workload, clean
from hpcshell.trace.oddities import sentences
from hpcshell.trace.part import between, numbered
from hpcshell.trace.read import read_trace
from hpcshell.trace.record import Trace
from hpcshell.trace.write import write_swf

Chosen = Mapping[str, Any]
"""The options as they were typed, by name."""

GENERATED_JOBS: Final = "10000"
GENERATED_CPUS: Final = "256"
GENERATED_SEED: Final = "1"
GENERATING: Final = ("seed", "load", "overestimate", "out")
"""Options that mean something only with --generate."""
WORTH_A_BAR: Final = 200_000
"""Jobs in all (see `effort`) from which on progress is shown."""
PICTURES: Final = (".png", ".svg")

COLUMNS: Final = (
    Column("POLICY"),
    Column("JOBS", right=True),
    Column("MAKESPAN", right=True),
    Column("USED", right=True),
    Column("MEAN WAIT", right=True),
    Column("MEDIAN", right=True),
    Column("95 %", right=True),
    Column("LONGEST", right=True),
    Column("AVEBSLD", right=True),
    Column("FAIRNESS", right=True),
    Column("BACKFILLED", right=True),
    Column("JOBS/S", right=True),
)


def answer(talk: Talk, chosen: Chosen) -> int:
    """Read or make the workload, simulate it, tell what came of it; the exit code."""
    policies = _policies(chosen)
    _check(chosen)
    faults = tuple(map(fault_of, chosen["faults"]))
    trace = _trace(chosen)
    if chosen["out"] is not None:
        _write(chosen["out"], (piece.decode() for piece in write_swf(trace)), "--out")
        if not (chosen["policies"] or chosen["compare"]):
            talk.say(f"wrote {len(trace):,} jobs")
            return exits.OK
    workload = _workload(trace, chosen)
    layout = _layout(chosen, faults)
    if layout is not None:
        workload = fitting(workload, layout)
    for fault in faults:
        if fault.cpus > workload.machine:
            raise Wrong(
                f"--fault: {fault.cpus:,} processors cannot go down",
                f"the machine has {workload.machine:,}",
            )
    _introduce(talk, workload, layout, faults, policies)
    simulations = _simulations(talk, workload, policies, faults, layout, chosen["engine"])
    _tell(talk, simulations)
    _keep(simulations, chosen)
    return exits.INTERRUPTED if simulations[-1].cut_short else exits.OK


# ------------------------------------------------------------------------------- what was asked for


def _policies(chosen: Chosen) -> list[Policy]:
    """Those that were named, each once; EASY if none was."""
    names = list(chosen["policies"])
    if chosen["compare"] is not None:
        names += policy_names(chosen["compare"])
    how = {option: chosen[option] for option in ("order", "fill", "predict", "variant")}
    found = [_policy(name, how) for name in names or ["easy"]]
    return list({policy.name: policy for policy in found}.values())


def _policy(name: str, how: dict[str, Any]) -> Policy:
    """One policy: by its name, or as a file configures it."""
    if "/" not in name and not name.endswith(".toml"):
        return policy_of(name, **how)
    given = next((option for option in ("order", "fill", "predict") if how[option]), None)
    if given is not None:
        raise Wrong(f"--{given} beside the policy file {name}", "say it in the file")
    stem = os.path.basename(name).removesuffix(".toml")
    return configured(stem, policy_settings(name), how["variant"])


def _check_outputs(chosen: Chosen) -> None:
    """Refuse before anything long begins what could not be written, or would destroy the trace."""
    trace = chosen["trace"] or "-"
    for option in ("csv", "jobs_out", "report", "plot", "out"):
        path = chosen[option]
        if path is None or path == "-":
            continue
        told = f"--{option.replace('_', '-')}: {safe(path)}"
        if os.path.exists(path) and os.path.exists(trace) and os.path.samefile(path, trace):
            raise Wrong(f"{told} is the trace itself", "name another file")
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise Wrong(f"{told} cannot be written", f"there is no directory {safe(folder)}")


def _check(chosen: Chosen) -> None:
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
    _check_outputs(chosen)
    plot = chosen["plot"]
    if plot is not None and not os.path.isdir(plot):
        ending = os.path.splitext(plot)[1].lower()
        if ending and ending not in PICTURES:
            hint = "end it in .png or .svg, or name a directory"
            raise Wrong(f"--plot: {quote(plot)} is no picture that can be drawn", hint)


def _trace(chosen: Chosen) -> Trace:
    if chosen["generate"] is not None:
        return _generated(chosen)
    name = chosen["trace"]
    if name == "-":
        return read_trace("stdin", sys.stdin.buffer.read())
    return read_trace(safe(name), _content(name))


def _content(path: str) -> bytes:
    """A file's bytes. Raises `NotFound` and, for what cannot be read, `Wrong`."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise NotFound(f"{path}: there is no such file", "check the path") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise Wrong(f"{path}: cannot be read: {why}", "name a file that can be read") from None


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
        _processors(chosen) or int(GENERATED_CPUS),
        count(chosen["jobs"] or GENERATED_JOBS, "--jobs"),
        count(chosen["seed"] or GENERATED_SEED, "--seed", least=0, most=2**53),
        model=kinds[model],
        load=None if load is None else factor(load, "--load", least=1e-6, most=1e3),
        overestimate=0.0 if overestimate is None else factor(overestimate, "--overestimate"),
    )


def _processors(chosen: Chosen) -> int | None:
    """Of the machine; None: as the log says."""
    if (machine := _machine(chosen)) is not None:
        return machine.processors
    return None if chosen["cpus"] is None else count(chosen["cpus"], "--cpus")


def _machine(chosen: Chosen) -> Machine | None:
    """The machine file, if one was given."""
    name = chosen["machine"]
    return None if name is None else machine_of(safe(name), _content(name))


def _layout(chosen: Chosen, faults: tuple[Fault, ...]) -> Layout | None:
    """The nodes, where it matters what is on which."""
    asked = chosen["place"]
    if asked is None and not any(fault.node for fault in faults):
        return None
    way = "best_fit" if asked is None else asked.strip().lower().replace("-", "_")
    if way not in WAYS:
        raise Wrong(f"--place: there is no {quote(asked)}", f"there are {', '.join(WAYS)}")
    machine = _machine(chosen)
    if machine is None or not machine.node:
        option = "--fault" if asked is None else "--place"
        raise Wrong(
            f"{option}: it is not said what nodes the machine has",
            "name a file with [[node]] tables: --machine FILE",
        )
    return Layout(machine.nodes(), way)


def _workload(trace: Trace, chosen: Chosen) -> Workload:
    workload = clean(trace, _processors(chosen), FILTERS[chosen["chosen_filter"]])
    since, until = chosen["since"], chosen["until"]
    if since is not None or until is not None:
        first = 0.0 if since is None else duration(since, "--from", zero=True)
        last = inf if until is None else duration(until, "--until")
        if first >= last:
            raise Wrong(f"--from {since} is not before --until {until}", "exchange them")
        return between(workload, first, last)
    if chosen["jobs"] is not None and chosen["generate"] is None:
        return numbered(workload, *_job_numbers(chosen["jobs"]))
    return workload


def _job_numbers(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,15})-([0-9]{1,15})", text.strip())
    if found is None:
        raise Wrong(f"--jobs: {quote(text)} is no range of jobs", "write 1-10000")
    return int(found[1]), int(found[2])


# ------------------------------------------------------------------------------------- simulating


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _introduce(
    talk: Talk,
    workload: Workload,
    layout: Layout | None,
    faults: tuple[Fault, ...],
    policies: list[Policy],
) -> None:
    """What is simulated, as it was understood."""
    span = format_duration(round(float(workload.submit[-1] - workload.submit[0])))
    each = "each event" if policies[0].variant == "sc15" else "all events of an instant"
    talk.say(
        f"{workload.name}: {_many(len(workload), 'job')} submitted over {span} to "
        f"{_many(workload.machine, 'processor')}; one decision for {each}"
    )
    if layout is not None:
        talk.say(f"jobs are placed on {len(layout.nodes):,} nodes: {layout.way}")
    for fault in faults:
        jobs = "are lost" if fault.lose else "run again"
        goes = "goes" if fault.cpus == 1 else "go"
        what, where = f"{_many(fault.cpus, 'processor')} {goes} down", "on them"
        if fault.node:
            what, where = f"{safe(fault.node)} goes down", "on it"
        talk.say(
            f"fault: {what} at {format_duration(fault.at)} for "
            f"{format_duration(fault.span)}; jobs {where} {jobs}"
        )


def _simulations(
    talk: Talk,
    workload: Workload,
    policies: list[Policy],
    faults: tuple[Fault, ...],
    layout: Layout | None,
    engine: Engine,
) -> list[Simulation]:
    """One for each policy, in their order; the last may be cut short."""
    jobs = len(workload) * len(policies)
    work = sum(effort(workload, policy, layout) for policy in policies)
    chosen: Engine = engine_for(work, engine)
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


# -------------------------------------------------------------------------------------- telling


def _tell(talk: Talk, simulations: list[Simulation]) -> None:
    workload = simulations[0].workload
    if talk.json:
        documents = [
            {"schema": SCHEMA, **document(found), "oddities": found.workload.oddities}
            for found in simulations
        ]
        talk.document(documents if len(documents) > 1 else documents[0])
        return
    talk.data(*table(talk, COLUMNS, [_cells(found) for found in simulations]))
    for found in simulations:
        if found.cut_short:
            talk.data(f"cut short: {found.policy.label} had started {found.measures.jobs:,} jobs")
        if found.killed:
            lost = f", {found.lost:,} of them lost" if found.lost else ""
            runs = "run" if found.killed == 1 else "runs"
            talk.data(f"faults: {found.policy.label}: {found.killed:,} {runs} killed{lost}")
        if over := found.workload.oddities.get("over_limits"):
            asks = "job asks" if over == 1 else "jobs ask"
            told = f"{over:,} {asks} for more than its limits ever allow"
            talk.data(f"left out: {found.policy.label}: {told}")
    of_log = {word: count for word, count in workload.oddities.items() if word != "over_limits"}
    odd = sentences(of_log, workload.examples)
    talk.data("oddities: none" if not odd else "oddities:", *(f"  {safe(line)}" for line in odd))


def _cells(found: Simulation) -> list[str]:
    measures = found.measures
    return [
        found.policy.label + (" (cut short)" if found.cut_short else ""),
        f"{measures.jobs:,}",
        format_clock(measures.makespan),
        f"{measures.utilization:.1%}",
        format_clock(round(measures.mean_wait)),
        format_clock(round(measures.median_wait)),
        format_clock(round(measures.p95_wait)),
        format_clock(round(measures.max_wait)),
        f"{measures.avebsld:,.4f}",
        f"{measures.fairness:.3f}",
        f"{found.backfilled_share:.1%}",
        f"{found.per_second:,.0f}",
    ]


def _keep(simulations: list[Simulation], chosen: Chosen) -> None:
    """Write the files that were asked for."""
    if chosen["csv"] is not None:
        _write(chosen["csv"], [table_csv(simulations)], "--csv")
    if chosen["jobs_out"] is not None:
        for found in simulations:
            path = _path_of(chosen["jobs_out"], found, len(simulations))
            _write(path, jobs_csv(found), "--jobs-out")
    if chosen["plot"] is not None:
        from hpcshell.sim.report.pictures import draw

        _writing("--plot", chosen["plot"], lambda: draw(simulations, chosen["plot"]))
    if chosen["report"] is not None:
        from hpcshell.sim.report.page import page

        _write(chosen["report"], [page(simulations)], "--report")


def _path_of(path: str, found: Simulation, policies: int) -> str:
    """Where the jobs go: of several policies, the name stands before the ending of the file's."""
    if policies == 1:
        return path
    stem, ending = os.path.splitext(path)
    return f"{stem}-{found.policy.slug}{ending}"


def _write(path: str, pieces: Iterable[str], option: str) -> None:
    if path == "-":
        for piece in pieces:
            sys.stdout.write(piece)
        return

    def write() -> None:
        kind = gzip.open if path.endswith(".gz") else open
        with kind(path, "wt", encoding="utf-8", newline="") as file:
            file.writelines(pieces)

    _writing(option, path, write)


def _writing(option: str, path: str, write: Callable[[], object]) -> None:
    try:
        write()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        where = safe(str(getattr(error, "filename", None) or path))
        raise Wrong(f"{option}: {where} cannot be written: {why}", "name another") from None
