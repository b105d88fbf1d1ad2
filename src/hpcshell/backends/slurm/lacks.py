"""What Slurm has not, and the nearest thing."""

from __future__ import annotations

from typing import Final

LACKS: Final = {
    "delay": "Slurm counts a delay only from the beginning of a job; write after:12+30",
    "gang": "Slurm starts no separate jobs together; ask for one job with --nodes or --tasks",
    "checkpoint": (
        "Slurm sends no signal of one's choice before it preempts; "
        "ask for --signal before the time limit, or handle TERM"
    ),
    "gpu_share": (
        "Slurm gives parts of a GPU only where the site has set them up; "
        "hand its own words on, such as --native --gres=shard:1"
    ),
    "grace": "how long a job may clean up after TERM is the site's to say (KillWait)",
}
