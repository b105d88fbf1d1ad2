"""What every back end must keep, tried with text alone: for the tests of its author.

    assert check(MyBackend()) == []
    assert check(MyBackend(), sample=Sample(answers=(LISTING,), word="RUN")) == []

Each fault is a sentence. Nothing is run, and no scheduler is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from hpcshell.backends.contract import ENDED, LIVE, UNKNOWN, Answer, Backend, Order, Seen, Words
from hpcshell.core.errors import HpcError, Wrong
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.options.row import DIALECTS
from hpcshell.core.records import Record
from hpcshell.core.submission import Submission

OPTIONAL: Final = ("signal", "hold", "release", "requeue", "suspend", "resume", "edit")
"""The changes that a scheduler may have no words for; `lacks` says so then."""
GARBAGE: Final = (
    "Welcome to the cluster! Maintenance on Monday, all jobs will have COMPLETED by then.\n",
    "<!DOCTYPE html>\n<html><body><h1>503 Service Unavailable</h1></body></html>\n",
    '{"jobs": [{"job_id": 12, "state": "DONE"',
    "Verbindungsaufbau abgelehnt: Auftrag 12 beendet\n",
    "12 jobs\n",
    "\x00\x1b[2J\ufffd\ufffd",
)
"""What is heard instead of an answer: a banner, a web page, half of one, another language."""
NO_IDS: Final = ("", " ", "-1", "12\n13", "12;date", "$(date)", "a b")
HOSTILE: Final = ("a\n#!evil", "$(touch evil)", "`touch evil`", "it's", 'a"b', "-x", "a b", "{é%}")


class Sample(Record, frozen=True, kw_only=True):
    """A genuine answer to `queue`, and a state's word in it that means a job is alive."""

    answers: tuple[Answer, ...]
    word: str


def check(
    backend: Backend, ids: Sequence[str] = ("12",), sample: Sample | None = None
) -> list[str]:
    """What is wrong with it. `ids` are native ids of whole jobs, as its scheduler gives them."""
    faults = [*_names(backend), *_lacks(backend, ids), *_ids(backend, ids)]
    faults += [*_words(backend, ids), *_scripts(backend), *_garbage(backend, ids)]
    return faults + list(_sample(backend, sample) if sample else ())


def _names(backend: Backend) -> Iterator[str]:
    if not (backend.name.isascii() and backend.name.isidentifier() and backend.name.islower()):
        yield f"name: {backend.name!r} is no lower-case word"
    if not backend.title.strip():
        yield "title: it is empty"
    if backend.dialect not in DIALECTS:
        yield f"dialect: {backend.dialect!r} is none of {', '.join(DIALECTS)}"
    if not backend.programs:
        yield "programs: it names none"


def _lacks(backend: Backend, ids: Sequence[str]) -> Iterator[str]:
    for what, why in backend.lacks.items():
        if len(why.split()) < 3 or "\n" in why:
            yield f"lacks[{what!r}]: {why!r} is no sentence"
    for verb in OPTIONAL:
        if _said(backend, verb, ids) is None and verb not in backend.lacks:
            yield f"{verb}: it has no words for it, and lacks does not say so"


def _said(backend: Backend, verb: str, ids: Sequence[str]) -> Sequence[Words] | None:
    if verb == "signal":
        return backend.signal(ids, "USR1")
    if verb == "edit":
        return backend.edit(ids, {"time_limit": 3600.0})
    change: Callable[[Sequence[str]], Sequence[Words] | None] = getattr(backend, verb)
    return change(ids)


def _ids(backend: Backend, ids: Sequence[str]) -> Iterator[str]:
    for native in ids:
        number, none = backend.parse_id(native)
        if none is not None:
            yield f"parse_id: {native!r} is a whole job, not element {none}"
        for index in (0, 1, 7, 999) if "array" not in backend.lacks else ():
            element = backend.element_id(native, index)
            if backend.parse_id(element) != (number, index):
                yield f"parse_id: {element!r} is read as {backend.parse_id(element)!r}"
    for text in NO_IDS:
        if not _refused(lambda text=text: backend.parse_id(text)):  # type: ignore[misc]
            yield f"parse_id: {text!r} is taken for an id"


def _refused(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except HpcError:
        return True
    return False


def _words(backend: Backend, ids: Sequence[str]) -> Iterator[str]:
    said = [backend.probe(), *backend.ask_site(), *backend.queue("ada"), *backend.queue(None)]
    said += [*backend.history(ids, 0.0), *backend.cancel(ids)]
    for verb in OPTIONAL:
        said += _said(backend, verb, ids) or ()
    for words in said:
        if not words.argv or not words.argv[0] or any("\0" in word for word in words.argv):
            yield f"words: {words.argv!r} is no command"
    if backend.cancel(()):
        yield "cancel: without ids it must say nothing"


def _scripts(backend: Backend) -> Iterator[str]:
    """Whatever a job is called, its script has the same lines of its own."""
    plain = backend.script(order("plain"))
    if not plain.startswith("#!") or order("plain").key not in plain:
        yield "script: it must begin with #! and hold the key of the order"
    for name in HOSTILE:
        try:
            script = backend.script(order(name))
        except Wrong:
            continue
        if any(line.startswith("#!evil") for line in script.splitlines()):
            yield f"script: the name {name!r} becomes a line of its own"


def order(name: str) -> Order:
    """The smallest order there is: `true`, under this name."""
    submission = Submission(argv=("true",), cwd="/scratch", env={}, name=name)
    return Order(spec=JobSpec(submission=submission), key="k3y", directory="/scratch/.hpc/k3y")


def _garbage(backend: Backend, ids: Sequence[str]) -> Iterator[str]:
    answers = [Answer(code=code, out=text) for text in GARBAGE for code in (0, 1)]
    answers += [Answer(code=1, err=text) for text in GARBAGE]
    answers += [Answer(code=None), Answer(code=127, missing=True), Answer(code=255, err="broken")]
    for answer in answers:
        shown = f"{answer.out or answer.err!r}, exit {answer.code}"
        backend.read_probe(answer)
        backend.read_site([answer] * len(backend.ask_site()))
        backend.read_estimate(answer)
        if isinstance(backend.read_submit(answer), str):
            yield f"read_submit: {shown} is taken for a job"
        queue = backend.read_queue([answer] * len(backend.queue("ada")))
        yield from _believed("read_queue", queue, shown)
        asked = backend.history(ids, 0.0)
        history = backend.read_history([answer] * len(asked))
        yield from _believed("read_history", history, shown) if asked else ()
        cancelled = backend.read_change(ids, [answer] * len(backend.cancel(ids)))
        if answer.code is None and set(cancelled.troubles) != set(ids):
            yield "read_change: without an answer nothing has been changed for certain"


def _believed(reader: str, seen: Seen, shown: str) -> Iterator[str]:
    if seen.whole:
        yield f"{reader}: {shown} is believed to be all there is"
    elif seen.trouble is None:
        yield f"{reader}: {shown} cannot be believed, and no trouble says why"
    if any(sighting.state in ENDED for sighting in seen.sightings):
        yield f"{reader}: {shown} ends a job"


def _sample(backend: Backend, sample: Sample) -> Iterator[str]:
    seen = backend.read_queue(sample.answers)
    if not seen.whole or not seen.sightings:
        yield "read_queue: the sample is not understood"
    for sighting in seen.sightings:
        if sighting.state not in {*LIVE, *ENDED, UNKNOWN}:
            yield f"read_queue: {sighting.state!r} is no state"
        if backend.parse_id(sighting.native) != (sighting.number, sighting.element):
            yield f"read_queue: {sighting.native!r} is not the id of {sighting.number!r}"
    odd = "N3VERHEARD"[: max(len(sample.word), 2)]
    changed = [_with_word(answer, sample.word, odd) for answer in sample.answers]
    strange = [one for one in backend.read_queue(changed).sightings if odd in one.word]
    if not strange:
        yield "read_queue: a word that it does not know is not kept as it was said"
    if any(one.state != UNKNOWN for one in strange):
        yield "read_queue: the state of a word that it does not know is guessed"


def _with_word(answer: Answer, word: str, odd: str) -> Answer:
    return Answer(code=answer.code, out=answer.out.replace(word, odd), err=answer.err)
