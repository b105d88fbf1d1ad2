"""The JSON Schema of a sweep's file, for editors that complete and check what is typed.

It says what keys there are and what they take; what depends on several of them (lengths of pairs,
names in expressions) is only said when the file is read.
"""

from __future__ import annotations

from typing import Any, Final

from hpcshell.core.options.table import BY_NAME
from hpcshell.flow.reading.chances import PARTS
from hpcshell.flow.reading.commands import PASSINGS
from hpcshell.flow.reading.searching import DIRECTIONS, METHODS, STOPS
from hpcshell.flow.reading.study import OURS

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "number"}
_TRUTH: Final[Schema] = {"type": "boolean"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 1}
_WORDS: Final[Schema] = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_TABLE: Final[Schema] = {"type": "object"}


def schema() -> Schema:
    """The schema, draft 2020-12."""
    return {
        "$schema": DIALECT,
        "title": "A sweep",
        **_object(_keys()),
        "anyOf": [{"required": ["command"]}, {"required": ["script"]}],
        "oneOf": [{"required": [key]} for key in ("sweep", "search", "parameters")],
        "$defs": {
            "values": _values(),
            "grid": _nested("values"),
            "distribution": _distribution(),
            "drawn": _nested("distribution"),
            "block": _block(),
        },
    }


def _keys() -> dict[str, Schema]:
    return {
        "name": _said("The study's name.", {"type": "string", "pattern": "^[^/.-][^/]*$"}),
        "description": _said("What it is for.", _TEXT),
        "tags": _said("Words to find it by.", _WORDS),
        "command": _said("What runs, and no shell reads it; {lr} stands for a parameter.", _WORDS),
        "script": _said("One script, instead of a command.", _TEXT),
        "passing": _said("How a point learns its parameters.", {"enum": list(PASSINGS)}),
        "output_key": _said(
            "The argument that tells a point its folder; null: none.",
            {"type": ["string", "null"]},
        ),
        "output": _said("The name of a point's folder; {id} unless said.", _TEXT),
        "sweep": _said("A block of points, or a list of them.", _one_or_more("block")),
        "search": _said("Points that follow from results.", _search()),
        "parameters": _said("A grid (with `strategy: grid`).", _ref("grid")),
        "strategy": _said("With `parameters`: how they vary.", {"enum": ["grid"]}),
        "metric": _said("What best and report look at.", _TEXT),
        "direction": _said("Which end of it is best.", {"enum": list(DIRECTIONS)}),
        "metadata": _said(
            "Where `description` and `tags` may stand, too.",
            _object({"description": _TEXT, "tags": _WORDS}, closed=False),
        ),
        "defaults": _said("Hydra's; ignored.", {}),
        **_jobs(),
    }


def _jobs() -> dict[str, Schema]:
    """The keys about the jobs that run points."""
    options = _object({name: {} for name in BY_NAME if name not in OURS.split()}, closed=False)
    return {
        "resources": _said("Of each point: ours, or words of PBS or Slurm.", _or(_TEXT, options)),
        "options": _said("Other options of `hpc submit`.", options),
        "environment": _said(
            "Variables of each point.",
            {
                "type": "object",
                "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                "additionalProperties": {"type": ["string", "number", "boolean"]},
            },
        ),
        "max_failures": _said("Nothing new starts after so many failures.", _COUNT),
        "same_error": _said("Nor after so many with the same last frame.", _COUNT),
        "throttle": _said("Points at once.", _COUNT),
        "priority": _said("0 to 1000, of each point.", {"type": "integer"}),
        "retries": _said(
            "How often a point that failed is tried again.", {"type": "integer", "minimum": 0}
        ),
        "retry_on": _said(
            "Only after OUT_OF_MEMORY (oom), TIMEOUT, FAILED (fail), NODE_FAIL (lost), exit:75.",
            _WORDS,
        ),
        "retry_grow": _said(
            "How many times as much it gets at each try: {memory: 2}.",
            {"type": "object", "additionalProperties": _NUMBER},
        ),
        "retry_cap": _said(
            "But no more than this: {memory: 64G}.",
            {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
        ),
        "snapshot": _said(
            "Run in a copy of the project.",
            _or(_TRUTH, _object(dict.fromkeys(("include", "exclude", "link"), _WORDS))),
        ),
    }


# -------------------------------------------------------------------------------------- pieces


def _said(description: str, what: Schema) -> Schema:
    return {"description": description, **what}


def _or(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _one_or_more(name: str) -> Schema:
    return _or(_ref(name), {"type": "array", "items": _ref(name), "minItems": 1})


def _object(properties: dict[str, Schema], *, closed: bool = True) -> Schema:
    found: Schema = {"type": "object", "properties": properties}
    return {**found, "additionalProperties": False} if closed else found


def _nested(name: str) -> Schema:
    """Parameters by name, nested ones in mappings."""
    return {"type": "object", "minProperties": 1, "additionalProperties": _ref(name)}


def _numbers(least: int, most: int, names: tuple[str, ...]) -> Schema:
    listed = {"type": "array", "items": _NUMBER, "minItems": least, "maxItems": most}
    return _or(listed, _object(dict.fromkeys(names, _NUMBER)))


def _values() -> Schema:
    """A list, one value, what makes a list, or more parameters one level down."""
    spaced = _numbers(3, 3, ("start", "stop", "num"))
    made = {
        "values": {},
        "range": _numbers(1, 3, ("start", "stop", "step")),
        "linspace": spaced,
        "geomspace": spaced,
        "logspace": _numbers(3, 4, ("start", "stop", "num", "base")),
        "when": _TEXT,
    }
    ways = [{"required": [key]} for key in made if key != "when"]
    generated = {**_object(made), "oneOf": ways}
    return {
        "if": {"type": "object", "anyOf": ways},
        "then": generated,
        "else": {"if": _TABLE, "then": _ref("grid"), "else": {"not": {"maxItems": 0, **_ARRAY}}},
    }


_ARRAY: Final[Schema] = {"type": "array"}


def _distribution() -> Schema:
    ends = {name: _parts(parts) for name, parts in PARTS.items()}
    weighed = _object({"values": {"type": "array", "minItems": 1}, "weights": _ARRAY})
    listed = {"type": "array", "minItems": 1}
    kinds = {**ends, "choice": _or(listed, weighed)}
    ways = [{"required": [kind]} for kind in kinds]
    said = {**_object({**kinds, "when": _TEXT}), "oneOf": ways}
    return {
        "if": {"type": "object", "anyOf": ways},
        "then": said,
        "else": {"if": _TABLE, "then": _ref("drawn"), "else": {"not": {"maxItems": 0, **_ARRAY}}},
    }


def _parts(names: tuple[str, ...]) -> Schema:
    """`[low, high]`, or the same by name."""
    inner = {name: _TRUTH if name == "log" else _NUMBER for name in names}
    listed = {
        "type": "array",
        "prefixItems": list(inner.values()),
        "minItems": 2,
        "maxItems": len(names),
    }
    return _or(listed, _object(inner))


def _block() -> Schema:
    excluded = _or(_TEXT, _TABLE)
    sampling = _object(
        {"samples": _COUNT, "seed": {"type": "integer"}, "parameters": _ref("drawn")}
    )
    return {
        **_object(
            {
                "parameters": _said("Constants: all points have them.", _TABLE),
                "grid": _said("Each value of each with each of all others.", _ref("grid")),
                "paired": _said(
                    "Groups whose first, second, ... values belong together.",
                    _or(_TABLE, {"type": "array", "items": _TABLE}),
                ),
                "list": _said(
                    "Points, one by one.", {"type": "array", "items": _TABLE, "minItems": 1}
                ),
                "random": _said(
                    "Points drawn by chance, the same for the same seed.",
                    {**sampling, "required": ["samples", "parameters"]},
                ),
                "exclude": _said(
                    "What is left out: expressions, or values by name.",
                    _or(excluded, {"type": "array", "items": excluded}),
                ),
            }
        ),
        "minProperties": 1,
    }


def _search() -> Schema:
    directions = {"enum": list(DIRECTIONS)}
    several = _or(directions, {"type": "array", "items": directions})
    stop: dict[str, Schema] = {
        "method": {"enum": list(STOPS)},
        "resource": _TEXT,
        "min": _COUNT,
        "max": _COUNT,
        "reduction": {"type": "integer", "minimum": 2},
    }
    keys = {
        "method": _said("How the next point is chosen.", {"enum": list(METHODS)}),
        "metric": _said("What is sought the best of; several for nsga2.", _WORDS),
        "metrics": _said("The same.", _WORDS),
        "direction": _said("Which end is best, of each metric.", several),
        "directions": _said("The same.", several),
        "parameters": _said("Distributions, by name.", _ref("drawn")),
        "constants": _said("What all trials have.", _TABLE),
        "trials": _said("How many there are.", _COUNT),
        "parallel": _said("How many run at once.", _COUNT),
        "seed": _said("Another one chooses otherwise.", {"type": "integer", "minimum": 0}),
        "early_stop": _said("Trials that do badly are ended early.", _object(stop)),
    }
    return {**_object(keys), "required": ["parameters"]}
