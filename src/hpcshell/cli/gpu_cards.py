"""`hpc gpu status`, `topology`, `health`, `pause` and `resume`: the cards of this machine."""

from __future__ import annotations

from typing import Any, Final

import click

from hpcshell.cli import describe
from hpcshell.cli.changing import label
from hpcshell.cli.reach import client
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.cli.watch import watch_option, watched
from hpcshell.core.errors import Wrong
from hpcshell.core.units import short_size
from hpcshell.core.words import safe

View = dict[str, Any]

COLUMNS: Final = (
    Column("GPU", right=True),
    Column("MODEL"),
    Column("STATE", state=True),
    Column("ALLOC", right=True),
    Column("LOAD", right=True),
    Column("MEMORY", right=True),
    Column("TEMP", right=True),
    Column("POWER", right=True),
    Column("WHO", elastic=True),
)


@verb(
    "status",
    "hpc gpu status",
    "hpc gpu status --detailed",
    "hpc gpu status --json | jq .resources",
)
@click.option("--detailed", is_flag=True, help="Also the queue, each job on each card, strangers.")
@watch_option
def status(talk: Talk, detailed: bool, watch: float | None) -> int:
    """Show how each card stands: how much of it is given, its load, and who is on it."""
    from hpcshell.gpu import looking

    daemon = client()
    if talk.json:
        found, jobs = looking.status(daemon), looking.active(daemon)
        talk.document({"schema": SCHEMA, **found, "active_jobs": jobs})
        return 0

    def draw() -> list[str]:
        found = looking.status(daemon)
        return _detailed(talk, found) if detailed else _brief(talk, found)

    return watched(talk, watch, draw)


def _brief(talk: Talk, found: View) -> list[str]:
    resources = found["resources"]
    cards = resources["cards"]
    if not cards:
        return _no_cards(resources)
    lines = table(talk, COLUMNS, [_row(card) for card in cards])
    return [*lines, *_notes(found)]


def _no_cards(resources: View) -> list[str]:
    count = resources["uncounted"]
    why = resources["trouble"] or f"provider {resources['provider']}"
    if count:
        return [f"{count} cards are handed out by number, and nobody tells of them: {safe(why)}"]
    return [
        f"no gpus: {safe(why)}",
        "to try everything on made-up ones: HPC_GPUS__PROVIDER=fake hpc daemon restart",
    ]


def _row(card: View) -> list[str]:
    jobs = [_job(job) for job in card["jobs"]]
    who = safe(card["reason"] or "")
    return [
        str(card["number"]),
        safe(card["model"] or "-"),
        card["state"],
        f"{card['allocated']:.0%}",
        _part(card["load"]),
        _memory(card),
        "-" if card["temperature"] is None else f"{card['temperature']:.0f}C",
        "-" if card["power"] is None else f"{card['power']:.0f}W",
        "; ".join([*([", ".join(jobs)] if jobs else []), *([who] if who else [])]) or "-",
    ]


def _part(load: float | None) -> str:
    return "-" if load is None else f"{load:.0%}"


def _memory(card: View) -> str:
    if card["memory_used"] is None:
        return "-" if not card["memory"] else f"?/{short_size(card['memory'])}"
    return f"{short_size(card['memory_used'])}/{short_size(card['memory'] or 0)}"


def _job(job: View) -> str:
    return f"{_label(job)} ({job['share']:g})"


def _label(job: View) -> str:
    return label({"id": job["job"], "element": job["element"]})


def _notes(found: View) -> list[str]:
    """What is wrong, and how shares are kept apart."""
    health, resources = found["health"], found["resources"]
    wrong = [] if health["state"] == "HEALTHY" else [health["state"], *health["causes"]]
    return ["", *map(safe, wrong), f"shares: {safe(resources['enforcement'])}"]


def _detailed(talk: Talk, found: View) -> list[str]:
    queue, resources = found["queue"], found["resources"]
    lines = [
        talk.paint(f"GPUs of {safe(resources['hostname'])}", "bold"),
        f"Version: {found['version']}",
        f"Status: {found['status']}",
        f"Uptime: {found['uptime']:.0f} seconds",
        f"Jobs processed: {found['jobs_processed']}",
        "",
        "Queue status:",
        f"  Total jobs: {queue['total']}",
        f"  High priority: {queue['high']}",
        f"  Normal priority: {queue['normal']}",
        f"  Low priority: {queue['low']}",
        "",
        "GPU resources:",
    ]
    if not resources["cards"]:
        lines += [f"  {line}" for line in _no_cards(resources)]
    for card in resources["cards"]:
        lines += _card(card)
    lines += ["", f"Active jobs: {queue['running']}"]
    for job, cards in _active(resources["cards"]).items():
        lines.append(f"  {job} (GPUs: {cards})")
    causes = [f"  {safe(cause)}" for cause in found["health"]["causes"]]
    return [
        *lines,
        "",
        f"Health: {found['health']['state']}",
        *causes,
        f"Shares: {safe(resources['enforcement'])}",
    ]


def _card(card: View) -> list[str]:
    """One card: what is given of it, what it tells, who is on it."""
    told = f"{card['allocated']:.0%} allocated"
    if card["state"] != "up":
        told = f"{card['state'].upper()}, {told}"
    if card["reason"]:
        told += f" ({safe(card['reason'])}, since {describe.instant(card['since'])})"
    lines = [f"  GPU {card['number']}: {told}"]
    facts = [
        safe(card["model"] or ""),
        safe(card["uuid"] or ""),
        f"load {_part(card['load'])}",
        f"memory {_memory(card)}",
    ]
    lines.append("    " + ", ".join(fact for fact in facts if fact))
    for job in card["jobs"]:
        used = "" if job["memory_used"] is None else f", holds {short_size(job['memory_used'])}"
        most = f" of {short_size(job['memory_limit'])}" if job["memory_limit"] else ""
        lines.append(f"    job {_job(job)}, {safe(job['user'])}{used}{most if used else ''}")
    for one in card["strangers"]:
        who = f"{safe(one['user'])}'s {safe(one['command'] or '?')}" if one["user"] else "nobody's"
        memory = "" if one["memory"] is None else f" holds {short_size(one['memory'])}"
        since = f" since {describe.instant(one['since'])}" if one["since"] else ""
        lines.append(f"    stranger: {who} (pid {one['pid']}){memory}{since}")
    return lines


def _active(cards: list[View]) -> dict[str, list[int]]:
    """The jobs on cards, with the cards of each."""
    found: dict[str, list[int]] = {}
    for card in cards:
        for job in card["jobs"]:
            name = f"{_label(job)}: {safe(job['name'])}"
            found.setdefault(name, []).append(card["number"])
    return found


@verb("topology", "hpc gpu topology")
def topology(talk: Talk) -> int:
    """Show how cards and CPUs are joined: which cards are linked, and which are near which CPUs."""
    found = client().call("gpus")
    if talk.json:
        names = ("hostname", "links", "domains", "placement")
        cards = [{"number": one["number"], "bus": one["bus"]} for one in found["cards"]]
        talk.document({"schema": SCHEMA, **{name: found[name] for name in names}, "cards": cards})
        return 0
    lines = [f"placement: {found['placement']}"]
    for group in found["links"]:
        lines.append(f"joined by links: gpus {_numbers(group)}")
    if not found["links"]:
        lines.append("no links between cards are known")
    for number, domain in enumerate(found["domains"]):
        near = f"gpus {_numbers(domain['gpus'])}" if domain["gpus"] else "no gpus known"
        lines.append(f"domain {number}: cpus {_numbers(domain['cpus'])}; near it {near}")
    talk.data(*lines)
    return 0


def _numbers(numbers: list[int]) -> str:
    from hpcshell.core.indexset import IndexSet

    return str(IndexSet.of(numbers))


@verb("health", "hpc gpu health", "hpc gpu health --quiet || mail -s gpus admin < /dev/null")
def health(talk: Talk) -> int:
    """Say whether the cards are well, and what is wrong with those that are not.

    Exit code 0 where all is well, 1 where something is not.
    """
    from hpcshell.gpu import looking

    found = client().call("gpus")
    known = found["health"]
    if talk.json:
        talk.document(looking.health(found))
    elif talk.quiet:
        talk.data(known["state"])
    else:
        talk.data(known["state"], *(f"  {safe(cause)}" for cause in known["causes"]))
        talk.data(f"shares: {safe(found['enforcement'])}")
    return 0 if known["state"] == "HEALTHY" else 1


@verb("pause", "hpc gpu pause 3", "hpc gpu pause 0-3 --drain --reason 'new fans'", changes=True)
@click.argument("cards", nargs=-1, required=True, metavar="CARDS...")
@click.option("--drain", is_flag=True, help="Put what runs on them back into the queue.")
@click.option("--reason", default="", metavar="TEXT", help="Why; told to whoever waits for them.")
def pause(talk: Talk, cards: tuple[str, ...], drain: bool, reason: str) -> int:
    """Give no new work to these cards; what runs on them runs on, or (--drain) starts anew
    elsewhere. It stays so until they are resumed, whatever is restarted."""
    return _set(talk, cards, "draining" if drain else "paused", reason)


@verb("resume", "hpc gpu resume 3", "hpc gpu resume all", changes=True)
@click.argument("cards", nargs=-1, required=True, metavar="CARDS...")
def resume(talk: Talk, cards: tuple[str, ...]) -> int:
    """Let these cards take new work again; how they have failed is forgotten, too."""
    return _set(talk, cards, "up", "")


def _set(talk: Talk, words: tuple[str, ...], state: str, reason: str) -> int:
    daemon = client()
    known = [card["number"] for card in daemon.call("gpus")["cards"]]
    cards = known if words == ("all",) else _cards(words)
    if not cards:
        raise Wrong("there are no gpus here", "see: hpc gpu status")
    answer = daemon.call("set_gpus", cards=cards, state=state, reason=reason, dry_run=talk.dry_run)
    shown = [answer["cards"][card] for card in cards]
    if talk.json:
        talk.document({"schema": SCHEMA, "dry_run": talk.dry_run, **answer})
        return 0
    for card in shown:
        why = f" ({safe(card['reason'])})" if card["reason"] else ""
        if talk.dry_run:
            talk.data(f"gpu {card['number']} would change; it is {card['state']}{why}")
        elif talk.quiet:
            talk.data(str(card["number"]))
        else:
            talk.data(f"gpu {card['number']}: {card['state']}{why}")
    _tell_of(talk, "put back", answer["put_back"])
    _tell_of(talk, "ended for good, by --no-requeue", answer["ended"])
    return 0


def _tell_of(talk: Talk, what: str, jobs: list[int]) -> None:
    if jobs:
        talk.say(f"{what}: job{'s' * (len(jobs) > 1)} {', '.join(map(str, jobs))}")


def _cards(words: tuple[str, ...]) -> list[int]:
    from hpcshell.core.options.place import Place
    from hpcshell.core.options.resources import cards

    place = Place(now=0.0, offset=describe.local_offset, cwd="/", env={})
    return list(cards(",".join(words), "CARDS", place))
