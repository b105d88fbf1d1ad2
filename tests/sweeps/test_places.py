"""From a mode and names to the places where points go."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.sweeps.places import MODES, away, check_mode, targets

pytestmark = pytest.mark.usefixtures("clusters")


@pytest.fixture
def clusters(home: Path) -> None:
    """A Slurm that is here, and another behind ssh."""
    (home / "config").mkdir()
    (home / "config" / "hpcshell.toml").write_text(
        '[clusters.near]\nbackend = "slurm"\n'
        '[clusters.far]\nbackend = "slurm"\nssh = "far.example.org"\n'
    )


def places(mode: str, *on: str, points: int = 3) -> list[tuple[str, str, bool]]:
    found = targets(check_mode(mode), on, {}, points, "")
    return [(one.on, one.shape, one.staged) for one in found]


def test_unless_it_is_said_points_go_where_jobs_go() -> None:
    assert places("auto") == [("local", "array", False)]


def test_each_place_that_is_named_gets_some() -> None:
    assert [on for on, _, _ in places("auto", "near", "local", "near")] == ["near", "local"]


def test_distributed_means_all_there_are() -> None:
    assert {on for on, _, _ in places("distributed")} == {"local", "near", "far"}
    assert places("auto", "any") == places("distributed")


def test_what_is_behind_ssh_has_none_of_our_files() -> None:
    assert [(on, staged) for on, _, staged in places("auto", "near", "far")] == [
        ("near", False),
        ("far", True),
    ]
    assert not away("local")


def test_a_job_each_where_that_is_wanted_or_there_is_but_one() -> None:
    assert places("individual", "near") == [("near", "individual", False)]
    assert places("array", "near", points=1) == [("near", "individual", False)]


def test_remote_wants_a_cluster_behind_ssh() -> None:
    assert places("remote", "far") == [("far", "array", True)]
    for wrong in ((), ("near",), ("local",)):
        with pytest.raises(Wrong, match="behind ssh"):
            places("remote", *wrong)


def test_local_runs_points_here_and_nowhere_else() -> None:
    assert places("local", "local") == [("local", "array", False)]
    with pytest.raises(Wrong, match="this machine"):
        places("local", "near")


def test_a_cluster_nobody_knows_is_not_found() -> None:
    with pytest.raises(NotFound, match="neer"):
        places("auto", "neer")


def test_a_mode_nobody_knows_is_named_with_the_nearest() -> None:
    with pytest.raises(Wrong) as raised:
        check_mode("arry")
    assert "array" in str(raised.value.hint)
    assert [check_mode(mode) for mode in MODES] == list(MODES)


def test_what_is_asked_for_goes_along() -> None:
    (one,) = targets("auto", ["near"], {"cpus": 2}, 3, "0123")
    assert (one.options, one.code) == ({"cpus": 2}, "0123")
