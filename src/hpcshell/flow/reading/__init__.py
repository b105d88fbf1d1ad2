"""A sweep's file, or the same as Python's objects, to a `Spec`; what is wrong is told by its line.

read("command: python3 train.py\nsweep: {grid: {lr: [0.1, 0.01]}}", "sweep.yaml")
from_document({"command": "python3 train.py", "sweep": {"grid": {"lr": [0.1, 0.01]}}})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpcshell.flow.reading.entry import Entry
from hpcshell.flow.reading.schema import schema
from hpcshell.flow.reading.study import study
from hpcshell.flow.reading.tree import from_objects, from_text
from hpcshell.flow.spec import Spec

__all__ = ["from_document", "read", "schema"]


def read(text: str, name: str = "sweep.yaml") -> Spec:
    """The specification in a text, YAML or JSON. `name`: what messages call it."""
    return study(Entry(from_text(text, name), name))


def from_document(document: Mapping[str, Any], name: str = "spec") -> Spec:
    """The same from Python's objects. Messages say the path of keys instead of a line."""
    return study(Entry(from_objects(document, name), name))
