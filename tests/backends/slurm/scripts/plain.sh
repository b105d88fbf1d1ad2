#!/bin/bash
#SBATCH --job-name=train
#SBATCH --comment=hpc:k7
#SBATCH --requeue
#SBATCH --chdir=/home/ada/work
#SBATCH --output=train-%A.out
#SBATCH --open-mode=truncate
# Submitted with hpc as k7.

hpc_dir=/home/ada/.hpc/jobs/k7
hpc_job="${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"
hpc_element="${SLURM_ARRAY_TASK_ID-}"
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
export HPC_JOB_ID="$hpc_job" HPC_SUBMISSION=k7
export HPC_JOB_NAME=train
export HPC_CPUS=1
export HPC_SUBMIT_DIR=/home/ada/work
cd -- /home/ada/work || exit 1
umask 0022

exec {hpc_fd0}<&0 {hpc_fd1}>&1 {hpc_fd2}>&2
exec 2>/dev/null # this shell is not to say which signal killed the job
coproc hpc_gate { # until it is let through, a signal ends this shell and no job begins
    trap - TERM INT HUP XCPU USR1 USR2 QUIT ALRM WINCH URG # some are ignored in what is in the background
    echo; read -r hpc_go || exit
    exec python train.py 2>&$hpc_fd2 >&$hpc_fd1 <&$hpc_fd0 {hpc_fd0}<&- {hpc_fd1}>&- {hpc_fd2}>&-
}
hpc_child=$! hpc_signals=0
read -r hpc_go <&"${hpc_gate[0]-}"
trap '' PIPE
trap 'hpc_signals=$((hpc_signals + 1)); kill -TERM "$hpc_child"' TERM
trap 'hpc_signals=$((hpc_signals + 1)); kill -INT "$hpc_child"' INT
trap 'hpc_signals=$((hpc_signals + 1)); kill -HUP "$hpc_child"' HUP
trap 'hpc_signals=$((hpc_signals + 1)); kill -USR1 "$hpc_child"' USR1
trap 'hpc_signals=$((hpc_signals + 1)); kill -USR2 "$hpc_child"' USR2
trap 'hpc_signals=$((hpc_signals + 1)); kill -ALRM "$hpc_child"' ALRM
trap 'hpc_signals=$((hpc_signals + 1)); kill -WINCH "$hpc_child"' WINCH
trap 'hpc_signals=$((hpc_signals + 1)); kill -URG "$hpc_child"' URG
trap 'hpc_signals=$((hpc_signals + 1)); kill -XCPU "$hpc_child"' XCPU
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
