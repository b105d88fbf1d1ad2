"""`hpc cluster`: the clusters that jobs can be sent to."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Any, Final

import click

from hpcshell.cli import describe, exits
from hpcshell.cli.group import NearGroup
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Wrong
from hpcshell.core.settings import ClusterSettings, Settings
from hpcshell.core.units import duration, format_duration, short_size
from hpcshell.core.words import check_name, quote, safe

if TYPE_CHECKING:
    from hpcshell.clusters.clearing import Left
    from hpcshell.clusters.cluster import Cluster
    from hpcshell.clusters.rebalancing import Rebalancing
    from hpcshell.machine.paths import Places

RESERVED: Final = ("local", "auto", "any")

LISTED: Final = (
    Column("NAME"),
    Column("SCHEDULER"),
    Column("WAY", elastic=True),
    Column("STATE"),
    Column("JOBS", right=True),
    Column("QUESTIONS/H", right=True),
    Column("TROUBLE", elastic=True),
)
FOUND: Final = (
    Column("SCHEDULER"),
    Column("FOUND"),
    Column("COMMANDS", elastic=True),
    Column("WHY", elastic=True),
)
PARTITIONS: Final = (
    Column("PARTITION"),
    Column("STATE"),
    Column("MAX TIME", right=True),
    Column("NODES", right=True),
    Column("CPUS", right=True),
    Column("MEMORY", right=True),
    Column("GPUS", right=True),
    Column("FEATURES", elastic=True),
)


@click.group("cluster", cls=NearGroup)
def command() -> None:
    """Say which clusters there are, and how they answer.

    A cluster is named in the configuration ([clusters.NAME]), or is a scheduler of this machine:
    slurm, pbs, lsf, sge. Verbs that are about jobs go there with --on NAME.
    """


def _settings() -> tuple[Settings, Places]:
    from hpcshell.jobs.surroundings import configured, here, working_directory

    return configured(working_directory()).settings, here()


def _open(name: str) -> Cluster:
    from hpcshell.clusters.survey import opened

    return opened(name, *_settings())


def _names() -> list[str]:
    """The clusters that are configured, and those that were submitted to."""
    from hpcshell.clusters.survey import known_clusters

    return known_clusters(*_settings())


# -------------------------------------------------------------------------------------- finding out


@verb("detect", "hpc cluster detect", "hpc cluster detect --ssh ann@login.example.org")
@click.option("--ssh", metavar="USER@HOST", default="", help="Look there, instead of here.")
@click.option("--jump", metavar="HOSTS", default="", help="Hosts on the way, as for ssh -J.")
def detect(talk: Talk, ssh: str, jump: str) -> int:
    """Say which schedulers are here, how that is known, and which one --on auto takes."""
    from hpcshell.clusters.desks import link_to
    from hpcshell.clusters.detecting import chosen
    from hpcshell.clusters.detecting import detect as look
    from hpcshell.clusters.survey import finding_document

    _, places = _settings()
    found = look(link_to(ClusterSettings(ssh=ssh, jump=jump), places))
    best = chosen(found)
    rows = [finding_document(each, each is best) for each in found]
    if talk.json:
        talk.document({"schema": SCHEMA, "chosen": best.backend if best else None, "found": rows})
    elif talk.quiet:
        talk.data(best.backend if best else "local")
    else:
        cells = [
            [
                row["title"],
                "yes" if row["found"] else "no",
                safe(" ".join(row["programs"])),
                safe(row["why"]),
            ]
            for row in rows
        ]
        talk.data(*table(talk, list(FOUND), cells))
        talk.data(_choice(best))
    return 0


def _choice(best: Any) -> str:
    if best is None:
        return "chosen: local, this machine's own scheduler: no other answers"
    return f"chosen: {best.backend}, the first that answered"


@verb(
    "add",
    "hpc cluster add mycluster --ssh ann@login.example.org",
    "hpc cluster add deep --ssh ann@inner --jump ann@gate.example.org --backend slurm",
    "hpc cluster add here --backend slurm --option=--account=p1",
    changes=True,
)
@click.argument("name")
@click.option("--ssh", metavar="USER@HOST", default="", help="Its login node, as for ssh.")
@click.option("--jump", metavar="HOSTS", default="", help="Hosts on the way, as for ssh -J.")
@click.option(
    "--ssh-option", "ssh_options", multiple=True, metavar="WORD", help="A further word for ssh."
)
@click.option("--backend", metavar="KIND", default="", help="slurm, pbs, lsf, sge; else found out.")
@click.option(
    "--directory", metavar="DIR", default="", help="Where the jobs' directories lie there."
)
@click.option("--workdir", metavar="DIR", default="", help="Where jobs run there.")
@click.option(
    "--option", "options", multiple=True, metavar="OPTION", help="An option of every job there."
)
@click.option("--no-check", is_flag=True, help="Do not connect to it now.")
def add(talk: Talk, name: str, no_check: bool, **given: Any) -> int:
    """Add a cluster to your configuration, after a look whether it answers."""
    from hpcshell.clusters.desks import link_to
    from hpcshell.core.settings_read import Layer, read_layers
    from hpcshell.machine.configedit import add_table

    _check_name(name)
    if given["ssh"].startswith("-") or any(letter.isspace() for letter in given["ssh"]):
        raise Wrong(f"--ssh: {quote(given['ssh'])} is no host", "write USER@HOST")
    values: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in given.items()
        if value
    }
    layer = Layer(source="hpc cluster add", tables={"clusters": {name: values}})
    settings = read_layers([layer]).settings.clusters[name]
    if settings.backend:
        from hpcshell.backends.registry import backend

        backend(settings.backend)  # says which there are
    _, places = _settings()
    if not no_check:
        values["backend"] = _checked(talk, settings, link_to(settings, places))
    if not talk.dry_run:
        add_table(places.config_file, "clusters", name, values)
    document = {"name": name, "file": places.config_file, "settings": values}
    told = f"{safe(name)} to {safe(places.config_file)}"
    return _done(talk, document, f"{'would add' if talk.dry_run else 'added'} {told}")


def _done(talk: Talk, document: dict[str, Any], told: str) -> int:
    """What was done to the configuration, or would be."""
    if talk.json:
        talk.document({"schema": SCHEMA, "dry_run": talk.dry_run, **document})
    else:
        talk.data(safe(document["name"]) if talk.quiet and not talk.dry_run else told)
    return 0


def _check_name(name: str) -> None:
    """Refuse what could not name a cluster, nor the directory that is kept for it."""
    check_name(name, "cluster")
    if name in RESERVED:
        raise Wrong(f"{name} is no name for a cluster: it means something else", "use another")
    if not re.fullmatch(r"(?a)[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise Wrong(
            f"{quote(name)} is no name for a cluster", "use letters, digits and any of . _ -"
        )


def _checked(talk: Talk, settings: ClusterSettings, link: Any) -> str:
    """The kind of scheduler that answers there."""
    from hpcshell.clusters.detecting import chosen, detect
    from hpcshell.core.errors import Unreachable

    found = detect(link)
    wanted = [one for one in found if not settings.backend or one.backend == settings.backend]
    best = chosen(wanted)
    if best is None:
        why = "; ".join(f"{one.title}: {one.why}" for one in wanted)
        raise Unreachable(f"no scheduler answers there: {why}", "--no-check adds it all the same")
    talk.say(f"found: {safe(best.why)}")
    return best.backend


@verb(
    "remove",
    "hpc cluster remove mycluster",
    "hpc cluster remove mycluster --give-up",
    changes=True,
)
@click.argument("name")
@click.option(
    "--give-up", is_flag=True, help="Also ask no more for what has not ended there: it is GONE."
)
def remove(talk: Talk, name: str, give_up: bool) -> int:
    """Take a cluster out of your configuration; its jobs there go on.

    With --give-up the name may mean another cluster from then on: what is on record of jobs that
    have not ended is closed, and nothing is said to the site.
    """
    from hpcshell.machine.configedit import remove_table

    settings, places = _settings()
    given_up = _given_up(talk, name, places) if give_up else None
    if not talk.dry_run and (name in settings.clusters or not given_up):
        remove_table(places.config_file, "clusters", name)
    told = f"{safe(name)} from {safe(places.config_file)}"
    if given_up:
        told += f", and give up {given_up} of your submissions there"
    document = {"name": name, "file": places.config_file, "given_up": given_up}
    return _done(talk, document, f"{'would remove' if talk.dry_run else 'removed'} {told}")


def _given_up(talk: Talk, name: str, places: Places) -> int:
    """How many submissions are not asked for any more."""
    from hpcshell.clusters.desks import open_ledger
    from hpcshell.clusters.giving_up import give_up

    return give_up(open_ledger(places), name, dry_run=talk.dry_run)


# ------------------------------------------------------------------------------------ how they are


@verb("list", "hpc cluster list", "hpc cluster list --json")
def listing(talk: Talk) -> int:
    """List the clusters, without asking them anything."""
    return _show(talk, _names(), ask=False)


@verb("status", "hpc cluster status", "hpc cluster status mycluster --json")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def status(talk: Talk, names: tuple[str, ...]) -> int:
    """Show how clusters answer: the circuit, how often they are asked, what waits here."""
    return _show(talk, list(names) or _names(), ask=True)


def _show(talk: Talk, names: list[str], *, ask: bool) -> int:
    from hpcshell.clusters.survey import statuses

    rows = statuses(names, *_settings(), ask=ask)
    if talk.json:
        talk.document({"schema": SCHEMA, "clusters": rows})
    elif talk.quiet:
        talk.data(*(row["name"] for row in rows))
    elif rows:
        talk.data(*table(talk, list(LISTED), [_cells(row) for row in rows]))
    else:
        talk.say("no clusters: hpc cluster add NAME --ssh USER@HOST, or use --on slurm")
    return exits.UNREACHABLE if ask and any(row["trouble"] for row in rows) else 0


def _cells(row: dict[str, Any]) -> list[str]:
    state = row["circuit"] if row["circuit"] != "closed" else "silent"
    if row["retry"]:
        state += f" ({format_duration(max(1.0, round(row['retry'] - time.time())))} left)"
    if row["answers"]:
        state = "answers"
    elif not row["answered"] and not row["trouble"]:
        state = "not asked"
    waiting = f" (+{row['waiting_here']} here)" if row["waiting_here"] else ""
    return [
        safe(row["name"]),
        safe(f"{row['title']} {row['version']}".rstrip()),
        safe(row["ssh"] or "here"),
        state,
        f"{row['jobs']}{waiting}",
        f"{row['questions']:.0f}",
        safe(row["trouble"] or ""),
    ]


@verb("show", "hpc cluster show mycluster", "hpc cluster show slurm --refresh")
@click.argument("name")
@click.option("--refresh", is_flag=True, help="Ask the site anew.")
def show(talk: Talk, name: str, refresh: bool) -> int:
    """Show a cluster's queues and limits, and what its scheduler cannot do."""
    from hpcshell.clusters.survey import site_document

    site = site_document(_open(name), anew=refresh)
    if talk.json:
        talk.document({"schema": SCHEMA, **site})
        return 0
    if talk.quiet:
        talk.data(*(one["name"] for one in site["partitions"]))
        return 0
    talk.data(*_limits(site))
    if site["partitions"]:
        rows = [_partition(one) for one in site["partitions"]]
        talk.data("", *table(talk, list(PARTITIONS), rows))
    if site["lacks"]:
        talk.data("", "What it has not:", *(f"  {safe(text)}" for text in site["lacks"].values()))
    return 0


def _limits(site: dict[str, Any]) -> list[str]:
    rows = (
        ("Version", f"{site['version']} {site['flavour']}".strip()),
        ("Accounts", " ".join(site["accounts"])),
        ("QOS", " ".join(site["qos"])),
        ("Elements of an array", str(site["most_elements"] or "")),
        ("Highest index", "" if site["highest_index"] is None else str(site["highest_index"])),
        ("Accounting", "yes" if site["accounting"] else "no"),
    )
    return [f"{name:<21}{safe(value)}" for name, value in rows if value]


def _partition(one: dict[str, Any]) -> list[str]:
    kinds = f" {','.join(one['gpu_types'])}" if one["gpu_types"] else ""
    return [
        safe(one["name"]) + ("*" if one["default"] else ""),
        "up" if one["up"] else "down",
        describe.clock(one["max_time"]),
        str(one["nodes"] or "-"),
        str(one["cpus_per_node"] or "-"),
        short_size(one["memory_per_node"]) if one["memory_per_node"] else "-",
        f"{one['gpus_per_node'] or '-'}{safe(kinds)}",
        safe(" ".join(one["features"])),
    ]


@verb("rebalance", "hpc cluster rebalance", "hpc cluster rebalance slurm:12")
@click.argument("ids", nargs=-1, metavar="[ID]...")
def rebalance(talk: Talk, ids: tuple[str, ...]) -> int:
    """Move waiting jobs to clusters that are expected to have them done noticeably sooner.

    Of those that were submitted with --on any; without an ID, of those with --rebalance. A job is
    held, ended there, and only when that is certain submitted elsewhere: there are never two.
    """
    from hpcshell.jobs.doors import door

    jobs = door("any").call("rebalance", ids=list(ids))["jobs"]
    if talk.json:
        talk.document({"schema": SCHEMA, "jobs": jobs})
    elif jobs:
        talk.data(
            *(f"job {one['id']} on {safe(one['cluster'])}: {safe(one['told'])}" for one in jobs)
        )
    else:
        talk.say("nothing waits that may be moved")
    return 0


@verb("tend", "hpc cluster tend", "hpc cluster tend mycluster", changes=True)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--once", is_flag=True, help="Try once, instead of until nothing is left.")
@click.option("--stay", is_flag=True, hidden=True, help="Unless somebody does, and tell the time.")
def tend(talk: Talk, names: tuple[str, ...], once: bool, stay: bool) -> int:
    """Send what waits here for a cluster to take it, until nothing waits; without a NAME, also look
    every ten minutes for better places for what was submitted with --rebalance.

    Every command that looks at the cluster does so, too, and a submission that has to wait leaves
    one of these behind, in the background, which ends by itself; what it said is in tend.log in the
    cluster's directory below that of the state.
    """
    from hpcshell.clusters.tending import EVERY
    from hpcshell.clusters.tending import tend as try_once

    if stay and "any" in names:
        return _stay_with_moves(talk)
    clusters = [_open(name) for name in list(names) or _names()]
    moves = None if names else _moves()
    if talk.dry_run:
        waiting = {each.name: len(each.ledger.unsent(each.name)) for each in clusters}
        talk.data(*(f"would send {count} to {safe(name)}" for name, count in waiting.items()))
        return 0
    if stay:
        return _stay(talk, clusters)
    while True:
        left = sum(try_once(cluster, time.sleep) for cluster in clusters)
        left += moves.tend() if moves is not None else 0
        if not left or once:
            break
        time.sleep(EVERY)
    if talk.json:
        talk.document({"schema": SCHEMA, "left": left})
    else:
        talk.say("nothing waits here" if not left else f"{left} still wait here, or may be moved")
    return exits.TRY_LATER if left else 0


def _moves() -> Rebalancing | None:
    """The moves between all clusters that may be chosen; None: there are none."""
    from hpcshell.clusters.desks import open_all

    desk = open_all(*_settings())
    return None if desk is None else desk.moves


def _stay_with_moves(talk: Talk) -> int:
    """In the background, with what may be moved."""
    moves = _moves()
    if moves is not None:
        moves.stay()
    talk.warn(f"{describe.instant(time.time())} [{os.getpid()}] nothing waits that may be moved")
    return 0


def _stay(talk: Talk, clusters: list[Cluster]) -> int:
    """In the background: what is said is kept in a file."""
    from hpcshell.clusters.tending import stay

    def say(text: str) -> None:
        talk.warn(f"{describe.instant(time.time())} [{os.getpid()}] {safe(text)}")

    for cluster in clusters:
        say(f"stays with what waits for {cluster.name}")
        stay(cluster, time.sleep, say)
        say("nothing waits any more, or another stays")
    return 0


@verb(
    "clean",
    "hpc cluster clean mycluster --dry-run",
    "hpc cluster clean mycluster --older 7d",
    changes=True,
)
@click.argument("name")
@click.option(
    "--older", metavar="DURATION", default="0", help="Only of jobs that ended so long ago."
)
@click.option(
    "--unfetched", is_flag=True, help="Also of jobs whose --stage-out has not been brought back."
)
def clean(talk: Talk, name: str, older: str, unfetched: bool) -> int:
    """Remove the directories that ended jobs have on a cluster.

    Only those that were made for jobs that were submitted here and are on record as ended: never of
    one that may be alive, and never what a job has written elsewhere.
    """
    from hpcshell.clusters.clearing import clear

    cluster = _open(name)
    found = clear(
        cluster,
        duration(older, "--older", zero=True),
        unfetched=unfetched,
        dry_run=talk.dry_run,
    )
    gone = [each for each in found if not each.why]
    kept = [each for each in found if each.why]
    if talk.json:
        talk.document(
            {
                "schema": SCHEMA,
                "dry_run": talk.dry_run,
                "removed": [_directory_of(each) for each in gone],
                "kept": [_directory_of(each) for each in kept],
            }
        )
        return 0
    word = "would remove" if talk.dry_run else "removed"
    talk.data(
        *(
            safe(each.entry.directory) if talk.quiet else f"{word} {safe(each.entry.directory)}"
            for each in gone
        )
    )
    for each in kept:
        talk.say(f"kept {safe(each.entry.directory)}: {each.why} (hpc fetch, or --unfetched)")
    if not found:
        talk.say("there is nothing to remove")
    return 0


def _directory_of(left: Left) -> dict[str, Any]:
    return {
        "id": left.entry.number or f"w{left.entry.serial}",
        "directory": safe(left.entry.directory),
        "end_time": left.ended,
        "why": left.why or None,
    }


for each in (listing, status, show, add, remove, detect, rebalance, tend, clean):
    command.add_command(each)
