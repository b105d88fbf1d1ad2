"""Cards that are made up play what a file says, and are idle without one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.gpus import Tenant
from hpcshell.machine.gpus.fake import FakeProvider
from tests.support.refusals import refusal


@given(st.integers(0, 40))
def test_each_card_has_a_name_of_its_own_and_the_same_every_time(count: int) -> None:
    provider, again = FakeProvider(count), FakeProvider(count)
    assert provider.cards() == again.cards()
    assert len({card.uuid for card in provider.cards()}) == count
    assert [reading.uuid for reading in provider.readings()] == [
        card.uuid for card in provider.cards()
    ]


@given(st.integers(0, 40))
def test_linked_groups_are_disjoint_and_of_four_at_most(count: int) -> None:
    groups = FakeProvider(count).links()
    members = [card for group in groups for card in group]
    assert len(members) == len(set(members))
    assert all(2 <= len(group) <= 4 for group in groups)


def test_they_are_as_asked_for() -> None:
    [card] = FakeProvider(1, memory=24 << 30, model="L4").cards()
    assert (card.model, card.memory) == ("L4", 24 << 30)


def test_num_gpus_is_another_name_of_count() -> None:
    assert FakeProvider(num_gpus=3).cards() == FakeProvider(count=3).cards()


@pytest.mark.parametrize("value", ["a", None, 1.5, -1, True])
@pytest.mark.parametrize("name", ["count", "memory"])
def test_what_is_no_whole_number_is_refused(name: str, value: object) -> None:
    error = refusal(FakeProvider, **{name: value})
    assert error is not None
    assert error.message == f"FakeProvider: {name}={value!r} is no whole number"


def test_without_a_file_they_are_idle(tmp_path: Path) -> None:
    for provider in (FakeProvider(2), FakeProvider(2, file=tmp_path / "none.json")):
        for reading in provider.readings():
            assert (reading.load, reading.memory, reading.trouble) == (0.0, 0, "")
        assert provider.trouble == ""


def test_a_file_is_played_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "play.json"
    provider = FakeProvider(2, file=file)
    tenants = [{"pid": 4711, "memory": 1 << 30, "user": "anna"}]
    file.write_bytes(msgspec.json.encode({"cards": {"1": {"load": 0.9, "tenants": tenants}}}))
    idle, busy = provider.readings()
    assert (idle.load, busy.load, busy.memory) == (0.0, 0.9, 1 << 30)
    assert busy.tenants == (Tenant(pid=4711, memory=1 << 30, user="anna"),)
    file.write_bytes(msgspec.json.encode({"cards": {"1": {"trouble": "lost: gone", "xid": 79}}}))
    lost = provider.readings()[1]
    assert (lost.trouble, lost.xid, lost.load, lost.memory) == ("lost: gone", 79, None, None)


def test_compute_modes_are_played(tmp_path: Path) -> None:
    file = tmp_path / "play.json"
    file.write_text('{"cards": {"0": {"alone": true}, "2": {"closed": true}}}')
    provider = FakeProvider(3, file=file)
    assert [(card.alone, card.closed) for card in provider.cards()] == [
        (True, False),
        (False, False),
        (False, True),
    ]
    file.unlink()
    assert provider.cards() == FakeProvider(3).cards()


def test_cards_that_there_are_not_are_said_and_the_others_play(tmp_path: Path) -> None:
    file = tmp_path / "play.json"
    file.write_text('{"cards": {"0": {"load": 0.5}, "x": {}, "2": {}, "00": {}}}')
    provider = FakeProvider(2, file=file)
    assert provider.readings()[0].load == 0.5
    assert provider.trouble == f"{file} names cards that there are not: '00', '2', 'x'"


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"card": {}}', b'{"cards": {"0": {"lod": 1}}}']
)
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "play.json"
    file.write_bytes(text)
    provider = FakeProvider(1, file=file)
    assert provider.readings()[0].load == 0.0
    assert str(file) in provider.trouble
    file.write_bytes(b"{}")
    provider.readings()
    assert provider.trouble == ""


@given(st.binary())
def test_no_file_brings_it_down(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    file = tmp_path_factory.mktemp("play") / "play.json"
    file.write_bytes(text)
    assert len(FakeProvider(3, file=file).readings()) == 3
