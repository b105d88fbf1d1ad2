"""From what somebody wants run to a `Submission`: directives, options, configuration, environment.

The daemon checks all of it again; what is refused here is refused sooner and with better words.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.options.build import Built, build
from hpcshell.core.options.read import Place
from hpcshell.core.options.table import BY_NAME, Setting
from hpcshell.core.records import Record
from hpcshell.core.submission import Submission
from hpcshell.jobs.looking import check_submission
from hpcshell.jobs.surroundings import configured, environment, umask, working_directory

INTERPRETERS: Final = {"bash": b"#!/usr/bin/env bash\n", "sh": b"#!/bin/sh\n"}
"""First lines for scripts that have none, where a caller asks for that."""


class Prepared(Record, frozen=True):
    """A submission, what is worth a note, and what was understood, a few words each."""

    submission: Submission
    notes: tuple[str, ...] = ()
    meaning: tuple[str, ...] = ()


def prepare(
    argv: Sequence[str],
    script: bytes | None,
    settings: Sequence[Setting],
    *,
    interpreter: str | None = None,
) -> Prepared:
    """Everything from one command line or call. Raises `Wrong` for what can never be.

    `argv` begins with the script's name where there is one; a script without a first line is run
    by `interpreter`, if one is named.
    """
    if script is not None and interpreter is not None and not script.startswith(b"#!"):
        script = INTERPRETERS[interpreter] + script
    layers: tuple[tuple[Setting, ...], ...] = ()
    if script is not None:
        from hpcshell.core.options.parse import directives

        layers = directives(script, argv[0]).layers
    built = _build(layers, tuple(settings), tuple(argv), script)
    submission = replace(built.submission, argv=tuple(argv))
    check_submission(submission)
    return Prepared(submission, built.notes, built.meaning)


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
_OF_THE_MOMENT: Final = frozenset({"instant"})
"""Kinds of options whose meaning depends on when they are read."""


def _build(
    layers: Iterable[Sequence[Setting]],
    settings: tuple[Setting, ...],
    argv: tuple[str, ...],
    script: bytes | None,
) -> Built:
    global _last
    cwd, mask, env = working_directory(), umask(), environment()
    conf = configured(cwd)
    last = _last
    if (
        last is not None
        and script is None
        and last.env is env
        and last.configured is conf
        and (last.cwd, last.umask, last.settings) == (cwd, mask, settings)
    ):
        return last.built
    place = Place(now=time.time(), offset=_offset, cwd=cwd, env=env, umask=mask)
    built = build(
        [*layers, settings],
        place,
        argv,
        script=script,
        profiles=conf.settings.profiles,
        defaults=conf.defaults,
    )
    timeless = not any(BY_NAME[s.option].kind in _OF_THE_MOMENT for s in settings if s.option)
    if script is None and timeless:
        _last = _Known(settings, cwd, mask, env, conf, built)
    return built


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
