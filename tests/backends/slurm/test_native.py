"""Words of the user's own: none of them loses the job from sight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.slurm.native import check
from hpcshell.core.errors import Wrong

LOSING = ("array", "clusters", "gid", "parsable", "test-only", "uid", "wait", "wrap")
GOOD = (
    *("--switches=1", "--comment", "--constraint=M", "-w", "-x", "--spread-job", "-H"),
    *("--cluster-constraint=red", "--export-file=e", "--tmp=1G", "--gres=shard:1", "-sO", "-s"),
)


@given(st.sampled_from(LOSING), st.data(), st.sampled_from(["", "=alice"]))
def test_an_option_that_loses_the_job_is_refused_however_short_it_is_cut(option, data, value):
    cut = data.draw(st.integers(1, len(option)))
    with pytest.raises(Wrong, match="--native: ") as wrong:
        check(["--switches=1", f"--{option[:cut]}{value}"])
    assert wrong.value.hint


@given(st.lists(st.sampled_from("HIkOQsv")).map("".join), st.sampled_from("aMhVW"), st.text())
def test_so_is_its_letter_behind_others(before: str, letter: str, after: str):
    with pytest.raises(Wrong):
        check([f"-{before}{letter}{after}"])


@given(st.lists(st.sampled_from(GOOD)))
def test_all_others_are_handed_on(words: list[str]):
    check(words)


def test_what_is_no_option_is_refused():
    with pytest.raises(Wrong, match="'hetjob' is no option of sbatch"):
        check(["hetjob"])
    check(["--comment", "hetjob"])
