"""Job scripts for OpenPBS, whole and as their directives."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from hpcshell.backends.contract import Parent, Partition, Site
from hpcshell.backends.pbs import PbsBackend
from hpcshell.core.errors import Wrong
from hpcshell.core.jobspec import Layout
from hpcshell.core.records import Notify, WarnSignal
from tests.backends.pbs.made import OPENPBS, directives, order


def said(**words) -> list[str]:
    return directives(PbsBackend(OPENPBS).script(order(**words)))


def test_a_plain_job():
    whole = PbsBackend(OPENPBS).script(order(argv=("./run.sh", "a b"), stdout="out/%x-%j.txt"))
    assert whole == snapshot("""\
#!/bin/bash
#PBS -N job
#PBS -j oe
#PBS -o /home/alice/.hpc/1/scheduler.out
#PBS -S /bin/bash
#PBS -v HPC_SUBMISSION=k-1
# Submitted with hpc as k-1.

hpc_dir=/home/alice/.hpc/1
hpc_job="${PBS_JOBID%%[!0-9]*}"
hpc_element=''
hpc_record="$hpc_dir/record/${hpc_element:-job}"
hpc_path=$PATH
hpc_note() { # FILE WORD
    local PATH=$hpc_path file="$1.$$"
    { echo "$2 $(date +%s) $(uname -n)" >"$file" && mv -f "$file" "$1"; } 2>/dev/null
}
rm -f "$hpc_record.end"
hpc_note "$hpc_record.begin" "$hpc_job"
hpc_code=143 # as if by TERM, where a signal ends this shell before the job has ended
trap 'hpc_end=$?; [ $hpc_end != 0 ] || hpc_end=$hpc_code; hpc_note "$hpc_record.end" $hpc_end' EXIT

if [ -r "$hpc_dir/env" ]; then . "$hpc_dir/env"; fi
export HPC_JOB_ID="$hpc_job" HPC_SUBMISSION=k-1
export HPC_JOB_NAME=job
export HPC_CPUS=1
export HPC_SUBMIT_DIR=/home/alice
cd -- /home/alice || exit 1
umask 0022

hpc_parents() { case $1 in */*) mkdir -p -- "${1%/*}" ;; esac; }
hpc_out=out/job-"$hpc_job${hpc_element:+_$hpc_element}".txt
hpc_parents "$hpc_out"; exec >"$hpc_out" || exit 1
exec 2>&1

exec {hpc_fd0}<&0 {hpc_fd1}>&1 {hpc_fd2}>&2
exec 2>/dev/null # this shell is not to say which signal killed the job
coproc hpc_gate { # until it is let through, a signal ends this shell and no job begins
    trap - TERM INT HUP XCPU USR1 USR2 QUIT # some are ignored in what is in the background
    echo; read -r hpc_go || exit
    exec ./run.sh 'a b' 2>&$hpc_fd2 >&$hpc_fd1 <&$hpc_fd0 {hpc_fd0}<&- {hpc_fd1}>&- {hpc_fd2}>&-
}
hpc_child=$! hpc_signals=0
read -r hpc_go <&"${hpc_gate[0]-}"
trap '' PIPE TERM INT HUP XCPU USR1 USR2
echo >&"${hpc_gate[1]-}"
hpc_heard=-1
while [ $hpc_heard != $hpc_signals ]; do # a signal ends a wait before its time
    hpc_heard=$hpc_signals
    wait "$hpc_child"
    hpc_last=$? # bash may lose it (-1) where a signal ended both
    [ $hpc_last -lt 0 ] || hpc_code=$hpc_last
done
trap '' TERM INT HUP XCPU USR1 USR2 # one in the midst of the exit would change its code
exit $hpc_code
""")


NO_RANGE = snapshot("""\
#!/bin/bash
#PBS -N job
#PBS -J 1-9:2
#PBS -j oe
#PBS -o '/home/alice/.hpc/1/scheduler.out.^array_index^'
#PBS -S /bin/bash
#PBS -v HPC_SUBMISSION=k-1,HPC_ELEMENTS=1+3+9
hpc_asked_for() { # the others are there because PBS takes one range only
    (( PBS_ARRAY_INDEX == 1 )) && return
    (( PBS_ARRAY_INDEX == 3 )) && return
    (( PBS_ARRAY_INDEX == 9 )) && return
    return 1
}
hpc_asked_for || exit 0
# Submitted with hpc as k-1.

hpc_dir=/home/alice/.hpc/1
hpc_job="${PBS_JOBID%%[!0-9]*}"
hpc_element="$PBS_ARRAY_INDEX"
hpc_record="$hpc_dir/record/${hpc_element:-job}"
hpc_path=$PATH
hpc_note() { # FILE WORD
    local PATH=$hpc_path file="$1.$$"
    { echo "$2 $(date +%s) $(uname -n)" >"$file" && mv -f "$file" "$1"; } 2>/dev/null
}
rm -f "$hpc_record.end"
hpc_note "$hpc_record.begin" "$hpc_job"
hpc_code=143 # as if by TERM, where a signal ends this shell before the job has ended
trap 'hpc_end=$?; [ $hpc_end != 0 ] || hpc_end=$hpc_code; hpc_note "$hpc_record.end" $hpc_end' EXIT

if [ -r "$hpc_dir/env" ]; then . "$hpc_dir/env"; fi
export HPC_JOB_ID="$hpc_job" HPC_SUBMISSION=k-1
export HPC_JOB_NAME=job
export HPC_CPUS=1
export HPC_ARRAY_JOB_ID="$hpc_job" HPC_ARRAY_TASK_ID="$hpc_element"
export HPC_ARRAY_TASK_COUNT=3 HPC_ARRAY_TASK_MIN=1 HPC_ARRAY_TASK_MAX=9
export HPC_SUBMIT_DIR=/home/alice
cd -- /home/alice || exit 1
umask 0022

exec {hpc_fd0}<&0 {hpc_fd1}>&1 {hpc_fd2}>&2
exec 2>/dev/null # this shell is not to say which signal killed the job
coproc hpc_gate { # until it is let through, a signal ends this shell and no job begins
    trap - TERM INT HUP XCPU USR1 USR2 QUIT # some are ignored in what is in the background
    echo; read -r hpc_go || exit
    exec "$hpc_dir/script" 2>&$hpc_fd2 >&$hpc_fd1 <&$hpc_fd0 {hpc_fd0}<&- {hpc_fd1}>&- {hpc_fd2}>&-
}
hpc_child=$! hpc_signals=0
read -r hpc_go <&"${hpc_gate[0]-}"
trap '' PIPE TERM INT HUP XCPU USR1 USR2
echo >&"${hpc_gate[1]-}"
hpc_heard=-1
while [ $hpc_heard != $hpc_signals ]; do # a signal ends a wait before its time
    hpc_heard=$hpc_signals
    wait "$hpc_child"
    hpc_last=$? # bash may lose it (-1) where a signal ended both
    [ $hpc_last -lt 0 ] || hpc_code=$hpc_last
done
trap '' TERM INT HUP XCPU USR1 USR2 # one in the midst of the exit would change its code
exit $hpc_code
""")


def test_a_part_of_an_array_that_is_no_range():
    whole = PbsBackend(OPENPBS).script(
        order(script=b"#!/bin/sh\n", argv=("job.sh",), array="1,3,9", asked={"indices": "1,3,9"})
    )
    assert whole == NO_RANGE


def test_everything_at_once():
    assert said(
        layout=Layout(
            nodes=2,
            tasks_per_node=4,
            cpus_per_task=2,
            memory=12 << 30,
            gpus_per_node=2,
            gpu_type="a1",
            exclusive="yes",
            constraint="fast",
            licenses={"matlab": 3},
        ),
        time=100 * 3600 + 61,
        partition="workq",
        account="a project",
        priority=1000,
        hold=True,
        begin=1924991940.0,
        notify=Notify(on=("begin", "end", "fail"), mail="alice@example.org"),
        asked={
            "parents": (
                Parent(kind="afterok", ids=("12.h", "13.h")),
                Parent(kind="afterany", ids=("14[].h",)),
            )
        },
    ) == snapshot(
        [
            "-N job",
            "-q workq",
            "-A 'a project'",
            "-l select=2:ncpus=8:mpiprocs=4:ompthreads=2:mem=12gb:ngpus=2:gpu_type=a1:fast=True",
            "-l place=scatter:excl",
            "-l matlab=3",
            "-l walltime=100:01:01",
            "-W 'depend=afterok:12.h:13.h,afterany:14[].h'",
            "-h",
            "-p 1023",
            "-a 203012312359",
            "-m abe",
            "-M alice@example.org",
            "-j oe",
            "-o /home/alice/.hpc/1/scheduler.out",
            "-S /bin/bash",
            "-v HPC_SUBMISSION=k-1",
        ]
    )


def test_nothing_but_a_command_leaves_the_rest_to_the_site():
    assert said(name="") == snapshot(
        ["-j oe", "-o /home/alice/.hpc/1/scheduler.out", "-S /bin/bash", "-v HPC_SUBMISSION=k-1"]
    )


@pytest.mark.parametrize(
    ("layout", "select"),
    [
        (Layout(cpus_per_task=4), ["select=1:ncpus=4"]),
        (Layout(memory=3 << 30), ["select=1:ncpus=1:mem=3gb"]),
        (Layout(memory=(1 << 30) + 1), ["select=1:ncpus=1:mem=1048577kb"]),
        (Layout(gpus=2), ["select=1:ncpus=1:ngpus=2"]),
        (Layout(nodes=3), ["select=3:ncpus=1", "place=scatter"]),
        (Layout(exclusive="yes"), ["select=1:ncpus=1", "place=excl"]),
        (
            Layout(tasks=4, memory_per_cpu=1 << 30),
            ["select=4:ncpus=1:mpiprocs=1:ompthreads=1:mem=1gb", "place=free"],
        ),
        (
            Layout(tasks=4, memory=8 << 30),
            ["select=1:ncpus=4:mpiprocs=4:ompthreads=1:mem=8gb"],
        ),
        (
            Layout(tasks=10, tasks_per_node=4),
            [
                "select=2:ncpus=4:mpiprocs=4:ompthreads=1+1:ncpus=2:mpiprocs=2:ompthreads=1",
                "place=scatter",
            ],
        ),
        (
            Layout(nodes=2, tasks=5, cpus_per_task=2),
            [
                "select=1:ncpus=6:mpiprocs=3:ompthreads=2+1:ncpus=4:mpiprocs=2:ompthreads=2",
                "place=scatter",
            ],
        ),
        (Layout(nodes=2, gpus=4), ["select=2:ncpus=1:ngpus=2", "place=scatter"]),
        (
            Layout(tasks=2, gpus_per_task=1, cpus_per_gpu=8),
            ["select=2:ncpus=8:mpiprocs=1:ompthreads=8:ngpus=1", "place=free"],
        ),
        (Layout(gpus=2, memory_per_gpu=4 << 30), ["select=1:ncpus=1:mem=8gb:ngpus=2"]),
        (
            Layout(constraint="arch=linux&fast"),
            ["select=1:ncpus=1:arch=linux:fast=True"],
        ),
        (Layout(gres={"nvme": 1}), ["select=1:ncpus=1:nvme=1"]),
        (Layout(licenses={"matlab": 2}), ["matlab=2"]),
    ],
)
def test_a_layout_is_said_in_chunks(layout, select):
    assert [line[3:] for line in said(layout=layout) if line.startswith("-l ")] == select


@pytest.mark.parametrize(
    ("indices", "throttle", "lines"),
    [
        ("0-9", 0, ["-J 0-9"]),
        ("0-9", 2, ["-J 0-9%2"]),
        ("1-9:4", 1, ["-J 1-9:4", "-W max_run_subjobs=1"]),
        ("5", 0, ["-J 5-6"]),
        ("1,3", 0, ["-J 1-3:2"]),
        ("2,4,10", 0, ["-J 2-10:2"]),
        ("0-3,7", 0, ["-J 0-7"]),
    ],
)
def test_indices_are_said_as_one_range_of_two_or_more(indices, throttle, lines):
    found = said(array=indices, asked={"indices": indices, "throttle": throttle})
    assert [line for line in found if line[:2] in ("-J", "-W")] == lines


def test_a_range_far_wider_than_the_indices_is_refused():
    with pytest.raises(Wrong, match="one range"):
        said(array="1,5000", asked={"indices": "1,4999,5000"})


def test_the_model_of_a_gpu_is_asked_for_as_this_site_shows_it():
    site = Site(
        version="23.06.06",
        flavour="openpbs",
        partitions=(Partition(name="gpu", features=("gpu_model=v100",)),),
    )
    script = PbsBackend(site).script(order(layout=Layout(gpus=1, gpu_type="v100")))
    assert "-l select=1:ncpus=1:ngpus=1:gpu_model=v100" in directives(script)


@pytest.mark.parametrize("directory", ["/a b", "/a,b", "/a:b", "/a^b", "/é", "/$HOME", "/a'b"])
def test_pbs_is_not_trusted_with_a_directory_of_odd_characters(directory):
    found = said(asked={"directory": directory})
    assert "-o /dev/null" in found
    assert not any(directory in line for line in found)


def test_a_script_that_qsub_would_refuse_is_refused():
    for asked in ({"setup": ("a\r\nb",)}, {"argv": ("echo", "a\0")}):
        with pytest.raises(Wrong, match="carriage return"):
            said(**asked)


def test_files_are_left_to_pbs_where_that_is_asked_for():
    found = said(stdout="logs/%x.txt", stderr="/tmp/%%err", asked={"capture": False})
    assert [line for line in found if line[:2] in ("-o", "-e", "-j", "-W")] == [
        "-W umask=022",
        "-o /home/alice/logs/job.txt",
        "-e /tmp/%err",
    ]


def test_a_directory_to_run_in_is_no_pattern():
    found = said(cwd="/home/100%j", stdout="%x", asked={"capture": False})
    assert "-o /home/100%j/job" in found


def test_elements_have_files_of_their_own_from_pbs():
    found = said(array="0-3", stdout="o.%a", asked={"indices": "0-3", "capture": False})
    assert "-o '/home/alice/o.^array_index^'" in found
    assert "-j oe" in found


@pytest.mark.parametrize(
    "words",
    [
        {"qos": "high"},
        {"nice": 5},
        {"deadline": 1e9},
        {"warn": WarnSignal(number=10)},
        {"partition": "workq", "reservation": "R1"},
        {"layout": Layout(nodes=2, nodes_most=4)},
        {"layout": Layout(nodes=2, gpus=3)},
        {"layout": Layout(exclusive="user")},
        {"layout": Layout(constraint="a|b")},
        {"array": "0-3", "requeue": False, "asked": {"indices": "0-3"}},
        {"stdout": "%j.txt", "asked": {"capture": False}},
        {"stdout": "a b.txt", "asked": {"capture": False}},
        {"asked": {"parents": (Parent(kind="singleton"),)}},
        {"asked": {"parents": (Parent(kind="aftercorr", ids=("1[].h",)),)}},
        {"asked": {"parents": (Parent(kind="afterok", ids=("1[].h",)),)}},
        {"asked": {"parents": (Parent(kind="afterany", ids=("1[2].h",)),)}},
        {"asked": {"parents": (Parent(kind="afterok", ids=("1.h",), delay=60.0),)}},
        {"asked": {"parents": (Parent(kind="afterok", ids=("1.h", "2.h")),), "any": True}},
    ],
)
def test_what_pbs_lacks_is_refused_with_the_nearest_thing(words):
    with pytest.raises(Wrong) as caught:
        said(**words)
    assert caught.value.hint


def test_one_parent_is_the_same_as_any_of_one():
    parents = (Parent(kind="afternotok", ids=("1.h",)),)
    assert "-W depend=afternotok:1.h" in said(asked={"parents": parents, "any": True})
