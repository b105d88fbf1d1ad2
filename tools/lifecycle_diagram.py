"""Write docs/reference/lifecycle.md from the transition table in hpcshell.core.lifecycle.

python -m tools.lifecycle_diagram            writes the page
python -m tools.lifecycle_diagram --check    fails when the page is not what would be written
"""

from __future__ import annotations

import sys

from hpcshell.core.lifecycle import TRANSITIONS, Kind
from hpcshell.core.records import Outcome, State
from tools.pages import PAGES, main_for

PAGE = PAGES / "lifecycle.md"

INTRODUCTION = """\
# The life of a job

Every element of a job, and a plain job is an array of one, is in one of {states} states. It changes
by one function, `step`, along one table; the picture and the table below are drawn from it. A pair
that is not in the table is refused, with the job's story in reach (`hpc show --story ID`).

"Please cancel" is an event, not a state; an ended element never changes again. A retry is a
*requeue*, straight from a living state to `PENDING`, and starts as a new run.
"""


def name(state: State) -> str:
    """The state as people see it in `hpc queue`."""
    return str(state.value)


def mermaid() -> str:
    """The table as a mermaid state diagram, events between the same two states on one arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, kind), (leads_to, _) in TRANSITIONS.items():
        for target in leads_to:
            arrows.setdefault((name(state), name(target)), []).append(kind.value)
    lines = ["stateDiagram-v2", f"    [*] --> {name(State.PENDING)}: submit"]
    lines += [f"    {a} --> {b}: {', '.join(kinds)}" for (a, b), kinds in arrows.items()]
    lines += [f"    {name(State.ENDED)} --> [*]"]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def table() -> str:
    """States down, events across; what is not listed is refused."""
    rows = ["| state | " + " | ".join(f"*{kind.value}*" for kind in Kind) + " |"]
    rows += ["|---" * (len(Kind) + 1) + "|"]
    for state in State:
        cells = []
        for kind in Kind:
            leads_to, _ = TRANSITIONS.get((state, kind), ((), None))
            cells.append(" or ".join(name(target) for target in leads_to) or "·")
        rows.append(f"| **{name(state)}** | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def page() -> str:
    """The whole page."""
    outcomes = ", ".join(f"`{outcome.value}`" for outcome in Outcome)
    return "\n\n".join(
        (
            INTRODUCTION.format(states=len(State)).strip(),
            mermaid(),
            "## The table\n\nThe state each event leads to; `·` is refused.",
            table(),
            f"How an element ended is told apart from its state: {outcomes}.\n"
            "`hpc` shows that word in place of `ENDED`, and `COMPLETING` in place of `STOPPING`.",
            "On a cluster the states are the site's, in the same words, and two more: `UNKNOWN`\n"
            "(nobody can tell now) and `GONE` (its scheduler has forgotten it, and it left no\n"
            "record of its end): "
            "[how a state is told](../explanation/clusters.md#how-a-state-is-told).",
        )
    )


if __name__ == "__main__":
    sys.exit(main_for({PAGE: page}))
