"""The rows of the option table that say what only clusters have, or what mostly they need."""

from __future__ import annotations

from typing import Final

from hpcshell.core.options.row import CLUSTERS, Option

CLUSTER_ROWS: Final = (
    Option(
        name="nodes",
        kind="nodes",
        help="Nodes: 2, or 2-4; on one machine there is one.",
        panel=CLUSTERS,
        metavar="N[-MOST]",
        hpc=("--nodes", "-N"),
        sbatch=("--nodes", "-N"),
        project=True,
    ),
    Option(
        name="tasks_per_node",
        kind="count",
        help="Tasks on each node.",
        panel=CLUSTERS,
        metavar="N",
        hpc=("--ntasks-per-node",),
        sbatch=("--ntasks-per-node", "--tasks-per-node"),
        project=True,
    ),
    Option(
        name="gpus_per_node",
        kind="gpus",
        help="GPUs of each node.",
        panel=CLUSTERS,
        metavar="N",
        hpc=("--gpus-per-node",),
        sbatch=("--gpus-per-node",),
        group="gpus",
        project=True,
    ),
    Option(
        name="constraint",
        kind="line",
        help="What the nodes must have, in the site's own words: skylake, 'a100|h100'.",
        panel=CLUSTERS,
        metavar="FEATURES",
        hpc=("--constraint", "-C"),
        sbatch=("--constraint", "-C"),
        pbs=("-l feature",),
        project=True,
        clusters=True,
    ),
    Option(
        name="module",
        kind="modules",
        help="A module to load before it starts, such as gcc/12.2; may be repeated.",
        panel=CLUSTERS,
        metavar="NAME",
        hpc=("--module",),
        multiple=True,
        project=True,
    ),
    Option(
        name="conda",
        kind="activated",
        help="Conda environment to activate before it starts: a name or a path.",
        panel=CLUSTERS,
        metavar="NAME",
        hpc=("--conda",),
    ),
    Option(
        name="venv",
        kind="activated",
        help="Directory of a virtual environment to activate before it starts.",
        panel=CLUSTERS,
        metavar="DIR",
        hpc=("--venv",),
    ),
    Option(
        name="setup",
        kind="line",
        help="A line of shell to run before it starts, which it does not if the line fails; "
        "may be repeated.",
        panel=CLUSTERS,
        metavar="LINE",
        hpc=("--setup",),
        multiple=True,
    ),
    Option(
        name="stage_in",
        kind="staged",
        help="A file or directory of here that goes along to a cluster behind ssh, into the job's "
        "working directory there; may be repeated.",
        panel=CLUSTERS,
        metavar="PATH",
        hpc=("--stage-in",),
        multiple=True,
        clusters=True,
    ),
    Option(
        name="stage_out",
        kind="result",
        help="What comes back once it has ended: a file, a directory or a pattern such as "
        "'out/*.csv', relative to its working directory there; may be repeated.",
        panel=CLUSTERS,
        metavar="PATH",
        hpc=("--stage-out",),
        multiple=True,
        clusters=True,
    ),
    Option(
        name="native",
        kind="native",
        help="Words for the site's own submit command, as they stand; may be repeated.",
        panel=CLUSTERS,
        metavar="WORDS",
        hpc=("--native",),
        multiple=True,
        clusters=True,
    ),
)
