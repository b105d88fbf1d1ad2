"""The configuration of a GPU box as keywords."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpcshell.core.boxkeys import sample
from hpcshell.core.errors import NotFound, Wrong
from hpcshell.gpu import SchedulerConfig
from hpcshell.gpu.config import KEYWORDS
from tests.support.refusals import refusal


def test_what_was_said_can_be_read_again_and_the_rest_is_none():
    config = SchedulerConfig(num_gpus=2, queue_size_limit=10)
    assert (config.num_gpus, config.queue_size_limit, config.max_workers) == (2, 10, None)
    assert repr(config) == "SchedulerConfig(num_gpus=2, queue_size_limit=10)"
    assert config == SchedulerConfig(queue_size_limit=10, num_gpus=2)
    assert config != SchedulerConfig(num_gpus=2)
    assert len({config, SchedulerConfig(num_gpus=2, queue_size_limit=10)}) == 1


def test_the_number_of_cards_needs_no_keyword():
    assert SchedulerConfig(8) == SchedulerConfig(num_gpus=8)


@pytest.mark.parametrize("path", [None, 3, b"config.json"])
def test_what_is_no_path_is_refused(path: object):
    error = refusal(SchedulerConfig.from_file, path)
    assert error is not None
    assert error.message == f"SchedulerConfig.from_file: path: {path!r} is no path"


def test_a_file_says_the_same(tmp_path: Path):
    (tmp_path / "config.json").write_text(sample())
    config = SchedulerConfig.from_file(tmp_path / "config.json")
    assert (config.num_gpus, config.max_workers, config.level) == (8, 8, "INFO")
    assert (config.gpu_monitor_interval_s, config.file_monitor_interval_s) == (5.0, 30.0)
    assert config.jobs_file == str(tmp_path / "jobs.txt")
    with pytest.raises(NotFound):
        SchedulerConfig.from_file(tmp_path / "none.json")


def test_every_key_of_the_file_is_one_keyword():
    assert len({(key.part, key.name) for key in KEYWORDS.values()}) == len(KEYWORDS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_gpu": 2}, "'num_gpu' is no key of the configuration"),
        ({"num_gpus": 0}, "scheduler.num_gpus: expected a whole number from 1 to 64, found 0"),
        ({"num_gpus": "2"}, 'found "2"'),
        ({"memory_threshold": float("nan")}, "found NaN"),
        ({"jobs_file": object()}, "SchedulerConfig: "),
    ],
)
def test_what_is_wrong_is_said(values: dict[str, Any], message: str):
    with pytest.raises(Wrong) as caught:
        SchedulerConfig(**values)
    assert message in caught.value.message


def test_an_attribute_that_is_no_key_is_none():
    with pytest.raises(AttributeError):
        _ = SchedulerConfig().gpus
