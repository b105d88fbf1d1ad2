"""What each scheduler answers when it is asked for the jobs of a busy user.

Half of them wait, a quarter runs, a quarter are elements of arrays; names, instants, sizes, limits
and nodes differ from job to job as they do at a site. Four are submitted in the same second.
"""

from __future__ import annotations

import json
import time
from typing import Final

from hpcshell.backends.contract import Answer

_BEGAN: Final = 1795680000
_FOLD: Final = "\n\t"


def slurm(jobs: int) -> list[Answer]:
    """squeue's."""
    from hpcshell.backends.slurm.queue import END, FIELDS

    heads = ("JOBID", *FIELDS[1:-1], "NAME" + END)
    lines = ["\x1f".join(heads)]
    for number in range(1, jobs + 1):
        waits, element = number % 2 == 0, number % 4 == 1
        native = f"{number}_{number % 100}" if element else str(number)
        state = "PENDING" if waits else "RUNNING"
        instants = ("N/A", "N/A") if waits else (str(1795682000 + number), "1795992000")
        fields = (
            *(native, str(number), str(number % 100) if element else "N/A", state, "0", "0"),
            *(str(1000 + number), str(_BEGAN + number), *instants, "1:00:00"),
            f"cpu={1 + number % 8},mem={number % 64}G,node=1,billing=1,gres/gpu={number % 3}",
            *("" if waits else f"node{number % 500}", "alice", "cpu", "science", "normal"),
            *("Priority" if waits else "None", f"hpc:k{number} sweep"),
            *(f"/home/alice/out-{number}.txt", f"/home/alice/out-{number}.txt"),
            *("/home/alice/work", f"train {number}" + END),
        )
        lines.append("\x1f".join(fields))
    return [Answer(code=0, out="\n".join(lines) + "\n")]


# --------------------------------------------------------------------------------------------- PBS


def pbs(jobs: int) -> list[Answer]:
    """That of `qstat -f -t`, folded as it folds; arrays have 99 elements each."""
    parts: list[str] = []
    array = 0
    for number in range(1, jobs + 1):
        array = number if number % 400 == 1 else array
        native = f"{array}[{number // 4 % 100}]" if number % 4 == 1 else str(number)
        parts.append(_pbs_job(number, native, array if number % 4 == 1 else 0))
    return [Answer(code=0, out="".join(parts))]


def _pbs_job(number: int, native: str, array: int) -> str:
    waits = number % 2 == 0
    shown = {
        "Job_Name": f"sweep-{number % 997}",
        "Job_Owner": "alice@login1.cluster.example",
        **({} if waits else _pbs_used(number)),
        "job_state": ("H" if number % 10 == 0 else "Q") if waits else "R",
        "queue": ("workq", "short", "gpu")[number % 3],
        "server": "pbshost",
        **({"Account_Name": f"acct{number % 7}"} if number % 5 == 0 else {}),
        "Checkpoint": "u",
        "ctime": _pbs_time(37 * (number // 4)),
        "Error_Path": f"login1.cluster.example:/home/alice/work/run-{number}.err",
        **({} if waits else _pbs_place(number)),
        "Hold_Types": "u" if number % 10 == 0 else "n",
        "Join_Path": "oe",
        "Keep_Files": "n",
        "Mail_Points": "a",
        "mtime": _pbs_time(37 * number + 90),
        "Output_Path": f"login1.cluster.example:{_FOLD}/home/alice/.hpc/{number}/scheduler.out",
        "Priority": str(number % 100),
        "qtime": _pbs_time(37 * (number // 4)),
        "Rerunable": "True",
        **_pbs_asked(number),
        **({} if waits else {"stime": _pbs_time(37 * number + 61), "session_id": str(number)}),
        **({} if waits else {"jobdir": "/home/alice"}),
        "substate": "10" if waits else "42",
        "Variable_List": _pbs_variables(number),
        "comment": _pbs_comment(number, waits),
        "etime": _pbs_time(37 * (number // 4)),
        **({} if waits else {"run_count": "1"}),
        **({"array_id": f"{array}[].pbshost", "array_index": str(number)} if array else {}),
        "Submit_arguments": f"-f /home/alice/.hpc/jobs/{number}/job.sh",
        "project": "_pbs_project_default",
        "Submit_Host": "login1.cluster.example",
    }
    lines = "".join(f"    {name} = {value}\n" for name, value in shown.items())
    return f"Job Id: {native}.pbshost\n{lines}\n"


def _pbs_used(number: int) -> dict[str, str]:
    return {
        "resources_used.cpupercent": str(number % 400),
        "resources_used.cput": f"{number % 30:02d}:{number % 60:02d}:{number * 7 % 60:02d}",
        "resources_used.mem": f"{number * 977}kb",
        "resources_used.ncpus": str(1 + number % 8),
        "resources_used.vmem": f"{number * 1777}kb",
        "resources_used.walltime": f"{number % 9:02d}:{number % 60:02d}:{number * 11 % 60:02d}",
    }


def _pbs_place(number: int) -> dict[str, str]:
    node = f"node{number % 500}"
    cpus = 1 + number % 8
    return {
        "exec_host": f"{node}/{number % 4}*{cpus}",
        "exec_vnode": f"({node}:ncpus={cpus}:mem={cpus * 1048576}kb)",
    }


def _pbs_asked(number: int) -> dict[str, str]:
    cpus, memory = 1 + number % 8, 1 + number % 64
    gpus = {"Resource_List.ngpus": str(number % 3)} if number % 3 else {}
    return {
        "Resource_List.mem": f"{memory}gb",
        "Resource_List.ncpus": str(cpus),
        **gpus,
        "Resource_List.nodect": "1",
        "Resource_List.place": "free",
        "Resource_List.select": f"1:ncpus={cpus}:mem={memory}gb",
        "Resource_List.walltime": f"{number % 72:02d}:{number % 4 * 15:02d}:00",
    }


def _pbs_variables(number: int) -> str:
    return (
        f"HPC_SUBMISSION=k{number}.7f3a,PBS_O_HOME=/home/alice,PBS_O_LOGNAME=alice,"
        f"{_FOLD}PBS_O_PATH=/opt/pbs/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/games:"
        f"{_FOLD}/usr/games,PBS_O_MAIL=/var/mail/alice,PBS_O_SHELL=/bin/bash,"
        f"{_FOLD}PBS_O_INTERACTIVE_AUTH_METHOD=resvport,"
        f"{_FOLD}PBS_O_INTERACTIVE_ENCRYPT_METHOD=,PBS_O_WORKDIR=/home/alice/work,"
        f"{_FOLD}PBS_O_SYSTEM=Linux,PBS_O_QUEUE=workq,PBS_O_HOST=login1.cluster.example"
    )


def _pbs_comment(number: int, waits: bool) -> str:
    if not waits:
        return f"Job run at {_pbs_time(37 * number)[:16]} on (node{number % 500}:ncpus=1)"
    return "Not Running: Not enough free nodes available" if number % 3 else "Not Running: Queue"


def _pbs_time(after: int) -> str:
    return time.asctime(time.gmtime(_BEGAN + after))


# --------------------------------------------------------------------------------------------- LSF


def lsf(jobs: int) -> list[Answer]:
    """Those of `date` and `bjobs -json`."""
    records = [_lsf_job(number) for number in range(1, jobs + 1)]
    document = {"COMMAND": "bjobs", "JOBS": jobs, "RECORDS": records}
    date = Answer(code=0, out=f"{_BEGAN + 50 * jobs}\n")
    return [date, Answer(code=0, out=json.dumps(document, indent=2))]


def _lsf_job(number: int) -> dict[str, str]:
    waits, element = number % 2 == 0, number % 4 == 1
    cpus, node = 1 + number % 8, f"node{number % 500}"
    return {
        "JOBID": str(number),
        "JOBINDEX": str(number % 100 + 1) if element else "0",
        "STAT": "PEND" if waits else "RUN",
        "USER": "alice",
        "QUEUE": ("normal", "short", "gpu")[number % 3],
        "JOB_NAME": f"sweep-{number % 997}" + (f"[{number % 100 + 1}]" if element else ""),
        "JOB_DESCRIPTION": f"hpc:k{number}.7f3a a sweep",
        "PROJ_NAME": f"acct{number % 7}",
        "JOB_PRIORITY": str(number % 100),
        "EXIT_CODE": "",
        "EXIT_REASON": "",
        "PEND_REASON": ("Job slot limit reached;", "New job is waiting for scheduling;")[
            number % 3 % 2
        ]
        if waits
        else "",
        "SUBMIT_TIME": _lsf_time(37 * (number // 4)),
        "START_TIME": "" if waits else _lsf_time(37 * number + 61),
        "ESTIMATED_START_TIME": "",
        "FINISH_TIME": "" if waits else _lsf_time(41 * number + 7200) + " L",
        "EXEC_HOST": "" if waits else f"{cpus}*{node}",
        "SLOTS": str(cpus),
        "RUNTIMELIMIT": f"{15.0 * (1 + number % 90)}",
        "CPU_USED": "" if waits else f"{number * 1.5} second(s)",
        "MAX_MEM": "" if waits else f"{number % 1000 / 10} Gbytes",
        "SUB_CWD": f"/home/alice/work/{number % 50}",
    }


def _lsf_time(after: int) -> str:
    return time.strftime("%b %d %H:%M", time.gmtime(_BEGAN + after))


# ------------------------------------------------------------------------------------- Grid Engine


def sge(jobs: int) -> list[Answer]:
    """That of `qstat -r -xml`: first those that run, then those that wait."""
    runs: list[str] = []
    waits: list[str] = []
    for number in range(1, jobs + 1):
        (runs if number % 2 else waits).append(_sge_job(number))
    return [
        Answer(
            code=0,
            out="<?xml version='1.0'?>\n<job_info  xmlns:xsd=\"http://arc.liv.ac.uk/qstat.xsd\">\n"
            f"  <queue_info>\n{''.join(runs)}  </queue_info>\n"
            f"  <job_info>\n{''.join(waits)}  </job_info>\n</job_info>\n",
        )
    ]


def _sge_job(number: int) -> str:
    runs, slots = number % 2, 1 + number % 8
    after = 37 * number + 61 if runs else 37 * (number // 4)
    instant = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(_BEGAN + after))
    fields = [
        f'    <job_list state="{"running" if runs else "pending"}">',
        f"<JB_job_number>{number}</JB_job_number>",
        f"<JAT_prio>0.{number:05d}</JAT_prio>",
        f"<JB_name>sweep-{number % 997}</JB_name>",
        "<JB_owner>alice</JB_owner>",
        f"<state>{'r' if runs else 'hqw' if number % 10 == 0 else 'qw'}</state>",
        f"<JAT_start_time>{instant}</JAT_start_time>"
        if runs
        else f"<JB_submission_time>{instant}</JB_submission_time>",
        f"<queue_name>{('all', 'short', 'gpu')[number % 3] if runs else ''}.q@node{number % 500}"
        "</queue_name>"
        if runs
        else "<queue_name></queue_name>",
        f"<slots>{slots}</slots>",
        *([f"<tasks>{number % 100 + 1}</tasks>"] if number % 4 == 1 else []),
        f"<full_job_name>sweep-{number % 997}</full_job_name>",
        f'<requested_pe name="smp">{slots}</requested_pe>',
        *([f'<granted_pe name="smp">{slots}</granted_pe>'] if runs else []),
        '<hard_request name="h_rt" resource_contribution="0.000000">'
        f"{900 * (1 + number % 288)}</hard_request>",
        '<hard_request name="h_vmem" resource_contribution="0.000000">'
        f"{256 * (1 + number % 250)}M</hard_request>",
        f"<predecessor_jobs_req>hpc=k{number}.7f3a</predecessor_jobs_req>",
        "<binding>NONE</binding>",
    ]
    return "\n      ".join(fields) + "\n    </job_list>\n"
