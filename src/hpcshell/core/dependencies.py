"""Dependency expressions: `afterok:12:15_3,afterany:prep?...` to terms, and back.

    parse("afterok:1:2+5,afterany:prep") -> Expression(terms=(Term("afterok", Ids(1)), ...))
    format_expression(expression) -> the same text
    format_dependencies(job.dependencies) -> text

Kinds: `after` (the parent has begun, or was cancelled), `afterok` (completed), `afternotok`
(failed), `afterany` (ended), `aftercorr` (the element of the same index completed), `singleton` (no
other job of this name and user is alive). `:` joins parents of one kind, `,` means all, `?` means
any; `+N` waits N minutes more. A parent is an id, an element, `@`, or a job's name; alone it means
`afterok`. Whoever knows clusters also reads `CLUSTER:ID`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.ids import Named, Selector, format_selector, select, split
from hpcshell.core.records import Dependencies, Record
from hpcshell.core.words import nearest, quote

KINDS: Final = ("after", "afterok", "afternotok", "afterany", "aftercorr", "singleton")
MOST_TERMS: Final = 10_000
_DELAY: Final = r"(?s)\A(.+)\+([0-9]{1,7})\Z"
_ODD_DELAY: Final = r"\A[@0-9][^+]*\+[0-9.]+[smhd]?\Z"
_HINT: Final = "write afterok:12, afterany:12:13, afterok:prep, or singleton"


class Term(Record, frozen=True, kw_only=True):
    """One condition; `parent` is None for `singleton`; `delay` is seconds; `cluster`: where the
    parent is, if that was said."""

    kind: str
    parent: Selector | None = None
    delay: float = 0.0
    cluster: str = ""


class Expression(Record, frozen=True, kw_only=True):
    """All of the terms must hold, or any one of them."""

    terms: tuple[Term, ...]
    any: bool = False


def parse(
    text: str,
    option: str = "--dependency",
    *,
    bare: str = "afterok",
    clusters: Collection[str] = (),
) -> Expression:
    """The terms of `text`, not looked up yet. `bare` is the kind of a parent without one;
    `clusters` are words that tell where the parent behind them is."""
    terms: list[Term] = []
    several = "?" in text
    parts = text.split("?") if several else split(text)
    if several and any(len(split(part)) > 1 for part in parts):
        raise Wrong(f"{option}: {quote(text)} mixes , (all) and ? (any)", "use one of the two")
    for part in parts:
        terms.extend(_on_clusters(_term(part.strip(), text, option, bare), clusters))
    if len(terms) > MOST_TERMS:
        raise Wrong(
            f"{option}: {len(terms):,} conditions are too many", f"the limit is {MOST_TERMS:,}"
        )
    return Expression(terms=tuple(dict.fromkeys(terms)), any=several)


def _term(part: str, text: str, option: str, bare: str) -> list[Term]:
    if part.lower() == "singleton":
        return [Term(kind="singleton")]
    if part.lower() in KINDS:
        raise Wrong(f"{option}: {part} needs a job to wait for", f"write {part}:ID")
    kind, *parents = split(part, ":")
    if not parents:
        kind, parents = bare, [part]
    elif kind.lower() not in KINDS[:-1]:
        raise _unknown_kind(kind, option)
    return [_parent(kind.lower(), word, text, option) for word in parents]


def _on_clusters(terms: list[Term], clusters: Collection[str]) -> Iterator[Term]:
    """The terms of one kind; where one is the name of a cluster, the next is there."""
    cluster = ""
    for term in terms:
        parent = term.parent
        if not cluster and isinstance(parent, Named) and parent.name in clusters:
            cluster = parent.name
            if term is not terms[-1]:
                continue
            cluster = ""
        yield replace(term, cluster=cluster) if cluster else term
        cluster = ""


def _parent(kind: str, word: str, text: str, option: str) -> Term:
    found = re.match(_DELAY, word)
    parent, delay = (found[1], 60.0 * int(found[2])) if found else (word, 0.0)
    if re.search(_ODD_DELAY, parent):
        raise Wrong(
            f"{option}: {quote(word)} has a delay that is no number of minutes",
            "write afterok:12+30 for half an hour after",
        )
    if not parent.strip() or parent.startswith("+"):
        raise Wrong(f"{option}: {quote(text)} names no job to wait for", _HINT)
    try:
        return Term(kind=kind, parent=select(parent), delay=delay)
    except Wrong as error:
        raise Wrong(f"{option}: {error.message}", error.hint) from None


def _unknown_kind(kind: str, option: str) -> Wrong:
    if kind.lower().startswith("afterburst"):
        return Wrong(f"{option}: there are no burst buffers here to wait for", "use afterany")
    near = nearest(kind.lower(), KINDS)
    hint = f"did you mean {near}?" if near else _HINT
    return Wrong(f"{option}: {quote(kind)} is no kind of dependency", hint)


def format_expression(expression: Expression) -> str:
    """The text that `parse` reads back as the same."""
    words = [
        (term.kind, "" if term.parent is None else format_selector(term.parent), term.delay)
        for term in expression.terms
    ]
    return _format(words, "?" if expression.any else ",")


def format_dependencies(dependencies: Dependencies) -> str:
    """The text of resolved dependencies: parents are ids by now."""
    words = []
    for term in dependencies.terms:
        element = "" if term.index is None else f"_{term.index}"
        words.append((term.kind, f"{term.job}{element}" if term.job else "", term.delay))
    return _format(words, "?" if dependencies.any else ",")


def _format(words: list[tuple[str, str, float]], separator: str) -> str:
    """Where all must hold, neighbours of one kind share its name: `afterok:1:2`."""
    parts: list[str] = []
    last = ""
    for kind, parent, delay in words:
        shown = parent + (f"+{delay / 60:.0f}" if delay else "")
        if not parent:
            parts.append(kind)
        elif kind == last and separator == ",":
            parts[-1] += f":{shown}"
        else:
            parts.append(f"{kind}:{shown}")
        last = kind
    return separator.join(parts)
