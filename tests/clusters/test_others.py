"""Jobs of other users: the site is asked for them, and nothing of them is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.backends.contract import Answer, Seen, Words
from hpcshell.clusters.others import picture_of
from hpcshell.core.errors import Wrong
from tests.support.clusters.toy import ToyBackend, ToySite, spec, toy_cluster, toy_desk


class Shared(ToyBackend):
    """A toy of several users."""

    def queue(self, user: str | None) -> Sequence[Words]:
        return [Words(argv=("toy", "queue_of", user or ""))]

    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        seen = super().read_queue(answers)
        users = [row["user"] for row in json.loads(answers[0].out[1:-1])] if seen.whole else []
        pairs = zip(seen.sightings, users, strict=True)
        return replace(seen, sightings=tuple(replace(one, user=user) for one, user in pairs))


class SharedSite(ToySite):
    def do_queue_of(self, user: str) -> list[dict[str, Any]]:
        rows = [row | {"user": row.get("user", "me")} for row in self.do_queue()]
        return [row for row in rows if row["user"] == user]

    def of(self, user: str, name: str) -> None:
        """Another user submits a job."""
        (row,) = self.meant(self.do_submit("", "", name))
        row["user"] = user


def names(answer: dict[str, Any]) -> list[str]:
    return [row["name"] for row in answer["rows"]]


def test_the_queue_of_another_user_is_asked_for_and_ones_own_is_as_it_was(tmp_path: Path) -> None:
    desk = toy_desk(tmp_path, site := SharedSite(), backend=Shared)
    desk.call("submit", submissions=[spec(name="mine")])
    site.of("alice", "hers")
    assert names(desk.call("queue", limit=0, user="alice")) == ["hers"]
    assert names(desk.call("queue", limit=0, user="bob")) == []
    assert names(desk.call("queue", limit=0, user="me")) == ["mine"]
    assert names(desk.call("queue", limit=0)) == ["mine"]
    assert names(desk.call("queue", limit=0, user="alice", states=["RUNNING"])) == []


def test_no_answer_is_no_empty_queue_and_a_refusal_is_told(tmp_path: Path) -> None:
    desk = toy_desk(tmp_path, site := SharedSite(), backend=Shared)
    site.faults = ["dead"]
    answer = desk.call("queue", limit=0, user="alice")
    assert answer["trouble"]["message"] == "the toy does not answer"
    site.say = lambda words: Answer(code=1, err="Invalid user: alice")  # type: ignore[method-assign]
    with pytest.raises(Wrong, match="toy: Invalid user: alice"):
        desk.call("queue", limit=0, user="alice")


@given(st.one_of(st.sampled_from(["*", "-u", "all users", "", "a,b"]), st.text()))
def test_what_is_no_name_of_one_user_is_never_said(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    directory = tmp_path_factory.mktemp("users")
    cluster = toy_cluster(directory, site := SharedSite(), backend=Shared)
    try:
        picture_of(cluster, name)
    except Wrong:
        assert not site.asked
    else:
        assert not set(name) & set(" *,'\"\n$")
        assert not name.startswith("-")
