"""From options of a job to the fields of it that are to be changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.options.table import Setting, by_key
from hpcshell.core.options.values import from_keywords
from hpcshell.core.records import WHOLE
from hpcshell.core.words import nearest, quote

FIELDS: Final = {
    "cpus": "cpus",
    "memory": "memory",
    "gpus": "gpus",
    "gpus_per_node": "gpus",
    "gpu_type": "gpu_type",
    "gpus_allowed": "gpus_allowed",
    "gpu_mem": "gpu_mem",
    "resource": "others",
    "exclusive": "exclusive",
    "time_limit": "time_limit",
    "begin": "begin",
    "deadline": "deadline",
    "priority": "priority",
    "nice": "nice",
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "reservation": "reservation",
    "name": "name",
    "tag": "tags",
    "comment": "comment",
    "throttle": "throttle",
    "dependency": "dependency",
    "after": "dependency",
    "afterok": "dependency",
    "afternotok": "dependency",
    "afterany": "dependency",
}
"""Rows of the option table that can be changed later, and the daemon's names for them."""

CLEARED: Final[dict[str, Any]] = {
    "memory": 0,
    "deadline": None,
    "account": "",
    "qos": "",
    "reservation": "",
    "tags": [],
    "comment": "",
    "dependency": "",
}
"""What can be taken away again with the word `none`."""


def changes_of(settings: list[Setting]) -> dict[str, Any]:
    """The daemon's fields and their new values."""
    from hpcshell.core.options.read import Place, read_setting

    place = Place(now=time.time(), offset=_offset, cwd="/", env={})
    changes: dict[str, Any] = {}
    for setting in settings:
        field = FIELDS[setting.option]
        if setting.text == "none" and field in CLEARED:
            changes[field] = CLEARED[field]
            continue
        value = read_setting(setting, place)
        if field == "tags":
            changes.setdefault(field, []).append(value)
        elif field == "others":
            changes[field] = changes.get(field, {}) | value
        elif field == "gpus":
            changes["gpus"], changes["gpu_share"] = divmod(value, WHOLE)
        elif field == "dependency":
            term = value if setting.option == field else f"{setting.option}:{value}"
            changes[field] = f"{changes[field]},{term}" if field in changes else term
        else:
            changes[field] = value
    return changes


def changes_from(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same of options by their names, as documents have them; None takes one away. Raises
    `Wrong` for what cannot be changed, and for nothing."""
    for name in options:
        row = by_key(name)
        if row is None or row.name not in FIELDS:
            near = nearest(name, FIELDS)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(sorted(FIELDS))}"
            raise Wrong(f"{quote(name)} cannot be changed", hint)
    if not options:
        raise Wrong("nothing to change", 'name at least one option: {"time_limit": "2h"}')
    said = {name: "none" if value is None else value for name, value in options.items()}
    return changes_of(from_keywords(**said))


def _offset(unix: float) -> float:
    return float(time.localtime(unix).tm_gmtoff)
