"""The words for why something waits, with their meanings."""

from __future__ import annotations

from typing import Final

LIMIT_REASONS: Final[dict[str, str]] = {
    "QOSGrpCpuLimit": "the jobs of its QOS or partition hold as many cpus as they may",
    "QOSGrpMemLimit": "the jobs of its QOS or partition hold as much memory as they may",
    "QOSGrpGRES": "the jobs of its QOS or partition hold as many GPUs as they may",
    "QOSGrpJobsLimit": "as many jobs of its QOS or partition run as may at once",
    "QOSGrpSubmitJobsLimit": "as many jobs of its QOS or partition wait or run as may",
    "QOSMaxCpuPerUserLimit": "its user holds as many cpus as the QOS or partition allows one",
    "QOSMaxMemoryPerUser": "its user holds as much memory as the QOS or partition allows one",
    "QOSMaxGRESPerUser": "its user holds as many GPUs as the QOS or partition allows one",
    "QOSMaxJobsPerUserLimit": "its user runs as many jobs as the QOS or partition allows one",
    "QOSMaxSubmitJobPerUserLimit": "its user has as many jobs as the QOS or partition allows one",
    "MaxCpuPerAccount": "its account holds as many cpus as the QOS or partition allows one",
    "MaxMemoryPerAccount": "its account holds as much memory as the QOS or partition allows one",
    "MaxGRESPerAccount": "its account holds as many GPUs as the QOS or partition allows one",
    "MaxJobsPerAccount": "its account runs as many jobs as the QOS or partition allows one",
    "MaxSubmitJobsPerAccount": "its account has as many jobs as the QOS or partition allows one",
    "QOSMaxCpuPerJobLimit": "it asks for more cpus than its QOS or partition allows a job",
    "QOSMaxMemoryPerJob": "it asks for more memory than its QOS or partition allows a job",
    "QOSMaxGRESPerJob": "it asks for more GPUs than its QOS or partition allows a job",
    "QOSMaxWallDurationPerJobLimit": "it asks for more time than its QOS allows a job",
    "PartitionTimeLimit": "it asks for more time than its partition allows a job",
    "AssocGrpCpuLimit": "its account or user holds as many cpus as it may",
    "AssocGrpMemLimit": "its account or user holds as much memory as it may",
    "AssocGrpGRES": "its account or user holds as many GPUs as it may",
    "AssocGrpJobsLimit": "as many jobs of its account run as may at once",
    "AssocGrpSubmitJobsLimit": "as many jobs of its account wait or run as may",
    "AssocMaxJobsLimit": "its user runs as many jobs as they may at once",
    "AssocMaxSubmitJobLimit": "its user has as many jobs waiting or running as they may",
    "AssocMaxCpuPerJobLimit": "it asks for more cpus than its account or user may for a job",
    "AssocMaxMemPerJob": "it asks for more memory than its account or user may for a job",
    "AssocMaxGRESPerJob": "it asks for more GPUs than its account or user may for a job",
    "AssocMaxWallDurationPerJobLimit": "it asks for more time than its account or user may",
}
"""Every code that a `Throttle` gives, and what it means."""

REASONS: Final[dict[str, str]] = {
    "None": "nothing keeps it: it starts with the next decision, or does not wait",
    "Resources": "it is first in line and not enough of the machine is free",
    "Priority": "others are before it in line and it may not pass them",
    "TooLarge": "it asks for more than the whole machine has now",
    "Dependency": "a job that it depends on has not got that far",
    "DependencyNeverSatisfied": "what it depends on can never come about any more",
    "BeginTime": "it is not to begin before a given time",
    "Suspended": "it is suspended until somebody resumes it",
    "JobHeldUser": "its user holds it back",
    "JobHeldAdmin": "an administrator holds it back",
    "ArrayTaskLimit": "as many elements of its array are running as may run at once",
    "BackOff": "it failed and waits a while before it is tried again",
    "Deadline": "it cannot end by its deadline any more",
    "Depth": "so much is before it in line that one decision does not look as far",
    "Gang": "it starts together with others, and not all of them are ready",
    "Reservation": "the reservation that it is to run in has not begun, or has not enough left",
    "ReservationDeleted": "the reservation that it is to run in is over or was never made",
    "GpusClosed": "it needs cards that take no new work for now",
    "Drained": "nothing new starts on this machine, or on the nodes it needs, for now",
    **LIMIT_REASONS,
}
"""Every code a `Reason` may have, and what it means. Documented as a list; tests walk it."""
