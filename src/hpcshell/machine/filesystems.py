"""What kind of file system a path lies on."""

from __future__ import annotations

import os
from typing import Final

SHARED: Final = frozenset(
    {
        *("nfs", "nfs3", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cephfs", "cifs", "smb3"),
        *("afs", "panfs", "glusterfs", "pvfs2", "orangefs", "9p", "fuse.sshfs", "fuse.glusterfs"),
    }
)
"""Those that other machines may see, too."""


def is_shared(path: str, mounts: str = "/proc/self/mounts") -> bool:
    """Whether other machines may see what lies there. Where nothing can be told: no."""
    try:
        with open(mounts, encoding="utf-8", errors="replace") as file:
            table = [line.split(" ") for line in file]
    except OSError:
        return False
    real = os.path.realpath(path)
    best, kind = -1, ""
    for fields in table:
        where = fields[1].encode().decode("unicode_escape") if "\\" in fields[1] else fields[1]
        within = real == where or real.startswith(where.rstrip("/") + "/")
        if within and len(where) >= best:  # the last of several mounts over each other counts
            best, kind = len(where), fields[2]
    return kind in SHARED
