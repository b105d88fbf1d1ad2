"""Tables that commands write into a configuration file; what people wrote there stays as it is."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from typing import Final

from hpcshell.core.errors import Broken, NotFound, Refused
from hpcshell.core.words import quote, safe

_HEADER: Final = re.compile(r"^\s*\[")


def add_table(path: str, section: str, name: str, values: Mapping[str, object]) -> None:
    """Append `[section.name]` with its values to a file, which is made if there is none.

    Raises `Refused` if there is such a table, or if the file is damaged.
    """
    text = _read(path)
    if name in _tables(path, text).get(section, {}):
        raise Refused(
            f"{safe(path)} has a [{section}.{name}]", "remove it first, or change it there"
        )
    block = [f"[{section}.{_key(name)}]"]
    block += [f"{key} = {_value(value)}" for key, value in values.items()]
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    _replace(path, text + gap + "\n".join(block) + "\n")


def remove_table(path: str, section: str, name: str) -> None:
    """Take `[section.name]` out of a file. Raises `NotFound` if there is none in it."""
    text = _read(path)
    if name not in _tables(path, text).get(section, {}):
        raise NotFound(f"{safe(path)} has no [{section}.{name}]", "hpc cluster list")
    kept: list[str] = []
    within = False
    for line in text.splitlines(keepends=True):
        if _HEADER.match(line):
            within = _is_header(line, section, name)
        if not within:
            kept.append(line)
    left = "".join(kept)
    if name in _tables(path, left).get(section, {}):
        raise Refused(
            f"{safe(path)}: {section}.{quote(name)} is not written as a table of its own",
            "remove it there by hand",
        )
    _replace(path, left)


def _is_header(line: str, section: str, name: str) -> bool:
    """Whether a line begins the table, or one below it."""
    try:
        tables = tomllib.loads(line.strip() + "\n")
    except tomllib.TOMLDecodeError:
        return False
    return name in tables.get(section, {})


def _key(name: str) -> str:
    return name if re.fullmatch(r"(?a)[A-Za-z0-9_-]+", name) else json.dumps(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _tables(path: str, text: str) -> dict[str, dict[str, object]]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refused(
            f"{safe(path)} is damaged: {error}", "mend it first: hpc config check"
        ) from None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Broken(f"{safe(path)} cannot be read: {error}", "see: hpc config check") from None


def _replace(path: str, text: str) -> None:
    """The whole file anew, or not at all."""
    tomllib.loads(text)
    new = f"{path}.{os.getpid()}.new"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(new, "w", encoding="utf-8", opener=_privately) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        raise Broken(
            f"{safe(path)} cannot be written: {error.strerror}", "see: hpc doctor"
        ) from None


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
