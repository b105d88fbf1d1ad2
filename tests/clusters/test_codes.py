"""Exit codes that are not told, or not told apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.jobscript import Recorded
from hpcshell.cli.exits import of_process
from hpcshell.clusters.known import Assessing
from hpcshell.core.sightings import Sighting
from hpcshell.store.ledger.entries import Part
from tests.clusters.world import World
from tests.support.clusters.toy import ToyBackend

CODES = st.integers(1, 255)
PART = Part(serial=1, number=0, key="k", indices="", state="known", since=1.0, native="7", site="7")
TOLD = 128
"""How many codes the accounting tells apart."""


class Short(ToyBackend):
    """A site with an accounting that tells no codes from 128 up."""

    accounted_codes = TOLD


def failed(code: int | None) -> Sighting:
    return Sighting(native="7", number="7", state="FAILED", exit_code=code, end_time=5.0)


def record(code: int) -> dict[int | None, Recorded]:
    return {None: Recorded(native="7", begun=1.0, node="n1", code=code, ended=5.0)}


def told(assessing: Assessing) -> int:
    one = assessing.elements[None]
    assert one.state == "FAILED"
    return of_process(one.exit_code, one.signal)


@given(CODES)
def test_a_code_that_the_queue_told_is_not_lost_in_the_accounting(code) -> None:
    assessing = Assessing(PART, {})
    assessing.see([failed(code)])
    assessing.account([failed(code % TOLD or None)], TOLD)
    assert not assessing.doubtful
    assert told(assessing) == code


@given(CODES)
def test_a_code_that_only_the_accounting_told_is_that_of_the_record(code) -> None:
    assessing = Assessing(PART, {})
    assessing.account([failed(code % TOLD or None)], TOLD)
    assert assessing.doubtful
    assessing.correct(record(code), TOLD)
    assert told(assessing) == code


@given(CODES, CODES)
def test_a_record_of_another_code_corrects_nothing(code, another) -> None:
    assessing = Assessing(PART, {})
    assessing.account([failed(code % TOLD or None)], TOLD)
    assessing.correct(record(another), TOLD)
    fits = code % TOLD in (0, another % TOLD)
    assert told(assessing) == (another if fits else code % TOLD or 1)


@given(CODES)
def test_a_code_that_nobody_told_is_that_of_the_record(code) -> None:
    assessing = Assessing(PART, {})
    assessing.see([failed(None)])
    assert assessing.doubtful
    assessing.correct(record(code), 256)
    assert told(assessing) == code


@given(CODES)
def test_no_record_is_asked_for_where_the_accounting_tells_every_code(code) -> None:
    assessing = Assessing(PART, {})
    assessing.account([failed(code)])
    assert not assessing.doubtful
    assert told(assessing) == code


@given(st.integers(1, 64))
def test_a_shell_that_ends_for_a_signal_is_a_job_killed_by_it(signal) -> None:
    seen, accounted, recorded = Assessing(PART, {}), Assessing(PART, {}), Assessing(PART, {})
    seen.see([failed(128 + signal)])
    accounted.account([failed(128 + signal)])
    recorded.remember(record(128 + signal))
    for each in (seen, accounted, recorded):
        one = each.elements[None]
        assert (one.exit_code, one.signal) == (None, signal)


@pytest.mark.parametrize(("backend", "told"), [(Short, (None, 1)), (ToyBackend, (1, None))])
def test_a_record_is_read_where_the_accounting_may_mean_another_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: type[ToyBackend], told: object
) -> None:
    world = World(tmp_path, monkeypatch, backend=backend)
    world.submit("true", name="a")
    (row,) = world.jobs
    world.forgets = True
    world.begin(row)
    world.passes(10)
    world.end(row, "bad")
    world.record(row, "end", f"129 {int(world.now)} n1")
    world.passes(1)
    (job,) = world.show("a")
    assert (job["exit_code"], job["signal"]) == told
    world.close()
