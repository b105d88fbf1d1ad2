"""What is done about points that fail: when to stop, what to try again, and with how much more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hpcshell.core.units import count, duration, size
from hpcshell.flow.spec import Care

_ALIASES: Final = {"mem": "memory", "time": "time_limit"}
_MIB: Final = 1 << 20


def verdict(care: Care, failures: int, errors: Iterable[str]) -> str:
    """Why nothing more is to be started; "" while all is well. `errors`: of each failed point the
    last frame, or what else tells one error from another."""
    if care.max_failures is not None and failures >= care.max_failures:
        return f"{failures} points have failed (max_failures: {care.max_failures})"
    if care.same_error is not None:
        alike = Counter(error for error in errors if error).most_common(1)
        if alike and alike[0][1] >= care.same_error:
            error, count = alike[0]
            return f"{count} points have failed alike (same_error: {care.same_error}): {error}"
    return ""


def tried_again(care: Care, state: str, attempt: int) -> bool:
    """Whether a point that ended so is run once more; `attempt` counts from 0."""
    if state in ("COMPLETED", "CANCELLED") or attempt >= care.retries:
        return False
    return not care.retry_on or state in care.retry_on


def grown(options: Mapping[str, Any], care: Care, attempt: int) -> dict[str, Any]:
    """What is asked for at a later attempt: each of `retry_grow` times as much as before, but not
    more than its cap. What was not asked for does not grow."""
    asked = {_ALIASES.get(name, name): value for name, value in options.items()}
    caps = {_ALIASES.get(name, name): value for name, value in care.retry_cap.items()}
    for word, factor in care.retry_grow.items():
        name = _ALIASES.get(word, word)
        if asked.get(name) is None:
            continue
        amount = _amount(name, asked[name]) * factor**attempt
        if name in caps:
            amount = min(amount, _amount(name, caps[name]))
        asked[name] = _said(name, amount)
    return asked


def _amount(name: str, value: Any) -> float:
    """Seconds, bytes or a count, of what `hpcshell.submit` takes: a bare number is of minutes, of
    MiB."""
    match name:
        case "time_limit":
            return float(duration(str(value)))
        case "memory":
            return float(size(str(value))) if isinstance(value, str) else float(value) * _MIB
        case _:
            return float(value) if isinstance(value, int | float) else float(count(str(value)))


def _said(name: str, amount: float) -> str | int:
    match name:
        case "time_limit":
            return f"{round(amount)}s"
        case "memory":
            return f"{-(-round(amount) // _MIB)}M"
        case _:
            return round(amount)
