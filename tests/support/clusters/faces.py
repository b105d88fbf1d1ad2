"""The Python faces against a real Slurm: what a test's program finds when it asks for `slurm`.

``on_slurm`` is an empty directory, the current one, that is also the user's home. What is left of
the test's jobs is cancelled when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.clusters.views import label_of
from hpcshell.jobs.opened import door
from hpcshell.jobs.surroundings import here
from tests.support.clusters.slurm import SlurmCluster
from tests.support.clusters.slurm import slurm_cluster as slurm_cluster


@pytest.fixture
def on_slurm(
    home: Path, slurm_cluster: SlurmCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    for name, value in slurm_cluster.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    config = Path(here().config_file)
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('[clusters.slurm]\nbackend = "slurm"\npoll = "0.5s"\n')
    yield tmp_path
    desk = door("slurm")
    left = [label_of(each) for each in desk.look().known if not each.over]  # type: ignore[attr-defined]
    if left:
        desk.call("cancel", ids=left)
