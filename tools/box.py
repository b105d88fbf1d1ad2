"""The page of docs/reference about the JSON configuration of a GPU box."""

from __future__ import annotations

import json

from hpcshell.core.boxkeys import BoxKey, keys, sample, schema
from tools.tables import code, prose

PAGE = """\
# The JSON configuration of a GPU box

`hpc gpu start --config FILE` checks a file such as this one and puts it beside your `hpcshell.toml`
as `gpu.json`; what it says is stronger than the TOML, and weaker than variables. Every object and
every key may be left out. `hpc gpu config-sample` prints this:

```json
{sample}```

Each key sets one of [our own](configuration.md), or says here what it does:

{table}

## Schema

`hpc gpu config-sample --schema` prints it, for editors and for checks before it is installed.

```json
{schema}
```"""


def box_page() -> str:
    """The complete example, the meaning of each key, and the schema."""
    rows = [_row(key) for key in keys()]
    head = ["| key | sets | expected | |", "|---|---|---|---|"]
    return PAGE.format(
        sample=sample(), table="\n".join((*head, *rows)), schema=json.dumps(schema(), indent=2)
    )


def _row(key: BoxKey) -> str:
    sets = code(key.sets) if key.sets else ""
    return (
        f"| {code(f'{key.part}.{key.name}')} | {sets} | {prose(key.expected)} | {prose(key.doc)} |"
    )
