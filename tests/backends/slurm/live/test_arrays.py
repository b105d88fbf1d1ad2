"""Arrays on a real Slurm: elements that run, those that still wait, and what is done to one."""

from __future__ import annotations

from hpcshell.backends.contract import ENDED, Sighting
from hpcshell.core.indexset import IndexSet
from tests.backends.slurm.live.conftest import PATIENCE, Jobs
from tests.support.runners import eventually


def elements(jobs: Jobs, number: str) -> dict[int, Sighting]:
    return {job.element: job for job in jobs.seen(number) if job.element is not None}


def waiting(jobs: Jobs, number: str) -> set[int]:
    return {
        index for job in jobs.seen(number) if job.waiting for index in IndexSet.parse(job.waiting)
    }


def test_those_that_wait_are_one_line_and_each_that_runs_another(jobs: Jobs) -> None:
    number = jobs.submit("sleep 30", array="0-5", of_order={"throttle": 2})
    eventually(lambda: len(elements(jobs, number)) == 2, PATIENCE)
    assert waiting(jobs, number) == {2, 3, 4, 5}
    assert {job.native for job in elements(jobs, number).values()} == {f"{number}_0", f"{number}_1"}
    assert {job.native for job in jobs.seen(number) if job.waiting} == {number}


def test_a_long_list_of_indices_is_told_whole(jobs: Jobs) -> None:
    indices = [7 * each * each % 1000 for each in range(1, 120)]
    text = str(IndexSet.of(indices))
    number = jobs.submit(array=text, hold=True)
    assert waiting(jobs, number) == set(indices)


def test_an_element_is_told_its_index_and_has_files_of_its_own(jobs: Jobs) -> None:
    show = 'echo "$HPC_ARRAY_TASK_ID of $HPC_ARRAY_JOB_ID"'
    number = jobs.submit(show, array="3,7", stdout="logs of it/%j-%3a.txt")
    eventually(lambda: _all_ended(jobs, number, 2), PATIENCE)
    for index in (3, 7):
        text = (jobs.home / "logs of it" / f"{number}_{index}-{index:03}.txt").read_text()
        assert text == f"{index} of {number}\n"


def _all_ended(jobs: Jobs, number: str, many: int) -> bool:
    found = elements(jobs, number)
    return len(found) == many and all(job.state in ENDED for job in found.values())


def test_every_element_has_an_end_of_its_own(jobs: Jobs) -> None:
    number = jobs.submit("exit $SLURM_ARRAY_TASK_ID", array="0-3")
    eventually(lambda: _all_ended(jobs, number, 4), PATIENCE)
    shown = {index: (job.state, job.exit_code) for index, job in elements(jobs, number).items()}
    assert shown == {0: ("COMPLETED", 0), **{code: ("FAILED", code) for code in (1, 2, 3)}}

    def accounted() -> dict[int | None, tuple[str, int | None]]:
        seen = jobs.cluster.history(number).sightings
        return {job.element: (job.state, job.exit_code) for job in seen}

    eventually(lambda: accounted() == shown, PATIENCE)


def test_one_element_is_cancelled_and_the_others_are_not(jobs: Jobs) -> None:
    number = jobs.submit("sleep 60", array="0-4", of_order={"throttle": 1})
    eventually(lambda: 0 in elements(jobs, number), PATIENCE)
    one, other = jobs.backend.element_id(number, 3), jobs.backend.element_id(number, 0)
    assert jobs.changed("cancel", one, other) == {}
    eventually(lambda: {2, 4} <= waiting(jobs, number) | elements(jobs, number).keys(), PATIENCE)
    eventually(lambda: elements(jobs, number)[0].state == "CANCELLED", PATIENCE)
    assert 3 not in waiting(jobs, number)


def test_one_element_is_held_and_let_go(jobs: Jobs) -> None:
    """Those that wait share a line, which is held only if all of them are."""
    number = jobs.submit(array="0-2", begin=4e9)
    one = jobs.backend.element_id(number, 1)
    assert jobs.changed("hold", one) == {}
    assert "JobHeld" in jobs.one(number).reason_code
    assert not jobs.one(number).held
    assert jobs.changed("release", one) == {}
    assert "JobHeld" not in jobs.one(number).reason_code
    assert jobs.changed("hold", number) == {}
    assert jobs.one(number).held


def test_how_many_run_at_once_is_changed(jobs: Jobs) -> None:
    number = jobs.submit("sleep 60", array="0-3", of_order={"throttle": 1})
    eventually(lambda: len(elements(jobs, number)) == 1, PATIENCE)
    assert jobs.changed("edit", number, changes={"throttle": 3}) == {}
    eventually(lambda: len(elements(jobs, number)) >= 3, PATIENCE)


def test_an_index_beyond_the_sites_highest_is_refused(jobs: Jobs) -> None:
    trouble = jobs.refusal(array="1001")
    assert trouble.kind == "wrong"
    assert "1,000" in trouble.hint
