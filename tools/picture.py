"""Draw docs/picture.svg: a small study on eight CPUs, planned by the decider the daemon uses.

python -m tools.picture            writes the picture
python -m tools.picture --check    fails when the picture is not what would be drawn
"""

from __future__ import annotations

import heapq
import sys
from typing import NamedTuple

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import (
    Array,
    Dependencies,
    Dependency,
    Job,
    Launch,
    Outcome,
    Request,
    Resources,
)
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.view import PLAIN, View
from tools.pages import ROOT, main_for

PICTURE = ROOT / "docs" / "picture.svg"
CPUS = 8
MINUTE = 60.0


class Work(NamedTuple):
    """A submission of the study, in minutes: when it comes, what it asks for, how long it takes."""

    name: str
    comes: int
    cpus: int
    limit: int
    takes: int
    colour: str
    elements: int = 0
    after: int = 0


STUDY = (
    Work("train", 0, 3, 120, 104, "#4e79a7"),
    Work("sweep", 0, 1, 30, 26, "#59a14f", elements=12),
    Work("assemble", 4, 8, 40, 32, "#e15759"),
    Work("plots", 8, 1, 20, 15, "#f28e2b", elements=8),
    Work("refine", 12, 4, 200, 36, "#b07aa1"),
    Work("merge", 14, 2, 15, 12, "#76b7b2", after=2),
)


class Bar(NamedTuple):
    """One run: of what, on which CPUs, from when to when (minutes)."""

    label: str
    colour: str
    lanes: list[int]
    start: float
    end: float


def job(number: int, work: Work) -> tuple[Job, IndexSet]:
    """The submission as the decider knows it, and its waiting elements."""
    after = Dependencies(terms=(Dependency(kind="afterok", job=work.after),))
    record = Job(
        id=number,
        name=work.name,
        user="ada",
        uid=1000,
        submit_time=work.comes * MINUTE,
        request=Request(cpus=work.cpus, time_limit=work.limit * MINUTE),
        launch=Launch(argv=("true",), cwd="/"),
        array=Array(indices=f"0-{work.elements - 1}") if work.elements else None,
        dependencies=after if work.after else None,
    )
    return record, IndexSet.of(range(work.elements)) if work.elements else PLAIN


def play() -> tuple[list[Bar], float]:
    """What ran where and when; and the start that `assemble` was first promised (minutes)."""
    view = View(Resources(cpus=CPUS))
    agenda = [(work.comes * MINUTE, 0, number) for number, work in enumerate(STUDY, 1)]
    heapq.heapify(agenda)
    bars: dict[int, Bar] = {}
    units: dict[int, tuple[int, int]] = {}
    promised = 0.0
    while agenda:
        now = agenda[0][0]
        while agenda and agenda[0][0] == now:
            _, over, number = heapq.heappop(agenda)
            if over:
                view.release(number)
                view.task_ended(*units[number], Outcome.COMPLETED, now)
            else:
                view.put_job(*job(number, STUDY[number - 1]))
        view.advance(now)
        plan = decide(view, Policy(promises=1), now)
        view.keep(plan.promises)
        promised = promised or plan.promises.get((3, -1), 0.0)
        for start in plan.starts:
            run, work = len(bars) + 1, STUDY[start.job - 1]
            view.claim(start.claim(run, now))
            end = now + work.takes * MINUTE
            taken = {lane for bar in bars.values() if bar.end * MINUTE > now for lane in bar.lanes}
            lanes = [lane for lane in range(CPUS) if lane not in taken][: work.cpus]
            label = f"{work.name} {start.index}" if work.elements else work.name
            bars[run] = Bar(label, work.colour, lanes, now / MINUTE, end / MINUTE)
            units[run] = (start.job, start.index)
            heapq.heappush(agenda, (end, 1, run))
    return list(bars.values()), promised / MINUTE


LEFT, TOP, LANE, WIDTH = 54, 40, 26, 760


def drawing() -> str:
    """The picture as SVG; colours that read on light and dark pages."""
    bars, promised = play()
    length = max(bar.end for bar in bars)
    scale, bottom = WIDTH / length, TOP + CPUS * LANE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {bottom + 58}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        "<title>Six submissions on eight CPUs</title>",
        "<style>text{fill:#555} .in{fill:#fff} @media (prefers-color-scheme:dark){text{fill:#bbb}}"
        "</style>",
    ]
    for lane in range(CPUS):
        y = TOP + lane * LANE
        parts.append(f'<text x="{LEFT - 8}" y="{y + 17}" text-anchor="end">CPU {lane}</text>')
    for bar in bars:
        parts += rectangles(bar, scale)
    for minute in range(0, int(length) + 1, 30):
        x = LEFT + minute * scale
        parts.append(f'<path d="M{x:.1f} {bottom}v5" stroke="#999"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{minute}m</text>')
    x = LEFT + promised * scale
    parts.append(
        f'<path d="M{x:.1f} {TOP - 10}V{bottom}" stroke="#222" stroke-dasharray="4 3"/>'
        f'<text x="{x + 6:.1f}" y="{TOP - 14}">assemble was promised to start by here</text>'
    )
    parts.append(
        f'<text x="{LEFT}" y="{bottom + 44}">Small work fills the holes; nothing pushes the promise'
        " back; merge waits for all of sweep.</text></svg>"
    )
    return "\n".join(parts)


def rectangles(bar: Bar, scale: float) -> list[str]:
    """One rectangle for each run of neighbouring CPUs, the first with the name."""
    x, width = LEFT + bar.start * scale, (bar.end - bar.start) * scale - 1
    parts = []
    first = bar.lanes[0]
    for place, lane in enumerate(bar.lanes):
        if place and lane == bar.lanes[place - 1] + 1:
            continue
        height = sum(other in bar.lanes[place:] for other in neighbours(lane, bar.lanes)) * LANE
        parts.append(
            f'<rect x="{x:.1f}" y="{TOP + lane * LANE}" width="{width:.1f}" height="{height - 2}" '
            f'rx="3" fill="{bar.colour}"/>'
        )
        if lane == first and width > 7 * len(bar.label):
            parts.append(
                f'<text class="in" x="{x + 6:.1f}" y="{TOP + lane * LANE + 16}">{bar.label}</text>'
            )
    return parts


def neighbours(lane: int, lanes: list[int]) -> list[int]:
    """The unbroken run of CPUs that begins with `lane`."""
    found = [lane]
    while found[-1] + 1 in lanes:
        found.append(found[-1] + 1)
    return found


if __name__ == "__main__":
    sys.exit(main_for({PICTURE: drawing}))
