"""examples/backend, a back end of another package: installed, found by its name, and tried on a
real task-spooler."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hpcshell_tsp import LACKS, TspBackend
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.conformance import Sample, check, order
from hpcshell.backends.contract import (
    ENDED,
    Answer,
    Backend,
    Kind,
    Order,
    Parent,
    Seen,
    Sighting,
    Trouble,
)
from hpcshell.backends.jobscript import read_records
from hpcshell.core.errors import Wrong
from hpcshell.core.records import Request
from tests.support.clusters.tsp import Say, task_spooler

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "backend"
BACKEND = TspBackend()
LISTING = Answer(
    code=0,
    out="""\
ID   State      Output               E-Level  Times(r/u/s)   Command [run=1/1]
1    running    /tmp/ts-out.61q6ga                           [hpc:k1]bash /a/job.sh
5    running    (...)                                        [hpc:k5]bash /a/job.sh
2    queued     (file)                                       [hpc:k2]&& bash /a/job.sh
0    finished   /tmp/ts-out.asMb45   3        0.00/0.00/0.00 [hpc:k0]bash /a/job.sh
3    finished   /tmp/ts-out.asMb46   0        0.00/0.00/0.00 bash /a/job.sh
4    finished   /tmp/ts-out.asMb47   -1       1.07/0.00/0.00 sleep 100
6    skipped    (no output)                                  [0]&& echo x
""",
)


def test_it_keeps_the_contract():
    assert check(BACKEND, sample=Sample(answers=(LISTING,), word="running")) == []


def test_its_list_is_read():
    seen = BACKEND.read_queue([LISTING])
    assert seen.whole
    assert [(one.native, one.key, one.state, one.exit_code) for one in seen.sightings] == [
        ("1", "k1", "RUNNING", None),
        ("5", "k5", "RUNNING", None),
        ("2", "k2", "PENDING", None),
        ("0", "k0", "FAILED", 3),
        ("3", "", "COMPLETED", 0),
        ("4", "", "FAILED", None),
        ("6", "", "CANCELLED", None),
    ]


@given(st.text())
def test_any_text_ends_no_job(text: str):
    seen = BACKEND.read_queue([Answer(code=0, out=text)])
    assert not any(one.state in ENDED for one in seen.sightings)


@given(st.text(alphabet="0123456789 \nfinished()[]:-./"))
def test_a_line_that_makes_no_sense_is_not_passed_over(text: str):
    heading = LISTING.out.splitlines()[0]
    seen = BACKEND.read_queue([Answer(code=0, out=f"{heading}\n{text}")])
    assert len(seen.sightings) == len(text.splitlines()) or not seen.whole


# -------------------------------------------------------------------------------------- for real


@pytest.fixture(scope="module")
def tsp() -> Iterator[Say]:
    with task_spooler() as say:
        yield say


@pytest.fixture
def submit(tsp: Say, tmp_path: Path) -> Callable[..., str]:
    """Submits a command as whoever holds a back end does: directory first, then the words."""

    def submitted(*argv: str, parents: tuple[Parent, ...] = (), name: str = "job") -> str:
        asked = prepared(tmp_path, argv, parents, name)
        native = BACKEND.read_submit(tsp(BACKEND.submit(asked)))
        assert isinstance(native, str), native
        return native

    return submitted


def prepared(
    folder: Path, argv: tuple[str, ...], parents: tuple[Parent, ...] = (), name: str = "job"
) -> Order:
    plain = order(name)
    changed = {"argv": argv, "cwd": str(folder), "stdout": "%x.out"}
    submission = msgspec.structs.replace(plain.spec.submission, **changed)
    spec = msgspec.structs.replace(plain.spec, submission=submission)
    directory = folder / f"job{len(list(folder.iterdir()))}"
    (directory / "record").mkdir(parents=True)
    asked = Order(spec=spec, key=f"k{directory.name}", directory=str(directory), parents=parents)
    Path(asked.job_script).write_text(BACKEND.script(asked), "utf-8")
    return asked


def listed(tsp: Say) -> Seen:
    return BACKEND.read_queue([tsp(words) for words in BACKEND.queue(None)])


def until(tsp: Say, native: str, *states: str) -> Sighting:
    """The sighting of this job once it is in one of the states."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        seen = listed(tsp)
        assert seen.whole, seen.trouble
        for one in seen.sightings:
            if one.native == native and one.state in states:
                return one
    raise AssertionError(f"{native} is not {states}: {seen}")


def cancelled(tsp: Say, ids: list[str]) -> dict[str, Trouble]:
    """Cancels them, those that are just being started as soon as they have been; what is wrong."""
    deadline = time.monotonic() + 30
    answers = [tsp(words) for words in BACKEND.cancel(ids)]
    troubles = dict(BACKEND.read_change(ids, answers).troubles)
    busy = [native for native, why in troubles.items() if why.kind == "busy"]
    while busy and time.monotonic() < deadline:
        troubles = {native: why for native, why in troubles.items() if native not in busy}
        troubles |= BACKEND.read_change(busy, [tsp(one) for one in BACKEND.cancel(busy)]).troubles
        busy = [native for native, why in troubles.items() if why.kind == "busy"]
    return troubles


def test_it_answers(tsp):
    site = BACKEND.read_probe(tsp(BACKEND.probe()))
    assert not isinstance(site, Trouble)
    assert site.version


@pytest.mark.parametrize(("code", "state"), [(0, "COMPLETED"), (3, "FAILED")])
def test_a_job_ends_and_is_recorded(tsp, submit, tmp_path, code, state):
    ended = until(tsp, submit("sh", "-c", f"echo said; exit {code}"), *ENDED)
    assert (ended.state, ended.exit_code) == (state, code)
    assert (tmp_path / "job.out").read_text() == "said\n"
    (record,) = [file.parent for file in tmp_path.rglob("job.end")]
    assert (
        read_records({file.name: file.read_text() for file in record.iterdir()})[None].code == code
    )


def test_a_job_is_known_by_its_key(tsp, submit, tmp_path):
    native = submit("true")
    assert until(tsp, native, *ENDED).key == f"k{next(tmp_path.glob('job*/job*.sh')).parent.name}"


def test_a_job_waits_for_another_and_is_dropped_when_that_fails(tsp, submit):
    parent = submit("false")
    child = submit("true", parents=(Parent(kind="afterok", ids=(parent,)),), name="child")
    assert until(tsp, child, *ENDED).state == "CANCELLED"


def test_a_running_job_and_a_waiting_one_are_cancelled(tsp, submit):
    running = submit("sleep", "60")
    waiting = submit("true", parents=(Parent(kind="afterok", ids=(running,)),), name="waiting")
    until(tsp, running, "RUNNING")
    troubles = cancelled(tsp, [waiting, running, "99999"])
    assert {native: why.kind for native, why in troubles.items()} == {"99999": "gone"}
    assert until(tsp, running, *ENDED).state == "FAILED"
    assert waiting not in [one.native for one in listed(tsp).sightings]


@pytest.mark.parametrize("name", ["it's", "$(touch evil)", "a b]c[", "-x"])
def test_a_hostile_name_runs_nothing(tsp, submit, tmp_path, name):
    ended = until(tsp, submit("sh", "-c", 'printf %s "$HPC_JOB_NAME"', name=name), *ENDED)
    assert ended.state == "COMPLETED"
    assert (tmp_path / f"{name}.out").read_text() == name
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"indices": "0-3"}, "array"),
        ({"parents": (Parent(kind="afterany", ids=("1",)),)}, "dependency"),
        ({"parents": (Parent(kind="afterok", ids=("1", "2")),)}, "dependency"),
    ],
)
def test_what_it_lacks_is_said(changes, what):
    with pytest.raises(Wrong) as caught:
        BACKEND.script(msgspec.structs.replace(order("a"), **changes))
    assert LACKS[what] == f"{caught.value.message}: {caught.value.hint}"


def test_a_limit_that_nobody_would_keep_is_refused():
    plain = order("a")
    limited = msgspec.structs.replace(plain.spec.submission, request=Request(time_limit=60.0))
    spec = msgspec.structs.replace(plain.spec, submission=limited)
    with pytest.raises(Wrong, match="no time limits"):
        BACKEND.script(msgspec.structs.replace(plain, spec=spec))


# ------------------------------------------------------------------------------------- installed


def test_once_installed_it_is_found_by_its_name(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "source")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps",
         "--target", tmp_path / "site", tmp_path / "source"],
        check=True, capture_output=True,
    )  # fmt: skip
    asked = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from hpcshell.backends.registry import backend, names\n"
        "print('tsp' in names(), backend('tsp').title, backend('tsp').__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked, tmp_path / "site"], capture_output=True, text=True
    )
    assert done.stdout == "True task-spooler hpcshell_tsp\n", done.stderr


# ------------------------------------------------------------------------------------- explained


def test_the_page_shows_the_example_as_it_is():
    page = (EXAMPLE.parents[1] / "docs" / "how-to" / "write-a-backend.md").read_text("utf-8")
    real = (
        (EXAMPLE / "hpcshell_tsp.py").read_text("utf-8")
        + (EXAMPLE / "pyproject.toml").read_text("utf-8")
        + Path(__file__).read_text("utf-8")
    )
    shown = re.findall(r"^```(?:python|toml)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(shown) > 5
    for block in shown:
        assert block in real


def test_the_page_names_every_method_and_every_kind_of_trouble():
    page = (EXAMPLE.parents[1] / "docs" / "how-to" / "write-a-backend.md").read_text("utf-8")
    methods = [name for name, value in vars(Backend).items() if callable(value) and name[0] != "_"]
    for word in (*methods, *get_args(Kind)):
        assert f"`{word}`" in page, word
