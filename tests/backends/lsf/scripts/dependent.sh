#!/bin/bash
#BSUB -J "prep[2-4]"
#BSUB -Jd hpc:k3y
#BSUB -n 1
#BSUB -H
#BSUB -r
#BSUB -w "(done(12) && done(13[4])) && ended(14) && done(15[*]) && started(16) && exit(17)"
#BSUB -ti
#BSUB -oo /home/ada/.hpc/k3y/lsf.%I.out
# Submitted with hpc as k3y.

hpc_dir=/home/ada/.hpc/k3y
hpc_job="$LSB_JOBID"
hpc_element=$((LSB_JOBINDEX - 1))
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

unset LC_ALL LSB_NTRIES TZ
if [ -r "$hpc_dir/env" ]; then . "$hpc_dir/env"; fi
export HPC_JOB_ID="$hpc_job" HPC_SUBMISSION=k3y
export HPC_JOB_NAME=prep
export HPC_CPUS=1
export HPC_ARRAY_JOB_ID="$hpc_job" HPC_ARRAY_TASK_ID="$hpc_element"
export HPC_ARRAY_TASK_COUNT=3 HPC_ARRAY_TASK_MIN=1 HPC_ARRAY_TASK_MAX=3
export HPC_SUBMIT_DIR=/scratch/ada
cd -- /scratch/ada || exit 1
umask 0022

hpc_parents() { case $1 in */*) mkdir -p -- "${1%/*}" ;; esac; }
hpc_out=out
hpc_parents "$hpc_out"; exec >>"$hpc_out" || exit 1
hpc_err=err
hpc_parents "$hpc_err"; exec 2>>"$hpc_err" || exit 1

exec {hpc_fd0}<&0 {hpc_fd1}>&1 {hpc_fd2}>&2
exec 2>/dev/null # this shell is not to say which signal killed the job
coproc hpc_gate { # until it is let through, a signal ends this shell and no job begins
    trap - TERM INT HUP XCPU USR1 USR2 QUIT # some are ignored in what is in the background
    echo; read -r hpc_go || exit
    exec true 2>&$hpc_fd2 >&$hpc_fd1 <&$hpc_fd0 {hpc_fd0}<&- {hpc_fd1}>&- {hpc_fd2}>&-
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
