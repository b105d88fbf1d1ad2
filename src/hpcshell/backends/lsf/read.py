"""What LSF answers to a probe, to bsub, and to a change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from hpcshell.backends.contract import Answer, Change, Partition, Site, Trouble
from hpcshell.backends.lsf.documents import Queue, Queues, decoded
from hpcshell.backends.lsf.jobs import limit
from hpcshell.backends.lsf.script import SHIFT
from hpcshell.backends.lsf.troubles import PARENT_HINT, sentence, trouble

_SUBMITTED: Final = re.compile(r"(?am)^Job <([1-9]\d{0,14})> is submitted to ")
_VERSION: Final = re.compile(r"(?am)^(.{0,60}\bLSF\b[^\d\n]{0,30})(\d{1,4}\.\d{1,4}(?:\.\d{1,4})*)")
_CLUSTER: Final = re.compile(r"(?m)^My cluster name is (.*?)\s*$")
_PARAMETER: Final = re.compile(r"(?m)^\s*([A-Z_]+)\s*=\s*(\S.*?)\s*$")
_CHANGED: Final = re.compile(r"(?am)^(?:Parameters of job|Job) <(\d{1,15}(?:\[\d{1,9}\])?)>(.*)$")
_GOOD: Final = re.compile(r" (?:(?:is|are) being|is switched|has been) ")
_OLDEST: Final = [10, 1]
_DEFAULT_ARRAY: Final = 1000


def probe(answer: Answer, site: Site) -> Site | Trouble:
    """The version that lsid tells; 10.1 is the least, for its JSON and its units."""
    found = _VERSION.search(answer.out)
    cluster = _CLUSTER.search(answer.out)
    if answer.code != 0 or found is None or cluster is None:
        return trouble(answer, site)
    if [int(part) for part in found[2].split(".")[:2]] < _OLDEST:
        return Trouble(
            kind="wrong",
            message=f"LSF {found[2]} is older than 10.1",
            hint="its bjobs has no JSON: LSF 10.1.0.2 or later is needed",
        )
    return msgspec.structs.replace(
        site, version=found[2], flavour=found[1].strip(), identity=cluster[1]
    )


def submitted(answer: Answer, site: Site) -> str | Trouble:
    """Lines of a site's own may come before LSF's, and a refusal may exit with 0. Nothing at all,
    which is seen at sites, tells neither."""
    found = _SUBMITTED.findall(f"{answer.out}\n{answer.err}")
    if len(found) == 1:
        return str(found[0])
    why = trouble(answer, site)
    if why.kind == "gone":
        return Trouble(kind="wrong", message=why.message, hint=PARENT_HINT)
    if not answer.said and not answer.missing:
        return Trouble(kind="busy", message=why.message)
    return why


def site(answers: Sequence[Answer], known: Site) -> Site:
    """Without a word of the site's own, an array has at most 1,000 elements."""
    queues, parameters = (*answers, Answer(code=None), Answer(code=None))[:2]
    told = dict(_PARAMETER.findall(parameters.out))
    most = told.get("MAX_JOB_ARRAY_SIZE", "")
    usable = most.isascii() and most.isdigit() and len(most) < 10
    largest = max(int(most) if usable else _DEFAULT_ARRAY, 2) - SHIFT
    default = told.get("DEFAULT_QUEUE", "").split()[:1]
    found = decoded(queues, Queues, "bqueues")
    return msgspec.structs.replace(
        known,
        partitions=tuple(_partition(queue, default) for queue in found.records) if found else (),
        most_elements=largest,
        highest_index=largest,
    )


def _partition(queue: Queue, default: list[str]) -> Partition:
    return Partition(
        name=queue.queue_name,
        default=queue.queue_name in default,
        up=queue.status.startswith("Open"),
        max_time=limit(queue.max_runlimit),
        default_time=limit(queue.default_runlimit),
    )


def change(ids: Sequence[str], answers: Sequence[Answer], site: Site) -> Change:
    """`Job <11> is being terminated` is good, `Job <22>: No matching job found` is not. What is
    not mentioned went well only if the exit code of every command says so."""
    done: set[str] = set()
    troubles: dict[str, Trouble] = {}
    for answer in answers:
        for native, said in _CHANGED.findall(answer.said):
            if _GOOD.match(said):
                done.add(native)
            else:
                troubles[native] = sentence(said.lstrip(": "), site)
    failed = next((answer for answer in answers if answer.code != 0), None)
    for native in ids:
        if failed is not None and native not in done:
            troubles.setdefault(native, trouble(failed, site))
    return Change(troubles={native: why for native, why in troubles.items() if native in ids})
