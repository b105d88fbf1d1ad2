"""What a site refuses is told in the words that help most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import pytest

from hpcshell.backends.contract import Answer, Change, Trouble
from hpcshell.core.errors import Refused, Wrong
from tests.support.clusters.toy import ToyBackend, ToySite, spec, toy_desk


class Guarded(ToyBackend):
    """A toy where only operators may hold jobs, and that does not name a queue it does not know."""

    lacks = MappingProxyType({"hold": "only operators may hold a job of Toy: cancel it"})

    def read_change(self, ids: Sequence[str], answers: Sequence[Answer]) -> Change:
        return Change(troubles=dict.fromkeys(ids, Trouble(kind="denied", message="Unauthorized")))


class Nameless(ToyBackend):
    def read_submit(self, answer: Answer) -> str | Trouble:
        return Trouble(kind="wrong", message="Unknown queue", hint="there are: cpu, gpu")


def test_what_only_operators_may_do_is_refused_with_the_nearest_thing(tmp_path: Path) -> None:
    desk = toy_desk(tmp_path, ToySite(), backend=Guarded)
    desk.call("submit", submissions=[spec()])
    with pytest.raises(Refused, match="only operators may hold a job of Toy") as refused:
        desk.call("hold", ids=["1"])
    assert refused.value.hint == "cancel it"


def test_a_queue_that_is_not_known_is_named(tmp_path: Path) -> None:
    desk = toy_desk(tmp_path, ToySite(), backend=Nameless)
    with pytest.raises(Wrong, match="Unknown queue: nosuch") as refused:
        desk.call("submit", submissions=[spec(partition="nosuch")])
    assert refused.value.hint == "there are: cpu, gpu"
