"""The documents of jobs are read for what they tell, ours and those of clusters."""

from __future__ import annotations

from typing import Any

import pytest

from hpcshell.clusters import views
from hpcshell.core.sightings import Sighting
from hpcshell.track.joining.told import experiment_of, facts_of, is_whole_array

NOW = 1000.0


def seen(**fields: Any) -> dict[str, Any]:
    """The document of a job on a cluster."""
    return views.stranger(Sighting("12", "12", **fields), fields.get("element"), "toy")


def test_what_runs_is_so_now():
    facts = facts_of(seen(state="RUNNING", start_time=10.0, cpus=4), NOW)
    assert (facts.state, facts.time, facts.start_time, facts.cpus) == ("RUNNING", NOW, 10.0, 4)


def test_what_has_ended_did_then():
    facts = facts_of(seen(state="TIMEOUT", start_time=10.0, end_time=20.0, cpu_time=5.0), NOW)
    assert (facts.state, facts.time, facts.end_time) == ("TIMEOUT", 20.0, 20.0)
    assert facts.cpu_time == 5.0


def test_what_is_not_asked_for_is_not_known():
    facts = facts_of(seen(state="RUNNING"), NOW)
    assert (facts.cpus, facts.memory, facts.gpus, facts.submit_time) == (None, None, None, None)


@pytest.mark.parametrize("state", ["UNKNOWN", "WEIRD"])
def test_of_a_state_that_is_not_known_nothing_follows(state):
    facts = facts_of(seen(state=state) | {"unknown_since": 7.0}, NOW)
    assert (facts.state, facts.time, facts.unknown_since) == ("UNKNOWN", 0.0, 7.0)


@pytest.mark.parametrize(
    ("state", "attempt", "expected"),
    [("PENDING", 0, 1), ("PENDING", 1, 2), ("RUNNING", 1, 1), ("CANCELLED", 0, 1)],
)
def test_what_waits_is_to_be_the_next_attempt(state, attempt, expected):
    view = seen(state=state) | {"attempt": attempt}
    assert facts_of(view, NOW).attempt == expected


def test_what_sites_write_is_made_printable_and_cut():
    facts = facts_of(seen(state="RUNNING", name="a\x00b\x1b", user="x" * 999), NOW)
    assert (facts.name, len(facts.user)) == ("a\\x00b\\x1b", 250)


def test_several_elements_together_are_no_job():
    assert is_whole_array(seen(state="PENDING", waiting="1-9"))
    assert not is_whole_array(seen(state="RUNNING", element=3))


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ([], "Jobs"),
        (["experiment=nets", "x"], "nets"),
        (["experiment= "], "Jobs"),
        (["experiment=a\x1bb"], "Jobs"),
        (["experiment=" + "x" * 251], "Jobs"),
    ],
)
def test_a_tag_names_the_experiment(tags, name):
    assert experiment_of({"tags": tags}, "Jobs") == name
