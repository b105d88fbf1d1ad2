"""Slurm's words for the state of a job, why it waits, and how it ended."""

from __future__ import annotations

from typing import Final

from hpcshell.backends.slurm.fields import number

STATES: Final = {
    "PENDING": "PENDING",
    "CONFIGURING": "PENDING",
    "REQUEUED": "PENDING",
    "REQUEUE_FED": "PENDING",
    "REQUEUE_HOLD": "PENDING",
    "RESV_DEL_HOLD": "PENDING",
    "SPECIAL_EXIT": "PENDING",
    "RUNNING": "RUNNING",
    "RESIZING": "RUNNING",
    "SIGNALING": "RUNNING",
    "SUSPENDED": "SUSPENDED",
    "STOPPED": "SUSPENDED",
    "COMPLETING": "COMPLETING",
    "STAGE_OUT": "COMPLETING",
    "COMPLETED": "COMPLETED",
    "FAILED": "FAILED",
    "CANCELLED": "CANCELLED",
    "TIMEOUT": "TIMEOUT",
    "OUT_OF_MEMORY": "OUT_OF_MEMORY",
    "NODE_FAIL": "NODE_FAIL",
    "BOOT_FAIL": "NODE_FAIL",
    "PREEMPTED": "PREEMPTED",
    "DEADLINE": "DEADLINE",
}
"""Words that are not here (REVOKED, those of later versions) are states that we do not know."""

GOING: Final = frozenset({"PENDING", "RUNNING", "SUSPENDED", "COMPLETING"})

HELD: Final = frozenset({"JobHeldUser", "JobHeldAdmin", "JobHoldMaxRequeue"})
HELD_WORDS: Final = frozenset({"REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"})

REASONS: Final = {
    "Priority": "jobs of higher priority come first",
    "Resources": "what it asks for is not free",
    "Dependency": "it waits for other jobs",
    "DependencyNeverSatisfied": "what it waits for can no longer happen",
    "BeginTime": "its time to begin has not come",
    "JobHeldUser": "it is held by its user",
    "JobHeldAdmin": "it is held by an administrator",
    "JobHoldMaxRequeue": "it was requeued too often and is held",
    "JobArrayTaskLimit": "as many of its elements run as may at once",
    "PartitionConfig": "its partition has not as much as it asks for, and never will as it stands",
    "PartitionTimeLimit": "its time limit is longer than its partition allows",
    "PartitionNodeLimit": "it asks for more nodes than its partition allows",
    "PartitionDown": "its partition is down",
    "PartitionInactive": "its partition takes no jobs to start",
    "ReqNodeNotAvail": "a node that it needs is not available",
    "NodeDown": "a node that it needs is down",
    "Reservation": "it waits for its reservation",
    "Licenses": "it waits for licences",
    "BadConstraints": "no node is as it asks for",
    "AccountNotAllowed": "its account may not use its partition",
    "QOSNotAllowed": "its QOS may not be used in its partition",
    "InvalidAccount": "its account is not known",
    "InvalidQOS": "its QOS is not known",
    "QOSMaxJobsPerUserLimit": "as many jobs of this user run in its QOS as may",
    "AssocMaxJobsLimit": "as many jobs of this user and account run as may",
    "AssocMaxWallDurationPerJobLimit": "its time limit is longer than its account allows",
    "QOSMaxWallDurationPerJobLimit": "its time limit is longer than its QOS allows",
    "launch failed requeued held": "it could not be started and is held",
}
"""Slurm's words for why a job waits, in ours. A word that is not here stands for itself."""


def state_of(word: str) -> str | None:
    """The state that a word stands for, `CANCELLED by 1001` too; None for one we do not know."""
    return STATES.get(word) or STATES.get(word.split(" ", 1)[0])


def reason_of(word: str) -> str:
    """A sentence for why a job waits; "" where nothing is said. squeue shows elements of an array
    that wait for different things on one line, with all of their reasons."""
    if word in ("", "None"):
        return ""
    if word in REASONS:
        return REASONS[word]
    parts = [part.strip() for part in word.split(",")]
    known = [REASONS[part] for part in parts if part in REASONS]
    return "; ".join(known) if known else word


def is_held(word: str, why: str) -> bool:
    """Whether all that a line stands for is held; of `BeginTime,JobHeldUser` only a part is."""
    return word in HELD_WORDS or all(part in HELD for part in why.split(","))


def ending(state: str, code: int, signal: int) -> tuple[int | None, int | None]:
    """Exit code and signal, where they mean anything: what a job that was stopped left behind as
    its code says nothing (Slurm gives 0, 1 or the shell's), nor does a 0 of one that failed. Of a
    signal, 125 stands for a lack of memory, and others above 64 for troubles of Slurm's own."""
    if 0 < signal <= 64:
        return None, signal
    if state == "COMPLETED" or (state == "FAILED" and code and not signal):
        return code, None
    return None, None


def exit_of(state: str, text: str) -> tuple[int | None, int | None]:
    """The same from `CODE:SIGNAL`."""
    code, _, signal = text.partition(":")
    status = number(code), number(signal)
    return (None, None) if None in status else ending(state, status[0] or 0, status[1] or 0)


NEVER_BEGUN: Final = 53
"""No signal at all: what slurmstepd ends with when it could not begin a job."""


def why_never_begun(signal: int | None) -> str:
    """What that number means; "" for any other."""
    if signal != NEVER_BEGUN:
        return ""
    return "Slurm could not go to its directory or open its output files on the node"
