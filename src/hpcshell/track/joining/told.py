"""What the documents of jobs tell, those of our daemon and those of clusters alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from hpcshell.track.joining.facts import OVER, STATES, UNKNOWN, JobFacts

TAG: Final = "experiment="
"""What a job's tag begins with that names the experiment of its run."""
_SAME: Final = ("reason", "exit_code", "signal", "start_time", "end_time")
_ASKED: Final = ("submit_time", "cpus", "memory", "gpus", "time_limit")
"""Fields that are 0 where nobody knows, or nothing was asked for."""
_TEXTS: Final = ("name", "user", "partition", "account")


def facts_of(view: Mapping[str, Any], now: float) -> JobFacts:
    """What a document tells that was asked for at `now`."""
    state = view["state"] if view["state"] in STATES else UNKNOWN
    if state == UNKNOWN:
        doubt = {"unknown_since": view.get("unknown_since")}
        return msgspec.convert(doubt | _texts(view), JobFacts)
    usage = view.get("usage") or {}
    time = view["end_time"] or now if state in OVER else now
    told: dict[str, Any] = {
        "attempt": _attempt(view, state),
        "state": state,
        "time": time,
        "nodes": view["nodes"] or (),
        "cpu_time": usage.get("cpu_time"),
        "max_rss": usage.get("max_rss"),
    }
    told |= {name: view[name] for name in _SAME}
    told |= {name: view[name] or None for name in _ASKED}
    return msgspec.convert(told | _texts(view), JobFacts)


def is_whole_array(view: Mapping[str, Any]) -> bool:
    """Whether a document is about several elements together, which have no row as such."""
    return view["element"] is None and bool(view["elements"] or view["array"])


def experiment_of(view: Mapping[str, Any], otherwise: str) -> str:
    """The experiment that a tag of the job names."""
    named = (tag.removeprefix(TAG) for tag in view["tags"] or () if tag.startswith(TAG))
    return next((name for name in named if name.strip()), otherwise)


def _attempt(view: Mapping[str, Any], state: str) -> int | None:
    """Documents count the attempts that have begun: what waits is to be the next one."""
    attempt: int | None = view["attempt"]
    if attempt is None:
        return None
    return attempt + 1 if state == "PENDING" else max(1, attempt)


def _texts(view: Mapping[str, Any]) -> dict[str, str]:
    return {name: view[name] or "" for name in _TEXTS}
