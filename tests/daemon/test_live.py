"""What is counted over the elements of a job."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from hpcshell.core.records import Outcome, State, Task, Usage
from hpcshell.daemon.live import Tally

USAGES = some.builds(Usage, max_rss=some.integers(1, 5), max_rss_at_most=some.booleans())


@given(some.lists(USAGES, min_size=1))
def test_the_peak_of_a_job_is_that_of_its_largest_element(usages: list[Usage]) -> None:
    tally = Tally()
    for index, usage in enumerate(usages):
        tally.add(
            Task(
                job=1,
                index=index,
                state=State.ENDED,
                outcome=Outcome.COMPLETED,
                end_time=1.0,
                usage=usage,
            )
        )
    largest = [usage for usage in usages if usage.max_rss == tally.usage().max_rss]
    assert tally.usage().max_rss == max(usage.max_rss for usage in usages)
    assert tally.usage().max_rss_at_most == all(usage.max_rss_at_most for usage in largest)
