"""The sampler writes one survey an interval, whole lines that are read back as they were."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.gpus import Card, Reading, Survey, Tenant
from hpcshell.machine import clock
from hpcshell.machine.gpus import sampler
from hpcshell.machine.gpus.fake import FakeProvider
from hpcshell.machine.gpus.tenants import Who
from tests.support.nvml.play import Driver, box

COMMAND = [sys.executable, "-m", "hpcshell.machine.gpus"]

TEXT = st.text(max_size=8)
NUMBERS = st.none() | st.floats(0, 1e12)
tenants = st.builds(
    Tenant,
    pid=st.integers(0, 2**32),
    memory=st.none() | st.integers(0, 2**50),
    user=TEXT,
    command=TEXT,
    since=NUMBERS,
    run=st.integers(0, 2**31),
)
readings = st.builds(
    Reading,
    uuid=TEXT,
    trouble=TEXT,
    load=NUMBERS,
    memory=st.none() | st.integers(0, 2**50),
    temperature=NUMBERS,
    power=NUMBERS,
    ecc=st.none() | st.integers(0, 2**40),
    tenants=st.lists(tenants, max_size=3).map(tuple),
)
surveys = st.builds(
    Survey,
    provider=TEXT,
    time=st.floats(0, 1e10),
    cards=st.lists(st.builds(Card, uuid=TEXT, memory=st.integers(0, 2**50)), max_size=3).map(tuple),
    readings=st.lists(readings, max_size=3).map(tuple),
    links=st.lists(st.lists(st.integers(0, 99), max_size=3).map(tuple), max_size=3).map(tuple),
    mps=TEXT,
    trouble=TEXT,
)


@given(surveys)
def test_a_survey_is_one_line_and_is_read_back_as_it_was(survey: Survey) -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as file:
        sampler.write(survey, writer)
        os.close(writer)
        text = file.read()
    assert text.count(b"\n") == 1
    assert msgspec.json.decode(text, type=Survey) == survey


@given(st.integers(0, 12), st.integers(0, 12))
def test_the_first_cards_alone_are_told_of_where_that_is_said(count: int, most: int) -> None:
    survey = sampler.Sampler(FakeProvider(count), Who("/"), most).survey()
    told = min(count, most)
    assert len(survey.cards) == len(survey.readings) == len(survey.domains) == told
    assert all(len(group) > 1 and max(group) < told for group in survey.links)


def test_a_file_that_cannot_be_played_is_said(tmp_path: Path) -> None:
    (tmp_path / "play").write_text("{")
    asked = sampler.Sampler(FakeProvider(1, file=tmp_path / "play"), Who("/"))
    assert str(tmp_path / "play") in asked.survey().trouble


def told(*words: str, lines: int = 1, environment: dict[str, str] | None = None) -> list[Survey]:
    """What a sampler says first; it ends by itself once nobody reads."""
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        found = [process.stdout.readline() for _ in range(lines)]
        process.stdout.close()
        assert process.wait(30) == 0
    return [msgspec.json.decode(line, type=Survey) for line in found]


def test_there_is_a_survey_an_interval() -> None:
    asked: list[float] = []

    def found() -> Iterator[Survey]:
        for _ in range(5):
            asked.append(clock.monotonic())
            yield Survey(provider="fake", time=0.0)

    reader, writer = os.pipe()
    begun = clock.monotonic()
    sampler.tell(found(), 0.05, writer)
    os.close(writer)
    os.close(reader)
    assert all(at >= begun + 0.05 * number for number, at in enumerate(asked))


def test_surveys_keep_coming() -> None:
    times = [each.time for each in told("fake", "--state=/", "--interval=0.02", lines=5)]
    assert times == sorted(set(times))


def test_it_ends_when_nobody_reads_though_the_next_one_is_far_off() -> None:
    begun = clock.monotonic()
    told("fake", "--state=/", "--interval=3600")
    assert clock.monotonic() - begun < 30


def test_cards_of_a_driver_are_told(nvml: Driver) -> None:
    nvml.plays(*box(8))
    [survey] = told("nvml", "--state=/", environment=nvml.environment)
    assert (len(survey.cards), survey.trouble) == (8, "")


@pytest.mark.parametrize("provider", ["nvml", "amd"])
def test_a_driver_that_is_not_there_is_a_survey_too(no_nvml: Driver, provider: str) -> None:
    words = [*COMMAND, provider, "--state=/"]
    done = subprocess.run(words, capture_output=True, text=True, env=no_nvml.environment)
    survey = msgspec.json.decode(done.stdout, type=Survey)
    assert (done.returncode, done.stderr, survey.cards) == (1, "", ())
    assert survey.trouble
