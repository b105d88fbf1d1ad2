"""Threads that read a class of records for the first time at the same instant all get it whole."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import Resources
from hpcshell.store.decoding import converted, decoder
from tests.support.clusters.toy import spec

AT_ONCE = """
import sys, threading
from hpcshell.store.decoding import decoder
from hpcshell.core.jobspec import JobSpec

document, ready, read = sys.argv[1], threading.Barrier(8), []

def reads():
    ready.wait()
    read.append(decoder(JobSpec)(document))

threads = [threading.Thread(target=reads) for _ in range(8)]
sys.setswitchinterval(1e-6)
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(len(read) != 8 or any(one != read[0] for one in read))
"""


def test_the_first_readers_of_a_class_do_not_meet_it_by_halves() -> None:
    """Without taking turns nine of ten such processes end by a signal."""
    document = msgspec.json.encode(spec("true")).decode()
    for _ in range(5):
        ended = subprocess.run([sys.executable, "-c", AT_ONCE, document], check=False, timeout=60)
        assert ended.returncode == 0


def test_a_document_is_read_as_it_was_written() -> None:
    wanted = spec("true")
    document = msgspec.json.encode(wanted)
    assert decoder(JobSpec)(document) == wanted
    assert converted(msgspec.json.decode(document), JobSpec) == wanted


def test_another_form_is_an_error_of_msgspecs() -> None:
    with pytest.raises(msgspec.ValidationError):
        decoder(Resources)('{"cpus": "many"}')
    with pytest.raises(msgspec.ValidationError):
        converted({"cpus": "many"}, Resources)
