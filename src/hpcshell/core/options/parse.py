"""From command-line words and directive lines to settings, in five dialects.

    parse_flags(["--mem=4G", "-c2", "job.sh", "x"], "sbatch")   .settings, .rest == ("job.sh", "x")
    directives(script, "job.sh").layers                         by dialect, the weakest first

#HPC is stronger than #SBATCH, that than #PBS, #BSUB and #$. Directives end at the first line that
is neither blank nor a comment, as in Slurm. What another scheduler knows and one machine cannot
mean is accepted: it becomes a note, and words for sites that speak the dialect. An unknown option
is `Wrong`, with the nearest right one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from shlex import join
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.options.row import Arity, Dialect, Option, Setting, Syntax, setting_of
from hpcshell.core.options.table import by_flag
from hpcshell.core.records import Record
from hpcshell.core.words import nearest, quote, safe


class Parsed(Record, frozen=True, kw_only=True):
    """What the flags set, and the words after them (the script and its arguments)."""

    settings: tuple[Setting, ...]
    rest: tuple[str, ...] = ()


class Directives(Record, frozen=True, kw_only=True):
    """The settings of a script's directives, by dialect, the weakest dialect first."""

    layers: tuple[tuple[Setting, ...], ...] = ()

    @property
    def settings(self) -> tuple[Setting, ...]:
        return tuple(setting for layer in self.layers for setting in layer)


@cache
def syntax_of(dialect: Dialect) -> Syntax:
    """The dialect's own ways; loaded when it is first met."""
    if dialect == "sbatch":
        from hpcshell.core.options.slurm import SLURM

        return SLURM
    if dialect == "pbs":
        from hpcshell.core.options.pbs import PBS

        return PBS
    if dialect == "lsf":
        from hpcshell.core.options.lsf import LSF

        return LSF
    if dialect == "sge":
        from hpcshell.core.options.sge import SGE

        return SGE
    return Syntax()


# ---------------------------------------------------------------------------------------- flags


def parse_flags(tokens: Sequence[str], dialect: Dialect, where: str = "") -> Parsed:
    """Settings of the leading options. `where` goes before the flag in what errors blame."""
    syntax = syntax_of(dialect)
    scan = _scan_long if syntax.long else _scan_words
    found, taken = scan(tokens, dialect, where)
    rest = tokens[taken:]
    if rest and rest[0] == "--":
        rest = rest[1:]
    settings = [
        setting
        for flag, value in found
        for setting in _settle(flag, value, dialect, f"{where}{flag}")
    ]
    return Parsed(settings=tuple(settings), rest=tuple(rest))


Flags = list[tuple[str, str | None]]


def _scan_long(tokens: Sequence[str], dialect: Dialect, where: str) -> tuple[Flags, int]:
    """The flags of `--name=value -nvalue -n value -abc`, and how many words they take."""
    found: Flags = []
    at = 0
    while at < len(tokens) and len(tokens[at]) > 1 and tokens[at][0] == "-" and tokens[at] != "--":
        flag, given = tokens[at][:2], tokens[at][2:] or None
        if flag == "--":
            flag, given = _long(tokens[at], dialect, where)
        at += 1
        while _arity(flag, dialect, where) == "none" and given:
            found.append((flag, None))
            flag, given = "-" + given[0], given[1:] or None
        if given is None and _arity(flag, dialect, where) == "one":
            if at == len(tokens):
                raise _no_value(flag, dialect, where)
            given = tokens[at]
            at += 1
        found.append((flag, given))
    return found, at


def _long(token: str, dialect: Dialect, where: str) -> tuple[str, str | None]:
    word, equals, value = token.partition("=")
    flag = _full_name(word, dialect, where)
    if equals and _arity(flag, dialect, where) == "none":
        raise Wrong(f"{where}{flag} takes no value", f"write {flag} alone")
    return flag, value if equals else None


def _scan_words(tokens: Sequence[str], dialect: Dialect, where: str) -> tuple[Flags, int]:
    """The same of `-name value`; a letter that takes a value may have it joined (`-n4`)."""
    found: Flags = []
    at = 0
    while at < len(tokens) and len(tokens[at]) > 1 and tokens[at][0] == "-":
        flag, given = tokens[at], None
        at += 1
        if not _known(flag, dialect) and _known(flag[:2], dialect):
            flag, given = flag[:2], flag[2:]
        arity = _arity(flag, dialect, where)
        if given is None and arity == "one" and at == len(tokens):
            raise _no_value(flag, dialect, where)
        if given is None and (arity == "one" or (arity == "maybe" and _is_value(tokens[at:]))):
            given = tokens[at]
            at += 1
        elif arity == "two":
            given = " ".join(tokens[at : at + 2])
            at += 2
        found.append((flag, given))
    return found, at


def _is_value(rest: Sequence[str]) -> bool:
    return bool(rest) and not rest[0].startswith("-")


def _known(flag: str, dialect: Dialect) -> bool:
    syntax = syntax_of(dialect)
    tables = (by_flag(dialect), syntax.convert, syntax.left, syntax.refused)
    return any(flag in table for table in tables)


def _arity(flag: str, dialect: Dialect, where: str) -> Arity:
    syntax = syntax_of(dialect)
    if flag in syntax.refused:
        raise Wrong(f"{where}{flag}: {syntax.refused[flag]}", "leave it out")
    if not _known(flag, dialect):
        raise _unknown(flag, dialect, where)
    if flag in syntax.arity:
        return syntax.arity[flag]
    if flag in syntax.left:
        return syntax.left[flag][0]
    row = by_flag(dialect).get(flag)
    if row is not None and row.optional:
        return "maybe"
    return "none" if row is not None and row.is_flag else "one"


def _full_name(word: str, dialect: Dialect, where: str) -> str:
    """The flag itself, or where the dialect allows it the only one that begins so."""
    syntax = syntax_of(dialect)
    if _known(word, dialect) or not syntax.prefixes:
        return word
    every = {*by_flag(dialect), *syntax.left, *syntax.refused}
    found = sorted(flag for flag in every if flag.startswith(word))
    if len(found) > 1 and len({id(by_flag(dialect).get(flag, flag)) for flag in found}) > 1:
        raise Wrong(f"{where}{word} is ambiguous", "it may be " + ", ".join(found[:8]))
    return found[0] if found else word


def _unknown(flag: str, dialect: Dialect, where: str) -> Wrong:
    near = nearest(flag, [name for name in by_flag(dialect) if " " not in name])
    hint = f"did you mean {near}?" if near else "see: hpc submit --help"
    return Wrong(f"{where}{safe(flag[:60])} is no option", hint)


def _no_value(flag: str, dialect: Dialect, where: str) -> Wrong:
    row = by_flag(dialect).get(flag)
    return Wrong(f"{where}{flag} needs a value", f"write {flag} {row.metavar}" if row else None)


def _settle(flag: str, value: str | None, dialect: Dialect, origin: str) -> list[Setting]:
    syntax = syntax_of(dialect)
    row = by_flag(dialect).get(flag)
    if flag in syntax.left and row is None and flag not in syntax.convert:
        return _left_alone(flag, value, dialect, origin)
    convert = syntax.convert.get(flag) or (syntax.convert.get(row.name) if row else None)
    text = _text(flag, value, row)
    found = convert(text, origin) if convert else [(row.name if row else "", text)]
    return [setting_of(name, said, origin) for name, said in found]


def _left_alone(flag: str, value: str | None, dialect: Dialect, origin: str) -> list[Setting]:
    """A note for everybody but those who speak the dialect; they get the words."""
    syntax = syntax_of(dialect)
    shown = origin if value is None else f"{origin} {safe(value[:60])}"
    note = f"ignored: {shown} ({syntax.left[flag][1]})"
    if flag in syntax.steering:
        return [Setting(option="", text=note, origin=origin)]
    said = [flag] if value is None else [flag, value]
    words = join(["=".join(said)] if flag.startswith("--") else said)
    return [
        Setting(option="", text=note, origin=origin, only=f"-{dialect}"),
        Setting(option="native", text=words, origin=origin, only=dialect),
    ]


def _text(flag: str, value: str | None, row: Option | None) -> str:
    if row is not None and flag in row.off:
        return "no"
    if value is not None:
        return value
    return row.bare or "" if row is not None else ""


# ----------------------------------------------------------------------------------- directives

_DIRECTIVE: Final = (
    rb"#(?:(?P<hpc>HPC)|(?P<sbatch>SBATCH)|(?P<pbs>PBS)|(?P<lsf>BSUB))(?=[\s-]|\Z)"
    rb"|(?P<sge>#\$)(?=\s*-)"
)
_STRONGEST_LAST: Final[tuple[Dialect, ...]] = ("sge", "lsf", "pbs", "sbatch", "hpc")
_PREFIX: Final = {"hpc": "#HPC", "sbatch": "#SBATCH", "pbs": "#PBS", "lsf": "#BSUB", "sge": "#$"}


def directives(
    script: bytes, name: str, dialects: Sequence[Dialect] = ("hpc", "sbatch", "pbs", "lsf", "sge")
) -> Directives:
    """The settings in a script's comments. Errors name the script, the line and the directive."""
    found: dict[Dialect, list[Setting]] = {}
    for number, line in enumerate(script.split(b"\n"), start=1):
        if line.strip() and not line.lstrip().startswith(b"#"):
            break
        match = re.match(_DIRECTIVE, line)
        dialect = _dialect(match)
        if match is None or dialect is None or dialect not in dialects:
            continue
        where = f"{safe(name)} line {number}: {_PREFIX[dialect]} "
        found.setdefault(dialect, []).extend(_directive(line[match.end() :], dialect, where))
    return Directives(
        layers=tuple(tuple(found[dialect]) for dialect in _STRONGEST_LAST if dialect in found)
    )


def _dialect(match: re.Match[bytes] | None) -> Dialect | None:
    return next((d for d in _STRONGEST_LAST if match is not None and match[d]), None)


def _directive(line: bytes, dialect: Dialect, where: str) -> tuple[Setting, ...]:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise Wrong(f"{where.rstrip()}: the line is not UTF-8", "save the file as UTF-8") from None
    tokens = words(text, where, hash_inside=syntax_of(dialect).hash_inside)
    if dialect == "sbatch" and tokens[:1] in (["hetjob"], ["packjob"]):
        raise Wrong(
            f"{where}{tokens[0]}: jobs of several parts do not run here", "submit them apart"
        )
    parsed = parse_flags(tokens, dialect, where)
    if parsed.rest:
        raise Wrong(
            f"{where.rstrip()}: {quote(parsed.rest[0])} is no option", "options begin with -"
        )
    return parsed.settings


def words(text: str, where: str, *, hash_inside: bool = False) -> list[str]:
    """Split as a shell does: quotes, backslashes, comments (`hash_inside`: in words, too)."""
    found: list[str] = []
    current: str | None = None
    quoted = ""
    letters = iter(text)
    for letter in letters:
        if letter == "\\" and quoted != "'":
            current = (current or "") + next(letters, "")
        elif letter == quoted:
            quoted = ""
        elif quoted:
            current = (current or "") + letter
        elif letter in "\"'":
            quoted, current = letter, current or ""
        elif letter.isspace():
            found += [] if current is None else [current]
            current = None
        elif letter == "#" and (hash_inside or current is None):
            break
        else:
            current = (current or "") + letter
    if quoted:
        raise Wrong(
            f"{where.rstrip()}: a quote {quoted} is not closed", "close it on the same line"
        )
    return found if current is None else [*found, current]
