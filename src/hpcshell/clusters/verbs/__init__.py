"""What can be asked of the desk of a cluster: one function a verb, which takes the desk first.

Each is loaded when it is first asked for: a command asks for one or two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

VERBS: Final[dict[str, str]] = {
    "submit": "submit",
    "estimate": "submit",
    "rerun": "submit",
    "queue": "look",
    "show": "look",
    "explain": "look",
    "history": "history",
    "wait": "wait",
    "outputs": "files",
    "size": "files",
    "read": "files",
    "fetch": "files",
    "cancel": "change",
    "hold": "change",
    "release": "change",
    "requeue": "change",
    "suspend": "change",
    "resume": "change",
    "edit": "change",
}
"""The module that each is in, under its own name."""


def verb_named(name: str) -> Callable[..., Any] | None:
    """The function of a verb; None: there is no such verb of clusters."""
    if name not in VERBS:
        return None
    found: Callable[..., Any] = getattr(import_module(f"{__name__}.{VERBS[name]}"), name)
    return found
