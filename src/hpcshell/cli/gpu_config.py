"""`hpc gpu config-sample`: the JSON configuration, as it is written."""

from __future__ import annotations

import click

from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb


@verb("config-sample", "hpc gpu config-sample > config.json", "hpc gpu config-sample --schema")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of it instead.")
def config_sample(talk: Talk, schema: bool) -> int:
    """Print the complete example of the JSON configuration.

    It is a right one: hpc gpu start --config takes it. What each key means is in the reference, and
    in the schema.
    """
    from hpcshell.core import boxkeys

    if schema:
        talk.document(boxkeys.schema())
    else:
        talk.data(boxkeys.sample().rstrip("\n"))
    return 0
