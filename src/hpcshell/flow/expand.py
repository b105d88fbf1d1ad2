"""From a specification to its points: lazily, always in the same order, none of them twice.

    for params in points(spec): ...        {"lr": 0.1, "model.depth": 2}
    most(spec)                             at once, for 10**12 points, too

The last axis varies fastest. Conditional parameters multiply only the points in which they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain, groupby, product
from math import prod
from typing import Any, Final

from hpcshell.flow.chance import sampler
from hpcshell.flow.expressions import Evaluated, compiled
from hpcshell.flow.identity import canonical
from hpcshell.flow.spec import Axis, Block, Exclusion, Sampling, Spec

Point = dict[str, Any]

COUNTED: Final = 10_000
"""So many samples are drawn to learn whether some of them are the same."""


def most(spec: Spec) -> int:
    """No more points than this; just as many, where `exact`."""
    return sum(_most(block) for block in spec.blocks)


def _most(block: Block) -> int:
    drawn = block.random.samples if block.random else 1
    return prod(len(axis.values) for axis in block.axes) * max(len(block.listed), 1) * drawn


def exact(spec: Spec) -> bool:
    """Whether nothing can lessen `most`: no condition, exclusion, or point that comes twice."""
    return len(spec.blocks) <= 1 and all(
        not block.exclude
        and not any(axis.when for axis in block.axes)
        and (block.random is None or _all_differ(block.random))
        for block in spec.blocks
    )


def _all_differ(sampling: Sampling) -> bool:
    if sampling.when or sampling.samples > COUNTED:
        return False
    return sum(1 for _ in _different_draws(sampling)) == sampling.samples


def groups(spec: Spec) -> tuple[Axis, ...]:
    """The groups of parameters that vary together."""
    return tuple(axis for block in spec.blocks for axis in block.axes if axis.paired)


def names(spec: Spec) -> tuple[str, ...]:
    """All parameters that a point can have, in order."""
    found: dict[str, None] = {}
    for block in spec.blocks:
        found.update(dict.fromkeys(names_of(block)))
    if spec.search is not None:
        found.update(dict.fromkeys([*spec.search.constants, *spec.search.parameters]))
    return tuple(found)


def names_of(block: Block) -> tuple[str, ...]:
    """All parameters of a block, in order."""
    listed = chain.from_iterable(block.listed)
    axes = chain.from_iterable(axis.names for axis in block.axes)
    drawn = block.random.parameters if block.random else ()
    return tuple(dict.fromkeys([*block.constants, *listed, *axes, *drawn]))


def points(spec: Spec) -> Iterator[Point]:
    """The points of all blocks. Those of a single block differ by themselves; of several, what has
    come is kept in mind, as 16 bytes each."""
    if len(spec.blocks) == 1:
        yield from _of_block(spec.blocks[0])
        return
    seen: set[int] = set()
    for block in spec.blocks:
        yield from _unseen(_of_block(block), seen)


def _unseen(found: Iterable[Point], seen: set[int]) -> Iterator[Point]:
    for point in found:
        mark = _mark(point)
        if mark not in seen:
            seen.add(mark)
            yield point


def _mark(point: Mapping[str, Any]) -> int:
    return int.from_bytes(blake2b(canonical(point), digest_size=16).digest(), "big")


# ---------------------------------------------------------------------------------------- blocks


def _of_block(block: Block) -> Iterator[Point]:
    known = names_of(block)
    found = _product(_stages(block.axes, known), _starts(block))
    if block.random is not None:
        found = _with_draws(found, block.random, known)
    excluded = [excluder(exclusion, known) for exclusion in block.exclude]
    if not excluded:
        return found
    return (point for point in found if not any(test(point) for test in excluded))


def _starts(block: Block) -> Iterator[Point]:
    return iter([{**block.constants, **listed} for listed in block.listed or ({},)])


Stage = Callable[[Iterable[Point]], Iterator[Point]]


def _stages(axes: Sequence[Axis], known: Collection[str]) -> list[Stage]:
    """What each point goes through: runs of axes that all points have, and conditional ones."""
    found: list[Stage] = []
    for conditional, run in groupby(axes, key=lambda axis: bool(axis.when)):
        if conditional:
            found += [_conditional(axis, compiled(axis.when, known)) for axis in run]
        else:
            found.append(_crossed(tuple(run)))
    return found


def _product(stages: Iterable[Stage], found: Iterator[Point]) -> Iterator[Point]:
    for stage in stages:
        found = stage(found)
    return found


def _crossed(axes: Sequence[Axis]) -> Stage:
    """Each point, with each combination of the values of these axes."""
    inside = tuple(chain.from_iterable(axis.names for axis in axes))

    def stage(found: Iterable[Point]) -> Iterator[Point]:
        for point in found:
            for values in product(*(axis.values for axis in axes)):
                yield {**point, **dict(zip(inside, chain.from_iterable(values), strict=True))}

    return stage


def _conditional(axis: Axis, when: Evaluated) -> Stage:
    """Each point where the condition holds with each value; the others as they are."""

    def stage(found: Iterable[Point]) -> Iterator[Point]:
        for point in found:
            if not when(point):
                yield point
                continue
            for values in axis.values:
                yield {**point, **dict(zip(axis.names, values, strict=True))}

    return stage


# ----------------------------------------------------------------------------------------- chance


def _draws(sampling: Sampling) -> Iterator[Point]:
    samplers = [
        (name, sampler(dist, sampling.seed, name)) for name, dist in sampling.parameters.items()
    ]
    for index in range(sampling.samples):
        yield {name: sample(index) for name, sample in samplers}


def _different_draws(sampling: Sampling) -> Iterator[Point]:
    return _unseen(_draws(sampling), set())


def _with_draws(
    found: Iterable[Point], sampling: Sampling, known: Collection[str]
) -> Iterator[Point]:
    """Each point with each sample; a parameter whose condition does not hold is left out of it."""
    when = {name: compiled(text, known) for name, text in sampling.when.items()}
    make = _draws if when else _different_draws
    few = list(make(sampling)) if sampling.samples <= COUNTED else None
    for point in found:
        whole = ({**point, **drawn} for drawn in few or make(sampling))
        yield from _unseen((_kept(each, when) for each in whole), set()) if when else whole


def _kept(whole: Point, when: Mapping[str, Evaluated]) -> Point:
    for name, condition in when.items():
        if not condition(whole):
            del whole[name]
    return whole


# -------------------------------------------------------------------------------------- exclusion


def excluder(exclusion: Exclusion, known: Collection[str]) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a point is left out."""
    if exclusion.expression:
        evaluate = compiled(exclusion.expression, known)
        return lambda point: bool(evaluate(point))
    wanted = tuple(exclusion.values.items())
    return lambda point: all(
        name in point and any(same(point[name], value) for value in values)
        for name, values in wanted
    )


def same(one: Any, other: Any) -> bool:
    """Whether both mean the same: 1 and 1.0 do, 1 and true do not."""
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)
