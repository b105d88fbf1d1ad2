"""How a point is told its parameters: words, variables, or a document.

handed(spec, {"lr": 0.1}, "/…/points/3f…", "sweep", "3f…").argv
    ("python3", "train.py", "lr=0.1", "output.dir=/…/points/3f…")
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.core.words import quote
from hpcshell.flow.expand import names
from hpcshell.flow.spec import Params, Spec
from hpcshell.flow.templates import Template, shown

OWN: Final = ("output", "id", "sweep", "params")
"""Placeholders besides parameters: the point's folder, its id, the sweep's, its document."""
DOCUMENT: Final = "params.json"
_HERE: Final = "{params}"


class Handed(Record, frozen=True, kw_only=True):
    """What a point is started with. `document`: written into its folder as `params.json`."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    document: dict[str, Any] | None = None


def handed(spec: Spec, params: Params, directory: str, sweep: str, point: str) -> Handed:
    """What this point is started with. `directory`: its folder."""
    own = {"output": directory, "id": point, "sweep": sweep, "params": f"{directory}/{DOCUMENT}"}
    env = dict(spec.environment)
    if spec.passing == "template":
        asked = any("params" in word.used for word in templates(spec.command, names(spec)))
        argv = _filled(spec, {**own, **params})
        return Handed(argv=argv, env=env, document=dict(params) if asked else None)
    if spec.passing == "environment":
        return Handed(argv=spec.command, env=env | variables(params))
    if spec.passing == "json":
        return Handed(argv=_with_path(spec.command, own["params"]), env=env, document=dict(params))
    words = [f"{name}={shown(value)}" for name, value in params.items()]
    if spec.output_key:
        words.append(f"{spec.output_key}={directory}")
    return Handed(argv=(*spec.command, *words), env=env)


def _with_path(command: Sequence[str], path: str) -> tuple[str, ...]:
    if any(_HERE in word for word in command):
        return tuple(word.replace(_HERE, path) for word in command)
    return (*command, path)


# --------------------------------------------------------------------------------------- templates


def _filled(spec: Spec, values: Mapping[str, Any]) -> tuple[str, ...]:
    """The words of the command, each filled. One that names a parameter which this point does not
    have is left out, and with it the option before it: `--momentum {momentum}`."""
    words: list[str] = []
    for template in templates(spec.command, names(spec)):
        word = template.fill(values)
        if word is not None:
            words.append(word)
        elif template.text.startswith("{") and words and _bare_option(words[-1]):
            words.pop()
    return tuple(words)


def _bare_option(word: str) -> bool:
    return word.startswith("-") and "=" not in word and word.strip("-") != ""


@lru_cache(maxsize=8)
def templates(command: tuple[str, ...], known: tuple[str, ...]) -> tuple[Template, ...]:
    """The words of a command, taken apart; refused where they name what is no parameter."""
    return tuple(Template(word, (*known, *OWN)) for word in command)


def folder(spec: Spec, params: Params, sweep: str, point: str) -> str:
    """The name of a point's folder: its id, or what the template makes of it. Refused where it is
    no name of a folder within the sweep's."""
    if not spec.output:
        return point
    (template,) = templates((spec.output,), names(spec))
    name = template.fill({"id": point, "sweep": sweep, "output": "", "params": "", **params})
    if name is None:
        raise Wrong(
            f"output: {quote(spec.output)} names a parameter that point {point} does not have",
            "use {id} in it, or parameters that all points have",
        )
    return check_folder(name)


def check_folder(name: str) -> str:
    """The name, if a folder can be called that; no way leads out of the sweep's own."""
    if not name or name.startswith(".") or "/" in name or not name.isprintable():
        raise Wrong(
            f"output: {quote(name)} is no name of a folder",
            "make a name without slashes, leading dots and signs that cannot be seen",
        )
    if len(name.encode()) > 255:
        raise Wrong(f"output: {quote(name)} is too long for a name", "use {id}: it is short")
    return name


def check_folders(found: Iterable[str]) -> None:
    """Refuses two points with one folder; on some disks `a` and `A` are one."""
    seen: set[str] = set()
    for name in found:
        known = name.casefold()
        if known in seen:
            raise Wrong(
                f"output: two points would share the folder {quote(name)}",
                "put {id} or more parameters into the template",
            )
        seen.add(known)


# ------------------------------------------------------------------------------------- environment

_OURS: Final = re.compile(
    r"PATH|HOME|USER|SHELL|TMPDIR|IFS|ENV|BASH_ENV|LD_.*|PYTHON.*|HPC_SWEEP_.*|HPCSHELL_.*"
)


def variable(name: str) -> str:
    """The variable of a parameter: `model.depth` is MODEL_DEPTH."""
    word = re.sub(r"[^A-Z0-9_]", "_", name.upper())
    return f"_{word}" if word[:1].isdigit() else word


def variables(params: Params) -> dict[str, str]:
    return {variable(name): shown(value) for name, value in params.items()}


def check_variables(known: Collection[str]) -> None:
    """Refuses two parameters with one variable, and what a program needs to start."""
    seen: dict[str, str] = {}
    for name in known:
        word = variable(name)
        if word in seen:
            raise Wrong(
                f"{quote(seen[word])} and {quote(name)} would both be the variable {word}",
                "rename one of them, or pass them as arguments",
            )
        if _OURS.fullmatch(word):
            raise Wrong(
                f"{quote(name)} would replace the variable {word}, which programs need",
                "rename it, or pass the parameters as arguments",
            )
        seen[word] = name
