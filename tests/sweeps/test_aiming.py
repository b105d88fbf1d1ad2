"""What each place is told of the points that go there."""

from __future__ import annotations

import pytest

from hpcshell.sweeps.aiming import options_at
from hpcshell.sweeps.ledger import Target
from tests.sweeps.folders import source


@pytest.mark.parametrize("ends", [["OUT_OF_MEMORY", "TIMEOUT"], ["oom", "timeout"], "oom,timeout"])
def test_this_machine_is_told_in_its_own_words_what_to_try_again(ends: list[str] | str) -> None:
    spec = source(retries=1, retry_on=ends).spec
    assert options_at(spec, Target(on="local"), {})["retry_on"] == ["oom", "timeout"]
    assert "retry_on" not in options_at(spec, Target(on="near"), {})
