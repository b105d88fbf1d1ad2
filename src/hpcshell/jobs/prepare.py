"""From what somebody wants run to a `Submission`, or to a `JobSpec` for a cluster.

It is made of directives, options, configuration, and the environment.

The daemon checks all of it again; what is refused here is refused sooner and with better words.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.options.build import Built, build, words_to_run
from hpcshell.core.options.prelude import Prelude
from hpcshell.core.options.read import Place
from hpcshell.core.options.sizing import names_a_model
from hpcshell.core.options.table import BY_NAME, Setting
from hpcshell.core.records import Record
from hpcshell.core.submission import Submission
from hpcshell.core.words import name_from, quote
from hpcshell.jobs.looking import check_submission
from hpcshell.jobs.sizing import KnownCards, sizer_by, unknown_cards
from hpcshell.jobs.surroundings import configured, environment, umask, working_directory

if TYPE_CHECKING:
    from hpcshell.core.options.spec import BuiltSpec

INTERPRETERS: Final = {"bash": b"#!/usr/bin/env bash\n", "sh": b"#!/bin/sh\n"}
"""First lines for scripts that have none, where a caller asks for that."""


class Prepared(Record, frozen=True):
    """A submission, what is worth a note, what was understood, a few words each, and how its GPUs
    follow from a model: a sentence, then the lines of the arithmetic."""

    submission: Submission
    notes: tuple[str, ...] = ()
    meaning: tuple[str, ...] = ()
    sizing: tuple[str, ...] = ()


class Away(Record, frozen=True):
    """Another machine, or another directory than that which we are in: where jobs run there unless
    it is said, and the user's home directory."""

    workdir: str
    home: str


class PreparedSpec(Record, frozen=True):
    """The same for a cluster."""

    spec: JobSpec
    notes: tuple[str, ...] = ()
    meaning: tuple[str, ...] = ()
    sizing: tuple[str, ...] = ()


def prepare(
    argv: Sequence[str],
    script: bytes | None,
    settings: Sequence[Setting],
    *,
    interpreter: str | None = None,
    cards: KnownCards = unknown_cards,
    away: Away | None = None,
) -> Prepared:
    """Everything from one command line or call. Raises `Wrong` for what can never be.

    `argv` begins with the script's name where there is one; a script without a first line is run
    by `interpreter`, if one is named. `cards` is asked when a model is to be sized. `away`: it is
    submitted from elsewhere than where this process is.
    """
    script, layers = _read(argv, script, interpreter)
    built = _build(layers, tuple(settings), tuple(argv), script, cards, away)
    submission = replace(built.submission, argv=tuple(argv))
    check_submission(submission)
    submission, notes = _with_prelude(submission, built)
    return Prepared(submission, notes, built.meaning, built.sizing)


def prepare_spec(
    argv: Sequence[str],
    script: bytes | None,
    settings: Sequence[Setting],
    *,
    dialect: str,
    interpreter: str | None = None,
    defaults: Mapping[str, str] | None = None,
    here: bool = False,
    away: Away | None = None,
) -> PreparedSpec:
    """Everything for a cluster whose directives are in `dialect`.

    `defaults` are those of the cluster. Of those of this machine only how jobs are run goes along,
    not what they ask for. `here`: the cluster has the files of this machine, so directory, files
    and interpreter are looked at as well. `away`: it is another machine, or directory.
    """
    script, layers = _read(argv, script, interpreter)
    built = _build_spec((*layers, tuple(settings)), tuple(argv), dialect, defaults or {}, away)
    submission = replace(built.spec.submission, argv=words_to_run(tuple(argv)), script=script)
    if here:
        check_submission(submission)
    elif script is not None:
        from hpcshell.core.options.script import check_script

        check_script(script, argv[0])
    spec = replace(built.spec, submission=submission)
    return PreparedSpec(spec, built.notes, built.meaning, built.sizing)


_GOING_ALONG: Final = ("output", "error", "export", "mail_user", "on_never", "retries")
"""Defaults of this machine that mean the same on any other."""


def _going_along(defaults: Mapping[str, str]) -> dict[str, str]:
    return {name: defaults[name] for name in _GOING_ALONG if name in defaults}


Layers = tuple[tuple[Setting, ...], ...]


def _read(
    argv: Sequence[str], script: bytes | None, interpreter: str | None
) -> tuple[bytes | None, Layers]:
    """The script with a first line, and the settings of its directives."""
    if script is None:
        return None, ()
    if interpreter is not None and not script.startswith(b"#!"):
        script = INTERPRETERS[interpreter] + script
    return script, _directives(script, argv[0])


@lru_cache(maxsize=8)
def _directives(script: bytes, name: str) -> Layers:
    """A program that submits one script a thousand times has it read once."""
    from hpcshell.core.options.parse import directives

    return directives(script, name).layers


def _with_prelude(submission: Submission, built: Built) -> tuple[Submission, tuple[str, ...]]:
    """What is to be done in the shell first, in front of a command or of a shell's script."""
    if built.prelude == Prelude():
        return submission, built.notes
    found = built.prelude.before(submission.argv, submission.script)
    if found is None:
        note = f"{quote(submission.argv[0])} is no script of a shell: no module, environment or "
        return submission, (*built.notes, f"{note}line of --setup goes before it")
    argv, script = found
    name = submission.name or name_from(os.path.basename(submission.argv[0]))
    return replace(submission, argv=argv, script=script, name=name), built.notes


# A program that submits a thousand commands with the same options reads the options once.


class _Known(Record, frozen=True):
    """What the last submission without a script was made from, and what came of it."""

    settings: tuple[Setting, ...]
    cwd: str
    umask: int
    env: Mapping[str, str]
    configured: object
    built: Built


_last: _Known | None = None
_OF_THE_MOMENT: Final = frozenset({"instant", "model"})
"""Kinds of options whose meaning depends on when they are read."""


def _build(
    layers: Iterable[Sequence[Setting]],
    settings: tuple[Setting, ...],
    argv: tuple[str, ...],
    script: bytes | None,
    cards: KnownCards,
    away: Away | None,
) -> Built:
    global _last
    cwd, mask, env = working_directory(), umask(), environment()
    conf = configured(cwd)
    cwd = cwd if away is None else away.workdir
    last = _last
    if (
        last is not None
        and script is None
        and not names_a_model(argv)
        and last.env is env
        and last.configured is conf
        and (last.cwd, last.umask, last.settings) == (cwd, mask, settings)
    ):
        return last.built
    built = build(
        [*layers, settings],
        _place(cwd, mask, env, cards),
        argv,
        script=script,
        profiles=conf.settings.profiles,
        defaults=conf.defaults,
    )
    if script is None and _timeless(settings) and not names_a_model(argv):
        _last = _Known(settings, cwd, mask, env, conf, built)
    return built


class _KnownSpec(Record, frozen=True):
    """The same of a submission to a cluster, whose script may have directives. `key`: layers, the
    words to run where a model is named in them, dialect, defaults, directory, umask, and the
    machine it goes to."""

    key: tuple[object, ...]
    env: Mapping[str, str]
    configured: object
    built: BuiltSpec


_last_spec: _KnownSpec | None = None


def _build_spec(
    layers: Layers,
    argv: tuple[str, ...],
    dialect: str,
    own: Mapping[str, str],
    away: Away | None,
) -> BuiltSpec:
    """What is asked for, without the words to run and the script."""
    global _last_spec
    cwd, mask, env = working_directory(), umask(), environment()
    conf = configured(cwd)
    defaults = {**_going_along(conf.defaults), **own}
    words = argv if names_a_model(argv) else ("",)
    last, key = _last_spec, (layers, words, dialect, defaults, cwd, mask, away)
    if last is not None and last.env is env and last.configured is conf and last.key == key:
        return last.built
    from hpcshell.core.options.spec import build_spec

    place, profiles = _place(cwd, mask, env, unknown_cards), conf.settings.profiles
    if away is not None:
        place = replace(place, cwd=away.workdir, home=away.home)
    built = build_spec(layers, place, words, dialect=dialect, profiles=profiles, defaults=defaults)
    if all(map(_timeless, layers)):
        _last_spec = _KnownSpec(key, env, conf, built)
    return built


def _timeless(settings: Iterable[Setting]) -> bool:
    return not any(BY_NAME[one.option].kind in _OF_THE_MOMENT for one in settings if one.option)


def _place(cwd: str, mask: int, env: Mapping[str, str], cards: KnownCards) -> Place:
    sizer = sizer_by(cards)
    return Place(now=time.time(), offset=_offset, cwd=cwd, env=env, umask=mask, sizer=sizer)


def _offset(unix: float) -> float:
    return float(time.localtime(unix).tm_gmtoff)


def words_of(
    command: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
) -> tuple[list[str], str | None]:
    """The words to run and the path of the script, from what a Python caller gave.

    A list is a command. Text is the path of a script if there is such a file, else a line for the
    shell, if it has blanks.
    """
    if isinstance(command, str | os.PathLike):
        path = os.fspath(command)
        if not isinstance(path, str):
            raise Wrong("the path of a script must be text", "os.fsdecode makes text of bytes")
        if any(letter.isspace() for letter in path) and not os.path.exists(path):
            return ["/bin/sh", "-c", path], None
        return [path], path
    try:
        words = [os.fspath(word) for word in command]
    except TypeError:
        words = []
    if not words or not all(isinstance(word, str) for word in words):
        raise Wrong("a command is a list of at least one word", 'write ["python", "train.py"]')
    return words, None
