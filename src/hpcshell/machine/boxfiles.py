"""The JSON configuration of a GPU box as a file: read, and put into its place."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from msgspec import UNSET, json, structs, to_builtins

from hpcshell.core.boxfile import layer_of, read_box
from hpcshell.core.boxkeys import BoxFile
from hpcshell.core.errors import Broken, NotFound, Refused, Wrong
from hpcshell.core.settings_read import Layer, read_layers
from hpcshell.core.words import quote, safe
from hpcshell.machine.configfiles import content_of
from hpcshell.machine.paths import Places
from hpcshell.machine.scripts import LONG


def read_box_file(path: str) -> BoxFile:
    """What a file says; the paths in it made absolute, from the directory it lies in.

    Raises `Wrong` with path and key of what is wrong, `NotFound` where there is no file.
    """
    text = content_of(path)
    if text is None:
        raise NotFound(f"there is no file {quote(path)}", "hpc gpu config-sample > config.json")
    return rooted(read_box(text, safe(path)), os.path.dirname(os.path.abspath(path)))


def rooted(box: BoxFile, directory: str) -> BoxFile:
    """The same, with the paths in it counted from a directory."""

    def absolute(path: str) -> str:
        return os.path.normpath(os.path.join(directory, os.path.expanduser(path)))

    files = {name: absolute(path) for name, path in _named(box)}
    security, scripts = box.security, box.security.allowed_script_paths
    if scripts is not UNSET:
        security = structs.replace(security, allowed_script_paths=tuple(map(absolute, scripts)))
    return structs.replace(box, files=structs.replace(box.files, **files), security=security)


def _named(box: BoxFile) -> Iterator[tuple[str, str]]:
    """The keys that name files, with what they say."""
    for name in ("jobs_file", "llm_config_file", "state_file", "log_file"):
        if (path := getattr(box.files, name)) is not UNSET:
            yield name, path


def check_apart(files: Mapping[str, str]) -> None:
    """Raises `Wrong` where two of these keys name one file, however each is spelt."""
    found: dict[str, str] = {}
    for key, path in files.items():
        first = found.setdefault(os.path.realpath(path), key) if path else key
        if first != key:
            raise Wrong(f"{first} and {key} are one file, {quote(path, LONG)}", "name two")


def _check_directories(box: BoxFile, origin: str) -> None:
    """Raises `Wrong` where scripts are to lie in what is no directory."""
    for path in _allowed(box):
        if os.path.exists(path) and not os.path.isdir(path):
            raise Wrong(
                f"{safe(origin)}: security.allowed_script_paths: no directory: {quote(path, LONG)}",
                "name the directory that it lies in",
            )


def missing_directories(box: BoxFile) -> list[str]:
    """Those directories of scripts that are not there: until they are, no script lies in them."""
    return [path for path in _allowed(box) if not os.path.exists(path)]


def _allowed(box: BoxFile) -> tuple[str, ...]:
    paths = box.security.allowed_script_paths
    return () if paths is UNSET else paths


def box_layer(path: str) -> Layer:
    """What a file says, as a layer of the configuration."""
    return layer_of(read_box_file(path), safe(path))


def put_box_file(path: str, places: Places) -> bool:
    """Make a file the configuration of the box; whether that changed anything.

    It is checked first, and takes the place of the former one at once, which is kept beside it as
    `gpu.json~`. Nobody else may read it.
    """
    return put_box(read_box_file(path), path, places)


def put_box(box: BoxFile, origin: str, places: Places, *, replace: bool = True) -> bool:
    """The same for what a program says. Without `replace` another one that is there already stays,
    and `Refused` is raised."""
    read_layers([layer_of(box, safe(origin))])
    _check_directories(box, origin)
    check_apart({f"{safe(origin)}: files.{name}": path for name, path in _named(box)})
    text = json.format(json.encode({name: part for name, part in to_builtins(box).items() if part}))
    target = places.box_file
    try:
        os.makedirs(places.config, mode=0o700, exist_ok=True)
        former = _content(target)
        if former == text:
            return False
        if former is not None and not replace:
            raise Refused(
                f"{safe(target)} says something else: it is not replaced",
                "leave the configuration out to go by it, or say start(replace=True)",
            )
        if former is not None:
            _replace(f"{target}~", former)
        _replace(target, text)
    except OSError as error:
        raise Broken(
            f"{safe(target)} cannot be written: {error.strerror}", "see: hpc doctor"
        ) from None
    return True


def _content(path: str) -> bytes | None:
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        return file.read()
    return None


def _replace(path: str, content: bytes) -> None:
    """The whole file anew, or not at all."""
    new = f"{path}.{os.getpid()}.new"
    with open(new, "wb", opener=_privately) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
