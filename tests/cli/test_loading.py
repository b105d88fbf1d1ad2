"""What commands may load: most of the time of a short one is spent on that (DESIGN rule 10).

Of ours, exactly what is listed here. Of others, what click, msgspec and these few bring along by
themselves: nothing that is only convenient (pathlib, dataclasses, subprocess, tomllib, rich).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.homes import HPC, fresh_home

MAIN: Final = ("cli", "cli.exits", "cli.group", "cli.main", "core", "core.errors")
VERB: Final = (*MAIN, "cli.talk", "cli.verb")
WIRE: Final = ("client", "client.client", "client.connection", "client.places", "client.wire")
"""What speaks to the daemon."""
CLIENT: Final = (
    *WIRE,
    *("core", "core.errors", "core.ids", "core.indexset", "core.records", "core.words"),
    *("machine", "machine.paths"),
)
ASKING: Final = (*VERB, *CLIENT, "cli.reach")
BY_DOOR: Final = ("jobs", "jobs.doors")
"""More, where jobs may be on a cluster."""
CHANGING: Final = (*ASKING, "cli.changing")
SHOWING: Final = (*ASKING, "cli.describe", "core.instants", "core.units")
SUBMITTING: Final = (
    *("core.dependencies", "core.instants", "core.patterns", "core.submission", "core.units"),
    *("core.jobspec", "core.options", "core.options.build", "core.options.conduct"),
    *("core.options.clusters", "core.options.gather", "core.options.place"),
    *("core.models", "core.options.models", "core.options.sizing", "jobs.sizing"),
    *("core.options.prelude", "core.options.read", "core.options.resources"),
    *("core.options.request", "core.options.row", "core.options.table", "core.options.values"),
    *("core.settings", "core.settings_box", "core.settings_gpus"),
    *("core.settings_read", "core.settings_section", "core.settings_web"),
    "machine.configfiles",
    *("core.staging", "jobs", "jobs.asking", "jobs.doors"),
    *("jobs.looking", "jobs.prepare", "jobs.surroundings"),
)
LISTING: Final = (*SHOWING, *BY_DOOR, "cli.filters", "cli.table", "core.states")

FACE: Final = ("jobs.asking", "jobs.doors", "jobs.face", "jobs.opened", "jobs.tending")

OURS: Final[dict[str, tuple[str, ...]]] = {
    "--help": MAIN,
    "--version": MAIN,
    "completion bash": (*VERB, "cli.completion"),
    "sweep --help": (*MAIN, "cli.sweep"),
    "submit -- true": (*ASKING, *SUBMITTING, "cli.requests", "cli.staying", "cli.submit"),
    "run true": (
        *SHOWING,
        *SUBMITTING,
        *BY_DOOR,
        "cli.requests",
        "cli.staying",
        "cli.submit",
        "cli.run",
        "cli.follow",
        "machine.inputs",
        "machine.tails",
    ),
    "rerun 1": (*ASKING, *BY_DOOR, "cli.rerun", "cli.staying"),
    "queue": (
        *SHOWING,
        *BY_DOOR,
        "cli.filters",
        "core.states",
        "cli.queue",
        "cli.table",
        "cli.watch",
    ),
    "show 1": (*SHOWING, *BY_DOOR, "cli.show", "cli.watch"),
    "logs 1": (*SHOWING, *BY_DOOR, "cli.follow", "cli.logs", "machine.tails"),
    "explain 1": (*SHOWING, *BY_DOOR, "cli.explain"),
    "priority": (*ASKING, "cli.filters", "cli.priority", "cli.table"),
    "fairshare": (*ASKING, "cli.fairshare", "cli.table"),
    "history": (*LISTING, "cli.history"),
    "events 1": (*SHOWING, "cli.events", "cli.show", "cli.watch"),
    "resources": (*SHOWING, "cli.changing", "cli.resources", "cli.table", "cli.watch"),
    "cancel 1": (*CHANGING, *BY_DOOR, "cli.cancel", "cli.filters", "core.states"),
    "hold 1": (*CHANGING, *BY_DOOR, "cli.hold"),
    "release 1": (*CHANGING, *BY_DOOR, "cli.release"),
    "requeue 1": (*CHANGING, *BY_DOOR, "cli.requeue"),
    "suspend 1": (*CHANGING, *BY_DOOR, "cli.suspend"),
    "resume 1": (*CHANGING, *BY_DOOR, "cli.resume"),
    "attach 1": (*ASKING, *BY_DOOR, "cli.attach"),
    "preempt 1": (*CHANGING, "cli.filters", "cli.preempt"),
    "wait 1": (*SHOWING, *BY_DOOR, "cli.changing", "cli.wait"),
}
"""By what is typed, our modules, each without `hpcshell.` before it."""

DESK: Final = (
    *("backends", "backends.contract", "backends.jobscript", "backends.registry"),
    "clusters.codes",
    *("clusters", "clusters.cluster", "clusters.contact", "clusters.desk", "clusters.desks"),
    *("clusters.finding", "clusters.identity", "clusters.known", "clusters.leaving"),
    *("clusters.lines", "clusters.lookout"),
    *("clusters.polls", "clusters.troubles", "clusters.verbs", "clusters.views"),
    *("core.commands", "core.dependencies", "core.instants", "core.jobspec", "core.options"),
    *("core.options.clusters", "core.options.conduct", "core.options.place"),
    *("core.models", "core.options.models"),
    *("core.options.read", "core.options.request", "core.options.resources", "core.options.row"),
    *("core.options.table", "core.patterns", "core.settings", "core.settings_box"),
    "core.settings_gpus",
    *("core.settings_read", "core.settings_section", "core.settings_web"),
    *("core.sightings", "core.staging", "core.submission", "core.units"),
    *("jobs", "jobs.doors", "jobs.surroundings", "machine.clock", "machine.configfiles"),
    *("machine.filesystems", "machine.link", "machine.link.contract", "machine.link.local"),
    *("machine.link.process", "store", "store.decoding"),
    *("store.ledger", "store.ledger.entries", "store.ledger.failures"),
    *("store.ledger.ledger", "store.ledger.parting", "store.ledger.reading"),
    "store.ledger.writing",
)
"""Every verb, where the job is on a cluster."""
SLURM: Final = tuple(
    f"backends.slurm{module}"
    for module in (
        *("", ".backend", ".fields", ".history", ".lacks", ".output", ".queue", ".records"),
        *(".say", ".script", ".states", ".troubles"),
    )
)
LOOKING: Final = tuple({*SHOWING, *DESK, *SLURM} - {*WIRE})
AT_A_CLUSTER: Final[dict[str, tuple[str, ...]]] = {
    "queue": (
        *LOOKING,
        *(
            "cli.filters",
            "core.states",
            "cli.queue",
            "cli.table",
            "cli.watch",
            "clusters.verbs.look",
        ),
    ),
    "history": (
        *LOOKING,
        *("cli.filters", "core.states", "cli.history", "cli.table", "clusters.verbs.history"),
    ),
    "show 7": (*LOOKING, "cli.show", "cli.watch", "clusters.verbs.look"),
    "wait 7": (
        *(*LOOKING, *WIRE, "cli.changing", "cli.fetch", "cli.wait", "clusters.results"),
        *("clusters.verbs.files", "clusters.verbs.wait"),
    ),
    "cancel 7": (
        *({*CHANGING, *DESK, *SLURM} - {*WIRE}),
        *("cli.cancel", "cli.filters", "core.states", "clusters.changing", "clusters.doubt"),
        *("clusters.orders", "clusters.staging", "clusters.submitting", "core.handed"),
        *("clusters.verbs.change", "clusters.verbs.look"),
    ),
}
"""The same with `--on slurm`, where job 7 is somebody else's and has ended."""
SQUEUE: Final = r"""#!/bin/sh
printf 'JOBID\037USER\037NAME\036\n'
printf '7\0377\037N/A\037COMPLETED\0370\0370\0371\0371\0372\0373\03710:00\037cpu=1\037node1'
printf '\037ada\037cpu\037\037\037None\037\037out\037err\037/\037name\036\n'
"""
"""What stands for a Slurm, and answers at once."""

OTHERS: Final = "click, fcntl, locale, msgspec, shlex, signal, socket, struct"
WITHOUT_DAEMON: Final = "click, click._textwrap, click.shell_completion, locale, shutil"
"""click's help is laid out with the last; JSON is spoken to the daemon alone."""


@pytest.fixture(scope="module", autouse=True)
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One daemon that runs and has run something: to start it takes more than to ask it."""
    with fresh_home() as place, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPCSHELL_HOME", str(place))
        patch.chdir(tmp_path_factory.mktemp("work"))
        subprocess.run([HPC, "submit", "--wait", "--", "true"], check=True, timeout=60)
        yield


@pytest.fixture
def loaded(tmp_path: Path):
    """The modules that are there after a program."""

    def run(program: str) -> set[str]:
        found = tmp_path / "modules"
        look = f"import sys\n{program}\nopen(sys.argv[1], 'w').write('\\n'.join(sys.modules))"
        words = [sys.executable, "-c", look, str(found)]
        subprocess.run(words, check=True, timeout=60, capture_output=True)
        return set(found.read_text().split())

    return run


@cache
def brought_along(modules: str) -> set[str]:
    """All that is there after these imports."""
    look = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def ours_of(modules: set[str]) -> set[str]:
    return {name.removeprefix("hpcshell.") for name in modules if name.startswith("hpcshell.")}


@pytest.mark.parametrize("typed", OURS)
def test_a_verb_loads_what_is_listed_and_nothing_else(loaded, typed):
    modules = loaded(f"from hpcshell.cli.main import run; run({typed.split()})")
    assert ours_of(modules) == set(OURS[typed])
    others = {name for name in modules if name.partition(".")[0] != "hpcshell"}
    allowed = OTHERS if "client" in OURS[typed] else WITHOUT_DAEMON
    assert not others - brought_along(allowed)


@pytest.mark.parametrize("typed", AT_A_CLUSTER)
def test_a_verb_at_a_cluster_loads_its_desk_and_one_scheduler(loaded, typed, tmp_path, monkeypatch):
    squeue = tmp_path / "squeue"
    squeue.write_text(SQUEUE)
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("HPCSHELL_HOME", str(tmp_path / "home"))
    words = [*typed.split(), "--on", "slurm"]
    modules = loaded(f"from hpcshell.cli.main import run; assert run({words}) == 0")
    assert ours_of(modules) == set(AT_A_CLUSTER[typed])
    others = {name for name in modules if name.partition(".")[0] != "hpcshell"}
    assert not others - brought_along(f"{OTHERS}, pwd, sqlite3")


@pytest.mark.parametrize("typed", ["status", "run --count-only", "recent", "init --dry-run"])
def test_a_sweep_loads_nothing_that_only_searches_and_pictures_need(loaded, typed):
    modules = loaded(f"from hpcshell.cli.main import run; run({['sweep', *typed.split()]})")
    heavy = {"numpy", "optuna", "matplotlib", "pyarrow", "multiprocessing", "asyncio"}
    assert not heavy & modules


def test_to_submit_from_python_loads_no_more_than_from_the_prompt(loaded):
    modules = loaded("from hpcshell import submit; submit(['true'])")
    assert ours_of(modules) == {*CLIENT, *SUBMITTING, *FACE}
    others = {name for name in modules if name.partition(".")[0] != "hpcshell"}
    assert not others - brought_along("msgspec, socket, struct, threading")


def test_a_script_loads_the_dialect_it_is_written_in_and_no_other(loaded, tmp_path):
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\n#SBATCH --time=1\ntrue\n")
    modules = loaded(f"from hpcshell.cli.main import run; run(['submit', {str(script)!r}])")
    dialects = {"core.options.parse", "core.options.script", "core.options.slurm"}
    assert ours_of(modules) == {*OURS["submit -- true"], *dialects}
