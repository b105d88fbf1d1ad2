"""What squeue, sacct, sinfo and scontrol say is read as it was meant, and nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hpcshell.backends.contract import ENDED, UNKNOWN, Answer, Seen
from hpcshell.backends.slurm import SlurmBackend, fields, history, queue
from hpcshell.backends.slurm.states import STATES, exit_of, why_never_begun
from hpcshell.core.units import MIB

BACKEND = SlurmBackend()
QUEUE_HEAD = "\x1f".join(("JOBID", *queue.FIELDS[1:-1], "NAME")) + "\x1e\n"
HISTORY_HEAD = "\x1f".join(history.FIELDS) + "\n"


def line(**known: str) -> str:
    """One of squeue's, with what is known of a plain job that waits."""
    usual = {
        **dict.fromkeys(queue.FIELDS, ""),
        "JobArrayID": "12",
        "ArrayJobID": "12",
        "ArrayTaskID": "N/A",
        "State": "PENDING",
        "exit_code": "0",
        "RestartCnt": "0",
        "TimeLimit": "1:00:00",
        "Comment": "(null)",
    }
    return "\x1f".join((usual | known).values()) + "\x1e\n"


def record(**known: str) -> str:
    """One of sacct's, of a plain job that has completed."""
    usual = {
        **dict.fromkeys(history.FIELDS, ""),
        "JobID": "12",
        "JobIDRaw": "12",
        "State": "COMPLETED",
        "ExitCode": "0:0",
        "Submit": "1795680000",
        "Partition": "cpu",
        "NodeList": "node1",
        "Cluster": "main",
    }
    return "\x1f".join((usual | known).values()) + "\n"


def shown(*lines: str) -> Seen:
    return BACKEND.read_queue([Answer(code=0, out=QUEUE_HEAD + "".join(lines))])


def accounted(*lines: str) -> Seen:
    return BACKEND.read_history([Answer(code=0, out=HISTORY_HEAD + "".join(lines))])


# -------------------------------------------------------------------------------------------- laws


@given(st.text(), st.integers(0, 255) | st.none(), st.text(max_size=20))
@example("<html><body>Service Unavailable</body></html>", 0, "")
@example("", 0, "")
@example("slurm_load_jobs error: Unable to contact slurm controller", 1, "")
def test_no_text_is_an_empty_queue_or_an_end(text: str, code: int | None, err: str) -> None:
    answers = [Answer(code=code, out=text, err=err)]
    for seen in (BACKEND.read_queue(answers), BACKEND.read_history(answers)):
        assert not seen.whole
        assert not [job for job in seen.sightings if job.state in ENDED]
        assert seen.trouble is not None


@given(st.lists(st.text(alphabet="0123456789_[]%-,N/A\x1f\x1e\nPENDINGx:.()=|é"), max_size=40))
def test_no_fields_make_it_stumble(words: list[str]) -> None:
    out = QUEUE_HEAD + "\x1f".join(words)
    BACKEND.read_queue([Answer(code=0, out=out + "\x1e\n")])
    BACKEND.read_history([Answer(code=0, out=HISTORY_HEAD + "\x1f".join(words) + "\n")])
    sinfo = Answer(code=0, out="\n".join("\x1f".join(words[at : at + 10]) for at in range(5)))
    BACKEND.read_site(
        [Answer(code=0, out="\n".join(words)), sinfo, Answer(code=0, out="|".join(words))]
    )


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=5))
@example([("x\x1e\n9\x1f9\x1fN/A\x1fCOMPLETED\x1f", "\x1f", "a\nb"), ("", "", "")])
def test_whatever_stands_in_texts_every_job_is_seen(texts: list[tuple[str, str, str]]) -> None:
    lines = [
        line(JobArrayID=str(at), ArrayJobID=str(at), Name=name, Comment=comment, WorkDir=cwd)
        for at, (name, comment, cwd) in enumerate(texts, 100)
    ]
    seen = shown(*lines)
    assert seen.whole
    assert [job.native for job in seen.sightings] == [str(100 + at) for at in range(len(texts))]
    plain = re.compile(r"[^\x1f\x1e]*\Z")
    if all(plain.match(text) for each in texts for text in each):
        assert [job.name for job in seen.sightings] == [name for name, _, _ in texts]


@given(
    st.lists(st.tuples(TEXT | st.sampled_from(["\x1f", "\x1e\n", "a\x1e\nb"]), TEXT), max_size=6),
    st.lists(st.integers(0, 2000), max_size=6),
    st.sampled_from(["", "motd\n", "\x1e\n"]),
    st.integers(0, 40),
)
@example([("a", ""), ("b\x1e\nc", ""), ("d", "")], [7], "", 0)
@example([("a", ""), ("b", "")], [10, 20], "", 0)
def test_what_was_read_ahead_makes_no_difference(
    texts: list[tuple[str, str]], cuts: list[int], banner: str, lost: int
) -> None:
    lines = [
        line(JobArrayID=str(at), ArrayJobID=str(at), Name=name, Comment=comment)
        for at, (name, comment) in enumerate(texts, 100)
    ]
    out = banner + QUEUE_HEAD + "".join(lines)
    spoken = out[: len(out) - lost].encode()
    answer = Answer(code=0, out=spoken.decode(errors="replace"))
    ends = [found.end() for found in re.finditer(b"\x1e\n", spoken)]
    places = sorted(ends[cut % len(ends)] if cut % 2 and ends else cut for cut in cuts)
    slurm = SlurmBackend()
    for begin, end in zip([0, *places], places, strict=False):
        slurm.hear(spoken[begin:end])
    assert slurm.read_queue([answer]) == BACKEND.read_queue([answer])


def test_what_was_heard_of_another_answer_is_forgotten() -> None:
    slurm = SlurmBackend()
    slurm.hear((QUEUE_HEAD + line(Name="old")).encode())
    answer = Answer(code=0, out=QUEUE_HEAD + line(Name="new"))
    assert [job.name for job in slurm.read_queue([answer]).sightings] == ["new"]


@given(
    st.lists(st.tuples(st.sampled_from(sorted(STATES)), st.integers(0, 3)), max_size=6), st.data()
)
def test_half_an_answer_is_never_whole(jobs: list[tuple[str, int]], data: st.DataObject) -> None:
    text = QUEUE_HEAD + "".join(
        line(JobArrayID=str(at), ArrayJobID=str(at), State=word)
        for at, (word, _) in enumerate(jobs, 1)
    )
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    seen = BACKEND.read_queue([Answer(code=0, out=cut)])
    boundary = cut.endswith("\x1e\n")
    assert seen.whole == boundary
    assert not BACKEND.read_queue([Answer(code=255, out=text)]).whole


@given(st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1))
def test_a_state_never_heard_of_is_unknown(word: str) -> None:
    expected = STATES.get(word, UNKNOWN)
    (job,) = shown(line(State=word)).sightings
    assert (job.state, job.word) == (expected, word)
    (past,) = accounted(record(State=word)).sightings
    assert (past.state, past.word) == (expected, word)


@given(st.integers(0, 10**12))
def test_ids_are_read_back(number: int) -> None:
    element = BACKEND.element_id(str(number), 7)
    assert BACKEND.parse_id(element) == (str(number), 7)
    assert BACKEND.parse_id(str(number)) == (str(number), None)


# ------------------------------------------------------------------------------------------- cases


@pytest.mark.parametrize(
    ("word", "state", "held"),
    [
        ("CONFIGURING", "PENDING", False),
        ("REQUEUED", "PENDING", False),
        ("REQUEUE_HOLD", "PENDING", True),
        ("RESIZING", "RUNNING", False),
        ("STOPPED", "SUSPENDED", False),
        ("STAGE_OUT", "COMPLETING", False),
        ("BOOT_FAIL", "NODE_FAIL", False),
        ("REVOKED", UNKNOWN, False),
    ],
)
def test_words_that_are_not_their_own_state(word: str, state: str, held: bool) -> None:
    (job,) = shown(line(State=word)).sightings
    assert (job.state, job.held) == (state, held)


def test_an_empty_queue_names_its_fields() -> None:
    assert shown() == Seen()


def test_a_banner_in_front_is_passed_over() -> None:
    out = "Last login: today\n" + QUEUE_HEAD + line()
    seen = BACKEND.read_queue([Answer(code=0, out=out)])
    assert seen.whole
    assert [job.native for job in seen.sightings] == ["12"]


def test_a_user_that_slurm_does_not_know_is_not_one_without_jobs() -> None:
    answer = Answer(code=0, out=QUEUE_HEAD, err="squeue: error: Invalid user: nosuch\n")
    assert not BACKEND.read_queue([answer]).whole


@pytest.mark.parametrize(
    ("native", "index", "element", "waiting"),
    [
        ("12", "N/A", None, ""),
        ("12_3", "3", 3, ""),
        ("12_[0-5%2]", "0-5%2", None, "0-5"),
        ("12_[1,7-9]", "1,7-9", None, "1,7-9"),
    ],
)
def test_elements_and_those_that_wait(
    native: str, index: str, element: int | None, waiting: str
) -> None:
    (job,) = shown(line(JobArrayID=native, ArrayTaskID=index)).sightings
    assert (job.number, job.element, job.waiting) == ("12", element, waiting)
    assert job.native == (native if not waiting else "12")


@pytest.mark.parametrize(
    ("word", "status", "code", "signal"),
    [
        ("COMPLETED", "0", 0, None),
        ("FAILED", "768", 3, None),
        ("FAILED", "3:0", 3, None),
        ("FAILED", "0:9", None, 9),
        ("FAILED", "35072", 137, None),
        ("FAILED", "9", None, 9),
        ("TIMEOUT", "15", None, 15),
        ("TIMEOUT", "1280", None, None),
        ("OUT_OF_MEMORY", "125", None, None),
        ("CANCELLED", "0", None, None),
        ("NODE_FAIL", "0", None, None),
        ("RUNNING", "0", None, None),
    ],
)
def test_how_it_ended(word: str, status: str, code: int | None, signal: int | None) -> None:
    (job,) = shown(line(State=word, exit_code=status)).sightings
    assert (job.exit_code, job.signal) == (code, signal)


def test_the_end_of_a_running_job_is_not_told_yet() -> None:
    (job,) = shown(line(State="RUNNING", StartTime="1795680000", EndTime="1795683600")).sightings
    assert (job.start_time, job.end_time, job.expected_start) == (1795680000, None, None)


def test_the_start_of_a_waiting_job_is_only_expected() -> None:
    (job,) = shown(line(StartTime="1795680000")).sightings
    assert (job.start_time, job.expected_start) == (None, 1795680000)


def test_the_accounting_adds_what_steps_used() -> None:
    steps = (record(JobID=f"12.{step}", JobIDRaw=f"12.{step}", MaxRSS=size) for step, size in
             {"batch": "1290240", "0": "3407872", "extern": ""}.items())  # fmt: skip
    whole = record(TotalCPU="01:02.500", TimelimitRaw="60", AllocTRES="cpu=2,mem=300M")
    (job,) = accounted(whole, *steps).sightings
    assert (job.max_rss, job.cpu_time, job.time_limit) == (3407872, 62.5, 3600)
    assert (job.cpus, job.memory) == (2, 300 * MIB)


def test_of_a_job_that_was_put_back_the_last_run_counts() -> None:
    lines: Sequence[str] = (
        record(State="PREEMPTED", Submit="1795680000"),
        record(State="RUNNING", Submit="1795680900"),
        record(State="NODE_FAIL", Submit="1795680300"),
    )
    (job,) = accounted(*lines).sightings
    assert (job.state, job.restarts) == ("RUNNING", 2)


def test_a_record_that_is_not_yet_whole_is_not_believed() -> None:
    seen = accounted(record(JobName="allocation", Partition=""), record(JobID="13", JobIDRaw="13"))
    assert [job.native for job in seen.sightings] == ["13"]
    assert not seen.whole
    assert seen.trouble is not None
    assert seen.trouble.kind == "busy"


def test_who_cancelled_it_is_kept() -> None:
    (job,) = accounted(record(State="CANCELLED by 1001")).sightings
    assert (job.state, job.word) == ("CANCELLED", "CANCELLED by 1001")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("node1", ("node1",)),
        ("node[1-2,07-09],x", ("node1", "node2", "node07", "node08", "node09", "x")),
        ("r[1-2]n[1-2]", ("r1n1", "r1n2", "r2n1", "r2n2")),
        ("n[1-99999999]", ("n[1-99999999]",)),
        ("n[5-1]", ("n[5-1]",)),
        ("None assigned", ()),
        ("", ()),
    ],
)
def test_lists_of_nodes(text: str, names: tuple[str, ...]) -> None:
    assert fields.nodes(text) == names


def test_gpus_are_counted_once() -> None:
    told = fields.resources("cpu=4,mem=1.50G,node=1,gres/gpu=2,gres/gpu:a100=2")
    assert (told.cpus, told.memory, told.gpus) == (4, 1536 * MIB, 2)
    assert fields.resources("cpu=1,gres/gpu:a100=1,gres/gpu:h100=2").gpus == 3
    assert fields.gpu_counts("gpu:a100:4(S:0-1),gpu:h100:2,tmp:1") == (6, ("a100", "h100"))


def test_a_site_without_accounting_has_no_history() -> None:
    config = Answer(
        code=0, out="AccountingStorageType   = accounting_storage/none\nMaxArraySize = 11\n"
    )
    backend = SlurmBackend()
    assert backend.history(["12"], 0.0)
    site = backend.read_site([config, Answer(code=1), Answer(code=1)])
    assert (site.accounting, site.most_elements, site.partitions) == (False, 11, ())
    assert not backend.history(["12"], 0.0)


def test_what_slurm_could_not_begin_is_told_in_a_sentence():
    assert "could not go to its directory" in why_never_begun(53)
    assert why_never_begun(9) == why_never_begun(None) == ""


@pytest.mark.parametrize(
    ("state", "told", "end"),
    [
        ("COMPLETED", "0:0", (0, None)),
        ("FAILED", "3:0", (3, None)),
        ("FAILED", "0:0", (None, None)),  # of an exit with 128
        ("FAILED", "0:9", (None, 9)),
        ("CANCELLED", "0:15", (None, 15)),
    ],
)
def test_a_code_of_0_is_not_that_of_a_job_that_failed(state, told, end) -> None:
    assert exit_of(state, told) == end
