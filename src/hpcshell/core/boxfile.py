"""The configuration of a GPU box as JSON: read and checked, and said in keys of our own.

box = read_box(text, "gpu.json")           raises `Wrong`: path, key, expected, found, nearest
box.scheduler.num_gpus                     UNSET where the file does not say it
layer_of(box, "gpu.json")                  the same as a layer of the configuration
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from hpcshell.core.boxkeys import PARTS, BoxFile, BoxKey, keys
from hpcshell.core.errors import Wrong
from hpcshell.core.settings_read import Layer
from hpcshell.core.words import nearest, quote, safe

DEEPEST: Final = 1000
"""Brackets that may be open at once; two mean something."""


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written: a key may be there twice."""


def read_box(text: str, origin: str) -> BoxFile:
    """The record of a file's text. Raises `Wrong` with what is wrong and where."""
    tables: dict[str, Any] = {}
    known: dict[str, dict[str, BoxKey]] = {part: {} for part in PARTS}
    for key in keys():
        known[key.part][key.name] = key
    for part, raw in _object(_parsed(text, origin), origin, "", PARTS):
        tables[part] = {
            name: _checked(known[part][name], value, f"{origin}: {part}.{name}")
            for name, value in _object(raw, origin, part, known[part])
        }
    return msgspec.convert(tables, BoxFile)


def _parsed(text: str, origin: str) -> Any:
    text = text.removeprefix("\ufeff")
    _check_depth(text, origin)
    try:
        return json.loads(text, object_pairs_hook=_Pairs, parse_constant=_Constant)
    except json.JSONDecodeError as error:
        raise _no_json(text, error, origin) from None
    except RecursionError:
        raise _too_deep(origin) from None
    except ValueError as error:  # a number of thousands of digits
        raise Wrong(f"{origin}: {safe(str(error))[:120]}", "write a shorter number") from None


class _Constant(str):
    """`NaN` or `Infinity`, which JSON does not have: refused where it stands, with its key."""


def _check_depth(text: str, origin: str) -> None:
    """A parser is given no text to go down in; brackets in texts count too, and never so many."""
    depth = 0
    for letter in text:
        if letter in "[{":
            depth += 1
            if depth > DEEPEST:
                raise _too_deep(origin)
        elif letter in "]}":
            depth -= 1


def _too_deep(origin: str) -> Wrong:
    return Wrong(f"{origin}: it is nested too deeply", "see: hpc gpu config-sample")


def _no_json(text: str, error: json.JSONDecodeError, origin: str) -> Wrong:
    where = f"{origin} line {error.lineno} column {error.colno}"
    rest = text[error.pos :].lstrip()
    if rest.startswith(("//", "/*", "#")):
        return Wrong(f"{where}: JSON has no comments", "take it out")
    if not text.strip():
        return Wrong(f"{origin}: it is empty", "write {}, or see: hpc gpu config-sample")
    reason = error.msg[:1].lower() + error.msg[1:]
    return Wrong(f"{where}: it is no JSON: {safe(reason)}", "see: hpc gpu config-sample")


def _object(
    raw: Any, origin: str, path: str, known: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """The keys and values of an object that may have these keys, each once."""
    here = f"{origin}: {path}" if path else origin
    if not isinstance(raw, _Pairs):
        raise Wrong(f"{here}: expected an object {{...}}, found {_shown(raw)}", _SAMPLE)
    seen = set()
    for name, value in raw:
        where = f"{path}.{name}" if path else name
        if name not in known:
            raise _unknown(name, where, origin, known)
        if name in seen:
            raise Wrong(f"{origin}: {where} is there twice", "take one of them out")
        seen.add(name)
        yield name, value


_SAMPLE: Final = "see: hpc gpu config-sample"


def _unknown(name: str, where: str, origin: str, known: Mapping[str, Any]) -> Wrong:
    near = nearest(name, known)
    elsewhere = [f"{key.part}.{key.name}" for key in keys() if key.name == name]
    hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
    if elsewhere:
        hint = f"it belongs to {' or '.join(elsewhere)}"
    return Wrong(f"{origin}: there is no key {quote(where)}", hint)


def _checked(key: BoxKey, raw: Any, where: str) -> Any:
    """A value of its kind, within its bounds. `8.0` is a whole number, as the schema has it."""
    if key.type is int and isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    try:
        value = msgspec.convert(raw, key.type, strict=True)
    except (msgspec.ValidationError, UnicodeEncodeError):
        raise _unexpected(key, raw, where) from None
    if isinstance(raw, _Constant) or (
        key.least is not None and key.most is not None and not key.least <= value <= key.most
    ):
        raise _unexpected(key, raw, where)
    if key.unit == "hundredths" and abs(value * 100 - round(value * 100)) > 1e-9:
        raise Wrong(f"{where}: expected a multiple of 0.01, found {_shown(raw)}", "write 0.01")
    if key.unit in ("path", "directories"):
        _check_paths([value] if isinstance(value, str) else value, key, where)
    return value


def _check_paths(paths: list[str] | tuple[str, ...], key: BoxKey, where: str) -> None:
    for path in paths:
        if not path or not path.isprintable() or len(path) > 4096:
            raise Wrong(f"{where}: expected a path, found {_shown(path)}", _example(key))


def _unexpected(key: BoxKey, raw: Any, where: str) -> Wrong:
    return Wrong(f"{where}: expected {key.expected}, found {_shown(raw)}", _example(key))


def _example(key: BoxKey) -> str | None:
    return None if key.example is None else f"for example {json.dumps(key.example)}"


def _shown(raw: Any) -> str:
    """A value as it stands in the file, cut where it is long."""
    if isinstance(raw, _Constant):
        return str(raw)
    if isinstance(raw, _Pairs):
        return "an object"
    text = repr(raw) if isinstance(raw, float) else json.dumps(raw)
    return safe(text if len(text) <= 60 else text[:59] + "…")


# --------------------------------------------------------------------------------- as our own keys


def said(box: BoxFile) -> Iterator[tuple[BoxKey, Any]]:
    """The keys that the file says, with their values."""
    for key in keys():
        value = getattr(getattr(box, key.part), key.name)
        if value is not UNSET:
            yield key, value


def layer_of(box: BoxFile, source: str) -> Layer:
    """What the file says as a layer of our configuration; its places name the key of the file."""
    tables: dict[str, dict[str, Any]] = {}
    places: dict[tuple[str, ...], str] = {}
    unlimited = box.security.enable_resource_limits is False
    for key, value in said(box):
        if not key.sets or (unlimited and key.name == "max_memory_per_job_gb"):
            continue
        section, _, name = key.sets.partition(".")
        tables.setdefault(section, {})[name] = _written(key, value)
        places[section, name] = f" {key.part}.{key.name}"
    return Layer(source=source, tables=tables, where=lambda path: places.get(path[:2], ""))


def _written(key: BoxKey, value: Any) -> Any:
    """The value as our own key takes it."""
    match key.unit:
        case "seconds":
            return f"{value:.9f}".rstrip("0").rstrip(".") + "s"
        case "MiB":
            return f"{int(value * (1 << 20))}B"
        case "GiB":
            return f"{int(value * (1 << 30))}B"
        case "lower":
            return value.lower()
        case "directories":
            return list(value)
    return value
