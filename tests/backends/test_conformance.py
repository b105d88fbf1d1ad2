"""The check of back ends: it passes those that keep the contract, and finds what breaks it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hpcshell.backends.conformance import Sample, check
from hpcshell.backends.contract import Answer, Change, Order, Seen, Sighting, Site, Trouble, Words
from hpcshell.backends.lsf import LsfBackend

LISTING = Answer(
    code=0,
    out='{"COMMAND":"bjobs","JOBS":1,"RECORDS":[{"JOBID":"12","JOBINDEX":"3","STAT":"RUN"}]}',
)
SAMPLE = Sample(answers=(Answer(code=0, out="1767225600\n"), LISTING), word="RUN")


def test_lsf_keeps_the_contract():
    assert check(LsfBackend(), sample=SAMPLE) == []


class Shouting(LsfBackend):
    name = "My LSF"


class Mute(LsfBackend):
    def __init__(self) -> None:
        super().__init__()
        self.lacks = {"estimate": "no"}

    def signal(self, ids: Sequence[str], signal: str) -> Sequence[Words]:
        return None  # type: ignore[return-value]


class Elsewhere(LsfBackend):
    def element_id(self, native: str, index: int) -> str:
        return f"{native}[{index + 2}]"


class Trusting(LsfBackend):
    def parse_id(self, native: str) -> tuple[str, int | None]:
        number, bracket, index = native.partition("[")
        return number, int(index.rstrip("]")) - 1 if bracket else None


class Hopeful(LsfBackend):
    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        return Seen()


class Hasty(LsfBackend):
    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        seen = super().read_queue(answers)
        lost = Sighting(native="12", number="12", state="FAILED")
        return seen if seen.whole else Seen(sightings=(lost,), whole=False, trouble=seen.trouble)


class Silent(LsfBackend):
    def read_history(self, answers: Sequence[Answer]) -> Seen:
        return Seen(whole=False)


class Guessing(LsfBackend):
    def read_submit(self, answer: Answer) -> str | Trouble:
        return "12"

    def read_change(self, ids: Sequence[str], answers: Sequence[Answer]) -> Change:
        return Change()


class Leaking(LsfBackend):
    def script(self, order: Order) -> str:
        return f"#!/bin/sh\n#! {order.key}\n{order.spec.submission.name}\n"


class Careless(LsfBackend):
    def cancel(self, ids: Sequence[str]) -> Sequence[Words]:
        return [Words(argv=("bkill", *ids))]


class Reckoning(LsfBackend):
    """Takes every job that does not run for one that has failed."""

    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        seen = super().read_queue(answers)
        told = [
            Sighting(native=one.native, number=one.number, element=one.element, word=one.word,
                     state="RUNNING" if one.word == "RUN" else "FAILED")
            for one in seen.sightings
        ]  # fmt: skip
        return Seen(sightings=tuple(told), whole=seen.whole, trouble=seen.trouble)


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (Shouting, "name: 'My LSF' is no lower-case word"),
        (Mute, "lacks['estimate']: 'no' is no sentence"),
        (Mute, "signal: it has no words for it, and lacks does not say so"),
        (Elsewhere, "parse_id: '12[2]' is read as ('12', 1)"),
        (Trusting, "parse_id: '$(date)' is taken for an id"),
        (Hopeful, "read_queue: '12 jobs\\n', exit 0 is believed to be all there is"),
        (Hasty, "read_queue: '12 jobs\\n', exit 0 ends a job"),
        (Silent, "read_history: '12 jobs\\n', exit 0 cannot be believed, and no trouble says why"),
        (Guessing, "read_submit: '12 jobs\\n', exit 0 is taken for a job"),
        (Guessing, "read_change: without an answer nothing has been changed for certain"),
        (Leaking, "script: the name 'a\\n#!evil' becomes a line of its own"),
        (Careless, "cancel: without ids it must say nothing"),
        (Reckoning, "read_queue: the state of a word that it does not know is guessed"),
    ],
)
def test_what_breaks_the_contract_is_found(broken, fault):
    assert fault in check(broken(), sample=SAMPLE)


def test_what_is_known_of_a_site_is_kept():
    assert LsfBackend(Site(version="10.1.0.9")).site.version == "10.1.0.9"
