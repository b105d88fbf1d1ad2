"""What somebody should know of a search, though nothing of it has failed."""

from __future__ import annotations

from collections.abc import Sequence

from hpcshell.flow.identity import salt
from hpcshell.flow.search.driver import proceed
from hpcshell.flow.spec import Search
from hpcshell.sweeps.folder import Folder, Manifest
from hpcshell.sweeps.making import row_of
from hpcshell.sweeps.searching import trials
from hpcshell.sweeps.standing import Standing


def warnings(folder: Folder, manifest: Manifest, standings: Sequence[Standing]) -> list[str]:
    """Sentences: of trials that completed without a number for the metric, and of a search that
    has fewer points than it was to try."""
    search = manifest.spec.search
    if search is None:
        return []
    log = trials(folder)
    salted = salt(manifest.spec, manifest.code)
    unmeasured = {
        row_of(manifest.spec, dict(trial.params), folder.id, salted).id
        for trial in log.values()
        if trial.state == "failed"
    }
    completed = {one.id for one in standings if one.state == "COMPLETED"}
    said = _unmeasured(search, len(unmeasured & completed))
    found = proceed(search, log.values(), [n for n, one in log.items() if one.state == "running"])
    if found.done and len(log) < search.trials:
        said.append(f"{found.why}; {search.trials:,} trials were wanted")
    return said


def _unmeasured(search: Search, count: int) -> list[str]:
    if not count:
        return []
    points = "1 completed point has" if count == 1 else f"{count:,} completed points have"
    return [f"{points} no number for {' and '.join(search.metrics)}"]
