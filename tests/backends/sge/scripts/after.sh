#!/bin/bash
#$ -N run
#$ -S /bin/bash
#$ -w e
#$ -r y
#$ -ac hpc=k7
#$ -o /home/ada/.hpc/jobs/k7/scheduler.out
#$ -j y
#$ -t 1-4:1
#$ -hold_jid hpc=k7,11,12,13,15,run
#$ -hold_jid_ad 14
hpc_elements=4
# Submitted with hpc as k7.

hpc_dir=/home/ada/.hpc/jobs/k7
hpc_job="$JOB_ID"
hpc_element="$((SGE_TASK_ID - 1))"
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

export SGE_TASK_ID="$hpc_element" SGE_TASK_FIRST=$((SGE_TASK_FIRST -1)) SGE_TASK_LAST=$((SGE_TASK_LAST -1))

rm -f "$hpc_record.never"
hpc_fate() { # DIRECTORY [ELEMENT]: whether all of a parent, or this element of it, completed
    local want=1 found code end try
    [ -n "$2" ] || want=$(($(sed -n 's/^hpc_elements=/+/p' "$1"/job*.sh)))
    for try in 1 2 3 4 5; do # what was written on another node may be seen late
        found=0
        for end in "$1/record/"${2:-*}.end; do
            [ -e "$end" ] && read -r code _ <"$end" || continue
            [ "$code" = 0 ] || return 1
            found=$((found + 1))
        done
        ((found < want || found == 0)) || return 0
        sleep 1
    done
    return 1
}
hpc_never() { # SENTENCE
    { echo "$1" >"$hpc_record.never"; } 2>/dev/null
    echo "hpc: this job was not run: $1" >&2
    exit 1
}
hpc_fate '/h/jobs/a b' || hpc_never 'job 11 did not complete'
hpc_fate /h/jobs/12 2 || hpc_never 'job 12.3 did not complete'
! hpc_fate /h/jobs/13 || hpc_never 'job 13 did not fail'
hpc_fate /h/jobs/14 "$hpc_element" || hpc_never 'job 14 did not complete'

if [ -r "$hpc_dir/env" ]; then . "$hpc_dir/env"; fi
export HPC_JOB_ID="$hpc_job" HPC_SUBMISSION=k7
export HPC_JOB_NAME=run
export HPC_CPUS=1
export HPC_ARRAY_JOB_ID="$hpc_job" HPC_ARRAY_TASK_ID="$hpc_element"
export HPC_ARRAY_TASK_COUNT=4 HPC_ARRAY_TASK_MIN=0 HPC_ARRAY_TASK_MAX=3
export HPC_SUBMIT_DIR=/home/ada/w
cd -- /home/ada/w || exit 1
umask 0022

exec {hpc_fd0}<&0 {hpc_fd1}>&1 {hpc_fd2}>&2
exec 2>/dev/null # this shell is not to say which signal killed the job
coproc hpc_gate { # until it is let through, a signal ends this shell and no job begins
    trap - TERM INT HUP XCPU USR1 USR2 QUIT # some are ignored in what is in the background
    echo; read -r hpc_go || exit
    exec ./run 'a b' 2>&$hpc_fd2 >&$hpc_fd1 <&$hpc_fd0 {hpc_fd0}<&- {hpc_fd1}>&- {hpc_fd2}>&-
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
