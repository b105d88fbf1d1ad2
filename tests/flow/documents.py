"""Documents of sweeps that are right, made by chance."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hpcshell.flow.reading import from_document
from hpcshell.flow.spec import Spec

NAMES = ("lr", "batch", "model.depth", "opt", "db/engine", "seed")

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
)
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b c", "é"]), inner)
    ),
    max_leaves=4,
)
"""What a parameter can be."""
lists = st.lists(plain, min_size=1, max_size=3)


@st.composite
def distributions(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["uniform", "loguniform", "quniform", "int", "normal", "choice"]))
    if kind == "choice":
        return {kind: draw(lists)}
    if kind == "int":
        return {kind: sorted(draw(st.tuples(st.integers(-5, 5), st.integers(-5, 5))))}
    if kind == "normal":
        return {kind: {"mean": draw(st.integers(-3, 3)), "deviation": 2}}
    low, high = sorted(draw(st.tuples(st.floats(0.001, 10), st.floats(0.001, 10))))
    return {kind: [low, high, 0.5] if kind == "quniform" else [low, high]}


@st.composite
def blocks(draw: st.DrawFn) -> dict[str, Any]:
    """A block that gives each parameter once, in one of the ways."""
    block: dict[str, Any] = {"parameters": {"epochs": draw(st.integers(1, 2))}}
    pair: dict[str, Any] = {}
    drawn: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5)):
        way = draw(st.sampled_from(["grid", "grid", "conditional", "paired", "random"]))
        if way == "paired":
            pair[name] = draw(st.lists(scalars, min_size=2, max_size=2))
        elif way == "random":
            drawn[name] = draw(distributions())
        elif way == "conditional":
            grid = {"values": draw(lists), "when": "epochs == 1"}
            block.setdefault("grid", {})[name] = grid
        else:
            block.setdefault("grid", {})[name] = draw(lists)
    if pair:
        block["paired"] = [pair]
    if drawn:
        block["random"] = {"samples": draw(st.integers(1, 4)), "seed": 3, "parameters": drawn}
    if draw(st.booleans()):
        block["list"] = draw(st.lists(st.fixed_dictionaries({"first": scalars}), min_size=1))
    block["exclude"] = draw(st.sampled_from([[], ["epochs == 2"], [{"epochs": [2, 3]}]]))
    return block


documents = st.fixed_dictionaries(
    {
        "command": st.just("python3 train.py"),
        "sweep": blocks() | st.lists(blocks(), min_size=1, max_size=3),
    },
    optional={
        "name": st.just("study"),
        "passing": st.sampled_from(["arguments", "json"]),
        "resources": st.just({"cpus": 2, "memory": "4G"}) | st.just("select=1:ncpus=2"),
        "max_failures": st.integers(1, 10),
        "snapshot": st.booleans() | st.just({"exclude": ["data"]}),
        "metadata": st.just({"description": "why", "tags": ["a", "b"]}),
        "defaults": st.just(["base"]),
    },
)
specs = documents.map(from_document)


def sweep(**block: Any) -> Spec:
    """A study of one block."""
    return from_document({"command": "train", "sweep": block})
