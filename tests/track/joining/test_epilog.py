"""The script never fails, never holds a machine up, and tells what happened, whatever the name."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpcshell.core.errors import Broken
from hpcshell.track.joining.epilog import EPILOG, KINDS, PROLOG, Epilog, advice, install, script
from hpcshell.track.joining.spooled import read
from hpcshell.track.store.jobstates import Told
from tests.support.clusters.packages import need

KEY = bytes(range(32))
LONGEST = 5.0
NOBODY = "http://127.0.0.1:9"
SLURM = {"SLURM_JOB_ID": "12", "SLURM_CLUSTER_NAME": "frontier", "SLURM_JOB_EXIT_CODE": "768"}
HOSTILE = "\x1b[2J$(touch evil) `touch evil`; touch evil; 'x' \"y\" %n \\ & = + é \n ../"


def pbs_arguments(id: str, code: str) -> tuple[str, ...]:
    """As mom calls an epilogue."""
    return (id, "ann", "users", "train", "77", "ncpus=1", "cput=1", "batch", "p1", code)


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Epilog]:
    def make(kind: str = "slurm", url: str = NOBODY) -> Epilog:
        where = str(tmp_path / "it's here")
        epilog = Epilog(kind=kind, url=url, directory=where, spool=f"{where}/spool")
        install(epilog, KEY)
        return epilog

    return make


def run(epilog: Epilog, env: dict[str, str], *args: str, name: str = EPILOG) -> float:
    """Run it as a scheduler does; the seconds it took."""
    begun = time.monotonic()
    done = subprocess.run(
        [f"{epilog.directory}/{name}", *args],
        env=env,
        cwd=epilog.directory,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return time.monotonic() - begun


def kept(epilog: Epilog) -> Told:
    """The one event that it has left."""
    (name,) = os.listdir(epilog.spool)
    return read(f"{epilog.spool}/{name}", KEY)[1]


@contextmanager
def receiving(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that takes one request, and answers so; "" never."""
    heard: list[bytes] = []
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                request = b""
                while not _is_whole(request):
                    request += connection.recv(65536)
                heard.append(request)
                connection.sendall(answer)
                if not answer:
                    over.wait(30)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        over.set()
        thread.join()


def _is_whole(request: bytes) -> bool:
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: *(\d+)", head, re.IGNORECASE)
    return length is not None and len(body) >= int(length[1])


def test_where_nobody_listens_the_event_is_kept(made):
    epilog = made()
    assert run(epilog, SLURM) < LONGEST
    told = kept(epilog)
    assert (told.ref.id, told.ref.cluster) == ("12", "frontier")
    assert (told.facts.state, told.facts.exit_code) == ("FAILED", 3)


def test_by_its_other_name_it_tells_of_starts(made):
    epilog = made()
    run(epilog, SLURM, name=PROLOG)
    assert kept(epilog).facts.state == "RUNNING"


@pytest.mark.parametrize("curl", [True, False])
def test_it_is_sent_with_curl_and_without(made, curl):
    answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    with receiving(answer) as (url, heard):
        epilog = made(url=url)
        reaches_it(epilog, curl)
        run(epilog, SLURM)
    assert heard[0].startswith(b"POST /api/v1/webhooks/slurm HTTP/1.1\r\n")
    assert b"\r\nX-HPC-Signature: t=" in heard[0]
    assert b"job_id=12&cluster=frontier" in heard[0]
    assert os.listdir(epilog.spool) == []


@pytest.mark.parametrize("curl", [True, False])
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"])
def test_a_server_that_hangs_or_refuses_holds_nobody_up(made, answer, curl):
    with receiving(answer) as (url, _):
        epilog = made(url=url)
        reaches_it(epilog, curl)
        assert run(epilog, SLURM) < LONGEST
    assert kept(epilog).ref.id == "12"


@pytest.mark.parametrize("broken", ["keys", "spool"])
def test_nothing_that_is_missing_makes_it_fail(made, broken):
    epilog = made()
    shutil.rmtree(f"{epilog.directory}/{broken}")
    assert run(epilog, SLURM) < LONGEST
    assert run(epilog, {}) < LONGEST


def test_a_hostile_name_is_a_name(made):
    epilog = made()
    run(epilog, SLURM | {"SLURM_JOB_NAME": HOSTILE, "BASH_ENV": "/dev/null"})
    assert kept(epilog).facts.name.startswith("\\x1b[2J$(touch evil)")
    assert not Path(epilog.directory, "evil").exists()


def test_the_key_is_in_no_argument_and_no_environment(made):
    """Nobody but the owner of its files can read it, and the script does not hold it."""
    epilog = made()
    for name in ("inner", "outer"):
        mode = os.stat(f"{epilog.directory}/keys/{name}").st_mode
        assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE(os.stat(f"{epilog.directory}/keys").st_mode) == 0o700
    assert KEY.hex() not in script(epilog)


@pytest.mark.parametrize(
    ("kind", "env", "args", "expected"),
    [
        ("slurm", {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}, (), ("12", 3, None)),
        ("slurm", {"SLURM_JOB_ID": "12", "SLURM_JOB_ACCOUNT": "(null)"}, (), ("12", None, None)),
        ("pbs", {}, pbs_arguments("12[3].srv", "0"), ("12", 3, 0)),
        ("pbs", {}, pbs_arguments("12.srv", "7"), ("12", None, 7)),
        ("pbs", {}, pbs_arguments("12.srv", "271"), ("12", None, None)),
        ("pbs", {}, pbs_arguments("12.srv", "-11"), ("12", None, None)),
        (
            "lsf",
            {"LSB_JOBID": "12", "LSB_JOBINDEX": "3", "LSB_JOBEXIT_STAT": "768"},
            (),
            ("12", 3, 3),
        ),
        ("lsf", {"LSB_JOBID": "12", "LSB_JOBINDEX": "0"}, (), ("12", None, None)),
        ("sge", {"JOB_ID": "12", "SGE_TASK_ID": "undefined"}, (), ("12", None, None)),
        ("sge", {"JOB_ID": "12", "SGE_TASK_ID": "3"}, (), ("12", 3, None)),
    ],
)
def test_every_scheduler_calls_it_in_its_own_way(made, kind, env, args, expected):
    epilog = made(kind)
    run(epilog, env, *args)
    told = kept(epilog)
    assert told.ref.kind == kind
    assert (told.ref.id, told.ref.element, told.facts.exit_code) == expected


def test_grid_engine_tells_in_a_file_how_a_job_ended(made, tmp_path):
    (tmp_path / "usage").write_text("wait_status=256\nexit_status=1\nru_wallclock=7\n")
    epilog = made("sge")
    run(epilog, {"JOB_ID": "12", "SGE_JOB_SPOOL_DIR": str(tmp_path)})
    assert (kept(epilog).facts.state, kept(epilog).facts.exit_code) == ("FAILED", 1)


def test_a_job_that_a_signal_ended_failed(made):
    epilog = made("pbs")
    run(epilog, {}, *pbs_arguments("12.srv", "271"))
    assert (kept(epilog).facts.state, kept(epilog).facts.signal) == ("FAILED", 15)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_said_what_is_to_be_configured(made, kind):
    lines = "\n".join(advice(made(kind)))
    assert EPILOG in lines
    assert PROLOG in lines
    assert "[track] spools" in lines


def test_it_is_installed_again_over_itself(made):
    made()
    epilog = made(url="http://tracker.example.org")
    assert "tracker.example.org" in Path(epilog.directory, EPILOG).read_text()
    assert sorted(os.listdir(epilog.directory)) == ["hpc-epilog", "hpc-prolog", "keys", "spool"]


def test_where_it_cannot_be_written_that_is_said(tmp_path):
    (tmp_path / "file").touch()
    where = str(tmp_path / "file" / "hook")
    with pytest.raises(Broken) as error:
        install(Epilog(kind="slurm", url=NOBODY, directory=where, spool=where), KEY)
    assert error.value.hint


def reaches_it(epilog: Epilog, curl: bool) -> None:
    """See that it is sent with curl, or without."""
    if curl:
        need({"curl": "curl"})
    else:
        without_curl(epilog)


def without_curl(epilog: Epilog) -> None:
    """On a machine that has bash and coreutils alone."""
    folder = Path(epilog.directory, "bin")
    folder.mkdir()
    for name in ("cat", "sha256sum", "sleep", "mv"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    path = Path(epilog.directory, EPILOG)
    text = path.read_text()
    path.write_text(text.replace("PATH=/usr/bin:/bin:/usr/sbin:/sbin", 'PATH="$PWD/bin"'))
