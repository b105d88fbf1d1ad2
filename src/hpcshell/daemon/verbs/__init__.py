"""What clients may ask: one function a verb. A verb checks everything before it changes
anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from hpcshell.daemon.verbs import (
    apart,
    change,
    daemon,
    explain,
    gpus,
    listing,
    look,
    pausing,
    snapshot,
    standing,
    submit,
    watch,
)

if TYPE_CHECKING:
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.server import Ask, Peer

Verb = Callable[["Daemon", "Peer", "Ask"], Any]

VERBS: Final[dict[str, Verb]] = {
    "hello": daemon.hello,
    "stop": daemon.stop,
    "reload": daemon.reload,
    "submit": submit.submit,
    "rerun": submit.rerun,
    "cancel": change.cancel,
    "hold": change.hold,
    "release": change.release,
    "requeue": change.requeue,
    "suspend": pausing.suspend,
    "resume": pausing.resume,
    "preempt": pausing.preempt,
    "edit": change.edit,
    "reserve": apart.reserve,
    "unreserve": apart.unreserve,
    "reservations": apart.reservations,
    "node": apart.node,
    "set_node": apart.set_node,
    "queue": look.queue,
    "jobs": listing.jobs,
    "show": look.show,
    "history": look.history,
    "explain": explain.explain,
    "priority": standing.priority,
    "fairshare": standing.fairshare,
    "resources": look.resources,
    "gpus": gpus.gpus,
    "measured": gpus.measured,
    "set_gpus": gpus.set_gpus,
    "snapshot": snapshot.snapshot,
    "outputs": look.outputs,
    "wait": watch.wait,
    "events": watch.events,
}

LOOKS: Final = frozenset(
    {
        *("hello", "queue", "show", "history", "explain", "resources", "snapshot"),
        *(
            "jobs",
            "priority",
            "fairshare",
            "reservations",
            "node",
            "gpus",
            "measured",
            "outputs",
            "wait",
            "events",
        ),
    }
)
"""Verbs that change nothing: a defect in one of them costs its asker an answer and nobody else
anything."""
