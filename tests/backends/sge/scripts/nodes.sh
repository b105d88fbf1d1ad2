#!/bin/bash
#$ -N run
#$ -S /bin/bash
#$ -w e
#$ -r y
#$ -ac hpc=k4
#$ -o /home/ada/.hpc/jobs/k4/scheduler.out
#$ -j y
#$ -pe mpi-16 64
#$ -l matlab=2
#$ -l excl=TRUE
#$ -h
#$ -hold_jid hpc=k4
hpc_elements=1
# Submitted with hpc as k4.

hpc_dir=/home/ada/.hpc/jobs/k4
hpc_job="$JOB_ID"
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
export HPC_JOB_ID="$hpc_job" HPC_SUBMISSION=k4
export HPC_JOB_NAME=run
export HPC_CPUS=64
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
