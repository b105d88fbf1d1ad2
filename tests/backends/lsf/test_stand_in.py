"""From bsub to the end of a job, against a stand-in that answers as public sources show."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from hpcshell.backends.contract import Answer, Order, Parent, Seen, Site, Trouble, Words
from hpcshell.backends.jobscript import read_records
from hpcshell.backends.lsf import LsfBackend
from hpcshell.core.records import Request
from tests.backends.lsf.orders import order
from tests.support.clusters.lsf import Lsf, Unrecorded

BACKEND = LsfBackend()


@pytest.fixture
def lsf(tmp_path):
    return Lsf(tmp_path)


def prepared(tmp_path: Path, **asked: object) -> Order:
    """An order whose directory is there."""
    made = order(directory=str(tmp_path / "job"), cwd=str(tmp_path), **asked)  # type: ignore[arg-type]
    (tmp_path / "job" / "record").mkdir(parents=True, exist_ok=True)
    return made


def submit(lsf: Lsf, asked: Order) -> str:
    native = BACKEND.read_submit(lsf.answer(BACKEND.submit(asked)))
    assert isinstance(native, str), native
    return native


def refusal(lsf: Lsf, asked: Order) -> Trouble:
    why = BACKEND.read_submit(lsf.answer(BACKEND.submit(asked)))
    assert isinstance(why, Trouble)
    return why


def queue(lsf: Lsf) -> Seen:
    return BACKEND.read_queue([lsf.answer(words) for words in BACKEND.queue("ada")])


def history(lsf: Lsf, *ids: str) -> Seen:
    return BACKEND.read_history([lsf.answer(words) for words in BACKEND.history(ids, 0.0)])


def test_it_is_found_and_tells_its_limits(lsf):
    site = BACKEND.read_probe(lsf.answer(BACKEND.probe()))
    assert isinstance(site, Site)
    told = LsfBackend(site).read_site([lsf.answer(words) for words in BACKEND.ask_site()])
    assert [partition.name for partition in told.partitions] == ["normal", "short"]
    assert (told.version, told.highest_index) == ("10.1.0.9", 999)


def test_a_job_is_seen_with_its_key_from_beginning_to_end(lsf, tmp_path):
    assert queue(lsf) == Seen()
    native = submit(lsf, prepared(tmp_path, comment='"quoted"; $(date)'))
    (waiting,) = queue(lsf).sightings
    assert (waiting.native, waiting.key, waiting.state) == (native, "k3y", "PENDING")
    lsf.run(native)
    for seen in (queue(lsf), history(lsf, native)):
        assert seen.whole
        (ended,) = seen.sightings
        assert (ended.key, ended.state, ended.exit_code) == ("k3y", "COMPLETED", 0)
        assert ended.end_time is not None


def test_elements_keep_our_indices_and_record_their_ends(lsf, tmp_path):
    script = ("bash", "-c", 'echo "$HPC_ARRAY_TASK_ID"; exit "$HPC_ARRAY_TASK_ID"')
    native = submit(lsf, prepared(tmp_path, indices="0,2", argv=script, stdout="out-%a"))
    lsf.run(native)
    assert [(one.element, one.exit_code) for one in queue(lsf).sightings] == [(0, 0), (2, 2)]
    assert [(one.element, one.exit_code) for one in history(lsf, native).sightings] == [
        (0, 0),
        (2, 2),
    ]
    assert (tmp_path / "out-2").read_text() == "2\n"
    files = {file.name: file.read_text() for file in (tmp_path / "job" / "record").iterdir()}
    records = read_records(files)
    assert {element: record.code for element, record in records.items()} == {0: 0, 2: 2}
    assert records[0].native == native


@pytest.mark.parametrize(
    "name", ["it's", 'a "b"', "$(touch evil)", "`touch evil`", "a;b & c", "é {}"]
)
def test_a_hostile_name_arrives_and_runs_nothing(lsf, tmp_path, name):
    argv = ("sh", "-c", 'printf %s "$HPC_JOB_NAME"')
    native = submit(lsf, prepared(tmp_path, name=name, argv=argv, stdout="%x.out"))
    lsf.run(native)
    assert queue(lsf).sightings[0].name == name
    assert (tmp_path / f"{name}.out").read_text() == name
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        ({"partition": "nosuch"}, "wrong", "nosuch: No such queue"),
        ({"partition": "short", "request": Request(time_limit=7200)}, "wrong", "hard limit"),
        ({"request": Request(cpus=65)}, "wrong", "Too many processors"),
        ({"indices": "0-1000"}, "wrong", "index too large"),
        ({"parents": (Parent(kind="afterok", ids=("99",)),)}, "wrong", "No matching job found"),
    ],
)
def test_refusals(lsf, asked, kind, said):
    why = refusal(lsf, order(**asked))
    assert (why.kind, said in why.message) == (kind, True)
    assert why.hint
    assert queue(lsf) == Seen()


def test_changes_of_elements_and_of_jobs_that_are_not_there(lsf):
    native = submit(lsf, order(indices="0-2", hold=True))
    assert all(one.held for one in queue(lsf).sightings)
    element = BACKEND.element_id(native, 1)
    said = [lsf.answer(words) for words in BACKEND.release([element, "99"])]
    assert list(BACKEND.read_change([element, "99"], said).troubles) == ["99"]
    assert [one.held for one in queue(lsf).sightings] == [True, False, True]
    said = [lsf.answer(words) for words in BACKEND.cancel([element])]
    assert not BACKEND.read_change([element], said).troubles
    assert [one.state for one in queue(lsf).sightings] == ["PENDING", "CANCELLED", "PENDING"]
    again = [lsf.answer(words) for words in BACKEND.cancel([element])]
    assert BACKEND.read_change([element], again).troubles[element].kind == "gone"


def test_edits_show(lsf):
    native = submit(lsf, order())
    edits = {
        "time_limit": 600.0,
        "priority": 700,
        "partition": "short",
        "account": "b",
        "name": "n",
    }
    said = [lsf.answer(words) for words in BACKEND.edit([native], edits)]  # type: ignore[arg-type]
    assert not BACKEND.read_change([native], said).troubles
    (seen,) = queue(lsf).sightings
    assert (seen.time_limit, seen.priority, seen.partition) == (600.0, 70, "short")
    assert (seen.account, seen.name) == ("b", "n")


def test_a_job_is_stopped_and_goes_on_and_is_put_back(lsf):
    native = submit(lsf, order())
    lsf.set(native, stat="RUN")
    for change, state in (
        (BACKEND.suspend, "SUSPENDED"),
        (BACKEND.resume, "RUNNING"),
        (BACKEND.requeue, "PENDING"),
    ):
        said = [lsf.answer(words) for words in change([native])]
        assert not BACKEND.read_change([native], said).troubles
        assert queue(lsf).sightings[0].state == state


def test_the_reason_of_an_end_is_told_by_both(lsf):
    native = submit(lsf, order())
    reason = "TERM_RUNLIMIT: job killed after reaching LSF run time limit"
    lsf.set(native, stat="EXIT", exit_reason=reason, exit_code="140", finish=1_767_225_600.0)
    for seen in (queue(lsf), history(lsf, native)):
        assert (seen.sightings[0].state, seen.sightings[0].exit_code) == ("TIMEOUT", 140)


# ------------------------------------------------------------------------- the stand-in itself


def test_its_programs_say_what_it_says(lsf, tmp_path):
    lsf.install(tmp_path / "bin")
    words = BACKEND.submit(order(name="it's"))
    done = subprocess.run(
        [tmp_path / "bin" / words.argv[0], *words.argv[1:]], input=words.stdin, capture_output=True
    )
    assert BACKEND.read_submit(Answer(code=done.returncode, out=done.stdout.decode())) == "101"
    assert queue(lsf).sightings[0].name == "it's"
    lsid = subprocess.run([tmp_path / "bin" / "lsid"], capture_output=True, text=True)
    assert lsid.stdout == lsf.answer(BACKEND.probe()).out


@pytest.mark.parametrize(
    "argv",
    [("bjobs",), ("bjobs", "-l", "12"), ("bkill",), ("bkill", "0"), ("bsub", "-K"), ("lsid", "-x"),
     ("bparams", "-l"), ("bhist", "12"), ("bmod", "-Z", "1", "101"), ("bqueues",)],
)  # fmt: skip
def test_what_no_source_shows_is_refused(lsf, argv):
    submit(lsf, order())
    with pytest.raises(Unrecorded):
        lsf.answer(Words(argv=argv))


@pytest.mark.parametrize(
    "line", ["#BSUB -J a\\b", "#BSUB -J $(date)", "#BSUB -J `x`", "#BSUB -J 'a'"]
)
def test_directives_with_an_escape_are_refused(lsf, line):
    with pytest.raises(Unrecorded):
        lsf.answer(Words(argv=("bsub",), stdin=f"{line}\n".encode()))


def test_a_field_that_no_source_names_is_refused(lsf):
    submit(lsf, order())
    words = BACKEND.queue("ada")[1]
    asked = msgspec.structs.replace(words, argv=(*words.argv[:-1], "jobid nosuchfield"))
    with pytest.raises(KeyError):
        lsf.answer(asked)


def test_other_commands_are_not_there(lsf):
    assert lsf.answer(Words(argv=("squeue",))).missing
