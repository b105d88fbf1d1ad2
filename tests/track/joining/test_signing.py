"""Who knows the key can sign, and nobody else."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Broken
from hpcshell.machine.paths import places
from hpcshell.track.joining.signing import is_genuine, pads, read, sign, webhook_key
from hpcshell.track.store.jobs import KINDS

KEYS = st.binary(min_size=32, max_size=32)
TIMES = st.integers(0, 10**12 - 1)
IDS = st.from_regex(r"[A-Za-z0-9_:-]{8,64}", fullmatch=True)


@given(KEYS, TIMES, IDS, st.binary(max_size=200))
def test_a_signature_is_read_as_it_was_written(key, time, id, body):
    signature = sign(key, "slurm", time, id, body)
    assert read(str(signature)) == signature
    assert is_genuine(key, "slurm", signature, body)


@given(KEYS, KEYS, IDS, st.binary(max_size=50), st.binary(max_size=50))
def test_it_is_good_for_one_key_and_one_body(key, other, id, body, another):
    signature = sign(key, "slurm", 1, id, body)
    assert is_genuine(other, "slurm", signature, body) == (other == key)
    assert is_genuine(key, "slurm", signature, another) == (another == body)


EVENTS = st.tuples(st.sampled_from(KINDS), TIMES, IDS, st.binary(max_size=50))


@given(KEYS, EVENTS, EVENTS)
def test_it_is_good_for_one_event_of_one_kind_of_scheduler(key, event, other):
    same = sign(key, *event).digest == sign(key, *other).digest
    assert same == (event == other)


@given(KEYS, IDS, st.binary(max_size=200))
def test_two_blocks_are_enough_to_sign(key, id, body):
    inner, outer = pads(key)
    first = hashlib.sha256(inner + f"pbs.7.{id}.".encode() + body).digest()
    assert hashlib.sha256(outer + first).hexdigest() == sign(key, "pbs", 7, id, body).digest


@pytest.fixture
def here(tmp_path):
    return places({"HPCSHELL_HOME": str(tmp_path)})


def test_the_key_is_made_once(here):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: webhook_key(here), range(32)))
    assert len(keys) == 1
    assert os.listdir(here.state) == ["webhook.key"]


def test_a_key_that_others_may_read_is_not_used(here):
    webhook_key(here)
    os.chmod(here.track.webhook_key, 0o644)
    with pytest.raises(Broken, match="may be read by others"):
        webhook_key(here)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_file_that_holds_no_key_is_told(here, content):
    webhook_key(here)
    with open(here.track.webhook_key, "wb") as file:
        file.write(content)
    with pytest.raises(Broken, match="holds no key"):
        webhook_key(here)


def test_a_link_is_not_followed(here, tmp_path):
    os.makedirs(here.state)
    os.symlink(tmp_path / "elsewhere", here.track.webhook_key)
    with pytest.raises(Broken):
        webhook_key(here)
