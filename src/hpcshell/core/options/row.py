"""One row of the option table, one option as somebody gave it, and the ways of one dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from hpcshell.core.records import Record

Dialect = Literal["hpc", "sbatch", "pbs", "lsf", "sge"]
DIALECTS: Final[tuple[Dialect, ...]] = ("hpc", "sbatch", "pbs", "lsf", "sge")


class Option(Record, frozen=True, kw_only=True):
    """One row. `name` is also the Python keyword, the profile's key and click's parameter.

    `kind` names the reader in `options.read`. `bare` is the text that the flag alone stands for:
    such a row takes no value. `optional`: its value may be left out, and is joined by `=`. `off`
    are spellings that say no. `group`: a row of a higher layer replaces all rows of its group in
    lower layers. `project`: harmless, so a project's file may set it. `clusters`: it means
    something on clusters only. In other dialects a spelling with a blank is a part of a larger
    option: `-l walltime`.
    """

    name: str
    kind: str
    help: str
    panel: str
    metavar: str = ""
    hpc: tuple[str, ...] = ()
    sbatch: tuple[str, ...] = ()
    pbs: tuple[str, ...] = ()
    lsf: tuple[str, ...] = ()
    sge: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    bare: str | None = None
    optional: bool = False
    multiple: bool = False
    group: str = ""
    choices: tuple[str, ...] = ()
    project: bool = False
    clusters: bool = False
    hidden: bool = False

    @property
    def is_flag(self) -> bool:
        return self.bare is not None

    @property
    def flag(self) -> str:
        """The flag people are told about."""
        return self.hpc[0] if self.hpc else self.name

    def spellings(self, dialect: Dialect) -> tuple[str, ...]:
        found: tuple[str, ...] = getattr(self, dialect)
        return found


class Setting(Record, frozen=True, kw_only=True):
    """An option as given: the row's name, its text, and where it stands.

    `origin` is what an error blames: `--mem`, `job.sh line 3: #SBATCH -t`. A setting without a row
    is only a note: something understood and left alone. `only` says who is to hear it: everybody
    (""), this one machine (`here`), any `cluster`, sites that speak a dialect (`pbs`); what follows
    a `-` is left out (`-pbs`, `cluster-pbs`). `native`: the text is words for the submit command of
    such a site, which say exactly what the row says.
    """

    option: str
    text: str
    origin: str
    only: str = ""
    native: bool = False

    def heard_at(self, site: str) -> bool:
        """Whether it is meant for a site of this dialect ("": for this machine)."""
        whom, _, but = self.only.partition("-")
        if but and but == site:
            return False
        return whom in ("", site or "here") or (whom == "cluster" and bool(site))


Pairs = list[tuple[str, str]]
Converter = Callable[[str, str], Pairs]
"""(text, origin) -> (row's name, its text in our own words) ...; without a name it is a note.

A name may say whom the pair is for: `memory@here`, `nodes@cluster`, `@-pbs`, as in `Setting.only`.
`nodes!pbs` are words for the submit command of PBS, quoted as for a shell, which stand for the row.
"""


def setting_of(name: str, text: str, origin: str) -> Setting:
    """The setting that a converter's pair is."""
    row, native, dialect = name.partition("!")
    row, _, only = row.partition("@")
    return Setting(
        option=row,
        text=text if row else f"{origin}: {text}",
        origin=origin,
        only=dialect or only,
        native=bool(native),
    )


Arity = str
"""What follows a flag: `none`, `one` value, `two`, or `maybe` one."""


class Syntax(Record, frozen=True, kw_only=True):
    """A dialect beyond the table: values said in other words, and options that are left alone.

    `convert` by flag or row; `arity` where it is not what the row says; `left`: flag -> (arity,
    why): handed on to sites that speak the dialect, but for those of `steering`, which tell the
    submit command what to do rather than what is asked for. `long`: options are long or clustered
    letters, as GNU's; else each is one word with one dash.
    """

    convert: Mapping[str, Converter] = {}
    arity: Mapping[str, Arity] = {}
    left: Mapping[str, tuple[Arity, str]] = {}
    steering: frozenset[str] = frozenset()
    refused: Mapping[str, str] = {}
    long: bool = True
    prefixes: bool = False
    hash_inside: bool = False


RESOURCES: Final = "Resources"
TIME: Final = "Time"
QUEUE: Final = "Queue"
FILES: Final = "Names, files and environment"
ARRAYS: Final = "Arrays and dependencies"
RETRIES: Final = "Retries"
NOTICES: Final = "Notices"
CLUSTERS: Final = "Clusters"
