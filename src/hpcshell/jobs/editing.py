"""From options of a job to the fields of it that are to be changed."""

from __future__ import annotations

import time
from typing import Any, Final

from hpcshell.core.options.table import Setting
from hpcshell.core.records import WHOLE

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


def _offset(unix: float) -> float:
    return float(time.localtime(unix).tm_gmtoff)
