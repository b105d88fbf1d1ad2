"""`hpc sweep run` and `resume`: points are submitted, each of them once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import click

from hpcshell.cli import exits
from hpcshell.cli.requests import Panelled
from hpcshell.cli.sweep_asked import Placed, changed, placing, source_of, take_placing
from hpcshell.cli.sweep_words import counted, id_argument, outcome_code, sentence
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.words import safe
from hpcshell.flow import expand
from hpcshell.flow.spec import Spec
from hpcshell.sweeps.documents import begun, submitted
from hpcshell.sweeps.face import STATES, Sweep, create, open_sweep
from hpcshell.sweeps.keeping import Round
from hpcshell.sweeps.making import Source, check_count
from hpcshell.sweeps.standing import BAD, MISSING

COUNTED: Final = 2_000_000
"""Points that are counted one by one, where the number does not follow from the axes."""


class Points(Panelled):
    """A verb that submits points."""

    own = "Points"


@verb(
    "run",
    "hpc sweep run",
    "hpc sweep run --dry-run",
    "hpc sweep run study.yaml --on mycluster --cpus 4 --time 2h --parallel-jobs 16",
    'hpc sweep run --mode array --walltime 08:00:00 --resources "select=2:ncpus=8:mem=32gb"',
    changes=True,
    on=True,
    kind=Points,
)
@click.argument("spec", metavar="[FILE]", required=False)
@click.option(
    "--config",
    "-c",
    metavar="FILE",
    help="The specification.  [default: sweep.yaml, then sweeps/sweep.yaml]",
)
@click.option("--sweep-id", metavar="ID", help="What it is called; else its name, or its file's.")
@click.option("--max-runs", metavar="N", type=click.IntRange(1), help="Only the first N points.")
@click.option("--count-only", is_flag=True, help="Say how many points there are, and do nothing.")
@click.option("-d", "dry", is_flag=True, help="The same as --dry-run.")
@click.option(
    "--max-failures",
    metavar="N",
    type=click.IntRange(1),
    help="Start nothing new after N points have failed.",
)
@click.option(
    "--same-error",
    metavar="N",
    type=click.IntRange(1),
    help="Nor after N have failed with the same last frame.",
)
@click.option(
    "--throttle",
    "--parallel-jobs",
    "-p",
    metavar="N",
    type=click.IntRange(1),
    help="At most N points at once.",
)
@click.option("--priority", metavar="N", type=click.IntRange(0, 1000), help="0 to 1000, of each.")
@click.option("--retries", metavar="N", type=click.IntRange(0), help="Further tries of what fails.")
@click.option(
    "--snapshot/--no-snapshot",
    default=None,
    help="Run in a copy of the project: later edits do not reach what waits.",
)
@click.option("--group", metavar="NAME", help="A tag for all of its jobs.")
@placing
def run(talk: Talk, spec: str | None, config: str | None, **chosen: Any) -> int:
    """Run the points of a specification that were never submitted.

    What has run, or runs, is left alone: the same command again does nothing twice. What has failed
    is run again by hpc sweep resume. With --wait the exit code is 0 if all points have completed, 8
    if some of them, 1 if none has.
    """
    source = changed(source_of(spec, config), chosen)
    name, most = chosen.pop("sweep_id"), chosen.pop("max_runs")
    talk.dry_run = chosen.pop("dry") or talk.dry_run
    if chosen.pop("count_only"):
        return _count(talk, source.spec, most)
    placed = take_placing(chosen, source.spec)
    talk.say(*(f"note: {safe(note)}" for note in source.spec.notes))
    if talk.dry_run:
        return _foretell(talk, source, name, most, placed)
    sweep = create(source, id=name, max_runs=most)
    done = sweep.run(mode=placed.mode or "auto", on=placed.on, options=placed.options)
    return _tell(talk, sweep, done, placed.wait)


@verb(
    "resume",
    "hpc sweep resume",
    "hpc sweep resume --on mycluster --time 4h",
    "hpc sweep resume lr-study --move --on local",
    changes=True,
    on=True,
    kind=Points,
)
@id_argument
@click.option(
    "--move", is_flag=True, help="Cancel what waits elsewhere, and run it where it is said now."
)
@placing
def resume(talk: Talk, sweep: str | None, move: bool, **chosen: Any) -> int:
    """Run what is missing or has failed, and nothing else.

    Where points went before they go again, with what they asked for, unless it is said otherwise.
    As often as one likes, on any cluster, and twice at once: no point that has run is run again.
    """
    found = open_sweep(sweep)
    placed = take_placing(chosen, found.spec, again=True)
    if talk.dry_run:
        return _would_resume(talk, found)
    done = found.resume(mode=placed.mode, on=placed.on, options=placed.options, move=move)
    return _tell(talk, found, done, placed.wait)


# ----------------------------------------------------------------------------------------- before


def _count(talk: Talk, spec: Spec, most: int | None) -> int:
    """How many points there are; of too many to count, how many there are at most."""
    upper, exact = expand.most(spec), expand.exact(spec)
    if spec.search is not None:
        upper, exact = spec.search.trials, True
    if not exact and upper <= COUNTED:
        upper, exact = sum(1 for _ in expand.points(spec)), True
    count = upper if most is None else min(upper, most)
    if talk.json:
        talk.document({"schema": SCHEMA, "points": count, "exact": exact})
    elif talk.quiet:
        talk.data(str(count))
    else:
        talk.data(f"{'' if exact else 'up to '}{counted(count, 'point')}")
    return exits.OK


def _foretell(
    talk: Talk, source: Source, name: str | None, most: int | None, placed: Placed
) -> int:
    from hpcshell.cli.sweep_plan import tell
    from hpcshell.sweeps.planning import plan

    check_count(source.spec, most)
    found = plan(source, ".", name, most, mode=placed.mode, on=placed.on, options=placed.options)
    return tell(talk, found)


def _would_resume(talk: Talk, sweep: Sweep) -> int:
    again = [one for one in sweep.standings() if one.state in (MISSING, *BAD)]
    if talk.json:
        rows = [{"id": one.id, "state": one.state, "params": one.params} for one in again]
        talk.document({"schema": SCHEMA, "id": sweep.id, "dry_run": True, "points": rows})
    elif talk.quiet:
        talk.data(*(one.id for one in again))
    else:
        talk.data(f"would run {counted(len(again), 'point')} of sweep {safe(sweep.id)}")
    return exits.OK


# ------------------------------------------------------------------------------------------ after


def _tell(talk: Talk, sweep: Sweep, done: Round, wait: bool) -> int:
    """What was submitted, and with --wait what became of it."""
    talk.say(*(f"note: {safe(one)}" for one in done.said))
    count = submitted(sweep, done)
    if wait:
        talk.say(*_lines(sweep, done, count))
        sweep.wait()
    counts = sweep.counts() if wait else {}
    status = begun(sweep, done)
    if wait:
        talk.warn(*(f"warning: {safe(why)}" for why in status["warnings"]))
    if talk.json:
        talk.document(status)
    elif talk.quiet:
        talk.data(sweep.id)
    elif wait:
        talk.data(sentence(status))
    else:
        talk.data(*_lines(sweep, done, count))
        talk.say(_hint(done, count))
    return outcome_code(counts) if wait else exits.OK


def _lines(sweep: Sweep, done: Round, submitted: int) -> list[str]:
    jobs: dict[str, list[str]] = {}
    for one in done.step.taken:
        jobs.setdefault(one.on, []).extend(one.jobs)
    left = f", {done.step.left:,} wait here for a place" if done.step.left else ""
    told = f"{submitted:,} of {_all(sweep, done)} submitted{left}"
    if not submitted and not done.step.left:
        told = f"nothing to submit: {_states(done)}"
    lines = [f"submitted to {safe(on)}: {_jobs(labels)}" for on, labels in jobs.items()]
    return [f"sweep {safe(sweep.id)}: {told}", *lines]


def _jobs(labels: Sequence[str]) -> str:
    return f"job {labels[0]}" if len(labels) == 1 else counted(len(labels), "job")


def _all(sweep: Sweep, done: Round) -> str:
    if sweep.spec.search is not None:
        return counted(sweep.spec.search.trials, "trial")
    return counted(len(done.standings), "point")


def _states(done: Round) -> str:
    counts = Counter(one.state for one in done.standings)
    return ", ".join(f"{counts[each]:,} {each}" for each in STATES if counts[each]) or "no points"


def _hint(done: Round, submitted: int) -> str:
    if not submitted and any(one.state in BAD for one in done.standings):
        return "what has failed: hpc sweep errors; to run it again: hpc sweep resume"
    if not submitted and done.over:
        return "what it came to: hpc sweep report"
    return "how it stands: hpc sweep status; to wait: hpc sweep watch"
