"""From layers of settings to one value for each row.

    found = gather([*directives.layers, command_line], place, profiles, defaults)
    found.values     {"cpus": 2, "name": "x"}
    found.notes      ["ignored: ..."]
    found.native     ["--nodelist=n1"]

Layers come weakest first. Below them all lie `defaults`, then the profile that the strongest layer
names. A setting of a stronger layer replaces the weaker one's; tags, resources and native words add
up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.options.read import READERS, Place, read_setting
from hpcshell.core.options.resources import gpu_model
from hpcshell.core.options.row import Option, Setting
from hpcshell.core.options.table import BY_NAME, OPTIONS, by_key
from hpcshell.core.records import Record
from hpcshell.core.words import nearest, quote, safe

_ADD_UP: Final = frozenset({"resource", "gres", "env", "retry_grow", "retry_cap"})
"""Rows whose values are tables that add up, also over layers."""
_EXCLUDING: Final = frozenset({"memory", "gpus"})
"""Groups of which one layer may name only one row."""
_ALIKE: Final = ({"gpus", "gpus_per_node"}, {"memory", "memory_total"})
"""Rows of such a group that mean the same on one node: the later one counts."""
_STANDS_FOR: Final[dict[str, tuple[str, ...]]] = {
    "nodes": ("nodes", "tasks", "tasks_per_node", "cpus", "memory", "gpus"),
    "tasks": ("nodes", "tasks", "tasks_per_node", "cpus"),
}
"""The rows and groups that native words for these rows say as well."""

Values = dict[str, Any]


class _Native(Record, frozen=True):
    """Words for the site's submit command, and the row that they say exactly ("": none)."""

    row: str
    rank: int
    words: tuple[str, ...]
    setting: Setting


class Gathered:
    """What all layers together say of each row, read for one place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.values: Values = {}
        self.notes: list[str] = []
        self._ranks: dict[str, int] = {}
        self._native: list[_Native] = []

    @property
    def native(self) -> list[str]:
        """Words for the site's submit command, in the order they were given."""
        return [word for native in self._native for word in native.words]

    def stands_for(self, row: str) -> bool:
        """Whether native words say what the row says."""
        return any(native.row == row for native in self._native)

    def take(self, setting: Setting, rank: int) -> None:
        """One more setting, of a layer that is at least as strong as those before."""
        if not setting.heard_at(self.place.site):
            return
        if not setting.option:
            self.notes.append(setting.text)
            return
        option = BY_NAME[setting.option]
        if setting.native or (option.kind == "native" and self.place.site):
            self._say(option, setting, rank)
            return
        value = read_setting(setting, self.place)
        if option.clusters and not self.place.site:
            shown = f"{setting.origin} {safe(setting.text[:60])}"
            self.notes.append(f"ignored: {shown} (there is one machine)")
            return
        for name, part in _parts(option, value, self._model(option, setting)):
            self._replace(name, rank, setting)
            self._put(name, part)
            self._ranks[name] = rank

    def _say(self, option: Option, setting: Setting, rank: int) -> None:
        words = READERS["native"](setting.text, setting.origin, self.place)
        row = option.name if setting.native else ""
        if row:
            self._silence(option, rank, setting)
        self._native.append(_Native(row=row, rank=rank, words=words, setting=setting))

    def _model(self, option: Option, setting: Setting) -> str:
        """The model of the GPUs that are asked for."""
        if option.kind not in ("gpus", "gres"):
            return ""
        return gpu_model(setting.text, setting.origin, gres=option.kind == "gres")

    def _replace(self, name: str, rank: int, setting: Setting) -> None:
        """Take out what a stronger layer replaces; refuse two of one layer that exclude each
        other."""
        option = BY_NAME.get(name)
        if option is None:
            return
        self._silence(option, rank, setting)
        rows = [row.name for row in OPTIONS if option.group and row.group == option.group]
        for other in [row for row in rows if row in self.values]:
            if self._ranks[other] < rank or {name, other} in _ALIKE:
                del self.values[other], self._ranks[other]
            elif option.group in _EXCLUDING and other != name:
                raise Wrong(
                    f"{setting.origin} and {BY_NAME[other].flag} exclude each other",
                    "give one of them",
                )

    def _silence(self, option: Option, rank: int, setting: Setting) -> None:
        """Words of a weaker layer that say what this option says must not have the last word."""
        kept = []
        for native in self._native:
            if native.rank >= rank or not _says(native.row, option):
                kept.append(native)
            elif native.row in _STANDS_FOR:
                weaker = native.setting
                self.notes.append(f"{weaker.origin} {weaker.text} gives way to {setting.origin}")
        self._native = kept

    def _put(self, name: str, value: Any) -> None:
        if name in _ADD_UP:
            self.values[name] = {**self.values.get(name, {}), **value}
        elif name in BY_NAME and BY_NAME[name].multiple:
            self.values[name] = [*self.values.get(name, ()), value]
        else:
            self.values[name] = value


def gather(
    layers: Sequence[Iterable[Setting]],
    place: Place,
    profiles: Mapping[str, Mapping[str, str]] | None,
    defaults: Mapping[str, str] | None,
) -> Gathered:
    """All layers in one. Raises `Wrong` at the first value that cannot be meant."""
    given = [list(layer) for layer in layers]
    base = settings_of(defaults or {}, "configuration: defaults.")
    name = _chosen_profile([base, *given])
    profile = _profile(name, profiles or {}) if name else []
    found = Gathered(place)
    for rank, layer in enumerate([base, profile, *given]):
        for setting in layer:
            found.take(setting, rank)
    return found


def settings_of(options: Mapping[str, str], prefix: str) -> list[Setting]:
    """Settings of a profile or of defaults: by row or long flag; an empty value says nothing."""
    found = []
    for key, text in options.items():
        row = by_key(key)
        if row is None:
            near = nearest(key, [option.name for option in OPTIONS])
            hint = f"did you mean {near}?" if near else "see: hpc submit --help"
            raise Wrong(f"{prefix}{safe(key[:60])} is no option of a job", hint)
        if text:
            found.append(Setting(option=row.name, text=text, origin=f"{prefix}{key}"))
    return found


def _chosen_profile(layers: Sequence[Sequence[Setting]]) -> Setting | None:
    named = [setting for layer in layers for setting in layer if setting.option == "profile"]
    return named[-1] if named else None


def _profile(chosen: Setting, profiles: Mapping[str, Mapping[str, str]]) -> list[Setting]:
    if chosen.text not in profiles:
        near = nearest(chosen.text, profiles)
        raise Wrong(
            f"{chosen.origin}: there is no profile {quote(chosen.text)}",
            f"did you mean {near}?" if near else "there are " + ", ".join(sorted(profiles)),
        )
    found = settings_of(profiles[chosen.text], f"profile {chosen.text}: ")
    return [setting for setting in found if setting.option != "profile"]


def _says(row: str, option: Option) -> bool:
    """Whether native words for a row say what this option says."""
    if row in _STANDS_FOR:
        return option.name in _STANDS_FOR[row] or option.group in _STANDS_FOR[row]
    return bool(row) and (row == option.name or BY_NAME[row].group == option.group != "")


def _parts(option: Option, value: Any, model: str) -> list[tuple[str, Any]]:
    """The rows a value belongs to: its own, but for Slurm's joint and our sugared ones. The model
    of GPUs, which is no row, goes with the last that asked for some."""
    if option.kind == "gpus":
        return [(option.name, value), ("gpu_model", model)]
    if option.kind == "gres":
        own = {name: count for name, count in value.items() if name != "gpu" and count}
        gpus = [("gpus_per_node", value["gpu"]), ("gpu_model", model)] if "gpu" in value else []
        return [*gpus, ("gres", own)] if own else gpus
    if option.kind == "parents":
        return [("dependency", f"{option.name}:{value}")]
    return [(option.name, value)]
