"""From values to settings: the keywords of `hpcshell.submit`, and click's parameters.

    from_keywords(cpus=2, memory="4G", time_limit=timedelta(hours=1), array=range(10), tag=["a"])
    from_parameters({"cpus": "2", "hold": True, "tag": ("a", "b"), "requeue": None})

A plain number means what it means at the prompt: `memory=512` is MiB, `time_limit=30` is minutes. A
`timedelta` or `datetime` says what it says. None means not given. A job or a list of jobs may stand
where ids do; a table (`dict`) where `NAME=VALUE` pairs do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import MAX_ELEMENTS, IndexSet
from hpcshell.core.options.resources import check_models
from hpcshell.core.options.row import Option, Setting
from hpcshell.core.options.table import OPTIONS, by_key
from hpcshell.core.words import nearest, quote

_JOINED: Final = {"parents": ":", "dependency": ",", "array": ","}
"""What lists of these kinds are joined with."""


def from_keywords(**values: Any) -> list[Setting]:
    """Settings of Python keywords: rows' names, or long flags with underscores (`job_name`)."""
    found: list[Setting] = []
    for keyword, value in values.items():
        option = by_key(keyword)
        if option is None:
            near = nearest(keyword, [row.name for row in OPTIONS])
            hint = f"did you mean {near}=?" if near else "see: hpc submit --help"
            raise Wrong(f"{keyword}= is no option of a job", hint)
        found += _settings(option, value, f"{keyword}=")
    return found


def from_parameters(values: Mapping[str, Any]) -> list[Setting]:
    """Settings of click's parameters, named as rows; None, () and a plain False say nothing."""
    return [
        setting
        for option in OPTIONS
        if not (option.is_flag and values.get(option.name) is False and not option.off)
        for setting in _settings(option, values.get(option.name), option.flag)
    ]


def _settings(option: Option, value: Any, origin: str) -> list[Setting]:
    if value is None:
        return []
    if option.multiple and isinstance(value, Mapping):
        texts = [_pair(option, name, each, origin) for name, each in value.items()]
    elif option.multiple and isinstance(value, list | tuple | set | frozenset):
        texts = [_text(option, each, origin) for each in value]
    else:
        texts = [_text(option, value, origin)]
    return [Setting(option=option.name, text=text, origin=origin) for text in texts]


def _pair(option: Option, name: Any, value: Any, origin: str) -> str:
    if not isinstance(name, str) or "=" in name:
        raise Wrong(f"{origin}: {quote(str(name))} is no name", "names are text without =")
    return f"{name}={_text(option, value, origin)}"


def _text(option: Option, value: Any, origin: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():f}".rstrip("0").rstrip(".") + "s"
    if isinstance(value, datetime):
        at = f"@{value.timestamp():.6f}" if value.tzinfo else value.isoformat(timespec="seconds")
        return at
    if isinstance(value, int | float):
        return repr(value)
    if option.kind == "array" and isinstance(value, Iterable):
        return str(IndexSet.of(_indices(value, origin)))
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        texts = [_text(option, each, origin) for each in value]
        if option.kind == "gpus":
            check_models(texts, origin)
        return _JOINED.get(option.kind, ",").join(texts)
    if hasattr(value, "__fspath__"):
        return str(value.__fspath__())
    if isinstance(label := getattr(value, "label", None), str):
        return label
    raise Wrong(f"{origin}: {quote(repr(value))} is no value for it", "give text, as at the prompt")


def _indices(value: Iterable[Any], origin: str) -> list[int]:
    found = list(islice(value, MAX_ELEMENTS + 1))  # some never end
    if not found:
        raise Wrong(f"{origin}: an array has at least one index", "write range(10) or '0-9'")
    if len(found) > MAX_ELEMENTS:
        hint = "split it over several submissions"
        raise Wrong(f"{origin}: more than {MAX_ELEMENTS:,} elements", hint)
    if not all(isinstance(index, int) and index >= 0 for index in found):
        raise Wrong(f"{origin}: indices are whole numbers from 0 up", "write range(10) or '0-9'")
    if len(set(found)) < len(found):
        raise Wrong(f"{origin}: an index is named twice", "name every index once")
    return found
