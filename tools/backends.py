"""The page of docs/reference that shows which behaviours hold on which back end."""

from __future__ import annotations

from tests.conformance.record import recorded, table

PAGE = """\
# What holds on which cluster

One suite tries every back end with the same jobs, through the same door that `hpc --on NAME` uses.
What a scheduler lacks is said in a sentence when it is asked for, with the nearest thing; those
sentences are the notes below the table.

{columns}

{table}
## Try your own

```bash
make conformance                 # all of these, as root on Debian: what is missing is installed
make conformance ON=slurm        # one of them
make conformance ON=mycluster    # a cluster of yours, as `hpc --on mycluster` means it
```

The last one submits some two hundred short jobs of one CPU. `CONFORMANCE_LIMITS` tells it, as JSON,
what your site has: `time` (the shortest time limit that is kept), `gpus` (options with which one
is had), `memory` (true: it is enforced), `few` (options with which two jobs are taken, no more)."""

COLUMNS = {
    "local": "this machine's own scheduler",
    "slurm": "a real Slurm 22.05: slurmctld, slurmdbd and five slurmd on one machine",
    "pbs": "a stand-in for OpenPBS 23.06 that runs its jobs, built from recordings of a real one,"
    " for a user who is no operator",
    "lsf": "a stand-in for LSF 10.1 that runs its jobs, built from what public sources show",
    "sge": "a real Grid Engine 8.1",
    "tsp": "a real task-spooler, through the back end of `examples/backend`, which is a hundred"
    " lines",
}


def backends_page() -> str:
    """The record as a table, and what each column was tried on."""
    listed = "\n".join(f"- `{name}`: {what}" for name, what in COLUMNS.items())
    return PAGE.format(columns=listed, table=table(recorded()))
