"""#BSUB: the words of LSF.

What means more or less to LSF than it does in our words is also said to it as it stands.
"""

from __future__ import annotations

import re
from shlex import join
from typing import Final

from hpcshell.core import units
from hpcshell.core.errors import Wrong
from hpcshell.core.ids import split
from hpcshell.core.options.row import Pairs, Syntax
from hpcshell.core.words import quote, safe

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
_MODEL: Final = r"(?a)\A[A-Za-z][\w.-]*\Z"
_COUNTED: Final = "GPUs are counted, not chosen"
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
    """Slots are CPUs of one machine, and tasks where there are nodes; of a range, the least."""
    least, comma, _ = text.partition(",")
    found = [("cpus@here", least), ("tasks@cluster", least)]
    if not comma:
        return found
    note = ("@-lsf", f"{safe(text[:60])} is taken as {safe(least[:60])}")
    return [*found, note, ("tasks!lsf", join(["-n", text]))]


def _limit(text: str, origin: str) -> Pairs:
    """`[hours:]minutes[/host]`; there are no seconds."""
    words = text.strip().partition("/")[0].split(":")
    if len(words) > 2:
        raise Wrong(f"{origin}: {quote(text)} is no run limit", "write [HOURS:]MINUTES")
    hours = units.count(words[0], origin, least=0) if len(words) == 2 else 0
    minutes = units.count(words[-1], origin, least=0)
    return [("time_limit", f"{hours * 60 + minutes}m")]


def _memory_limit(text: str, origin: str) -> Pairs:
    size = units.size(text.rstrip("!"), origin, bare=units.KIB)
    return [("memory_limit", f"{size}B"), ("memory_limit!lsf", join(["-M", text]))]


def _gpu(text: str, origin: str) -> Pairs:
    """`num=2:gmodel=A100:mode=exclusive_process`: the number on each host; the rest cannot be
    promised here."""
    number, per, model, notes = "1", "", "", []
    plain = text.strip() not in ("-", "")
    for word in text.split(":") if plain else []:
        name, _, value = word.strip().partition("=")
        if name == "num":
            number, _, per = value.partition("/")
        elif name == "gmodel" and re.match(_MODEL, value):
            model = f"{value}:"
            notes.append(("@here", f"{safe(word[:60])} is ignored ({_COUNTED})"))
        else:
            notes.append(("@-lsf", f"{safe(word[:60])} is ignored ({_COUNTED})"))
            plain = False
    each = "gpus_per_task" if per == "task" else "gpus_per_node"
    exact = [] if plain else [(f"{each}!lsf", join(["-gpu", text]))]
    return [("gpus@here", number), (f"{each}@cluster", model + number), *notes, *exact]


def _requirement(text: str, origin: str) -> Pairs:
    """`rusage[mem=4G:ngpus_physical=1] span[hosts=1] select[...]`."""
    found: Pairs = []
    sections = re.findall(_SECTION, text)
    for section, inside in sections:
        if section == "rusage":
            for word in re.split(r"[:,]", inside):
                found += _use(word.strip(), origin)
        elif section == "span":
            found += _span(inside, origin)
        else:
            found.append(("@-lsf", f"{section}[...] is ignored (there is one machine)"))
            found.append(_exact(section, inside))
    if not sections:
        found.append(("@-lsf", f"{safe(text[:60])} is ignored (there is one machine)"))
        found.append(("native@lsf", join(["-R", text])))
    return found


def _exact(section: str, inside: str) -> tuple[str, str]:
    return ("native@lsf", join(["-R", f"{section}[{inside}]"]))


def _span(inside: str, origin: str) -> Pairs:
    name, _, value = inside.replace(" ", "").partition("=")
    if (name, value) == ("hosts", "1"):
        return [("nodes@cluster", "1")]
    if name == "ptile" and value.isascii() and value.isdigit():
        return [("tasks_per_node@cluster", value)]
    note = ("@cluster-lsf", f"span[{safe(inside[:60])}] is ignored (a word of LSF)")
    return [note, _exact("span", inside)]


_MEMORY: Final = {"task": "memory_per_cpu", "job": "memory_total"}
"""What memory counts for; else for each host."""


def _use(word: str, origin: str) -> Pairs:
    name, _, value = word.partition("=")
    amount, _, per = value.partition("/")
    if name == "mem":
        number = units.size(amount, f"{origin} mem")
        return [(_MEMORY.get(per, "memory"), f"{number}B")]
    if name in ("ngpus_physical", "ngpus", "ngpus_excl_p", "ngpus_shared"):
        return [("gpus_per_node", amount)]
    exact = _exact("rusage", word)
    if amount.isascii() and amount.isdigit() and name not in ("swp", "tmp", "duration", "decay"):
        return [("resource@-lsf", f"{name}={amount}"), exact]
    return [("@-lsf", f"{safe(word[:60])} is ignored (there is one machine)"), exact]


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
    number = units.count(text, origin, most=100)
    return [("priority", str(10 * number)), ("priority!lsf", join(["-sp", str(number)]))]


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
    steering=frozenset({"-K", "-Zs", "-L"}),
    refused=dict.fromkeys(("-I", "-Ip", "-Is", "-IS", "-ISp", "-ISs", "-IX"), _INTERACTIVE),
    long=False,
)
