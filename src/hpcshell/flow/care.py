"""What is done about points that fail: when to stop, what to try again, and with how much more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.units import count, duration, size
from hpcshell.core.words import nearest, quote
from hpcshell.flow.spec import Care

_ALIASES: Final = {"mem": "memory", "time": "time_limit"}
_MIB: Final = 1 << 20
CAUSES: Final = {
    "OUT_OF_MEMORY": "oom",
    "TIMEOUT": "timeout",
    "FAILED": "fail",
    "NODE_FAIL": "lost",
}
"""The state of a point that ended badly, and what a retry of a job calls that."""


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


def causes(words: Iterable[str]) -> tuple[str, ...]:
    """What is tried again, said as states or as causes, as `hpcshell.submit` takes it: `oom`,
    `exit:75`. Raises `Wrong` for another word."""
    return tuple(dict.fromkeys(_cause(each) for word in words for each in word.split(",")))


def _cause(word: str) -> str:
    said = word.strip()
    if (state := said.upper()) in CAUSES:
        return CAUSES[state]
    if said.lower() in CAUSES.values():
        return said.lower()
    code = said.lower().removeprefix("exit:")
    if code.isascii() and code.isdigit() and len(code) <= 3 and 1 <= int(code) <= 255:
        return f"exit:{int(code)}"
    near = nearest(said.upper(), CAUSES) or nearest(said.lower(), CAUSES.values())
    known = f"write {', '.join(CAUSES)}, or an exit code as exit:75"
    raise Wrong(
        f"{quote(word)} is no end of a point that is tried again",
        f"did you mean {near}?" if near else known,
    )


def tried_again(care: Care, state: str, attempt: int, exit_code: int | None = None) -> bool:
    """Whether a point that ended so is run once more; `attempt` counts from 0."""
    if state in ("COMPLETED", "CANCELLED") or attempt >= care.retries:
        return False
    ends = (CAUSES.get(state, ""), f"exit:{exit_code}")
    return not care.retry_on or any(end in causes(care.retry_on) for end in ends)


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
