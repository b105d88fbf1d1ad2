"""Readers: from the text of one option to its value. `READERS[kind](text, origin, place)`.

Every reader raises `Wrong` with one line that begins with `origin` (the flag, or file and line),
and a hint. What a value may depend on, the clock and the caller's directory and environment, is
`Place`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hpcshell.core import dependencies, ids, units
from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.instants import instant
from hpcshell.core.models import LARGEST_BATCH, LONGEST_CONTEXT, check_dtype, check_mode
from hpcshell.core.options import resources
from hpcshell.core.options.place import Place as Place
from hpcshell.core.options.place import Reader
from hpcshell.core.options.row import Setting
from hpcshell.core.options.table import BY_NAME
from hpcshell.core.patterns import check_pattern
from hpcshell.core.records import Gang, WarnSignal
from hpcshell.core.staging import check_result, check_staged
from hpcshell.core.words import check_name, nearest, one_line, quote, warn_signal

LEVELS: Final = {"critical": 1000, "high": 750, "normal": 500, "low": 250}
"""The named priorities."""
MOST_PRIORITY: Final = 1000
CAUSES: Final = ("fail", "timeout", "oom", "lost")
MOST_MEMBERS: Final = 1000
"""Jobs of one gang."""
NOTICES: Final = ("begin", "end", "fail", "requeue", "time_limit")
GROWS: Final = {
    "mem": "memory",
    "memory": "memory",
    "cpus": "cpus",
    "gpus": "gpus",
    "time": "time_limit",
    "time_limit": "time_limit",
}
"""What can grow at a retry, and the field of the request it is."""

_YES: Final = frozenset({"yes", "y", "true", "on", "1"})
_NO: Final = frozenset({"no", "n", "false", "off", "0"})
_VARIABLE: Final = r"\A[A-Za-z_][A-Za-z0-9_]*\Z"
_MODULE: Final = r"(?a)\A\w[\w./+@:=~-]{0,127}\Z"
_SHARED_SOMEHOW: Final = ("user", "mcs", "topo")
"""What a cluster may mean by exclusive, beyond yes."""


# -------------------------------------------------------------------------------------- numbers


def _count(text: str, origin: str, place: Place) -> int:
    return units.count(text, origin)


def _context(text: str, origin: str, place: Place) -> int:
    return units.count(text, origin, most=LONGEST_CONTEXT)


def _batch(text: str, origin: str, place: Place) -> int:
    return units.count(text, origin, most=LARGEST_BATCH)


def _count0(text: str, origin: str, place: Place) -> int:
    return units.count(text, origin, least=0)


def _memory(text: str, origin: str, place: Place) -> int:
    return units.size(text, origin)


def _limit(text: str, origin: str, place: Place) -> float | None:
    return units.time_limit(text, origin)


def _duration(text: str, origin: str, place: Place) -> float:
    return units.duration(text, origin)


def _duration0(text: str, origin: str, place: Place) -> float:
    return units.duration(text, origin, zero=True)


def _factor(text: str, origin: str, place: Place) -> float:
    return units.factor(text, origin, least=1.0, most=1000.0)


def _jitter(text: str, origin: str, place: Place) -> float:
    return units.factor(text, origin, most=1.0)


def _instant(text: str, origin: str, place: Place) -> float:
    if text.strip()[:1] == "-":  # fit to look back with, as in `hpc history --since -1h`
        raise Wrong(f"{origin}: {quote(text)} has passed", "write now+1h, 18:30 or tomorrow")
    return instant(text, place.now, place.offset, origin)


def _signal(text: str, origin: str, place: Place) -> WarnSignal:
    return warn_signal(text, origin)


def _priority(text: str, origin: str, place: Place) -> int:
    word = text.strip().lower()
    if word in LEVELS:
        return LEVELS[word]
    try:
        return units.count(word, origin, least=0, most=MOST_PRIORITY)
    except Wrong as error:
        raise Wrong(error.message, "write 0 to 1000, or low, normal, high, critical") from None


def _nice(text: str, origin: str, place: Place) -> int:
    return units.count(text, origin, least=-MOST_PRIORITY, most=MOST_PRIORITY)


def _umask(text: str, origin: str, place: Place) -> int:
    if not re.match(r"\A[0-7]{1,4}\Z", text) or int(text, 8) > 0o777:
        raise Wrong(
            f"{origin}: {quote(text)} is no file mode mask", "write octal digits such as 027"
        )
    return int(text, 8)


# ---------------------------------------------------------------------------------------- words


def _name(text: str, origin: str, place: Place) -> str:
    return check_name(text, origin)


def _line(text: str, origin: str, place: Place) -> str:
    return one_line(text, origin)


def _word(text: str, origin: str, place: Place) -> str:
    if any(letter.isspace() for letter in text):
        raise Wrong(f"{origin}: {quote(text)} is not one word", "write it without blanks")
    return check_name(text, origin)


def _switch(text: str, origin: str, place: Place) -> bool:
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise Wrong(f"{origin}: {quote(text)} is neither yes nor no", "write yes or no")
    return word in _YES


def _exclusive(text: str, origin: str, place: Place) -> bool | str:
    """Yes or no; for a cluster also with whom a node may be shared, which here means yes."""
    word = text.strip().lower()
    if word in _SHARED_SOMEHOW:
        return word if place.site else True
    return _switch(text, origin, place)


def _session(text: str, origin: str, place: Place) -> str:
    """A program that shows sessions, `any` of them, or none."""
    word = text.strip().lower()
    if word in ("screen", "tmux", "any"):
        return word
    if word and word not in _YES | _NO:
        raise Wrong(
            f"{origin}: {quote(text)} shows no sessions", "write --screen=screen or --screen=tmux"
        )
    return "" if word in _NO else "any"


def _modules(text: str, origin: str, place: Place) -> list[str]:
    """One or several, as after `module load`."""
    found = text.replace(",", " ").split()
    for name in found or [text]:
        if not re.match(_MODULE, name):
            raise Wrong(f"{origin}: {quote(name)} is no name of a module", "write gcc/12.2")
    return found


def _activated(text: str, origin: str, place: Place) -> str:
    """A name or a path, and no option."""
    if not text.strip() or text.lstrip().startswith("-"):
        raise Wrong(f"{origin}: {quote(text)} names no environment", "write its name or its path")
    return one_line(text, origin)


def _native(text: str, origin: str, place: Place) -> tuple[str, ...]:
    """Split as a shell would."""
    from hpcshell.core.options.parse import words

    return tuple(words(one_line(text, origin, 1 << 16), origin))


def _model(text: str, origin: str, place: Place) -> str:
    return check_name(text.strip(), origin)  # whether there is one is known where it is sized


def _mode(text: str, origin: str, place: Place) -> str:
    return check_mode(text, origin)


def _dtype(text: str, origin: str, place: Place) -> str:
    return check_dtype(text, origin)


def _choice(text: str, origin: str, place: Place) -> str:
    return text.strip().lower()  # `build` knows the row, and with it what may be chosen


def _on_never(text: str, origin: str, place: Place) -> str:
    """`end` and `hold`; yes and no are Slurm's answers to --kill-on-invalid-dep."""
    word = text.strip().lower()
    if word in ("end", "hold"):
        return word
    try:
        return "end" if _switch(word, origin, place) else "hold"
    except Wrong:
        raise Wrong(
            f"{origin}: {quote(text)} is neither end nor hold", "write end or hold"
        ) from None


def _pattern(text: str, origin: str, place: Place) -> str:
    return check_pattern(text, origin)


def _directory(text: str, origin: str, place: Place) -> str:
    """Absolute, without looking whether it is there."""
    path = one_line(text, origin)
    if not path.strip():
        raise Wrong(f"{origin}: an empty path names no directory", "write . for the one you are in")
    if place.home and (path == "~" or path.startswith("~/")):
        return place.home + path[1:]
    return path if path.startswith("/") else f"{place.cwd.rstrip('/')}/{path}"


def _staged(text: str, origin: str, place: Place) -> str:
    return check_staged(text, origin)


def _result(text: str, origin: str, place: Place) -> str:
    return check_result(text, origin)


# ---------------------------------------------------------------------------------------- lists


def pairs(text: str, origin: str, example: str) -> list[tuple[str, str]]:
    """`a=1,b:2` as pairs; `example` is for the hint."""
    found = []
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            name, equals, value = part.strip().partition(":")
        if not equals or not name or not value:
            raise Wrong(f"{origin}: {quote(part)} is no pair", f"write {example}")
        found.append((name, value))
    return found


def _causes(text: str, origin: str, place: Place) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for part in text.lower().replace(" ", "").split(","):
        code = part.removeprefix("exit:")
        if part in CAUSES:
            found[part] = None
        elif code.isascii() and code.isdigit() and len(code) <= 3 and 1 <= int(code) <= 255:
            found[f"exit:{int(code)}"] = None
        else:
            near = nearest(part, CAUSES)
            raise Wrong(
                f"{origin}: {quote(part)} is no cause to try again",
                f"did you mean {near}?"
                if near
                else "write fail, timeout, oom, lost, or an exit code",
            )
    return tuple(found)


def _grown(text: str, origin: str, example: str) -> list[tuple[str, str, str]]:
    found = []
    for name, value in pairs(text, origin, example):
        if name.lower() not in GROWS:
            raise Wrong(f"{origin}: {quote(name)} cannot grow", "what can: mem, cpus, gpus, time")
        found.append((GROWS[name.lower()], value, f"{origin} {name.lower()}"))
    return found


def _growth(text: str, origin: str, place: Place) -> dict[str, float]:
    return {
        field: units.factor(value, where, least=1.0, most=100.0)
        for field, value, where in _grown(text, origin, "mem=1.5")
    }


def _caps(text: str, origin: str, place: Place) -> dict[str, float]:
    found: dict[str, float] = {}
    for field, value, where in _grown(text, origin, "mem=64G"):
        if field == "memory":
            found[field] = float(units.size(value, where))
        elif field == "time_limit":
            found[field] = units.duration(value, where)
        else:
            found[field] = float(units.count(value, where))
    return found


# ------------------------------------------------------------------------- arrays, dependencies


def _array(text: str, origin: str, place: Place) -> str:
    """The indices in their shortest form, with the throttle they came with."""
    spec, percent, most = text.strip().strip("[]").partition("%")
    if percent:
        units.count(most, f"{origin}: what may run at once (after the %)")
    try:
        indices = str(IndexSet.parse(spec))
    except Wrong as error:
        raise Wrong(f"{origin}: {error.message}", error.hint) from None
    return f"{indices}%{int(most)}" if percent else indices


def _dependency(text: str, origin: str, place: Place) -> str:
    return dependencies.format_expression(dependencies.parse(text, origin))


def _parents(text: str, origin: str, place: Place) -> str:
    """Parents alone, as `afterok` and its like join them: `12:13_2`."""
    words = [part for piece in ids.split(text) for part in ids.split(piece, ":")]
    if not all(word.strip() for word in words):
        raise Wrong(f"{origin}: {quote(text)} names no job to wait for", "write an id such as 12")
    return ":".join(word.strip() for word in words)


# -------------------------------------------------------------------------- environment, notices


def _export(text: str, origin: str, place: Place) -> tuple[bool, dict[str, str | None]]:
    """Whether the whole environment goes along, and single variables (None: as they are here)."""
    whole, named = False, dict[str, str | None]()
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if name.upper() in ("ALL", "NONE", "NIL") and not equals:
            whole = name.upper() == "ALL"
        elif part.strip():
            known = variable_name(name.strip(), origin)
            named[known] = _value(value, origin) if equals else None
    return whole, named


def _variable(text: str, origin: str, place: Place) -> dict[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Wrong(f"{origin}: {quote(text)} sets no variable", "write NAME=VALUE")
    return {variable_name(name, origin): _value(value, origin)}


def _value(value: str, origin: str) -> str:
    if "\0" in value:
        raise Wrong(f"{origin}: {quote(value)} holds a NUL byte", "no variable can: leave it out")
    return value


def variable_name(name: str, origin: str) -> str:
    """The name itself, if a shell could set it."""
    if not re.match(_VARIABLE, name):
        raise Wrong(
            f"{origin}: {quote(name)} cannot be the name of a variable",
            "use letters, digits and _, and no digit in front",
        )
    return name


def _address(text: str, origin: str, place: Place) -> str:
    from hpcshell.core.addresses import check_mail

    return check_mail(text, origin)


def _notices(text: str, origin: str, place: Place) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for part in text.lower().replace("-", "_").replace(" ", "").split(","):
        if part == "all":
            found.update(dict.fromkeys(NOTICES))
        elif part.startswith("time_limit"):
            found["time_limit"] = None
        elif part in NOTICES or part == "array_tasks":
            found[part] = None
        elif part not in ("none", "invalid_depend", "stage_out"):
            near = nearest(part, NOTICES)
            raise Wrong(
                f"{origin}: {quote(part)} is no event that is told",
                f"did you mean {near}?" if near else f"write {', '.join(NOTICES)}, all or none",
            )
    return tuple(found)


def _url(text: str, origin: str, place: Place) -> str:
    from hpcshell.core.addresses import check_webhook

    return check_webhook(text, origin)


def _gang(text: str, origin: str, place: Place) -> Gang:
    name, colon, size = text.rpartition(":")
    if not colon or not name or not size.isdecimal() or not 1 <= int(size) <= MOST_MEMBERS:
        raise Wrong(
            f"{origin}: {quote(text)} is no gang",
            f"write NAME:SIZE, with the number of its jobs, 1 to {MOST_MEMBERS}: --gang coupled:2",
        )
    return Gang(name=check_name(name, origin), size=int(size))


READERS: Final[dict[str, Reader]] = {
    "activated": _activated,
    "address": _address,
    "array": _array,
    "batch": _batch,
    "caps": _caps,
    "causes": _causes,
    "choice": _choice,
    "context": _context,
    "count": _count,
    "count0": _count0,
    "dependency": _dependency,
    "directory": _directory,
    "dtype": _dtype,
    "duration": _duration,
    "duration0": _duration0,
    "exclusive": _exclusive,
    "export": _export,
    "factor": _factor,
    "gang": _gang,
    "gpus": resources.gpus,
    "cards": resources.cards,
    "gres": resources.gres,
    "growth": _growth,
    "instant": _instant,
    "jitter": _jitter,
    "limit": _limit,
    "line": _line,
    "memory": _memory,
    "mode": _mode,
    "model": _model,
    "modules": _modules,
    "name": _name,
    "native": _native,
    "nice": _nice,
    "nodes": resources.nodes,
    "notices": _notices,
    "on_never": _on_never,
    "parents": _parents,
    "pattern": _pattern,
    "priority": _priority,
    "resource": resources.resource,
    "result": _result,
    "session": _session,
    "signal": _signal,
    "staged": _staged,
    "switch": _switch,
    "umask": _umask,
    "url": _url,
    "variable": _variable,
    "word": _word,
}
"""By the `kind` of a row."""


def read_setting(setting: Setting, place: Place) -> Any:
    """The value of one setting, by the reader of its row."""
    option = BY_NAME[setting.option]
    value = READERS[option.kind](setting.text, setting.origin, place)
    if option.choices and value not in option.choices:
        near = nearest(str(value), option.choices)
        raise Wrong(
            f"{setting.origin}: {quote(setting.text)} is not a choice",
            f"did you mean {near}?" if near else f"write one of {', '.join(option.choices)}",
        )
    return value
