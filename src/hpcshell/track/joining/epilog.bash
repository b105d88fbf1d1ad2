#!/bin/bash
# Tells HPCShell's tracker that a job has started or ended. Written by: hpc track epilog --install
#
# Installed as hpc-prolog it tells of starts, as hpc-epilog of ends. It never fails and never holds a
# machine up: it answers 0 within five seconds, whatever happens. What cannot be sent is left in the
# spool directory, one file for each event, which the server takes in later. The key is read from
# files that only their owner can read; it is in no argument and in no environment.

exec </dev/null >/dev/null 2>&1
set +e -u
unset BASH_ENV ENV CDPATH GLOBIGNORE IFS POSIXLY_CORRECT
LC_ALL=C
PATH=/usr/bin:/bin:/usr/sbin:/sbin
export LC_ALL PATH
umask 077

KIND=@KIND@
URL=@URL@
KEYS=@KEYS@
SPOOL=@SPOOL@

# ------------------------------------------------------------------------------- what is told

BODY=

encoded() { # TEXT: as forms write it, whatever bytes it holds
    local text=${1:0:1000} out='' byte i
    for ((i = 0; i < ${#text}; i++)); do
        byte=${text:i:1}
        case $byte in
            [a-zA-Z0-9._~-]) ;;
            *)
                printf -v byte '%02X' "'$byte"
                byte=%${byte: -2}
                ;;
        esac
        out+=$byte
    done
    printf '%s' "$out"
}

field() { # NAME VALUE: nothing where there is no value
    [[ -z $2 || $2 == '(null)' ]] || BODY+=${BODY:+&}$1=$(encoded "$2")
}

number() { # NAME VALUE: nothing where it is none
    [[ ! $2 =~ ^[0-9]{1,15}$ ]] || field "$1" "$2"
}

of_slurm() {
    field job_id "${SLURM_ARRAY_JOB_ID:-${SLURM_JOB_ID-}}"
    [[ -z ${SLURM_ARRAY_JOB_ID-} ]] || number element "${SLURM_ARRAY_TASK_ID-}"
    field cluster "${SLURM_CLUSTER_NAME-}"
    field name "${SLURM_JOB_NAME-}"
    field user "${SLURM_JOB_USER-}"
    field partition "${SLURM_JOB_PARTITION-}"
    field account "${SLURM_JOB_ACCOUNT-}"
    field nodes "${SLURM_JOB_NODELIST-}"
    number restarts "${SLURM_JOB_RESTART_COUNT:-${SLURM_RESTART_COUNT-}}"
    [[ ${SLURM_JOB_NUM_NODES-} != 1 ]] || number cpus "${SLURM_JOB_CPUS_PER_NODE-}"
    [[ $EVENT != end ]] || number wait_status "${SLURM_JOB_EXIT_CODE-}"
}

of_pbs() { # as mom calls prologue and epilogue
    field job_id "${1-}"
    field user "${2-}"
    field name "${4-}"
    [[ $EVENT == end ]] || return
    field partition "${8-}"
    field account "${9-}"
    local code=${10-}
    if [[ $code =~ ^[0-9]{1,5}$ ]] && ((code > 256)); then
        number signal $((code - 256))
    elif [[ $code == -* ]]; then # mom itself has ended it, or could not start it
        field status failed
    else
        number exit_code "$code"
    fi
}

of_lsf() { # as pre- and post-execution commands are run
    field job_id "${LSB_JOBID-}"
    [[ ${LSB_JOBINDEX:-0} == 0 ]] || number element "$LSB_JOBINDEX"
    field cluster "${LSF_CLUSTER_NAME-}"
    field name "${LSB_JOBNAME-}"
    field user "${LSFUSER:-${USER-}}"
    field partition "${LSB_QUEUE-}"
    [[ $EVENT != end ]] || number wait_status "${LSB_JOBEXIT_STAT-}"
}

of_sge() { # as prolog and epilog of a queue, run by root: root@/path/hpc-epilog
    field job_id "${JOB_ID-}"
    number element "${SGE_TASK_ID-}"
    field name "${JOB_NAME-}"
    field user "${LOGNAME:-${USER-}}"
    field partition "${QUEUE-}"
    number restarts "${RESTARTED-}"
    [[ $EVENT == end ]] || return
    local line
    while IFS= read -r line; do
        [[ $line != exit_status=* ]] || number exit_code "${line#*=}"
    done <"${SGE_JOB_SPOOL_DIR-}/usage"
}

# ------------------------------------------------------------------------------- how it is signed

digest() { # PAD: of this block of the key, and what follows on stdin
    local sum
    sum=$({ cat "$KEYS/$1" && cat; } | sha256sum)
    printf '%s' "${sum%% *}"
}

bytes() { # HEXADECIMAL
    local out='' i
    for ((i = 0; i < ${#1}; i += 2)); do out+="\\x${1:i:2}"; done
    printf '%b' "$out"
}

signature() {
    local inner outer
    inner=$(printf '%s' "$KIND.$TIME.$ID.$BODY" | digest inner)
    outer=$(bytes "$inner" | digest outer)
    printf 't=%s,id=%s,v1=%s' "$TIME" "$ID" "$outer"
}

# ------------------------------------------------------------------------------- how it is sent

FORM='Content-Type: application/x-www-form-urlencoded'

with_curl() {
    curl -q --silent --fail --connect-timeout 2 --max-time 3 --noproxy '*' \
        --header "X-HPC-Signature: $SIGNATURE" --header "$FORM" --data-raw "$BODY" "$URL"
}

with_bash() { # where there is no curl: http alone
    local rest=${URL#http://} host port status
    [[ $rest != "$URL" ]] || return 1
    host=${rest%%/*}
    port=${host##*:}
    [[ $host == *:* ]] || port=80
    exec 3<>"/dev/tcp/${host%:*}/$port" || return 1
    printf 'POST /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n' "${rest#*/}" "$host" >&3
    printf 'X-HPC-Signature: %s\r\n%s\r\n' "$SIGNATURE" "$FORM" >&3
    printf 'Content-Length: %d\r\n\r\n%s' "${#BODY}" "$BODY" >&3
    read -r _ status _ <&3
    [[ $status == 2* ]]
}

sent() {
    if type -P curl; then with_curl; else with_bash; fi
}

kept() { # whole or not at all; nobody but its owner can look into the directory
    umask 022
    local new=$SPOOL/.$ID.new
    printf '%s\n%s\n%s' "$SIGNATURE" "$KIND" "$BODY" >"$new" && mv -f "$new" "$SPOOL/$ID.event"
}

within() { # SECONDS WHAT: whether it was done in time; what hangs is left behind
    local clock work
    sleep "$1" &
    clock=$!
    { if "$2"; then kill -USR1 $clock; else kill -USR2 $clock; fi; } &
    work=$!
    wait $clock
    (($? == 138)) && return 0
    kill -KILL $work
    return 1
}

EVENT=end
[[ ${0##*/} != *prolog* ]] || EVENT=start
printf -v TIME '%(%s)T' -1
read -r ID </proc/sys/kernel/random/uuid
field event "$EVENT"
"of_$KIND" "$@"
SIGNATURE=$(signature)
within 3.3 sent || within 1 kept
exit 0
