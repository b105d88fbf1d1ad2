"""From layers of tables (files, variables, flags) to `Settings` and the origin of every value.

    loaded = read_layers([Layer(source="/etc/hpcshell/hpcshell.toml", tables={...}), ...])
    loaded.settings.resources.cpus     loaded.origins["resources.cpus"] -> "HPC_RESOURCES__CPUS"

Layers come weakest first. A layer's values may be text (variables, flags) or what TOML makes of
them. A `project` layer is not trusted: only defaults and profiles count in it, and of those only
options marked harmless in the option table; the rest is left alone with a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from hpcshell.core import units
from hpcshell.core.errors import Wrong
from hpcshell.core.options.read import Place, read_setting
from hpcshell.core.options.row import Setting
from hpcshell.core.options.table import OPTIONS, by_key
from hpcshell.core.records import Record
from hpcshell.core.settings import (
    DEFAULT,
    NAMED,
    RECORDS,
    SECTIONS,
    SHIPPED_PROFILES,
    TABLES,
    Key,
    Section,
    Settings,
    keys_of,
)
from hpcshell.core.words import check_name, nearest, one_line, quote, safe

KeyPath = tuple[str, ...]
"""The parts of a dotted key."""

_UNLIMITED: Final = frozenset({"unlimited", "infinite", "none", ""})
_YES: Final = frozenset({"yes", "true", "on", "1"})
_NO: Final = frozenset({"no", "false", "off", "0"})
_PROJECT_SECTIONS: Final = ("defaults", "profiles")
LONGEST_HINT: Final = 180
_NAMES_OF_DEFAULTS: Final = {"time": "time_limit"}


def _nowhere(path: KeyPath) -> str:
    return ""


class Layer(Record, frozen=True, kw_only=True):
    """One source of values. `where(path)` adds what is known of a key's place: ` line 7`."""

    source: str
    tables: Mapping[str, Any]
    where: Callable[[KeyPath], str] = _nowhere
    project: bool = False


class Loaded(Record, frozen=True, kw_only=True):
    """The settings, where each value that is no default comes from, and what was left alone."""

    settings: Settings
    origins: Mapping[str, str]
    notes: tuple[str, ...] = ()


class _Found(Record, frozen=True, kw_only=True):
    path: KeyPath
    value: Any
    origin: str


def read_layers(layers: Sequence[Layer]) -> Loaded:
    """Check every value of every layer, then let the later ones win."""
    found: dict[KeyPath, _Found] = {}
    notes: list[str] = []
    for layer in layers:
        for one in _read(layer, notes):
            found[one.path] = one
    settings = _settings({path: one.value for path, one in found.items()})
    _check_partition(settings, found.get(("defaults", "partition")))
    origins = {".".join(path): one.origin for path, one in found.items()}
    if settings.accounts or settings.qos or settings.scheduler.order != "priority":
        from hpcshell.core.settings_ties import check_ties  # few have any of these

        check_ties(settings, origins)
    return Loaded(
        settings=settings,
        origins=origins,
        notes=tuple(notes),
    )


def _check_partition(settings: Settings, chosen: _Found | None) -> None:
    """Every job would be refused that names no partition itself."""
    if chosen is not None and chosen.value not in settings.partitions:
        known = sorted(settings.partitions)
        near = nearest(chosen.value, known)
        raise Wrong(
            f"{chosen.origin}: defaults.partition: there is no partition {quote(chosen.value)}",
            f"did you mean {near}?" if near else f"there are: {', '.join(known)}",
        )


# ------------------------------------------------------------------------------------- reading


def _read(layer: Layer, notes: list[str]) -> Iterator[_Found]:
    for section, table in layer.tables.items():
        path = (section,)
        if section not in SECTIONS and section not in NAMED:
            raise _wrong(
                layer, path, f"there is no section [{safe(section[:60])}]", [*SECTIONS, *NAMED]
            )
        if not isinstance(table, Mapping):
            raise _wrong(
                layer, path, f"{section} is a section", hint=f"write [{section}] above its keys"
            )
        if layer.project and section not in _PROJECT_SECTIONS:
            notes.append(f"{_place(layer, path)}: [{section}] is not taken from a project's file")
        elif section in NAMED:
            yield from _read_named(layer, section, table, notes)
        else:
            yield from _read_section(layer, path, table, keys_of(SECTIONS[section], section), notes)


def _read_section(
    layer: Layer,
    front: KeyPath,
    table: Mapping[str, Any],
    keys: Mapping[str, Key],
    notes: list[str],
) -> Iterator[_Found]:
    for name, raw in table.items():
        path = (*front, name)
        key = keys.get(name)
        if key is None:
            raise _wrong(layer, path, f"[{'.'.join(front)}] has no key {quote(name)}", list(keys))
        if layer.project and not _harmless(name):
            notes.append(
                f"{_place(layer, path)}: {'.'.join(path)} is not taken from a project's file"
            )
        elif key.kind in TABLES:
            yield from _table(layer, path, key, raw)
        else:
            yield _found(layer, path, _value(key, raw, _place(layer, path), ".".join(path)))


def _read_named(
    layer: Layer, section: str, table: Mapping[str, Any], notes: list[str]
) -> Iterator[_Found]:
    for name, inner in table.items():
        path = (section, name)
        if not isinstance(inner, Mapping):
            raise _wrong(
                layer,
                path,
                f"{section}.{safe(name[:60])} is a table",
                hint=f"write [{section}.NAME]",
            )
        check_name(name, f"{_place(layer, path)}: {section}")
        if section in RECORDS:
            yield _Found(path=path, value=None, origin=_place(layer, path))
            keys = keys_of(RECORDS[section], f"{section}.{name}")
            yield from _read_section(layer, path, inner, keys, notes)
        else:
            yield from _read_profile(layer, path, inner, notes)


def _read_profile(
    layer: Layer, front: KeyPath, table: Mapping[str, Any], notes: list[str]
) -> Iterator[_Found]:
    for key, raw in table.items():
        path = (*front, key)
        option = by_key(key)
        if option is None:
            known = [row.name for row in OPTIONS]
            raise _wrong(layer, path, f"{safe(key[:60])} is no option of a job", known)
        if option.name == "profile":
            raise _wrong(layer, path, "a profile cannot name another")
        if layer.project and not option.project:
            notes.append(
                f"{_place(layer, path)}: {'.'.join(path)} is not taken from a project's file"
            )
        else:
            place = _place(layer, path)
            yield _Found(
                path=(*front, option.name),
                value=_option_text(option.name, raw, f"{place}: {'.'.join(path)}"),
                origin=place,
            )


def _table(layer: Layer, front: KeyPath, key: Key, raw: Any) -> Iterator[_Found]:
    """A table of counts or numbers, or as text `matlab=4,ansys=2`."""
    place, name = _place(layer, front), ".".join(front)
    if isinstance(raw, str):
        words = [part.partition("=") for part in raw.split(",") if part.strip()]
        raw = {word.strip(): value.strip() for word, _, value in words}
    if not isinstance(raw, Mapping):
        raise Wrong(f"{place}: {name} is a table", f"write [{name}] and lines such as matlab = 2")
    each = Key(name=name, kind=key.kind[:-1], default=0, doc="", least=0)
    for word, value in raw.items():
        path = (*front, word)
        check_name(word, f"{_place(layer, path)}: {name}")
        yield _found(layer, path, _value(each, value, _place(layer, path), f"{name}.{word}"))


def _found(layer: Layer, path: KeyPath, value: Any) -> _Found:
    return _Found(path=path, value=value, origin=_place(layer, path))


def _harmless(default: str) -> bool:
    option = by_key(_NAMES_OF_DEFAULTS.get(default, default))
    return option is not None and option.project


def _place(layer: Layer, path: KeyPath) -> str:
    return f"{layer.source}{layer.where(path)}"


def _wrong(
    layer: Layer, path: KeyPath, message: str, known: Sequence[str] = (), hint: str | None = None
) -> Wrong:
    near = nearest(path[-1], known) if known else None
    listed = "there are " + ", ".join(known) if known else None
    if listed is not None and len(listed) > LONGEST_HINT:
        listed = "see: hpc config show"
    return Wrong(
        f"{_place(layer, path)}: {message}", f"did you mean {near}?" if near else hint or listed
    )


# -------------------------------------------------------------------------------------- values


_ANYWHERE: Final = Place(now=0.0, offset=lambda unix: 0.0, cwd="/", env={})
"""For trying a profile's values: whether they can be read depends on no place."""


def _option_text(option: str, raw: Any, origin: str) -> str:
    """A profile's value as text, once it has been read for its errors."""
    text = _as_text(raw, origin)
    read_setting(Setting(option=option, text=text, origin=origin), _ANYWHERE)
    return text


def _as_text(raw: Any, origin: str) -> str:
    if isinstance(raw, bool):
        return "yes" if raw else "no"
    if isinstance(raw, int | float):
        return repr(raw)
    if isinstance(raw, list) and all(isinstance(part, str | int) for part in raw):
        return ",".join(str(part) for part in raw)
    if isinstance(raw, str):
        return raw
    raise Wrong(
        f"{origin}: the value is neither text nor a number", 'write it as at the prompt: "4G"'
    )


def _value(key: Key, raw: Any, place: str, name: str) -> Any:
    origin = f"{place}: {name}"
    if key.kind == "switch":
        return _switch(raw, origin)
    if key.kind == "words":
        return _words(raw, origin)
    if key.kind == "names":
        return _names(raw, origin)
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise Wrong(
            f"{origin}: {quote(str(raw))} is of the wrong type", f"write {_EXAMPLES[key.kind]}"
        )
    if isinstance(raw, str) != (key.kind in ("text", "choice")) and not isinstance(raw, str):
        raise Wrong(f"{origin}: {raw!r} is a number, not text", f"write {_EXAMPLES[key.kind]}")
    text = raw if isinstance(raw, str) else repr(raw)
    return _READ[key.kind](key, text, origin)


_EXAMPLES: Final = {
    "count": "a whole number such as 4",
    "number": "a number such as 1.5",
    "size": 'a size such as "8G"',
    "duration": 'a duration such as "30m"',
    "limit": 'a duration such as "2h", or "unlimited"',
    "text": 'text in quotes: "..."',
    "choice": 'one of the words in quotes: "..."',
}


def _switch(raw: Any, origin: str) -> bool:
    word = str(raw).strip().lower()
    if not isinstance(raw, bool | str) or word not in _YES | _NO:
        raise Wrong(f"{origin}: {quote(str(raw))} is neither true nor false", "write true or false")
    return word in _YES


def _words(raw: Any, origin: str) -> tuple[str, ...]:
    found = raw.split() if isinstance(raw, str) else raw
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise Wrong(f"{origin}: {quote(str(raw))} is no command", 'write ["PROGRAM", "ARGUMENT"]')
    return tuple(one_line(word, origin) for word in found)


def _names(raw: Any, origin: str) -> tuple[str, ...]:
    found = raw.replace(",", " ").split() if isinstance(raw, str) else raw
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise Wrong(f"{origin}: {quote(str(raw))} is no list of names", 'write ["NAME", "NAME"]')
    for word in found:
        check_name(word, origin)
    return tuple(found)


def _read_number(key: Key, text: str, origin: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise Wrong(f"{origin}: {quote(text)} is no number", "write one such as 1.5") from None
    least, most = key.bounds
    if not least <= number <= most:  # NaN does not, either
        raise Wrong(f"{origin}: {quote(text)} is out of range", f"write {least:g} to {most:g}")
    if key.hundredths and abs(number * 100 - round(number * 100)) > 1e-9:
        raise Wrong(f"{origin}: {quote(text)} is no multiple of 0.01", "write one such as 0.25")
    return number


def _read_count(key: Key, text: str, origin: str) -> int:
    return units.count(text, origin, least=key.least, most=key.most)


def _read_size(key: Key, text: str, origin: str) -> int:
    return units.size(text, origin, zero=key.zero)


def _read_duration(key: Key, text: str, origin: str) -> float:
    return units.duration(text, origin, zero=key.zero)


def _read_limit(key: Key, text: str, origin: str) -> float | None:
    return None if text.strip().lower() in _UNLIMITED else units.time_limit(text, origin)


def _read_text(key: Key, text: str, origin: str) -> str:
    return one_line(text, origin)


def _read_choice(key: Key, text: str, origin: str) -> str:
    word = text.strip().lower()
    if word not in key.choices:
        near = nearest(word, key.choices)
        hint = f"did you mean {near}?" if near else f"write one of {', '.join(key.choices)}"
        raise Wrong(f"{origin}: {quote(text)} is not a choice", hint)
    return word


_READ: Final[dict[str, Callable[[Key, str, str], Any]]] = {
    "count": _read_count,
    "number": _read_number,
    "size": _read_size,
    "duration": _read_duration,
    "limit": _read_limit,
    "text": _read_text,
    "choice": _read_choice,
}


# ------------------------------------------------------------------------------------ settling


def _settings(values: Mapping[KeyPath, Any]) -> Settings:
    found: dict[str, Any] = {
        name: section(**_inside(values, (name,))) for name, section in SECTIONS.items()
    }
    below: dict[KeyPath, dict[KeyPath, Any]] = {("partitions", "main"): {}}
    for path, value in values.items():
        if path[0] in RECORDS:
            below.setdefault(path[:2], {})[path] = value
    for name, record in RECORDS.items():
        found[name] = {
            front[1]: _record(record, within, front)
            for front, within in below.items()
            if front[0] == name
        }
    profiles = {name: dict(options) for name, options in _shipped().items()}
    for path, value in values.items():
        if path[0] == "profiles":
            profiles.setdefault(path[1], {})[path[2]] = value
    return Settings(profiles=profiles, **found)


def _record(record: type[Section], values: Mapping[KeyPath, Any], front: KeyPath) -> Section:
    return record(**_inside(values, front))


def _inside(values: Mapping[KeyPath, Any], front: KeyPath) -> dict[str, Any]:
    """What lies below `front`: values by key, and tables of them."""
    found: dict[str, Any] = {}
    depth = len(front)
    for path, value in values.items():
        if path[:depth] != front or len(path) == depth:
            continue
        if len(path) > depth + 1:
            found.setdefault(path[depth], {})[path[depth + 1]] = value
        else:
            found[path[depth]] = value
    return found


def _shipped() -> dict[str, dict[str, str]]:
    """The shipped profiles under the rows' names, so that a user's `time` replaces theirs."""
    found = {}
    for name, options in SHIPPED_PROFILES.items():
        rows = {key: by_key(key) for key in options}
        found[name] = {row.name: options[key] for key, row in rows.items() if row is not None}
    return found


# ------------------------------------------------------------------------------- for `hpc config`


def entries(loaded: Loaded) -> list[tuple[str, Any, str, str]]:
    """Every value as (dotted key, value, kind, origin), in the order of the sections."""
    found: list[tuple[str, Any, str, str]] = []
    settings, origins = loaded.settings, loaded.origins
    for name, section in SECTIONS.items():
        found += _entries(getattr(settings, name), section, name, origins)
    for name, options in settings.profiles.items():
        for option, text in options.items():
            dotted = f"profiles.{name}.{option}"
            found.append((dotted, text, "text", origins.get(dotted, DEFAULT)))
    for kind, record in RECORDS.items():
        for name, one in getattr(settings, kind).items():
            found += _entries(one, record, f"{kind}.{name}", origins)
    return found


def _entries(
    one: Section, section: type[Section], prefix: str, origins: Mapping[str, str]
) -> Iterator[tuple[str, Any, str, str]]:
    for word, key in keys_of(section, prefix).items():
        value = getattr(one, word)
        rows = [(key.name, value, key.kind)]
        if key.kind in TABLES:
            rows = [(f"{key.name}.{each}", held, key.kind[:-1]) for each, held in value.items()]
        for dotted, held, kind in rows:
            yield dotted, held, kind, origins.get(dotted, DEFAULT)


def show_value(value: Any, kind: str) -> str:
    """A value as it would be written in a file, without quotes."""
    if value is None:
        return "unlimited" if kind == "limit" else "not set"
    if kind == "size":
        return units.format_size(value)
    if kind in ("duration", "limit"):
        return units.format_duration(value).replace(" ", "")
    if kind == "switch":
        return "true" if value else "false"
    if kind in ("words", "names"):
        return " ".join(value)
    if kind == "number":
        return f"{value:g}"
    return str(value)


def default_options(settings: Settings) -> dict[str, str]:
    """[defaults] as options of a job, for the lowest layer of `options.build.build`.

    Partition, priority and grace stay out: the daemon fills them in where a submission has none.
    """
    defaults = settings.defaults
    return {
        "cpus": str(defaults.cpus) if defaults.cpus > 1 else "",
        "memory": units.format_size(defaults.memory) if defaults.memory else "",
        "time_limit": "" if defaults.time is None else units.format_duration(defaults.time),
        "profile": defaults.profile,
        "account": defaults.account,
        "qos": defaults.qos,
        "retries": str(defaults.retries) if defaults.retries else "",
        "on_never": defaults.on_never,
        "output": defaults.output,
        "error": defaults.error,
        "export": "" if defaults.export == "ALL" else defaults.export,
        "mail_user": defaults.mail_user,
    }
