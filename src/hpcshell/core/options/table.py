"""The one table of job options, for `hpc submit`, directives, `sbatch` and Python keywords.

    OPTIONS                     the rows, in the order of the help
    BY_NAME["memory"]           a row: help, metavar, kind, spellings by dialect
    by_flag("sbatch")           "--mem" -> row

    options.parse.parse_flags(tokens, "hpc")        settings, and the words after them
    options.parse.directives(script, "job.sh")      settings of #HPC, #SBATCH, #PBS, #BSUB, #$ lines
    options.values.from_keywords(cpus=2, ...)       settings
    options.build.build(layers, place, argv)        Submission, notes, and what was understood
    options.spec.build_spec(layers, place, argv)    the same for a cluster: a JobSpec
    options.script.check_script(script, "job.sh")   refuses what cannot be run

A `Setting` is one option given somewhere, still as text, with the words to blame when it is wrong.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from hpcshell.core.options.clusters import CLUSTER_ROWS
from hpcshell.core.options.conduct import ARRAY_ROWS, FILE_ROWS, NOTICE_ROWS, RETRY_ROWS
from hpcshell.core.options.models import MODEL_ROWS
from hpcshell.core.options.request import QUEUE_ROWS, RESOURCE_ROWS, TIME_ROWS
from hpcshell.core.options.row import DIALECTS as DIALECTS
from hpcshell.core.options.row import Dialect, Option
from hpcshell.core.options.row import Setting as Setting

OPTIONS: Final[tuple[Option, ...]] = (
    *RESOURCE_ROWS,
    *MODEL_ROWS,
    *TIME_ROWS,
    *QUEUE_ROWS,
    *FILE_ROWS,
    *ARRAY_ROWS,
    *RETRY_ROWS,
    *NOTICE_ROWS,
    *CLUSTER_ROWS,
)
BY_NAME: Final[dict[str, Option]] = {option.name: option for option in OPTIONS}


@cache
def by_flag(dialect: Dialect) -> dict[str, Option]:
    """Every spelling of the dialect, those that say no included, and its row."""
    found = {flag: option for option in OPTIONS for flag in option.spellings(dialect)}
    for option in OPTIONS:
        if option.spellings(dialect):
            found.update({flag: option for flag in option.off if _fits(flag, dialect)})
    return found


def _fits(flag: str, dialect: Dialect) -> bool:
    return flag.startswith("--") == (dialect in ("hpc", "sbatch"))


def by_key(word: str) -> Option | None:
    """The row that a keyword or a profile's key names: `memory`, `mem`, `time`, `job_name`."""
    key = word.replace("-", "_")
    return BY_NAME.get(key) or by_flag("hpc").get("--" + key.replace("_", "-"))
