"""The blocks of a sweep: constants, grid, paired, list, random, exclusions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.flow.expand import names_of
from hpcshell.flow.expressions import compiled, used
from hpcshell.flow.reading.chances import distributions
from hpcshell.flow.reading.entry import Entry
from hpcshell.flow.reading.values import (
    WAYS,
    constants,
    each_once,
    flattened,
    is_generated,
    is_generator,
    unique,
    values,
)
from hpcshell.flow.spec import Axis, Block, Exclusion, Sampling

KEYS: Final = ("parameters", "grid", "paired", "list", "random", "exclude")
MOST_CONDITIONS: Final = 200
MOST_BLOCKS: Final = 1000


def blocks(entry: Entry, notes: list[str]) -> tuple[Block, ...]:
    """One block, or a list of them."""
    found = entry.items() if entry.is_list() else [entry]
    if not 0 < len(found) <= MOST_BLOCKS:
        raise entry.wrong(f"{entry.label}: {len(found):,} blocks", f"write 1 to {MOST_BLOCKS:,}")
    return tuple(_block(block, notes) for block in found)


def _block(entry: Entry, notes: list[str]) -> Block:
    entry.known(KEYS)
    if all(entry.at(key) is None for key in KEYS):
        raise entry.wrong(
            f"{entry.label} is empty: it has no points", "write grid: {lr: [0.1, 0.01]} below it"
        )
    axes: list[tuple[Axis, Entry]] = []
    if (grid := entry.at("grid")) is not None:
        axes += _grid(grid, notes)
    if (paired := entry.at("paired")) is not None:
        axes += _paired(paired, notes)
    fixed = constants(entry.at("parameters"))
    block = Block(
        constants=fixed,
        axes=tuple(axis for axis, _ in axes),
        listed=_listed(entry.at("list"), fixed, notes),
    )
    block, conditions = _with_random(block, entry.at("random"))
    _each_once(block, entry)
    block = _ordered(block, {axis.names: where for axis, where in axes}, conditions)
    return replace(block, exclude=_exclusions(entry.at("exclude"), names_of(block)))


# ------------------------------------------------------------------------------------------ axes


def _grid(entry: Entry, notes: list[str]) -> Iterable[tuple[Axis, Entry]]:
    if not entry.fields and not entry.is_list():
        raise entry.wrong(f"{entry.label} is empty", "write lr: [0.1, 0.01] below it")
    for name, inner in unique(flattened(entry, is_generated, WAYS)).items():
        _no_distribution(inner)
        found = tuple((value,) for value in values(inner, notes))
        yield Axis(names=(name,), values=found, when=_when(inner)), inner


def _no_distribution(entry: Entry) -> None:
    if entry.is_mapping() and not is_generator(entry):
        raise entry.wrong(
            f"{entry.label} looks like a distribution; the values of a grid are listed",
            "move it below random:, or write a name with a dot: model.uniform: [1, 2]",
        )
    if entry.last == "when" and not entry.is_list():
        raise entry.wrong(
            "a condition stands beside the values of one parameter",
            "write momentum: {values: [0.9, 0.99], when: \"opt == 'sgd'\"}",
        )


def _when(entry: Entry) -> str:
    when = entry.at("when")
    return "" if when is None else when.text("write a comparison: when: \"opt == 'sgd'\"")


def _paired(entry: Entry, notes: list[str]) -> Iterable[tuple[Axis, Entry]]:
    """A list of groups: `{name: {a: [..], b: [..]}}`, or `{a: [..], b: [..]}` without a name."""
    for item in entry.items() if entry.is_list() else [entry]:
        if not item.fields:
            raise item.wrong(f"{item.label}: a group that is empty", "write a: [1, 2], b: [3, 4]")
        named = [inner for inner in item.entries() if _is_group(inner)]
        if len(named) != len(item.fields):
            _no_condition_outside(item, named)
            yield _group(item, "", notes), item
            continue
        if len(named) > 1 and entry.is_list():
            raise item.wrong(
                f"{item.label}: several groups in one item, or nested parameters",
                "write a `-` before each group, or names with dots: model.depth: [1, 2]",
            )
        for group in named:
            yield _group(group, group.last, notes), group


def _is_group(entry: Entry) -> bool:
    return entry.is_mapping() and not is_generator(entry)


def _no_condition_outside(item: Entry, named: list[Entry]) -> None:
    if named and len(named) == len(item.fields) - 1 and item.at("when") is not None:
        raise item.wrong("a condition stands beside a group", "move when: into the group")


def _group(entry: Entry, name: str, notes: list[str]) -> Axis:
    condition = entry.at("when")
    inner = {
        key: found
        for key, found in unique(flattened(entry, is_generator)).items()
        if not (key == "when" and condition is not None and not condition.is_list())
    }
    columns = {key: _column(found, notes) for key, found in inner.items()}
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = " and ".join(f"{key} has {count:,}" for key, count in list(lengths.items())[:6])
        raise entry.wrong(
            f"paired values are not as many: {told}"[:180], "give each as many values"
        )
    if not lengths or 0 in lengths.values():
        raise entry.wrong(f"{entry.label}: a group without values", "write a: [1, 2], b: [3, 4]")
    return Axis(
        names=tuple(columns),
        values=each_once(entry, list(zip(*columns.values(), strict=True)), notes),
        when=_when(entry) if "when" not in inner else "",
        paired=True,
        group=name,
    )


def _column(entry: Entry, notes: list[str]) -> list[Any]:
    """The values of one in a group, in which some may come twice."""
    if entry.is_list():
        return [item.value() for item in entry.items()]
    return list(values(entry, notes))


# -------------------------------------------------------------------------------------- the others


def _listed(
    entry: Entry | None, fixed: Mapping[str, Any], notes: list[str]
) -> tuple[Mapping[str, Any], ...]:
    """The points of a list, with the constants that they do not replace."""
    if entry is None:
        return ()
    found = entry.items("write - {lr: 0.1, batch: 8} for each point")
    if not found:
        raise entry.wrong(f"{entry.label} is empty", "write - {lr: 0.1, batch: 8} for each point")
    return each_once(entry, [{**fixed, **constants(item)} for item in found], notes)


def _with_random(block: Block, entry: Entry | None) -> tuple[Block, dict[str, Entry]]:
    if entry is None:
        return block, {}
    entry.known(("samples", "seed", "parameters"))
    samples, seed, parameters = (entry.at(key) for key in ("samples", "seed", "parameters"))
    if samples is None or parameters is None or not parameters.fields:
        raise entry.wrong(
            f"{entry.label} takes samples and parameters",
            "write samples: 20 and parameters: {lr: {loguniform: [1e-5, 1e-1]}}",
        )
    dists, conditions = distributions(parameters)
    sampling = Sampling(
        samples=samples.whole(1), seed=seed.whole(0) if seed else 0, parameters=dists
    )
    return replace(block, random=sampling), conditions


def _each_once(block: Block, entry: Entry) -> None:
    """Refuses a parameter that two of grid, paired, list, random and parameters give."""
    found = [name for axis in block.axes for name in axis.names]
    found += list(block.random.parameters) if block.random else []
    seen = {*block.constants, *(name for point in block.listed for name in point)}
    for name in found:
        if name in seen:
            raise entry.wrong(
                f"the parameter {quote(name)} is given twice in one block",
                "keep one of parameters, grid, paired, list and random for it",
            )
        seen.add(name)


def _exclusions(entry: Entry | None, known: tuple[str, ...]) -> tuple[Exclusion, ...]:
    if entry is None:
        return ()
    return tuple(
        _exclusion(item, known) for item in (entry.items() if entry.is_list() else [entry])
    )


def _exclusion(entry: Entry, known: tuple[str, ...]) -> Exclusion:
    if not entry.is_mapping():
        text = entry.text("write an expression such as: lr > 0.1 and batch > 32")
        try:
            compiled(text, known)
        except Wrong as error:
            raise entry.refused(error) from None
        return Exclusion(expression=text)
    found = unique(flattened(entry, lambda inner: False))
    for name, inner in found.items():
        try:
            compiled(f"params[{name!r}]", known)
        except Wrong as error:
            raise inner.refused(error) from None
    if not found:
        raise entry.wrong("an exclusion that is empty", "write {lr: 0.1, seed: [2, 3]}")
    return Exclusion(
        values={
            name: tuple(value) if isinstance(value := inner.value(), list) else (value,)
            for name, inner in found.items()
        }
    )


# --------------------------------------------------------------------------------------- conditions


def _ordered(
    block: Block, axes: Mapping[tuple[str, ...], Entry], conditions: Mapping[str, Entry]
) -> Block:
    """The block with each conditional parameter after those that its condition is about."""
    known = names_of(block)
    fixed = {*block.constants, *(name for point in block.listed for name in point)}
    waiting = {
        axis.names: _asked(axis.when, known, axes[axis.names]) for axis in block.axes if axis.when
    }
    if len(waiting) > MOST_CONDITIONS:
        where = axes[next(iter(waiting))]
        raise where.wrong(f"more than {MOST_CONDITIONS} conditions", "use several blocks")
    by_names = {axis.names: axis for axis in block.axes}
    order = in_order(list(by_names), waiting, fixed, axes)
    block = replace(block, axes=tuple(by_names[each] for each in order))
    if block.random is None:
        return block
    fixed |= {name for axis in block.axes for name in axis.names}
    return replace(block, random=_random_ordered(block.random, conditions, known, fixed))


def _random_ordered(
    sampling: Sampling, conditions: Mapping[str, Entry], known: tuple[str, ...], fixed: set[str]
) -> Sampling:
    parameters, when = conditional(sampling.parameters, conditions, known, fixed)
    return replace(sampling, parameters=parameters, when=when)


def conditional(
    parameters: Mapping[str, Any],
    conditions: Mapping[str, Entry],
    known: tuple[str, ...],
    fixed: set[str],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Drawn parameters in an order in which conditions are about earlier ones, and those."""
    texts = {name: entry.text() for name, entry in conditions.items()}
    waiting: dict[tuple[str, ...], frozenset[str]] = {}
    blamed: dict[tuple[str, ...], Entry] = {}
    for name, entry in conditions.items():
        waiting[(name,)] = _asked(texts[name], known, entry)
        blamed[(name,)] = entry
    order = in_order([(name,) for name in parameters], waiting, fixed, blamed)
    found = {name: parameters[name] for (name,) in order}
    return found, {name: texts[name] for name in found if name in texts}


def _asked(text: str, known: tuple[str, ...], entry: Entry) -> frozenset[str]:
    try:
        return used(text, known)
    except Wrong as error:
        raise entry.refused(error) from None


def in_order(
    given: list[tuple[str, ...]],
    waiting: Mapping[tuple[str, ...], frozenset[str]],
    fixed: Iterable[str],
    blamed: Mapping[tuple[str, ...], Entry],
) -> list[tuple[str, ...]]:
    """As given, but each after those whose names it waits for."""
    done = set(fixed)
    left, order = list(given), []
    while left:
        ready = next((each for each in left if waiting.get(each, frozenset()) <= done), None)
        if ready is None:
            stuck = next(each for each in left if each in waiting)
            raise blamed[stuck].wrong(
                f"the condition of {quote(stuck[0])} is about itself, or what comes after it",
                "let conditions be about parameters that do not depend on it",
            )
        left.remove(ready)
        order.append(ready)
        done.update(ready)
    return order
