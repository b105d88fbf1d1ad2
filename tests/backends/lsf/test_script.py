"""What LSF is asked for: `#BSUB` lines, and words for bsub where a line could not carry them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.contract import Order, Parent
from hpcshell.backends.lsf import LsfBackend
from hpcshell.core.errors import Wrong
from hpcshell.core.jobspec import Layout
from hpcshell.core.records import Gang, Notify, Request, WarnSignal
from tests.backends.lsf.orders import order

LSF = LsfBackend()
SCRIPTS = Path(__file__).parent / "scripts"
GIB = 1 << 30
ORDERS = {
    "plain": order(stdout="out-%j.txt"),
    "array": order(indices="0-99:3,200", throttle=5, stdout="logs/%x-%A_%3a.out"),
    "parallel": order(
        layout=Layout(nodes=2, tasks_per_node=4, cpus_per_task=2, memory=8 * GIB, gpus_per_node=2,
                      gpu_type="TeslaV100", constraint="rhel8&(avx|!slow)", gres={"scratch": 20},
                      licenses={"matlab": 1}, exclusive="yes"),
        request=Request(time_limit=5401.0), partition="long,normal", account="physics",
        reservation="user1#0", priority=600, requeue=False,
        begin=1_767_225_601.0, deadline=1_767_312_000.0,
        warn=WarnSignal(number=10, before=90.0, to="all"),
        notify=Notify(on=("begin", "end"), mail="ada@example.org"),
    ),
    "dependent": order(
        parents=(Parent(kind="afterok", ids=("12", "13[4]")), Parent(kind="afterany", ids=("14",)),
                 Parent(kind="aftercorr", ids=("15",)), Parent(kind="after", ids=("16",)),
                 Parent(kind="afternotok", ids=("17",))),
        indices="1-3", hold=True, native=("-app", "big"), stderr="err", stdout="out", append=True,
    ),
}  # fmt: skip


def lines(asked: Order) -> list[str]:
    return [line[6:] for line in LSF.script(asked).splitlines() if line.startswith("#BSUB")]


@pytest.mark.parametrize("name", ORDERS)
def test_whole_scripts(name):
    assert LSF.script(ORDERS[name]) == (SCRIPTS / f"{name}.sh").read_text("utf-8")


def test_the_script_goes_through_stdin_because_as_an_argument_it_would_be_a_command():
    words = LSF.submit(ORDERS["dependent"])
    assert words.argv == ("bsub", "-app", "big")
    assert words.stdin.decode() == LSF.script(ORDERS["dependent"])


def test_signs_that_mean_something_to_a_shell_stay_out_of_the_script():
    assert LSF.submit(ORDERS["parallel"]).argv == (
        *("bsub", "-U", "user1#0", "-R"),
        "select[rhel8 && ( avx || ! slow )]"
        " rusage[mem=8192MB/host:scratch=20/host:matlab=1] span[ptile=8]",
    )


# ---------------------------------------------------------------------------------- free text

TEXT = st.text(min_size=1, max_size=40)


def said(asked: Order) -> dict[str, str]:
    """Every option with its value, wherever it stands."""
    found: dict[str, str] = {}
    for line in lines(asked):
        flag, _, value = line.partition(" ")
        found[flag] = value[1:-1] if value.startswith('"') else value
    words = LSF.submit(asked).argv[1:]
    return found | dict(zip(words[::2], words[1::2], strict=True))


@given(TEXT, TEXT)
def test_names_and_comments_arrive_as_given_or_are_refused(name: str, comment: str):
    try:
        asked = order(name=name, comment=comment)
        found = said(asked)
    except Wrong:
        return
    assert found["-J"] == name
    assert found["-Jd"] == f"hpc:k3y {comment}".strip()


@given(TEXT)
def test_no_text_adds_a_directive(text: str):
    plain = len(lines(order(partition="q", account="a")))
    for asked in (
        order(name=text, partition="q", account="a"),
        order(partition=text, account=text),
    ):
        try:
            script, argv = LSF.script(asked), LSF.submit(asked).argv
        except Wrong:
            continue
        values = len(argv[1:]) // 2
        assert len([one for one in script.split("\n") if one.startswith("#BSUB")]) + values == plain


@given(TEXT)
def test_a_directive_holds_nothing_that_a_parser_could_read_otherwise(text: str):
    try:
        found = lines(order(name=text, comment=text, account=text))
    except Wrong:
        return
    for line in found:
        assert re.fullmatch(r'-\w+(?: (?:[^" ]+|"[^"\\$`\']*"))?', line), line
        assert line.isascii()


@pytest.mark.parametrize("name", ["$(touch evil)", "it's", 'a"b', "a\\b", "`x`", "é", "a#b", "a!b"])
def test_what_a_directive_cannot_carry_goes_on_the_command_line(name):
    asked = order(name=name)
    assert LSF.submit(asked).argv == ("bsub", "-J", name)
    assert not any(line.startswith("-J ") for line in lines(asked))


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "a\n#BSUB -q x"}, {"name": "-x"}, {"name": "a[1-9]"}, {"name": "a*"},
        {"name": "a/b"}, {"comment": "a\nb"}, {"partition": "-q"}, {"account": " "},
        {"name": "x" * 5000}, {"directory": "/home/%J"},
    ],
)  # fmt: skip
def test_what_lsf_could_misread_is_refused(asked):
    with pytest.raises(Wrong) as caught:
        LSF.script(order(**asked))
    assert caught.value.hint


# ------------------------------------------------------------------------------------- amounts


@given(st.floats(min_value=0.1, max_value=1e7))
def test_a_limit_is_whole_minutes_and_never_shorter_than_asked(limit: float):
    minutes = int(said(order(request=Request(time_limit=limit)))["-W"])
    assert minutes * 60 >= limit
    assert (minutes - 1) * 60 < limit


@given(st.integers(1, 1 << 45))
def test_memory_is_never_less_than_asked_and_says_its_unit(size: int):
    found = said(order(layout=Layout(memory=size)))
    for text in (found["-M"], found["-R"].removeprefix("rusage[mem=").removesuffix("]")):
        number, unit = int(text[:-2]), {"KB": 1 << 10, "MB": 1 << 20}[text[-2:]]
        assert size <= number * unit < size + 1024


@pytest.mark.parametrize(
    ("layout", "cpus", "slots", "wanted"),
    [
        (Layout(), 1, "1", None),
        (Layout(), 4, "4", "span[hosts=1]"),
        (Layout(cpus_per_task=4), 1, "4", "span[hosts=1]"),
        (Layout(tasks=64), 1, "64", None),
        (Layout(tasks=8, cpus_per_task=4), 1, "32", "span[block=4]"),
        (Layout(nodes=2, tasks=8), 1, "8", "span[ptile=4]"),
        (Layout(nodes=1, tasks=8), 1, "8", "span[hosts=1]"),
        (Layout(tasks=8, tasks_per_node=2), 1, "8", "span[ptile=2]"),
        (Layout(nodes=3, tasks_per_node=2, cpus_per_task=2), 1, "12", "span[ptile=4]"),
        (Layout(nodes=2), 4, "8", "span[ptile=4]"),
        (Layout(gpus=4, cpus_per_gpu=3), 1, "12", "span[hosts=1]"),
        (Layout(tasks=4, memory_per_cpu=GIB), 1, "4", "rusage[mem=1024MB/task]"),
        (Layout(nodes=2, memory_per_cpu=GIB), 2, "4", "rusage[mem=2048MB/host] span[ptile=2]"),
        (Layout(gpus=2, memory_per_gpu=GIB), 1, "1", "rusage[mem=2048MB]"),
    ],
)  # fmt: skip
def test_slots_and_how_they_lie(layout, cpus, slots, wanted):
    found = said(order(layout=layout, request=Request(cpus=cpus)))
    assert found["-n"] == slots
    assert found.get("-R") == wanted


@pytest.mark.parametrize(
    ("layout", "wanted"),
    [
        (Layout(gpus=2), "num=2:j_exclusive=yes"),
        (Layout(gpus=4, nodes=2), "num=2/host:j_exclusive=yes"),
        (Layout(gpus_per_node=2, nodes=2), "num=2/host:j_exclusive=yes"),
        (Layout(gpus_per_task=1, tasks=8), "num=1/task:j_exclusive=yes"),
        (Layout(gpus_per_task=1, tasks=8, nodes=2), "num=4/host:j_exclusive=yes"),
        (Layout(gpus=1, gpu_type="A100"), "num=1:j_exclusive=yes:gmodel=A100"),
    ],
)
def test_gpus_are_counted_on_each_host_and_shared_with_nobody(layout, wanted):
    assert said(order(layout=layout))["-gpu"] == wanted


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (Layout(nodes=3, tasks=8), "same number of cpus on every node"),
        (Layout(tasks=7, tasks_per_node=2), "same number of cpus on every node"),
        (Layout(gpus=3, nodes=2), "same number of GPUs on every node"),
        (Layout(gpus=8, tasks=4), "how many nodes is not said"),
        (Layout(gpus=1, gpu_type="a:b"), "no model of a GPU"),
        (Layout(gres={"a b": 1}), "no name of a resource"),
        (Layout(constraint="a*2"), "which LSF cannot select"),
        (Layout(constraint='a"] span[hosts=1'), "which LSF cannot select"),
        (Layout(nodes=2, nodes_most=4), "no range of nodes"),
    ],
)
def test_a_shape_that_lsf_cannot_make(layout, message):
    with pytest.raises(Wrong, match=message) as caught:
        LSF.script(order(layout=layout))
    assert caught.value.hint


# ------------------------------------------------------------------------ arrays, dependencies


@given(st.sets(st.integers(0, 900), min_size=1, max_size=30))
def test_indices_begin_with_one_in_lsf_and_come_back_as_ours(indices: set[int]):
    asked = order(indices=",".join(map(str, sorted(indices))))
    text = re.fullmatch(r"prep\[(.*)\]", said(asked)["-J"])
    assert text is not None
    theirs = [
        place
        for part in text[1].split(",")
        for numbers in [list(map(int, re.split("[-:]", part)))]
        for place in range(numbers[0], ([*numbers, numbers[0]][1]) + 1, [*numbers, 1, 1][2])
    ]
    assert {LSF.parse_id(f"7[{place}]")[1] for place in theirs} == indices
    assert {LSF.element_id("7", index) for index in indices} == {f"7[{one}]" for one in theirs}


@pytest.mark.parametrize("indices", ["", "0-3"])
def test_the_script_knows_its_element(indices):
    element = "$((LSB_JOBINDEX - 1))" if indices else "''"
    assert f"\nhpc_element={element}\n" in LSF.script(order(indices=indices))


def test_any_parent_may_be_enough():
    parents = (Parent(kind="afterok", ids=("1", "2")), Parent(kind="afterany", ids=("3",)))
    assert said(order(parents=parents, any=True))["-w"] == "(done(1) && done(2)) || ended(3)"


def test_who_waits_for_what_never_comes_is_ended_unless_it_is_to_be_held():
    parents = (Parent(kind="afterok", ids=("1",)),)
    assert "-ti" in said(order(parents=parents, on_never="end"))
    assert "-ti" not in said(order(parents=parents, on_never="hold"))


@pytest.mark.parametrize("native", ["prep", "1)||ended(2", "-1", "", "1[0]", "0"])
def test_a_parent_that_is_no_id_is_refused(native):
    with pytest.raises(Wrong, match="is no id of LSF"):
        LSF.script(order(parents=(Parent(kind="afterok", ids=(native,)),)))


@pytest.mark.parametrize(
    "asked",
    [
        {"qos": "high"}, {"nice": 5}, {"gang": Gang(name="g", size=2)},
        {"checkpoint": WarnSignal(number=10)}, {"request": Request(gpu_share=50)},
        {"parents": (Parent(kind="singleton"),)},
        {"parents": (Parent(kind="afterok", ids=("1",), delay=60.0),)},
        {"parents": (Parent(kind="afterburst", ids=("1",)),)},
    ],
)  # fmt: skip
def test_what_lsf_lacks_is_said_with_the_nearest_thing(asked):
    with pytest.raises(Wrong, match="LSF") as caught:
        LSF.script(order(**asked))
    assert caught.value.hint


# -------------------------------------------------------------------------------------- others


@pytest.mark.parametrize("native", [("evil",), ("-K",), ("-app", "x", "-Is"), ("-I",)])
def test_words_that_would_replace_the_job_or_wait_for_it_are_refused(native):
    with pytest.raises(Wrong, match="--native"):
        LSF.submit(order(native=native))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"stdout": "out"}, {"-oo": "out"}),
        ({"stdout": "out", "append": True}, {"-o": "out"}),
        ({"stdout": "o-%j", "stderr": "e-%A"}, {"-oo": "o-%J", "-eo": "e-%J"}),
        ({"stdout": "o-%A", "indices": "1-2"}, {"-oo": "o-%J"}),
    ],
)
def test_without_capture_lsf_writes_the_files(asked, wanted):
    assert wanted.items() <= said(order(capture=False, **asked)).items()


@pytest.mark.parametrize("asked", [{"stdout": "%x"}, {"stdout": "%a"}, {"stdout": "a%"},
                                   {"stdout": "%j", "indices": "1-2"}])  # fmt: skip
def test_without_capture_what_lsf_cannot_name_is_refused(asked):
    with pytest.raises(Wrong, match="LSF has nothing like"):
        LSF.script(order(capture=False, **asked))


@given(st.integers(0, 1000))
def test_priorities_are_ten_times_finer_here(ours: int):
    assert int(said(order(priority=ours))["-sp"]) == min(max(ours // 10, 1), 100)


@given(st.floats(min_value=1e9, max_value=4e9))
def test_a_job_never_begins_before_it_may(begin: float):
    from datetime import UTC, datetime

    text = said(order(begin=begin))["-b"]
    moment = datetime.strptime(text, "%Y:%m:%d:%H:%M").replace(tzinfo=UTC).timestamp()
    assert begin <= moment < begin + 60
    assert LSF.submit(order(begin=begin)).env["TZ"] == "UTC0"


def test_what_bsub_is_said_with_does_not_reach_the_job():
    assert f"\nunset {' '.join(sorted(LSF.submit(order()).env))}\n" in LSF.script(order())
