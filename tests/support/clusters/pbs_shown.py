"""What `qstat -f` says of jobs that really run: the recorded block of their stage (`pbs_stages`),
with their own attributes in the place of those that were recorded."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from hpcshell.core.indexset import IndexSet
from tests.support.clusters.engine import Job
from tests.support.clusters.pbs_stages import template

HOST = "pbshost"
_WIDTH, _TAB = 79, 9
Attributes = dict[str, str]


def whole(number: int) -> str:
    return f"{number}[].{HOST}"


def native(job: Job) -> str:
    place = "" if job.index is None else f"[{job.index}]"
    return f"{job.number}{place}.{HOST}"


def over(jobs: Sequence[Job]) -> bool:
    return all(job.state == "ended" for job in jobs)


# ----------------------------------------------------------------------------- jobs and elements


def plain(job: Job) -> str:
    """A job that is no array."""
    return _block(native(job), _stage(job), _common(job) | _waiting(job) | _run(job))


def _stage(job: Job) -> str:
    if job.state == "waiting":
        return "queued" if _free(job) else "held"
    if job.state != "ended":
        return "running"
    if job.why == "deleted":
        return "cancelled" if job.begun else "deleted"
    named = {"limit": "timeout", "never": "dropped"}
    return named.get(job.why, "failed" if job.code else "finished")


def _free(job: Job) -> bool:
    return not job.held and job.ready() is True and job.begin <= time.time()


def element(job: Job, jobs: Sequence[Job]) -> str:
    """An element, beside all of its array."""
    lines = (
        _common(job) | _run(job) | {"array_id": whole(job.number), "array_index": str(job.index)}
    )
    if job.state == "waiting" or (job.begun is None and not over(jobs)):
        state = {"job_state": "X"} if job.state == "ended" else {}
        return _block(native(job), "element queued", _common(job) | state)
    if job.state != "ended":
        return _block(native(job), "element running", lines)
    if over(jobs) and (job.begun is None or _deleted_later(job)):
        return _block(native(job), "element deleted", _common(job) | _forgotten(job))
    return _block(native(job), "element finished" if over(jobs) else "element failed", lines)


def _deleted_later(job: Job) -> bool:
    """Whether its array was deleted after it had ended."""
    deleted = job.told.get("deleted")
    return deleted is not None and job.ended is not None and job.ended < deleted


def _forgotten(job: Job) -> Attributes:
    """Of an element that has no record of its own (any more), its array's are shown."""
    deleted = "deleted" in job.told
    return {"Exit_status": str(int(deleted)), "substate": "91" if deleted else "92"}


def array(jobs: Sequence[Job]) -> str:
    """A whole array."""
    first = jobs[0]
    lines = _common(first) | {
        "array_state_count": _counts(jobs),
        "array_indices_submitted": first.told["array"],
        "array_indices_remaining": _remaining(jobs),
    }
    begins = [job.begun for job in jobs if job.begun]
    if begins:
        lines["stime"] = _instant(min(begins))
        lines["comment"] = f"Job Array Began at {_moment(min(begins))}"
    if not over(jobs):
        return _block(whole(first.number), "array", lines | ({} if begins else _unbegun(first)))
    stage = "array deleted" if "deleted" in first.told else "array finished"
    bad = any(job.code or job.why for job in jobs)
    how = "terminated" if stage == "array deleted" else "failed" if bad else "finished"
    lines["comment"] = lines.get("comment", "Job Array Began") + f" and {how}"
    lines["substate"] = {"terminated": "91", "failed": "93", "finished": "92"}[how]
    return _block(whole(first.number), stage, lines | {"Exit_status": str(int(bad))})


def _unbegun(first: Job) -> Attributes:
    state = {"job_state": "Q", "substate": "10", "comment": ""}
    return state | (_waiting(first) if not _free(first) else {}) | {"stime": ""}


def _counts(jobs: Sequence[Job]) -> str:
    queued = sum(job.state == "waiting" for job in jobs)
    running = sum(job.state in ("running", "suspended") for job in jobs)
    return f"Queued:{queued} Running:{running} Exiting:0 Expired:{len(jobs) - queued - running}"


def _remaining(jobs: Sequence[Job]) -> str:
    waiting = [job.index for job in jobs if job.state == "waiting" and job.index is not None]
    return str(IndexSet.of(waiting)) if waiting else "-"


# ------------------------------------------------------------------------------------ attributes


def _common(job: Job) -> Attributes:
    told: Mapping[str, Any] = job.told
    found = {
        "Job_Name": told["name"],
        "Job_Owner": f"{told['user']}@{HOST}",
        "queue": told["queue"],
        "ctime": _instant(job.submitted),
        "qtime": _instant(job.submitted),
        "etime": _instant(job.submitted),
        "mtime": _instant(job.ended or job.begun or job.submitted),
        "Priority": told["priority"],
        "Output_Path": f"{HOST}:{told['output']}",
        "Variable_List": f"PBS_O_HOME=/root,{told['variables']},PBS_O_QUEUE={told['queue']}",
        "Submit_arguments": told["arguments"],
        **{f"Resource_List.{name}": value for name, value in told["resources"].items()},
    }
    return found | ({"Account_Name": told["account"]} if told["account"] else {})


def _waiting(job: Job) -> Attributes:
    """Why it waits. A begin time is shown as the state W."""
    found: Attributes = {}
    if job.told["depend"]:
        found["depend"] = job.told["depend"]
    if job.state != "waiting":
        return found
    if job.held:
        found |= {"job_state": "H", "Hold_Types": "u", "substate": "20"}
    elif job.ready() is not True:
        found |= {"job_state": "H", "Hold_Types": "s", "substate": "22"}
    elif job.begin > time.time():
        found |= {"job_state": "W", "Hold_Types": "n", "substate": "30"}
        found["Execution_Time"] = _instant(job.begin)
    else:
        found["Hold_Types"] = "n"
    return found


def _run(job: Job) -> Attributes:
    """When and where it ran, and how that ended."""
    if job.begun is None:
        return {}
    where = f"({HOST}:ncpus={job.slots})"
    comment = f"Job run at {_moment(job.begun)} on {where}"
    found = {
        "stime": _instant(job.begun),
        "exec_host": f"{HOST}/0",
        "exec_vnode": where,
        "run_count": str(job.runs),
        "resources_used.walltime": _clock((job.ended or time.time()) - job.begun),
        "comment": comment,
    }
    if job.state == "suspended":
        return found | {"job_state": "S", "substate": "43"}
    if job.state != "ended" or job.ended is None:
        return found
    return found | _end(job, comment) | {"obittime": _instant(job.ended)}


def _end(job: Job, comment: str) -> Attributes:
    """A code that is a signal's is told as 256 more than that."""
    code = job.code or 0
    status = str(code if code >= 0 else 256 - code)
    if job.why == "limit":
        comment += " and exceeded resource walltime"
        return {"Exit_status": "-29", "substate": "93", "comment": comment}
    if job.why == "deleted":
        whose = "terminate" if job.index is not None else f"terminated by {job.told['user']}@{HOST}"
        return {"Exit_status": status, "substate": "91", "comment": f"{comment} and {whose}"}
    how = "failed" if code else "finished"
    substate = "93" if code else "92"
    return {"Exit_status": status, "substate": substate, "comment": f"{comment} and {how}"}


def _instant(when: float) -> str:
    return time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(when))


def _moment(when: float) -> str:
    return time.strftime("%a %b %d at %H:%M", time.gmtime(when))


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


# ----------------------------------------------------------------------------------------- blocks


@cache
def _recorded(stage: str) -> Mapping[str, str]:
    text = template(stage).replace("\n\t", "")
    return dict(re.findall(r"(?m)^    (\S+) = (.*)$", text))


def _block(native: str, stage: str, own: Attributes) -> str:
    """An empty value takes an attribute away. Recorded resources are those of another job."""
    recorded = _recorded(stage)
    kept = {name: own.get(name, value) for name, value in recorded.items()}
    found = {name: value for name, value in kept.items() if not name.startswith("Resource_List.")}
    found |= {name: value for name, value in own.items() if name not in found}
    lines = [f"    {name} = {value}" for name, value in found.items() if value]
    return "\n".join([f"Job Id: {native}", *map(folded, lines)]) + "\n\n"


def folded(line: str) -> str:
    return "\n\t".join(_parts(line))


def _parts(line: str) -> Iterator[str]:
    """Behind a comma where there is one, else anywhere."""
    width = _WIDTH
    while len(line) > width:
        comma = line.rfind(",", 0, width - 1) + 1
        yield line[: comma or width]
        line = line[comma or width :]
        width = _WIDTH - _TAB
    yield line
