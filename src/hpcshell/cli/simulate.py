"""`hpc simulate`: what a workload would have met under a policy."""

from __future__ import annotations

from typing import Any, Final

import click

from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Wrong

EXTRA: Final = "pip install 'hpcshell[sim]'"
LIBRARIES: Final = ("numpy", "numba", "matplotlib")


@verb(
    "simulate",
    "hpc simulate KTH-SP2.swf.gz --policy easy",
    "hpc simulate trace.swf --compare easy,easy-sjbf,conservative --plot pictures",
    "hpc simulate trace.swf --policy easy --order wfp3 --predict last2 --json",
    "hpc simulate trace.swf --cpus 256 --fault '3d down 64 cpus for 12h' --report what-if.html",
    "hpc simulate trace.swf --machine nodes.toml --place pack --fault '3d down node node7 for 12h'",
    "hpc simulate --generate lublin --jobs 5000 --cpus 256 --seed 7 --out made.swf",
    "sacct -aPX --format=ALL | hpc simulate - --compare all",
)
@click.argument("trace", required=False, metavar="[TRACE]")
@click.option(
    "-p", "--policy", "policies", multiple=True, metavar="NAME",
    help="fcfs, greedy, easy (unless said), easy-sjbf, easy++, hybrid:N, conservative or "
    "expansion (also called best); or a TOML file such as the daemon's configuration, for what "
    "that chooses; may be repeated.",
)  # fmt: skip
@click.option(
    "-c", "--compare", metavar="NAMES", help="Several policies, as easy,conservative; or all."
)
@click.option(
    "--order", metavar="ORDER",
    help="The order of the line: fifo (unless said), sjf, ljf, saf, laf, f1, f2, f3, f4, wfp3, "
    "unicef, lexp, sexp or expansion.",
)  # fmt: skip
@click.option(
    "--fill", metavar="ORDER",
    help="The order in which those behind the first may pass it; that of the line unless said.",
)  # fmt: skip
@click.option(
    "--predict", metavar="RUNS",
    help="Run times expected: request, last2 (the mean of the user's last two), shrunk (the part "
    "of their requests that such jobs used), ratio (the largest part that the user's last jobs "
    "used), median (of the user's like jobs) or clairvoyant.",
)  # fmt: skip
@click.option(
    "--variant", metavar="RULE", default="instant",
    help="instant (unless said): one decision for all events of an instant; sc15: one after each "
    "event, as in published schedules.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["auto", "compiled", "python"]), default="auto",
    help="What runs it; the result is the same.  [default: auto]",
)  # fmt: skip
@click.option("--cpus", metavar="N", help="Processors of the machine; what the log says else.")
@click.option(
    "--machine", metavar="FILE",
    help="A machine file (TOML): cpus = N, or [[node]] tables; and [[reservation]] tables.",
)  # fmt: skip
@click.option(
    "--place", metavar="WAY",
    help="How jobs come to the nodes of the machine file: best_fit, pack (the fewest nodes), "
    "spread (one by one) or first_fit.",
)  # fmt: skip
@click.option(
    "--filter", "chosen_filter", type=click.Choice(["default", "sc15", "dirlab"]),
    default="default",
    help="How the log is made fit to be simulated.  [default: default]",
)  # fmt: skip
@click.option("--from", "since", metavar="TIME", help="Only jobs submitted so long into the log.")
@click.option("--until", metavar="TIME", help="Only jobs submitted before so long into the log.")
@click.option(
    "--jobs", metavar="A-B",
    help="Only these jobs, counted from 1, or the first N; with --generate: how many.",
)  # fmt: skip
@click.option(
    "--fault", "faults", multiple=True, metavar="WHAT",
    help="'TIME down N cpus for DURATION' or, of a machine file, 'TIME down node NAME for "
    "DURATION': jobs there run again from the start, or with 'losing jobs' behind it do not; may "
    "be repeated.",
)  # fmt: skip
@click.option(
    "--map", "maps", multiple=True, metavar="WHAT=FIELD",
    help="Which field of the log says a job's user, account, partition or qos: qos=queue; may be "
    "repeated.",
)  # fmt: skip
@click.option(
    "--gangs", metavar="FILE",
    help="Which jobs start together or not at all: lines of job,gang.",
)  # fmt: skip
@click.option(
    "--checkpoint", metavar="TIME",
    help="Jobs save what they have done after every so long a run: one that had to make room "
    "goes on from there.  [default: never]",
)  # fmt: skip
@click.option("--csv", metavar="FILE", help="Write the table as CSV, too.")
@click.option(
    "--jobs-out", metavar="FILE",
    help="Write job,submit,start,end,wait of each job; with several policies a file for each.",
)  # fmt: skip
@click.option(
    "--plot", metavar="PATH", help="Draw pictures: one file .png or .svg, or a directory."
)
@click.option("--report", metavar="FILE", help="Write one HTML page with tables and pictures.")
@click.option(
    "--generate", metavar="MODEL",
    help="Make the workload: lublin (or lublin:all, lublin:batch, lublin:interactive).",
)  # fmt: skip
@click.option("--seed", metavar="N", help="With --generate: equal seeds give equal workloads.")
@click.option("--load", metavar="X", help="With --generate: the share of the machine offered.")
@click.option(
    "--overestimate", metavar="X",
    help="With --generate: people ask for up to 1 + X times what their jobs run.",
)  # fmt: skip
@click.option(
    "--out", metavar="FILE",
    help="With --generate: write the workload (- to stdout); simulate it only if a policy is "
    "named.",
)  # fmt: skip
def command(talk: Talk, **chosen: Any) -> int:
    """Run a recorded workload under scheduling policies.

    TRACE is a log in the Standard Workload Format, `sacct -P` or `hpc history --json`, plain or
    compressed by gzip; - reads it from stdin. TIMEs and DURATIONs are written 90s, 30m, 2h, 3d12h;
    a bare number is minutes.

    With --json one policy is answered by an object, several by an array of objects.
    """
    try:
        from hpcshell.cli import simulating

        return simulating.answer(talk, chosen)
    except ModuleNotFoundError as error:
        if error.name not in LIBRARIES:
            raise
        raise Wrong(f"this needs {error.name}, which is not installed", EXTRA) from None
