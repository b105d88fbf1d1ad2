"""The made answers of the benchmark look like a cluster's, to the back end that reads them."""

from __future__ import annotations

from importlib import import_module

import backends as bench
import pytest


@pytest.mark.parametrize(("module", "name"), bench.ANSWERS)
def test_every_job_of_a_made_answer_is_seen(module: str, name: str) -> None:
    backend = getattr(import_module(module), name)()
    seen = backend.read_queue(bench.ANSWERS[module, name](100))
    assert seen.whole
    assert len(seen.sightings) == 100
    assert {job.state for job in seen.sightings} == {"PENDING", "RUNNING"}
