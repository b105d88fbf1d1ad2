"""On a machine with a card of NVIDIA's: what a CUDA program takes turns up in a survey.

`make test-gpu` runs these; elsewhere they say that there is no card.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpcshell.core.gpus import Survey, Tenant
from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.machine import clock, tags
from hpcshell.machine.gpus import choosing
from hpcshell.machine.gpus.contract import GPUProvider
from hpcshell.machine.gpus.feed import Feed
from hpcshell.machine.gpus.sampler import Sampler
from hpcshell.machine.gpus.tenants import Who

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        choosing.chosen("auto") != "nvml", reason="there is no card: no NVIDIA driver is loaded"
    ),
]
CUDA = Path(__file__).parents[2] / "support/nvml/cuda.py"
GIB = 1 << 30
RUN = 17
PATIENCE = 60.0


@pytest.fixture(scope="module")
def nvml() -> Iterator[GPUProvider]:
    provider = choosing.provider("nvml", GpuSettings(), "")
    yield provider
    provider.close()


@pytest.fixture
def asked(nvml: GPUProvider, tmp_path: Path) -> Sampler:
    return Sampler(nvml, Who(str(tmp_path)))


@contextmanager
def held(uuid: str, state: Path, size: int = GIB) -> Iterator[int]:
    """A process of a run that holds memory of a card."""
    env = os.environ | {"HPC_RUN_ID": str(RUN), "HPC_RUNNER_ID": tags.home_word(str(state))}
    words = [sys.executable, str(CUDA), uuid, str(size)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid


def tenants(survey: Survey) -> list[Tenant]:
    return [tenant for reading in survey.readings for tenant in reading.tenants]


def test_every_card_is_told_of(asked: Sampler) -> None:
    survey = asked.survey()
    assert survey.driver
    assert survey.cards
    for card, reading in zip(survey.cards, survey.readings, strict=True):
        assert card.uuid.startswith(("GPU-", "MIG-"))
        assert (card.uuid, reading.trouble) == (reading.uuid, "")
        assert card.model
        assert 0 < card.memory < 1 << 50
        assert reading.memory is not None
        assert 0 <= reading.memory <= card.memory
        assert reading.temperature is not None
        assert 0 < reading.temperature < 120


def test_cards_are_numbered_as_nvidia_smi_does(asked: Sampler) -> None:
    words = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    whole = [card.parent or card.uuid for card in asked.survey().cards]
    assert list(dict.fromkeys(whole)) == [uuid for uuid in said if uuid in whole]


def test_memory_that_a_program_takes_is_seen_and_so_is_its_end(
    asked: Sampler, tmp_path: Path
) -> None:
    before = asked.survey()
    free = [reading.memory or 0 for reading in before.readings]
    with held(before.cards[0].uuid, tmp_path):
        taken = [reading.memory or 0 for reading in asked.survey().readings]
        assert taken[0] >= free[0] + GIB
    until = clock.monotonic() + PATIENCE
    while (asked.survey().readings[0].memory or 0) >= taken[0]:
        assert clock.monotonic() < until


def test_a_program_that_takes_memory_is_told_with_its_run(asked: Sampler, tmp_path: Path) -> None:
    with held(asked.survey().cards[0].uuid, tmp_path) as pid:
        survey = asked.survey()
        [tenant] = [tenant for tenant in tenants(survey) if tenant.pid == pid]
    assert tenant in survey.readings[0].tenants
    assert (tenant.run, bool(tenant.user)) == (RUN, True)
    assert CUDA.name in tenant.command
    assert tenant.memory is None or tenant.memory >= GIB


def test_the_feed_tells_of_the_same_cards(asked: Sampler, tmp_path: Path) -> None:
    feed = Feed(GpuSettings(provider="auto", interval=1.0), str(tmp_path))
    feed.open()
    try:
        first = feed.first(PATIENCE)
    finally:
        feed.close()
    assert first is not None
    assert (first.cards, first.trouble) == (asked.survey().cards, "")
