"""The scheduler's end of the pipe never waits, says once what is wrong, and recovers by itself."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcshell.core.gpus import Card, Reading, Survey
from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.machine import clock, processes
from hpcshell.machine.gpus import choosing
from hpcshell.machine.gpus.feed import AWAKENING, LONGEST_PAUSE, SILENCE, STUCK, Feed
from tests.support.nvml.play import DRIVER_NOT_LOADED, Driver, Play, box
from tests.support.runners import eventually

SOON = 0.02
PATIENCE = 30.0
AT_ONCE = 1.0
"""Seconds in which a call that does not wait is over, on a busy machine."""

Open = Callable[..., Feed]


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Open]:
    """Makes feeds, opened, and closes them."""
    with contextlib.ExitStack() as opened:

        def make(provider: str = "fake", interval: float = SOON, **more: Any) -> Feed:
            one = Feed(GpuSettings(provider=provider, interval=interval, **more), str(tmp_path))
            opened.callback(one.close)
            one.open()
            return one

        yield make


@pytest.fixture
def nvml(nvml: Driver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """The driver, for whatever is started from here."""
    for name in ("NVML_PLAY", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, nvml.environment[name])
    return nvml


@pytest.fixture
def sampler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program in the place of the sampler."""

    def put(program: str) -> None:
        package = tmp_path / "path/hpcshell/machine/gpus"
        package.mkdir(parents=True, exist_ok=True)
        for each in (package, package.parent, package.parent.parent):
            (each / "__init__.py").touch()
        (package / "__main__.py").write_text(program)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    return put


def heard(feed: Feed, wanted: Callable[[Survey], bool] = lambda _: True) -> Survey:
    """The first survey of this kind, however long it takes."""
    until = clock.monotonic() + PATIENCE
    while (left := until - clock.monotonic()) > 0:
        select.select([feed.descriptor], [], [], left)
        for survey in feed.take():
            if wanted(survey):
                return survey
    raise AssertionError("no such survey came")


def well(survey: Survey) -> bool:
    return not survey.trouble


def child(feed: Feed) -> int:
    assert feed._child is not None
    return feed._child.pid


# -- surveys -------------------------------------------------------------------------------------


def test_the_first_survey_comes_soon_and_others_follow(feed: Open) -> None:
    one = feed(count=3, model="L4")
    first = one.first(PATIENCE)
    assert first is not None
    assert (first.provider, first.trouble) == ("fake", "")
    assert [card.model for card in first.cards] == ["L4"] * 3
    assert heard(one).time > first.time


def test_what_made_up_cards_play_lies_in_the_state_directory(feed: Open, tmp_path: Path) -> None:
    (tmp_path / "fake-gpus.json").write_text('{"cards": {"1": {"load": 0.5}}}')
    first = feed(count=2).first(PATIENCE)
    assert first is not None
    assert [reading.load for reading in first.readings] == [0.0, 0.5]


def test_nothing_is_taken_twice_and_taking_does_not_wait(feed: Open) -> None:
    one = feed(interval=3600)
    assert one.first(PATIENCE) is not None
    begun = clock.monotonic()
    assert one.take() == []
    assert one.first(SOON) is None
    assert clock.monotonic() - begun < AT_ONCE


def test_there_is_one_round_an_interval_however_often_it_is_taken(
    feed: Open, nvml: Driver, tmp_path: Path
) -> None:
    rounds = tmp_path / "rounds"
    nvml.plays(play=Play(box(8), rounds=rounds))
    one = feed("nvml", interval=3600)
    assert one.first(PATIENCE) is not None
    for _ in range(1000):
        one.take()
    assert rounds.read_text() == "."


def test_nobody_is_asked_where_that_is_said(feed: Open) -> None:
    one = feed("none")
    assert (one.first(0), one.take(), one.next_wake) == (None, [], None)
    one.tend(clock.monotonic() + 1e6)
    assert one.take() == []


def test_without_a_driver_no_process_is_started(
    feed: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "_SIGNS", (("nvml", ("/nowhere",)),))
    before = processes.children_of(os.getpid())
    one = feed("auto")
    said = one.first(0)
    assert said is not None
    assert (said.provider, said.cards) == ("auto", ())
    assert said.trouble == "no NVIDIA or AMD driver is loaded"
    assert one.next_wake is None
    assert processes.children_of(os.getpid()) == before


def test_whose_driver_is_loaded_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nvidia, kfd = tmp_path / "nvidiactl", tmp_path / "kfd"
    signs = (("nvml", ("/nowhere", str(nvidia))), ("amd", (str(kfd),)))
    monkeypatch.setattr(choosing, "_SIGNS", signs)
    assert choosing.chosen("auto") == ""
    kfd.touch()
    assert choosing.chosen("auto") == "amd"
    nvidia.touch()
    assert choosing.chosen("auto") == "nvml"
    assert choosing.chosen("fake") == "fake"


# -- a driver that is not there ------------------------------------------------------------------


def test_a_missing_driver_is_said_once_and_tried_again_much_later(feed: Open, nvml: Driver) -> None:
    nvml.plays(play=Play(errors={"nvmlInitWithFlags": DRIVER_NOT_LOADED}))
    one = feed("nvml")
    said = one.first(PATIENCE)
    assert said is not None
    assert "driver is not loaded" in said.trouble
    while one._child is not None:
        select.select([one.descriptor], [], [], PATIENCE)
        assert one.take() == []
    assert one.next_wake is not None
    assert one.next_wake - clock.monotonic() > LONGEST_PAUSE - PATIENCE
    nvml.plays(*box(2))
    one.tend(one.next_wake - 1)
    assert one._child is None
    one.tend(one.next_wake)
    assert len(heard(one, well).cards) == 2


def test_a_missing_driver_that_nobody_asked_for_is_not_tried_again(
    feed: Open, nvml: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(choosing, "_SIGNS", (("nvml", (str(tmp_path),)),))
    nvml.plays(play=Play(errors={"nvmlInitWithFlags": DRIVER_NOT_LOADED}))
    one = feed("auto")
    assert one.first(PATIENCE) is not None
    while one._child is not None:
        select.select([one.descriptor], [], [], PATIENCE)
        one.take()
    assert one.next_wake is None


def test_cards_stay_known_when_the_driver_goes_away(feed: Open, nvml: Driver) -> None:
    nvml.plays(*box(2))
    one = feed("nvml")
    before = heard(one, well)
    nvml.plays(play=Play(errors={"nvmlDeviceGetCount_v2": DRIVER_NOT_LOADED}))
    said = heard(one, lambda survey: not well(survey))
    assert "driver is not loaded" in said.trouble
    assert (said.cards, said.links) == (before.cards, before.links)
    assert {reading.trouble for reading in said.readings} == {said.trouble}


# -- a driver that hangs -------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["nvmlDeviceGetTemperature", "nvmlDeviceGetCount_v2"])
def test_a_hang_is_told_in_time_and_is_over_when_it_is_over(
    feed: Open, nvml: Driver, tmp_path: Path, function: str
) -> None:
    rounds = tmp_path / "rounds"
    nvml.plays(*box(2))
    one = feed("nvml")
    before, hung = heard(one, well), child(one)
    nvml.plays(play=Play(box(2), hangs=(function,), rounds=rounds))
    eventually(lambda: rounds.exists() and rounds.read_text().endswith("h"))
    one.take()
    begun = clock.monotonic()
    one.tend(begun + SILENCE / 2)
    assert one.take() == []
    one.tend(begun + SILENCE)
    [said] = one.take()
    assert clock.monotonic() - begun < AT_ONCE
    assert said.trouble.startswith("the driver has not answered since ")
    assert said.cards == before.cards
    assert all(reading.trouble for reading in said.readings)
    assert processes.await_ends([hung], PATIENCE)
    nvml.plays(*box(2))
    assert one.next_wake is not None
    one.tend(one.next_wake)
    after = heard(one)
    assert (after.trouble, after.cards) == ("", before.cards)


def test_a_driver_that_hangs_at_once_is_told_soon_and_killed_later(
    feed: Open, nvml: Driver
) -> None:
    nvml.plays(play=Play(hangs=("nvmlInitWithFlags",)))
    one = feed("nvml")
    assert one.first(SOON) is None
    hung, begun = child(one), clock.monotonic()
    one.tend(begun + SILENCE)
    [said] = one.take()
    assert "has not answered since" in said.trouble
    one.tend(begun + SILENCE + 1)
    assert (one.take(), child(one)) == ([], hung)
    one.tend(begun + AWAKENING)
    assert processes.await_ends([hung], PATIENCE)


def test_long_intervals_are_no_silence(feed: Open) -> None:
    one = feed(interval=60)
    assert one.first(PATIENCE) is not None
    begun = clock.monotonic()
    one.tend(begun + 170)
    assert one.take() == []
    one.tend(begun + 180)
    assert len(one.take()) == 1


def test_what_waits_in_the_pipe_is_no_silence(feed: Open) -> None:
    one = feed(interval=3600)
    select.select([one.descriptor], [], [], PATIENCE)
    one.tend(clock.monotonic() + 3 * 3600)
    assert [survey.trouble for survey in one.take()] == [""]


def test_no_more_are_started_while_several_do_not_die(feed: Open) -> None:
    one = feed()
    with contextlib.ExitStack() as started:
        for _ in range(STUCK):
            stuck = started.enter_context(subprocess.Popen(["sleep", "300"]))
            started.callback(stuck.kill)
            one._killed.append(stuck.pid)
        os.kill(child(one), signal.SIGKILL)
        heard(one, lambda survey: not well(survey))
        assert one.next_wake is not None
        one.tend(one.next_wake)
        assert one._child is None
    one.tend(one.next_wake)
    assert well(heard(one))


# -- a sampler that dies or lies -----------------------------------------------------------------


def test_a_sampler_that_dies_is_replaced(feed: Open) -> None:
    one = feed()
    before, first = heard(one), child(one)
    os.kill(first, signal.SIGKILL)
    said = heard(one, lambda survey: not well(survey))
    assert said.trouble == "the sampler of the cards has died"
    assert said.cards == before.cards
    assert one.next_wake is not None
    one.tend(one.next_wake)
    assert well(heard(one))
    assert child(one) != first


def test_one_that_dies_again_and_again_is_started_ever_more_rarely(
    feed: Open, sampler: Callable[[str], None]
) -> None:
    sampler("")
    one = feed()
    for turn in range(12):
        begun = clock.monotonic()
        heard(one, lambda survey: survey.trouble == "the sampler of the cards has died")
        assert one.next_wake is not None
        assert begun <= one.next_wake - min(2**turn, LONGEST_PAUSE) <= clock.monotonic()
        one.tend(one.next_wake)


@pytest.mark.parametrize("words", ["b'nonsense\\n'", "b'{}\\n'", "b'x' * (5 << 20)"])
def test_one_that_says_what_cannot_be_read_is_ended(
    feed: Open, sampler: Callable[[str], None], words: str
) -> None:
    sampler(f"import sys, time; sys.stdout.buffer.write({words}); sys.stdout.flush(); input()")
    said = heard(feed())
    assert said.trouble == "the sampler of the cards says what cannot be read"


surveys = st.builds(
    Survey,
    provider=st.just("nvml"),
    time=st.floats(0, 1e10),
    cards=st.lists(st.builds(Card, uuid=st.text(max_size=5)), min_size=1, max_size=3).map(tuple),
    readings=st.lists(st.builds(Reading, trouble=st.text(max_size=5)), max_size=3).map(tuple),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(said=st.lists(surveys, min_size=1, max_size=4), size=st.integers(1, 200))
def test_lines_come_whole_however_they_are_cut(
    feed: Open, sampler: Callable[[str], None], said: list[Survey], size: int
) -> None:
    text = b"".join(msgspec.json.encode(survey) + b"\n" for survey in said)
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    sampler(f"import os\nfor part in {parts!r}: os.write(1, part)\nos.read(0, 1)")
    one = feed()
    found: list[Survey] = []
    while len(found) < len(said):
        select.select([one.descriptor], [], [], PATIENCE)
        found += one.take()
    assert found[: len(said)] == said
    one.close()


# -- the end -------------------------------------------------------------------------------------


def test_closing_ends_the_sampler_though_it_hangs(feed: Open, nvml: Driver) -> None:
    nvml.plays(play=Play(hangs=("nvmlInitWithFlags",)))
    one = feed("nvml")
    pid = child(one)
    one.close()
    assert processes.look(pid) is None


PARENT = """
import sys
from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.machine.gpus.feed import Feed
feed = Feed(GpuSettings(provider="nvml", interval=0.02), sys.argv[1])
feed.open()
print(feed._child.pid, feed.first(float(sys.argv[2])) is not None, flush=True)
input()
"""


@pytest.mark.parametrize("hangs", [(), ("nvmlDeviceGetCount_v2",)])
def test_the_sampler_ends_with_its_parent(
    nvml: Driver, tmp_path: Path, hangs: tuple[str, ...]
) -> None:
    nvml.plays(play=Play(box(1), hangs=hangs))
    words = [sys.executable, "-c", PARENT, str(tmp_path), "0.5" if hangs else str(PATIENCE)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid, told = parent.stdout.readline().split()
        assert told == str(not hangs)
        parent.kill()
    assert processes.await_ends([int(pid)], PATIENCE)


def test_the_scheduler_loads_no_driver() -> None:
    look = "import hpcshell.machine.gpus.feed, hpcshell.daemon.hpcd, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True)
    loaded = {
        name for name in done.stdout.split() if "gpus" in name or name in ("pynvml", "amdsmi")
    }
    assert {name for name in loaded if name.startswith("hpcshell.machine.")} == {
        "hpcshell.machine.gpus",
        "hpcshell.machine.gpus.child",
        "hpcshell.machine.gpus.choosing",
        "hpcshell.machine.gpus.contract",
        "hpcshell.machine.gpus.feed",
    }
    assert not loaded & {"pynvml", "amdsmi"}
