"""What holds on each back end is what is on record, no more and no less.

`make conformance` writes the record anew, and shows the matrix.
"""

from __future__ import annotations

import pytest

from tests.conformance.behaviours import BEHAVIOURS
from tests.conformance.matrix import of_all
from tests.conformance.record import HOLDS, LACKS, recorded
from tests.conformance.sites import NAMES


def test_every_behaviour_of_every_back_end_is_on_record():
    assert set(recorded()) == set(NAMES)
    for verdicts in recorded().values():
        assert list(verdicts) == list(BEHAVIOURS)


def test_what_does_not_hold_is_said_to_be_lacking_with_what_is_nearest():
    told = {verdict for verdicts in recorded().values() for verdict in verdicts.values()}
    assert all(verdict.startswith(LACKS) and ";" in verdict for verdict in told - {HOLDS})


@pytest.mark.timeout(900)  # packages may have to be installed first
def test_what_holds_on_each_back_end():
    known = recorded()
    differ = [
        f"{name}: {behaviour}: {verdict!r}, on record is {known[name].get(behaviour)!r}"
        for name, verdicts in of_all().items()
        for behaviour, verdict in verdicts.items()
        if verdict != known[name].get(behaviour)
    ]
    assert not differ, "\n".join(["make conformance shows it all:", *differ])
