"""The configuration as it is found: files and variables, read in order and laid over each other.

    loaded = user_settings(places, os.environ, os.getcwd())     what a command at the prompt uses
    daemon_settings(places, os.environ)                        what the daemon uses: no project file
    loaded.settings, loaded.origins["resources.cpus"], loaded.notes

Strongest first: flags, variables (`HPC_SECTION__KEY`), the project's `hpcshell.toml` (from the
working directory upwards), the user's, the site's, defaults. A project's file is not trusted: see
`core.settings_read`; one that belongs to somebody else, or that anybody may write, is not read.
The user's are two: `gpu.json` (see `core.boxfile`), where it is there, is stronger than the TOML.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hpcshell.core.errors import Broken, NotFound, Wrong
from hpcshell.core.settings import NAMED, SECTIONS, Settings
from hpcshell.core.settings_read import Layer, Loaded, read_layers
from hpcshell.core.words import quote, safe
from hpcshell.machine.paths import SITE_FILE, Places

PROJECT_FILE: Final = "hpcshell.toml"
PREFIX: Final = "HPC_"
LARGEST: Final = 1 << 20
"""Bytes of a configuration file."""

_HEADER: Final = r"\s*\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?\Z"
_WORD: Final = r"[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'"
_KEY: Final = rf"\s*((?:{_WORD})(?:\s*\.\s*(?:{_WORD}))*)\s*="


def daemon_settings(places: Places, environ: Mapping[str, str], site: str = SITE_FILE) -> Settings:
    """What the daemon goes by: the site's file, the user's, and its own environment."""
    return read_layers([*_trusted(places, site), *_variables(environ)]).settings


def user_settings(
    places: Places,
    environ: Mapping[str, str],
    cwd: str,
    flags: Mapping[str, str] | None = None,
    site: str = SITE_FILE,
) -> Loaded:
    """What a command goes by. `flags` are dotted keys with their text (`resources.cpus`: `4`)."""
    layers = _trusted(places, site)
    project, note = find_project_file(cwd, places)
    if project is not None:
        layers += _file(project, project=True)
    layers += _variables(environ)
    for dotted, text in (flags or {}).items():
        layers.append(Layer(source="--set", tables=_nested(tuple(dotted.split(".")), text)))
    loaded = read_layers(layers)
    notes = (*loaded.notes, note) if note else loaded.notes
    return Loaded(settings=loaded.settings, origins=loaded.origins, notes=notes)


def config_files(places: Places, cwd: str, site: str = SITE_FILE) -> list[tuple[str, str, bool]]:
    """(which, path, whether it is there) of the files that are looked for, strongest first."""
    project, _ = find_project_file(cwd, places)
    found = [
        ("project", project or os.path.join(cwd, PROJECT_FILE)),
        ("box", places.box_file),
        ("user", places.config_file),
        ("site", site),
    ]
    return [(which, path, os.path.isfile(path)) for which, path in found]


def project_files(cwd: str) -> list[str]:
    """Where a project's file would be found, nearest first."""
    upwards = [cwd]
    while (parent := os.path.dirname(upwards[-1])) != upwards[-1]:
        upwards.append(parent)
    return [os.path.join(directory, PROJECT_FILE) for directory in upwards]


def find_project_file(cwd: str, places: Places) -> tuple[str | None, str | None]:
    """The nearest `hpcshell.toml` from `cwd` upwards, and a note where one was passed over."""
    for path in project_files(cwd):
        try:
            found = os.stat(path)
        except OSError:
            continue
        if path == places.config_file or not stat.S_ISREG(found.st_mode):
            continue
        if found.st_uid not in (os.geteuid(), 0):
            return None, f"{safe(path)} is not read: it belongs to user {found.st_uid}"
        if found.st_mode & stat.S_IWOTH:
            return None, f"{safe(path)} is not read: anybody may write it"
        return path, None
    return None, None


def _trusted(places: Places, site: str) -> list[Layer]:
    layers = [layer for path in (site, places.config_file) for layer in _file(path)]
    if os.path.lexists(places.box_file):
        from hpcshell.machine.boxfiles import box_layer  # few machines have one

        layers.append(box_layer(places.box_file))
    return layers


def policy_settings(path: str) -> Settings:
    """What one file alone configures, for a policy to be tried out. Raises `Wrong`, with the file
    and the line, and `NotFound`."""
    layers = _file(path)
    if not layers:
        raise NotFound(f"{safe(path)}: there is no such file", "name a TOML file, or a policy")
    return read_layers(layers).settings


# --------------------------------------------------------------------------------------- files


def _file(path: str, *, project: bool = False) -> list[Layer]:
    text = content_of(path)
    if text is None:
        return []
    import tomllib

    shown = safe(path)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        from hpcshell.core.toml import fault_of

        line, reason = fault_of(error, text)
        raise Wrong(
            f"{shown} line {line}: {safe(reason)}", "it is TOML: key = value, text in quotes"
        ) from None
    except ValueError as error:  # a number of thousands of digits
        raise Wrong(f"{shown}: {safe(str(error))[:200]}", "write a shorter number") from None
    except RecursionError:
        raise Wrong(
            f"{shown}: it is nested too deeply", "it is TOML: [section], key = value"
        ) from None
    lines = dict(_lines(text))

    def where(key: tuple[str, ...]) -> str:
        known = next((key[:n] for n in range(len(key), 0, -1) if key[:n] in lines), None)
        return f" line {lines[known]}" if known else ""

    return [Layer(source=shown, tables=tables, where=where, project=project)]


def content_of(path: str) -> str | None:
    """The file's text; None where there is none."""
    shown = safe(path)
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            _check_trusted(os.fstat(file.fileno()), shown)
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except IsADirectoryError:
        raise Wrong(f"{shown} is a directory, not a configuration file", "move it away") from None
    except PermissionError:
        raise Wrong(f"{shown} cannot be read: permission denied", f"chmod u+r {shown}") from None
    except OSError as error:
        raise Broken(f"{shown} cannot be read: {error.strerror}", "see: hpc doctor") from error
    if len(content) > LARGEST:
        raise Wrong(
            f"{shown} is larger than {LARGEST:,} bytes: it is no configuration file", "move it away"
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Wrong(f"{shown} line {line}: it is not UTF-8", "save the file as UTF-8") from None


def _without_waiting(path: str, flags: int) -> int:
    """A named pipe is opened at once, and refused; nobody waits for a writer."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _check_trusted(found: os.stat_result, shown: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Wrong(f"{shown} is no plain file: it is not read", "move it away")
    if found.st_uid not in (os.geteuid(), 0):
        raise Wrong(
            f"{shown} belongs to user {found.st_uid}, not to you: it is not trusted",
            f"make it yours: chown {os.geteuid()} {shown}",
        )
    if found.st_mode & stat.S_IWOTH:
        raise Wrong(f"{shown} may be written by anybody", f"chmod o-w {shown}")


def _lines(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Where each table and key is written; keys inside inline tables are found by their table."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := re.match(_HEADER, line):
            table = _parts(header[1])
            yield table, number
        elif key := re.match(_KEY, line):
            yield (*table, *_parts(key[1])), number


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(word.strip("\"'") for word in re.findall(_WORD, dotted))


# ----------------------------------------------------------------------------------- variables


def _variables(environ: Mapping[str, str]) -> list[Layer]:
    """`HPC_RESOURCES__CPUS=64`; variables of no section of ours are somebody else's."""
    layers = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        path = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
        if path[0] not in SECTIONS and path[0] not in NAMED:
            continue
        if not all(path):
            raise Wrong(f"{quote(name)} names no key", "write HPC_SECTION__KEY=VALUE")
        layers.append(Layer(source=name, tables=_nested(path, environ[name])))
    return layers


def _nested(path: tuple[str, ...], text: str) -> dict[str, Any]:
    value: Any = text
    for part in reversed(path):
        value = {part: value}
    found: dict[str, Any] = value
    return found
