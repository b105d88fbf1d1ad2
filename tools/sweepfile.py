"""The page of docs/reference about the file of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hpcshell.flow.reading import schema
from tools.tables import code, prose

PAGE: Final = """\
# The file of a sweep

`sweep.yaml`, or `sweeps/sweep.yaml`, or whatever `hpc sweep run FILE` names; YAML or JSON. It has a
`command` or a `script`, and one of `sweep`, `search` and `parameters`; all else may be left out.
Unknown keys, keys that come twice, tags, and values that no point can have are refused with the
line. For editors: `hpc sweep init --schema > sweep.schema.json`.

{keys}

## A block of points

What `sweep` holds, or each entry of it where it is a list: the points of all blocks together, each
of them once. Parameters may be nested: `model: {{depth: [2, 4]}}` is `model.depth`.

{block}

## Values of a grid

A list, or one value, or one of these; with `when: EXPRESSION` only where that is true of a point.

| written | is |
|---|---|
| `{{range: [start, stop, step]}}` | as numpy's `arange`: `stop` is not among them |
| `{{linspace: [start, stop, num]}}` | evenly spaced, both ends included |
| `{{geomspace: [start, stop, num]}}` | the same by factors |
| `{{logspace: [start, stop, num, base]}}` | between powers of `base`, which is 10 unless said |
| `{{values: [...], when: "opt == 'sgd'"}}` | a list with a condition |

## Distributions

Of `random` and of a `search`, each with `when:` if it is wanted.

| written | is |
|---|---|
| `{{uniform: [low, high]}}` `{{loguniform: [low, high]}}` | a number between them |
| `{{quniform: [low, high, step]}}` | one of the steps between them |
| `{{int: [low, high]}}` | a whole number, both ends included |
| `{{normal: [mean, deviation]}}` `{{lognormal: [mean, deviation]}}` | any number |
| `{{choice: [a, b]}}` | one of them |
| `{{choice: {{values: [a, b], weights: [1, 3]}}}}` | one of them, by weight |

## A search

`search: {{...}}` in place of `sweep` needs Optuna: `pip install "hpcshell[sweep]"`.

{search}

## What a point is told

- `passing: arguments`: `name=value` words after the command, as Hydra reads them, then
  `output.dir=FOLDER`. `output_key` names another argument, `null` none.
- `passing: template`, which a command with placeholders has by itself: they are filled in.
  `{{output}}` is the point's folder, `{{id}}` its id, `{{sweep}}` that of the sweep. There may be
  expressions and formats: `{{lr * 2:.3g}}`. A word that names a parameter which a point does not
  have is left out, and so is the option before it.
- `passing: environment`: variables, `model.depth` as `MODEL_DEPTH`.
- `passing: json`: the path of a JSON file, as the last word or where `{{params}}` stands.

Every point also finds `HPC_SWEEP_ID`, `HPC_SWEEP_POINT` (its id) and `HPC_SWEEP_DIR` (its folder).

## What a point tells

`metrics.json` in its folder; else the last values in `metrics.jsonl`, one object a line; else what
it printed as `name=value`, the last of each name."""


def sweep_page() -> str:
    """The keys, what they take, and what points are told and tell."""
    document = schema()
    search = document["properties"]["search"]["properties"]
    return PAGE.format(
        keys=_table(document["properties"]),
        block=_table(document["$defs"]["block"]["properties"]),
        search=_table(search | {"early_stop": _stops(search["early_stop"])}),
    )


def _stops(early: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of what is nested in a search, in its own row."""
    keys = ", ".join(f"`{name}`" for name in early["properties"])
    return {**early, "description": f"{early.get('description', '')} Its keys: {keys}.".strip()}


def _table(properties: Mapping[str, Any]) -> str:
    rows = [
        f"| {code(name)} | {_form(said)} | {prose(said.get('description', ''))} |"
        for name, said in properties.items()
    ]
    return "\n".join(["| key | takes | |", "|---|---|---|", *rows])


def _form(said: Mapping[str, Any]) -> str:
    """What a value looks like, in a few words."""
    if "enum" in said:
        return ", ".join(code(str(each)) for each in said["enum"])
    if "anyOf" in said:
        return " or ".join(dict.fromkeys(_form(each) for each in said["anyOf"]))
    kinds = said.get("type", "object")
    names = [_KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    least = said.get("minimum")
    return " or ".join(names) + (f" from {least}" if least is not None else "")


_KINDS: Final = {
    "string": "text",
    "array": "a list",
    "object": "a table",
    "boolean": "`true` or `false`",
    "integer": "a whole number",
    "number": "a number",
    "null": "`null`",
}
