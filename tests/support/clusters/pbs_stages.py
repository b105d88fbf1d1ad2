"""What `qstat -f` was heard to say of a job at each stage of its life, for any job.

A stage is a recorded block; of stages that were recorded through `grep` only, the lines that were
seen are laid over the whole block of the same job at another stage, or over another job's.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from tests.support.clusters.pbs_recordings import as_text, of_json, recorded

_SED = "$(echo '{array}' | sed 's/\\[\\]/[{index}]/')"


class Stage(NamedTuple):
    """The command that shows it, the id it was recorded for, and "F" where it has ended ("X": of an
    element). `grep`: the command that saw the rest; a JSON recording has `json` set."""

    command: str
    native: str
    ended: str = ""
    grep: str = ""
    json: bool = False


def _grep(native: str) -> str:
    what = "job_state|substate|Exit_status|comment|walltime|Stageout"
    return f"qstat -x -f {native} | grep -E '{what}'"


STAGES = {
    "held": Stage(
        "qstat -f -F json 189.pbshost 99999 190.pbshost 191.pbshost", "189.pbshost", json=True
    ),
    "queued": Stage(
        "qstat -f -F json 189.pbshost 99999 190.pbshost 191.pbshost",
        "189.pbshost",
        grep="qstat -f 100.pbshost | grep -E 'job_state|substate|comment|estimated'",
        json=True,
    ),
    "running": Stage("qstat -f 89.pbshost", "89.pbshost"),
    "exiting": Stage("qstat -x -f $(qselect -x -N badout)", "86.pbshost"),
    "finished": Stage("qstat -x -f 90.pbshost", "90.pbshost", "F"),
    "failed": Stage("qstat -x -f 90.pbshost", "90.pbshost", "F", _grep("91.pbshost")),
    "killed": Stage("qstat -x -f 90.pbshost", "90.pbshost", "F", _grep("93.pbshost")),
    "signalled": Stage("qstat -x -f 90.pbshost", "90.pbshost", "F", _grep("94.pbshost")),
    "timeout": Stage("qstat -x -f 95.pbshost", "95.pbshost", "F"),
    "cancelled": Stage("qstat -x -f 89.pbshost", "89.pbshost", "F"),
    "deleted": Stage("qstat -x -f 97.pbshost", "97.pbshost", "F"),
    "dropped": Stage("qstat -x -f 78", "78.pbshost", "F"),
    "array": Stage("qstat -f 106[].pbshost", "106[].pbshost"),
    "array finished": Stage("qstat -x -f 106[].pbshost", "106[].pbshost", "F"),
    "array deleted": Stage("qstat -x -f 106[].pbshost", "106[].pbshost", "F", "@162[].pbshost"),
    "element queued": Stage(
        "qstat -f " + _SED.format(array="106[].pbshost", index=9), "106[9].pbshost"
    ),
    "element running": Stage(
        "qstat -t -f -F json 106[].pbshost | head -150", "106[0].pbshost", json=True
    ),
    "element failed": Stage(
        "qstat -f " + _SED.format(array="106[].pbshost", index=2), "106[2].pbshost", "X"
    ),
    "element finished": Stage(
        "qstat -x -t -f -F json 106[].pbshost | head -120", "106[0].pbshost", "F", json=True
    ),
    "element deleted": Stage(
        "qstat -f " + _SED.format(array="106[].pbshost", index=2),
        "106[2].pbshost",
        "F",
        "@162[1].pbshost",
    ),
}
_DELETED = "qstat -x -t -f 162[].pbshost | grep -E 'Job Id|job_state|substate|Exit_status|comment'"


@cache
def template(name: str) -> str:
    stage = STAGES[name]
    if stage.json:
        text = as_text(f"Job Id: {stage.native}", of_json(stage.command, stage.native))
    else:
        text = recorded(stage.command).out
    return _laid_over(text, _seen(stage.grep)) if stage.grep else text


def _seen(grep: str) -> str:
    """`@ID`: of one element out of a recorded list."""
    if not grep.startswith("@"):
        return recorded(grep).out
    lines = recorded(_DELETED).out.split("Job Id: ")
    return next(part.partition("\n")[2] for part in lines if part.startswith(grep[1:] + "\n"))


def _laid_over(text: str, lines: str) -> str:
    """The block with these lines in place of those of the same attributes, or before the
    `Submit_arguments`."""
    for line in lines.splitlines():
        name = line.partition(" = ")[0]
        same = re.compile(rf"^{re.escape(name)} = .*\n(?:\t.*\n)*", re.MULTILINE)
        if same.search(text):
            text = same.sub(lambda _, line=line: line + "\n", text, count=1)  # type: ignore[misc]
        else:
            text = text.replace("    Submit_arguments", f"{line}\n    Submit_arguments", 1)
    return text


def block(native: str, name: str, variables: str, queue: str, stage: str) -> str:
    """The stage of this job: what is its own in the place of what was recorded."""
    text = template(stage)
    text = text.replace(f"Job Id: {STAGES[stage].native}", f"Job Id: {native}", 1)
    text = re.sub(r"(?m)^    Job_Name = .*$", f"    Job_Name = {name}", text, count=1)
    text = re.sub(r"(?m)^    queue = .*$", f"    queue = {queue}", text, count=1)
    return text.replace("PBS_O_QUEUE=", f"{variables},\n\tPBS_O_QUEUE=", 1)
