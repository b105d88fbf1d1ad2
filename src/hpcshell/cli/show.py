"""`hpc show`: all about a job."""

from __future__ import annotations

import time
from typing import Any

import click

from hpcshell.cli import describe
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb
from hpcshell.cli.watch import watch_option, watched
from hpcshell.core.words import safe


@verb(
    "show",
    "hpc show 12",
    "hpc show 7_3 --story",
    "hpc show @ --json | jq .exit_code",
    on=True,
)
@ids_argument()
@click.option("--story", is_flag=True, help="Also what happened to it, and why.")
@watch_option
def command(talk: Talk, ids: tuple[str, ...], story: bool, watch: float | None) -> int:
    """Show all about jobs.

    Without an ID, your last job. The JSON document is one object, or a list for several ids.
    """
    named = selectors(ids, "@")
    if not named:
        return 0
    daemon = door()

    def draw() -> list[str]:
        views = daemon.call("show", ids=named, story=story)["jobs"]
        if talk.json:
            talk.document(views[0] if len(views) == 1 and len(named) == 1 else views)
            return []
        if talk.quiet:
            return [view["label"] for view in views]
        texts = [_text(talk, view, story) for view in views]
        return texts[0] + [line for text in texts[1:] for line in ("", *text)]

    return watched(talk, watch, draw)


def _text(talk: Talk, view: dict[str, Any], story: bool) -> list[str]:
    lines = [talk.paint(f"Job {view['label']}", "bold")]
    rows = describe.fields(view, time.time())
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        shown = talk.state(value) if name == "State" else value
        lines.append(f"  {name:<{width}}  {shown}")
    lines += _sized(talk, view.get("model")) + _failed(view)
    if story:
        lines += ["", talk.paint("Story", "bold"), *_story(view["story"])]
    return lines


def _sized(talk: Talk, model: dict[str, Any] | None) -> list[str]:
    """What its model needs by the formula, where it was sized by that."""
    if not model or not model["predicted"]:
        return []
    from hpcshell.core.records import ModelAsk
    from hpcshell.predict.models.names import match
    from hpcshell.predict.models.sizing import reckoned
    from hpcshell.predict.models.words import arithmetic

    estimate = reckoned(ModelAsk(**model), match(model["name"]))
    return [
        "",
        talk.paint("Memory of GPUs", "bold"),
        *(f"  {line}" for line in arithmetic(estimate)),
    ]


def _failed(view: dict[str, Any]) -> list[str]:
    """The elements of an array that went wrong, the first ten."""
    failed = (view.get("elements") or {}).get("failed") or []
    lines = [
        f"  {view['id']}_{one['element']}  {one['state']}  {describe.ended(one)}".rstrip()
        for one in failed[:10]
    ]
    if len(failed) > 10:
        lines.append(f"  ... and {len(failed) - 10:,} more: hpc show {view['id']} --json")
    return ["", "Not completed", *lines] if lines else []


def _story(events: list[dict[str, Any]]) -> list[str]:
    return [describe_event(event, None) for event in events]


def describe_event(event: dict[str, Any], job: int | None) -> str:
    """One line of a story; with the job's label where several jobs are told of."""
    label = "" if event.get("element") is None else f"_{event['element']}"
    parts = [
        describe.instant(event["time"]),
        "" if job is None and not label else f"{job or ''}{label}",
        event["kind"],
        f"-> {event['state']}" if event.get("state") else "",
        safe(event.get("cause") or ""),
        _detail(event.get("detail")),
    ]
    return "  ".join(part for part in parts if part)


def _detail(detail: Any) -> str:
    if isinstance(detail, dict):
        return safe(", ".join(f"{name}: {value}" for name, value in detail.items()))
    return safe(str(detail)) if detail else ""
