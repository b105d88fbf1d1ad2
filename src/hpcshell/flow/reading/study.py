"""The whole of a specification: the keys of a sweep's file."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.core.options.table import BY_NAME, by_key
from hpcshell.core.options.values import from_keywords
from hpcshell.core.words import check_name, nearest, quote
from hpcshell.flow.arguments import check_folder, templates
from hpcshell.flow.care import causes
from hpcshell.flow.expand import names
from hpcshell.flow.reading.blocks import KEYS as SWEEP_KEYS
from hpcshell.flow.reading.blocks import blocks
from hpcshell.flow.reading.commands import check_passing, command, passing
from hpcshell.flow.reading.entry import Entry, kind
from hpcshell.flow.reading.searching import DIRECTIONS, search
from hpcshell.flow.reading.tree import Node
from hpcshell.flow.reading.values import check_parameter
from hpcshell.flow.spec import Block, Care, Snapshot, Spec

KEYS: Final = (
    "name",
    "description",
    "tags",
    "command",
    "script",
    "passing",
    "output_key",
    "output",
    "sweep",
    "search",
    "metric",
    "direction",
    "resources",
    "options",
    "environment",
    "max_failures",
    "same_error",
    "throttle",
    "priority",
    "retries",
    "retry_on",
    "retry_grow",
    "retry_cap",
    "snapshot",
    "strategy",
    "parameters",
    "metadata",
    "defaults",
)
CARE_COUNTS: Final = ("max_failures", "same_error", "throttle")
OURS: Final = (
    "array throttle dependency after afterok afternotok afterany output error retries retry_on"
    " retry_grow retry_cap priority env export chdir hold unique"
)
"""Options of a job that a sweep sets itself, or says with a key of its own."""


def study(entry: Entry) -> Spec:
    """The specification, checked."""
    _check_keys(entry)
    notes: list[str] = []
    if entry.at("defaults") is not None:
        notes.append("defaults: is for Hydra, which reads it itself; ignored here")
    words = command(entry)
    how = passing(entry, words)
    metric, direction = _text(entry, "metric"), _word(entry, "direction")
    found, looked = _sweep(entry, notes), entry.at("search")
    options, resources = _resources(entry)
    spec = Spec(
        name=_name(entry),
        description=_metadata(entry, "description"),
        tags=_tags(entry),
        command=words,
        passing=how,
        output_key=_output_key(entry),
        output=_text(entry, "output"),
        blocks=found,
        search=None if looked is None else search(looked, metric, direction),
        options=options,
        resources=resources,
        environment=_environment(entry.at("environment")),
        care=_care(entry),
        snapshot=_snapshot(entry.at("snapshot")),
        metric=metric,
        direction=direction,
        notes=tuple(dict.fromkeys(notes)),
    )
    return _checked(entry, spec)


def _check_keys(entry: Entry) -> None:
    if not entry.fields:
        raise entry.wrong("no sweep in it", "write command: python3 train.py and sweep: {grid: …}")
    for inner in entry.entries():
        if inner.last in SWEEP_KEYS and inner.last not in KEYS:
            raise inner.wrong(
                f"{inner.last} stands below sweep", f"write sweep: {{{inner.last}: …}}"
            )
    entry.known(KEYS)


def _checked(entry: Entry, spec: Spec) -> Spec:
    """What can only be said of the whole."""
    known = names(spec)
    notes = list(spec.notes)
    check_passing(entry, spec.command, spec.passing, known, notes)
    output = entry.at("output")
    if output is not None and spec.output:
        try:
            (template,) = templates((spec.output,), known)
            if not template.used:
                check_folder(spec.output)
        except Wrong as error:
            raise output.refused(error) from None
    if spec.output_key and spec.passing == "arguments" and spec.output_key in known:
        raise (entry.at("output_key") or entry).wrong(
            f"{quote(spec.output_key)} is a parameter and tells the folder, too",
            "write output_key: with another name, or with none",
        )
    return replace(spec, notes=tuple(notes))


# ------------------------------------------------------------------------------------------ points


def _sweep(entry: Entry, notes: list[str]) -> tuple[Block, ...]:
    sweep, search = entry.at("sweep"), entry.at("search")
    parameters, strategy = entry.at("parameters"), entry.at("strategy")
    if strategy is not None:
        strategy.word(("grid",))
    if sweep is not None and search is not None:
        raise search.wrong("both sweep and search are given", "make two files of them")
    if parameters is not None:
        if sweep is not None or search is not None:
            raise parameters.wrong(
                "parameters stands beside a sweep", "move it below sweep: or search:"
            )
        return blocks(_as_grid(parameters), notes)
    if sweep is None and search is None:
        raise entry.wrong("nothing says which points run", "write sweep: {grid: {lr: [0.1, 0.01]}}")
    return () if sweep is None else blocks(sweep, notes)


def _as_grid(entry: Entry) -> Entry:
    """`parameters:` at the top (with `strategy: grid`) is a grid."""
    node = Node({"grid": entry.node}, entry.node.line)
    return Entry(node, entry.name, ("sweep",))


# ----------------------------------------------------------------------------------------- scalars


def _text(entry: Entry, key: str) -> str:
    found = entry.at(key)
    return "" if found is None else found.text()


def _word(entry: Entry, key: str) -> Any:
    found = entry.at(key)
    return "minimize" if found is None else found.word(DIRECTIONS)


def _name(entry: Entry) -> str:
    found = entry.at("name")
    if found is None:
        return ""
    name = found.text()
    try:
        check_name(name)
    except Wrong as error:
        raise found.refused(error) from None
    if "/" in name or name.startswith((".", "-")):
        raise found.wrong(
            f"the name {quote(name)} cannot be a folder's", "leave out slashes and leading . and -"
        )
    return name


def _metadata(entry: Entry, key: str) -> str:
    return _text(entry, key) or (_text(more, key) if (more := entry.at("metadata")) else "")


def _tags(entry: Entry) -> tuple[str, ...]:
    more = entry.at("metadata")
    found = entry.at("tags") or (more.at("tags") if more is not None else None)
    return () if found is None else found.words()


def _output_key(entry: Entry) -> str:
    """Absent: Hydra users' `output.dir`; null or empty: none."""
    if "output_key" not in entry.fields:
        return "output.dir"
    found = entry.at("output_key")
    if found is None or found.text() == "":
        return ""
    return check_parameter(found, found.text())


def _environment(entry: Entry | None) -> dict[str, str]:
    if entry is None:
        return {}
    found: dict[str, str] = {}
    for inner in entry.entries():
        if not inner.last.isidentifier() or not inner.last.isascii():
            raise inner.wrong(f"{quote(inner.last)} is no variable", "use letters, digits and _")
        if inner.is_mapping() or inner.is_list() or inner.node.value is None:
            raise inner.wrong(f"{inner.label} is {kind(inner)}, not text", "write it in quotes")
        value = inner.value()
        found[inner.last] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


# ------------------------------------------------------------------------------- resources and care


def _resources(entry: Entry) -> tuple[dict[str, Any], str]:
    """Options of each job, and resources in one text of somebody's words."""
    options: dict[str, Any] = {}
    said = ""
    for section in (entry.at("resources"), entry.at("options")):
        if section is None:
            continue
        if section.last == "resources" and not section.is_mapping():
            said = section.text("write {cpus: 2, memory: 4G}, or words of PBS or Slurm").strip()
            continue
        for inner in section.entries():
            if inner.last in options:
                raise inner.wrong(f"{quote(inner.last)} is given twice", "remove one of them")
            options[inner.last] = _option(inner)
    return options, said


def _option(entry: Entry) -> Any:
    if entry.last in OURS.split():
        raise entry.wrong(
            f"{entry.last} is not set per job: the sweep does it",
            f"remove it, or write {entry.last}: at the top of the file if it is a key of sweeps",
        )
    if by_key(entry.last) is None:
        near = nearest(entry.last, BY_NAME)
        raise entry.wrong(
            f"{quote(entry.last)} is no option of a job",
            f"did you mean {near}?" if near else "`hpc submit --help` lists them",
        )
    value = entry.value()
    try:
        from_keywords(**{entry.last: value})
    except HpcError as error:
        raise entry.refused(error) from None
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise entry.wrong(
            f"{entry.label} is {kind(entry)}, which says nothing here", "write text"
        ) from None
    return value


def _care(entry: Entry) -> Care:
    care: dict[str, Any] = {key: found.whole(1) for key in CARE_COUNTS if (found := entry.at(key))}
    care |= {
        key: _care_option(found)
        for key in ("priority", "retries", "retry_on", "retry_grow", "retry_cap")
        if (found := entry.at(key))
    }
    return Care(**care)


def _care_option(entry: Entry) -> Any:
    """An option of jobs that sweeps name themselves, checked as jobs' are."""
    if entry.last == "priority":
        found: Any = entry.whole(-(1 << 31), 1 << 31)
    elif entry.last == "retries":
        found = entry.whole(0, 1000)
    elif entry.last == "retry_on":
        found = entry.words()
    elif entry.last == "retry_grow":
        found = {inner.last: float(inner.number()) for inner in entry.entries()}
    else:
        found = {inner.last: str(inner.value()) for inner in entry.entries()}
    try:
        said = list(causes(found)) if isinstance(found, tuple) else found
        from_keywords(**{entry.last: said})
    except HpcError as error:
        raise entry.refused(error) from None
    return found


def _snapshot(entry: Entry | None) -> Snapshot | None:
    if entry is None:
        return None
    if not entry.is_mapping():
        return Snapshot() if entry.truth() else None
    entry.known(("include", "exclude", "link"))
    return Snapshot(**{key: inner.words() for key in entry.fields if (inner := entry.at(key))})
