"""#BSUB: the words of LSF."""

from __future__ import annotations

import re
from typing import Final

from hpcshell.core import units
from hpcshell.core.errors import Wrong
from hpcshell.core.ids import split
from hpcshell.core.options.row import Syntax
from hpcshell.core.words import quote, safe

Pairs = list[tuple[str, str]]

_NAME: Final = r"\A(?P<name>[^\[\]]*)(?:\[(?P<indices>[^\]]*)\](?:%(?P<most>[0-9]+))?)?\Z"
_SECTION: Final = r"([a-z]+)\[([^\]]*)\]"
_CONDITION: Final = r"\A(?:(?P<word>[a-z_]+)\()?(?P<job>\"[^\"]*\"|[^()\"]+?)(?P<close>\))?\Z"
_KINDS: Final = {
    "done": "afterok",
    "exit": "afternotok",
    "ended": "afterany",
    "started": "after",
    "": "afterok",
}
_ELEMENT: Final = r"\A(?P<job>.+)\[(?P<index>\*|[0-9,:-]+)\]\Z"
_INTERACTIVE: Final = "interactive jobs are not submitted; use: hpc run -- COMMAND"


def _name(text: str, origin: str) -> Pairs:
    """`-J name`, `-J "name[1-10:2]%3"`."""
    found = re.match(_NAME, text.strip())
    if found is None:
        raise Wrong(f"{origin}: {quote(text)} is no name", 'write name or "name[1-10]%2"')
    pairs: Pairs = [("name", found["name"])] if found["name"] else []
    if found["indices"] is not None:
        most = f"%{found['most']}" if found["most"] else ""
        pairs.append(("array", found["indices"] + most))
    return pairs


def _slots(text: str, origin: str) -> Pairs:
    least, comma, _ = text.partition(",")
    note = [("", f"{safe(text[:60])} is taken as {safe(least[:60])}")] if comma else []
    return [("cpus", least), *note]


def _limit(text: str, origin: str) -> Pairs:
    """`[hours:]minutes[/host]`; there are no seconds."""
    words = text.strip().partition("/")[0].split(":")
    if len(words) > 2:
        raise Wrong(f"{origin}: {quote(text)} is no run limit", "write [HOURS:]MINUTES")
    hours = units.count(words[0], origin, least=0) if len(words) == 2 else 0
    minutes = units.count(words[-1], origin, least=0)
    return [("time_limit", f"{hours * 60 + minutes}m")]


def _memory_limit(text: str, origin: str) -> Pairs:
    return [("memory_limit", f"{units.size(text.rstrip('!'), origin, bare=units.KIB)}B")]


def _gpu(text: str, origin: str) -> Pairs:
    """`num=2:mode=exclusive_process`: the number counts, the rest cannot be promised."""
    number, notes = "1", []
    for word in text.split(":") if text.strip() not in ("-", "") else []:
        name, _, value = word.strip().partition("=")
        if name == "num":
            number = value.partition("/")[0]
        else:
            notes.append(("", f"{safe(word[:60])} is ignored (GPUs are counted, not chosen)"))
    return [("gpus", number), *notes]


def _requirement(text: str, origin: str) -> Pairs:
    """`rusage[mem=4G:ngpus_physical=1] span[hosts=1] select[...]`."""
    found: Pairs = []
    for section, inside in re.findall(_SECTION, text):
        if section == "rusage":
            for word in re.split(r"[:,]", inside):
                found += _use(word.strip(), origin)
        elif section != "span":
            found.append(("", f"{section}[...] is ignored (there is one machine)"))
    if not found and not re.search(_SECTION, text):
        found.append(("", f"{safe(text[:60])} is ignored (there is one machine)"))
    return found


def _use(word: str, origin: str) -> Pairs:
    name, _, value = word.partition("=")
    amount, _, per = value.partition("/")
    if name == "mem":
        number = units.size(amount, f"{origin} mem")
        return [("memory_per_cpu" if per == "task" else "memory", f"{number}B")]
    if name in ("ngpus_physical", "ngpus", "ngpus_excl_p", "ngpus_shared"):
        return [("gpus", amount)]
    if amount.isascii() and amount.isdigit() and name not in ("swp", "tmp", "duration", "decay"):
        return [("resource", f"{name}={amount}")]
    return [("", f"{safe(word[:60])} is ignored (there is one machine)")]


def _wait(text: str, origin: str) -> Pairs:
    """`done(1) && ended("prep")`, or with || throughout; no parentheses around, no negation."""
    if "!" in text:
        raise Wrong(f"{origin}: {quote(text)} negates a condition", "exit(ID) is a failed parent")
    if "&&" in text and "||" in text:
        raise Wrong(f"{origin}: {quote(text)} mixes && and ||", "use one of the two")
    separator = "?" if "||" in text else ","
    terms = [_condition(part.strip(), text, origin) for part in re.split(r"&&|\|\|", text)]
    return [("dependency", separator.join(terms))]


def _condition(part: str, text: str, origin: str) -> str:
    found = re.match(_CONDITION, part)
    kind = _KINDS.get(found["word"] or "") if found else None
    if found is None or kind is None or bool(found["word"]) != bool(found["close"]):
        raise Wrong(
            f"{origin}: {quote(part)} is no condition that is kept here",
            "write done(ID), exit(ID), ended(ID) or started(ID)",
        )
    job = found["job"].strip().strip('"')
    if len(split(job)) > 1:
        raise Wrong(f"{origin}: {quote(part)} asks for an exit code", "write exit(ID)")
    element = re.match(_ELEMENT, job)
    if element is None:
        return f"{kind}:{job}"
    if element["index"] == "*":
        return f"aftercorr:{element['job']}"
    return f"{kind}:{element['job']}[{element['index']}]"


def _priority(text: str, origin: str) -> Pairs:
    """1 to 100 around 50, on our scale around 500."""
    return [("priority", str(10 * units.count(text, origin, most=100)))]


def when(text: str, origin: str) -> str:
    """`[[[year:]month:]day:]hour:minute` in our words."""
    words = text.strip().split(":")
    if not 2 <= len(words) <= 5 or not all(word.isascii() and word.isdigit() for word in words):
        raise Wrong(f"{origin}: {quote(text)} is no point in time", "write [month:day:]hour:minute")
    clock = f"{words[-2]}:{words[-1]}"
    if len(words) == 2:
        return clock
    if len(words) == 3:
        raise Wrong(f"{origin}: {quote(text)} names a day without its month", "write MM:DD:hh:mm")
    if len(words) == 4:
        return f"{words[0]}/{words[1]}-{clock}"
    return f"{words[0]}-{words[1]}-{words[2]}T{clock}"


def _begin(text: str, origin: str) -> Pairs:
    return [("begin", when(text, origin))]


def _deadline(text: str, origin: str) -> Pairs:
    return [("deadline", when(text, origin))]


def _pattern(text: str) -> str:
    return text.replace("%J", "%A").replace("%I", "%a")


def _output(text: str, origin: str) -> Pairs:
    return [("output", _pattern(text)), ("open_mode", "append")]


def _output_anew(text: str, origin: str) -> Pairs:
    return [("output", _pattern(text)), ("open_mode", "truncate")]


def _error(text: str, origin: str) -> Pairs:
    return [("error", _pattern(text))]


def _environment(text: str, origin: str) -> Pairs:
    """`none`, `all, A=1`, `A, B=2`."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    notes = [("", f"{safe(part[:60])} stays as it is") for part in parts if part.startswith("~")]
    kept = [part for part in parts if not part.startswith("~")]
    return [("export", ",".join(kept) or "NONE"), *notes]


def _told(event: str) -> Pairs:
    return [("notify_on", event)]


def _told_of_begin(text: str, origin: str) -> Pairs:
    return _told("begin,end,fail")


def _told_of_end(text: str, origin: str) -> Pairs:
    return _told("end,fail")


def _orphan(text: str, origin: str) -> Pairs:
    return [("on_never", "end")]


def _directory(text: str, origin: str) -> Pairs:
    return [("chdir", text)] if text else []


_LEFT: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(
        (
            "-m",
            "-a",
            "-R!",
            "-network",
            "-hostfile",
            "-g",
            "-G",
            "-app",
            "-Lp",
            "-sla",
            "-ul",
        ),
        ("one", "there is one machine"),
    ),
    **dict.fromkeys(
        ("-E", "-Ep", "-eptl", "-ptl", "-We", "-wt", "-wa", "-Q", "-s", "-jsdl", "-clusters"),
        ("one", "it has no meaning here"),
    ),
    **dict.fromkeys(
        ("-C", "-F", "-S", "-D", "-v", "-p", "-T", "-c", "-hl"), ("one", "not limited")
    ),
    "-L": ("one", "the script's first line names its interpreter"),
    "-k": ("one", "there are no checkpoints"),
    "-K": ("none", "wait with: hpc wait"),
    "-Zs": ("none", "scripts are copied anyway"),
    "-outdir": ("one", "use -o with a directory"),
    "-notify": ("one", "use --notify-on"),
}

LSF: Final = Syntax(
    convert={
        "-J": _name,
        "cpus": _slots,
        "time_limit": _limit,
        "memory_limit": _memory_limit,
        "-gpu": _gpu,
        "-R": _requirement,
        "dependency": _wait,
        "priority": _priority,
        "begin": _begin,
        "deadline": _deadline,
        "-o": _output,
        "-oo": _output_anew,
        "-e": _error,
        "-eo": _error,
        "export": _environment,
        "-B": _told_of_begin,
        "-N": _told_of_end,
        "-ti": _orphan,
        "chdir": _directory,
    },
    arity={"-B": "none", "-N": "none", "-ti": "none", "-cwd": "maybe"},
    left=_LEFT,
    refused=dict.fromkeys(("-I", "-Ip", "-Is", "-IS", "-ISp", "-ISs", "-IX"), _INTERACTIVE),
    long=False,
)
