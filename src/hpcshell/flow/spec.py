"""The specification of a sweep, as it was understood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from hpcshell.core.records import Record

Value: TypeAlias = Any
"""What a parameter can be: what JSON can say, without NaN."""
Params: TypeAlias = Mapping[str, Value]
"""The parameters of one point, by their dotted names."""

Passing = Literal["arguments", "template", "environment", "json"]
"""How a command learns its parameters: `key=value` words, placeholders in its own words, variables
of the environment, or the path of a JSON file as its last word."""
Direction = Literal["minimize", "maximize"]


class Dist(Record, frozen=True, kw_only=True):
    """A distribution. `kind`: uniform, loguniform, quniform, int, normal, lognormal or choice.
    `low` and `high` are both within (of a normal one: mean and standard deviation); `step`: 0 for
    none; `log`: of an int."""

    kind: str
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    log: bool = False
    choices: tuple[Value, ...] = ()
    weights: tuple[float, ...] = ()


class Axis(Record, frozen=True, kw_only=True):
    """What varies together: each entry of `values`, all of which differ, holds a value for each of
    `names`. `when`: an expression over the parameters of earlier axes; where it is false none of
    the names is set. `paired`: whether it was given as a group; `group`: its name, if any."""

    names: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]
    when: str = ""
    paired: bool = False
    group: str = ""


class Sampling(Record, frozen=True, kw_only=True):
    """Points drawn by chance, the same ones for the same seed."""

    samples: int
    seed: int
    parameters: Mapping[str, Dist]
    when: Mapping[str, str] = {}


class Exclusion(Record, frozen=True, kw_only=True):
    """What is left out: where an expression is true, or where each name has one of its values."""

    expression: str = ""
    values: Mapping[str, tuple[Value, ...]] = {}


class Block(Record, frozen=True, kw_only=True):
    """Each of its `listed` points (which differ), with the product of its axes, with each of what
    is drawn; the constants are in all of them, where a listed point does not say otherwise."""

    constants: Mapping[str, Value] = {}
    axes: tuple[Axis, ...] = ()
    listed: tuple[Params, ...] = ()
    random: Sampling | None = None
    exclude: tuple[Exclusion, ...] = ()


class EarlyStop(Record, frozen=True, kw_only=True):
    """Trials that do worse than others at the same `resource` (a step or an epoch that they report)
    are ended: at `least` and then at every `reduction` times as much, up to `most`."""

    method: Literal["asha", "halving"] = "asha"
    resource: str = "step"
    least: int = 1
    most: int = 81
    reduction: int = 3


class Search(Record, frozen=True, kw_only=True):
    """Points that follow from the results of earlier ones."""

    method: Literal["tpe", "cmaes", "nsga2", "random"]
    metrics: tuple[str, ...]
    directions: tuple[Direction, ...]
    parameters: Mapping[str, Dist]
    trials: int = 50
    parallel: int = 4
    seed: int = 0
    constants: Mapping[str, Value] = {}
    when: Mapping[str, str] = {}
    early_stop: EarlyStop | None = None


class Care(Record, frozen=True, kw_only=True):
    """What is done about what goes wrong. `max_failures`: nothing new is started after so many
    points have failed; `same_error`: nor after so many have with the same last frame. `throttle`:
    points at once. None: no limit."""

    max_failures: int | None = None
    same_error: int | None = None
    throttle: int | None = None
    priority: int | None = None
    retries: int = 0
    retry_on: tuple[str, ...] = ()
    retry_grow: Mapping[str, float] = {}
    retry_cap: Mapping[str, str] = {}


class Snapshot(Record, frozen=True, kw_only=True):
    """A copy of the project that points run in. `include`: of what, all of it unless said;
    `link`: what is linked and not copied (data)."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    link: tuple[str, ...] = ()


class Spec(Record, frozen=True, kw_only=True):
    """A whole study. `options`: as `hpcshell.submit` takes them; `resources`: one text in the words
    of PBS, of Slurm or of `hpc submit`. `output`: the template of the name of a point's folder; "":
    its id. `output_key`: the argument that tells a point its folder; "": none does."""

    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    passing: Passing = "arguments"
    output_key: str = "output.dir"
    output: str = ""
    blocks: tuple[Block, ...] = ()
    search: Search | None = None
    options: Mapping[str, Any] = {}
    resources: str = ""
    environment: Mapping[str, str] = {}
    care: Care = Care()
    snapshot: Snapshot | None = None
    metric: str = ""
    direction: Direction = "minimize"
    notes: tuple[str, ...] = ()
