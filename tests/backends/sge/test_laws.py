"""Laws of the back end: whatever is said to it, whatever it is asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.conformance import Sample, check
from hpcshell.backends.contract import ENDED, Answer, Order, Parent, Trouble
from hpcshell.backends.jobscript import quote
from hpcshell.backends.sge import SgeBackend
from hpcshell.backends.sge.script import covering, job_name
from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.records import Request
from hpcshell.core.submission import Submission
from tests.backends.sge.recordings import answer_to, asked
from tests.backends.sge.test_transcripts import SITE

SGE = SgeBackend(SITE)
CODES = st.sampled_from([0, 1, 127, 255, None])
TEXT = st.text(max_size=200)
GENUINE = [one.answer.out for one in asked("qstat", "qacct", "qdel", "qsub")]
MANGLED = st.builds(
    lambda text, begin, end, put: text[:begin] + put + text[end:],
    st.sampled_from(GENUINE),
    st.integers(0, 3000),
    st.integers(0, 3000),
    TEXT,
)
ANSWERS = st.builds(Answer, code=CODES, out=TEXT | MANGLED, err=TEXT)
INDICES = st.sets(st.integers(0, 400), min_size=1, max_size=40)


def order(layout: Layout | None = None, **submission: Any) -> Order:
    said: dict = {"argv": ("true",), "cwd": "/scratch", "env": {}, "name": "job", **submission}
    spec = JobSpec(submission=Submission(**said), layout=layout or Layout())
    return Order(
        spec=spec,
        key="k3y",
        directory="/scratch/.hpc/k3y",
        indices=str(said.get("array", "")),
    )


def directives(script: str) -> list[str]:
    return [line for line in script.splitlines() if line.startswith("#$")]


def test_it_keeps_the_contract() -> None:
    queue = (answer_to("qstat -u '*' -xml", "08"),)
    for backend in (SGE, SgeBackend()):
        assert check(backend, ids=("12",), sample=Sample(answers=queue, word="hqw")) == []


# ---------------------------------------------------------------------------------------- answers


@given(ANSWERS)
def test_no_answer_can_raise_anything(answer: Answer) -> None:
    SGE.read_submit(answer)
    SGE.read_estimate(answer)
    SGE.read_change(["12", "12.3"], [answer])
    SgeBackend().read_probe(answer)
    SgeBackend().read_site([answer] * 6)
    for seen in (SGE.read_queue([answer]), SGE.read_history([answer])):
        assert seen.whole or seen.trouble is not None


@given(ANSWERS)
def test_the_queue_never_ends_a_job(answer: Answer) -> None:
    assert not any(one.state in ENDED for one in SGE.read_queue([answer]).sightings)


@given(st.builds(Answer, code=CODES, out=TEXT, err=TEXT))
def test_text_that_is_no_answer_says_nothing_of_jobs(answer: Answer) -> None:
    seen = SGE.read_queue([answer])
    assert not seen.whole
    assert seen.sightings == ()


@given(st.integers(0, 5000))
def test_half_a_queue_is_not_believed(length: int) -> None:
    text = answer_to("qstat -xml", "06").out
    seen = SGE.read_queue([Answer(code=0, out=text[:length])])
    assert seen.whole == (length >= len(text.rstrip()))


def test_a_queue_that_lost_something_in_its_midst_is_not_believed() -> None:
    text = answer_to("qstat -xml", "06").out
    for lost in ("    </job_list>\n", "<JB_job_number>104", "<state>r</state>"):
        seen = SGE.read_queue([Answer(code=0, out=text.replace(lost, "", 1))])
        assert not seen.whole


@given(st.text("dEhrRtsSTwqxzP?", min_size=1, max_size=4))
def test_a_state_with_a_letter_never_heard_of_is_unknown_and_kept_as_said(word: str) -> None:
    text = answer_to("qstat -xml", "04").out.replace("<state>r<", f"<state>{word}<")
    (one,) = SGE.read_queue([Answer(code=0, out=text)]).sightings
    assert one.word == word
    assert (one.state == "UNKNOWN") or set(word) <= set("dEhrRtsSTwq")


@given(st.lists(st.integers(1, 99), min_size=1, max_size=5), CODES)
def test_without_an_answer_nothing_has_been_changed_for_certain(
    numbers: list[int], code: int | None
) -> None:
    ids = [str(number) for number in numbers]
    change = SGE.read_change(ids, [Answer(code=None)])
    assert set(change.troubles) == set(ids)


# ------------------------------------------------------------------------------------------- ids


@given(st.integers(1, 10**9), st.none() | st.integers(0, 10**6))
def test_an_id_and_its_parts_are_the_same_thing(number: int, index: int | None) -> None:
    native = str(number) if index is None else SGE.element_id(str(number), index)
    assert SGE.parse_id(native) == (str(number), index)


@pytest.mark.parametrize("text", ["", "12.0", "a", "12.3.4", "12 ", "-1", "12.3-4", "12;id"])
def test_what_is_no_id_is_wrong(text: str) -> None:
    with pytest.raises(Wrong):
        SGE.parse_id(text)


# ---------------------------------------------------------------------------------------- scripts


PLACES = ("name", "partition", "account", "reservation")


@given(st.sampled_from(PLACES), st.text(min_size=1, max_size=40))
def test_a_name_or_a_place_arrives_as_given_in_a_line_of_its_own_or_is_refused(
    place: str, text: str
) -> None:
    said: dict[str, Any] = {place: text}
    script = taken(said)
    if script is not None:
        plain: dict[str, Any] = {} if place == "name" else {place: "7"}
        assert len(directives(script)) == len(directives(SGE.script(order(**plain))))
        assert [line for line in directives(script) if line.split()[-1] == text]


def taken(said: dict[str, Any], layout: Layout | None = None, why: str = "") -> str | None:
    """The script, or None where the request is refused with a hint (and for this reason)."""
    try:
        return SGE.script(order(layout, **said))
    except Wrong as error:
        told = error
    assert told.hint
    assert why in told.message
    return None


@given(st.sampled_from(["argv", "cwd", "stdout", "stdin"]), st.text(max_size=10))
def test_no_line_of_a_command_or_a_path_is_taken_for_options(place: str, text: str) -> None:
    hidden = f"/{text}\n#$ -q evil.q"
    script = taken({place: ("echo", hidden) if place == "argv" else hidden})
    assert script is not None
    assert directives(script) == directives(SGE.script(order()))


def test_a_line_of_the_users_own_that_would_be_taken_for_options_is_refused() -> None:
    one = order()
    spec = JobSpec(submission=one.spec.submission, setup=("set -u", "#$ -q evil.q"))
    with pytest.raises(Wrong, match="takes every such line"):
        SGE.script(Order(spec=spec, key=one.key, directory=one.directory))


@given(st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_paths_and_arguments_are_quoted_for_the_shell(path: str, word: str) -> None:
    text = taken({"argv": ("echo", word), "cwd": f"/x{path}"})
    assert text is not None
    assert f"cd -- {quote(f'/x{path}')} || exit 1" in text
    assert f"exec echo {quote(word)} 2>&" in text
    assert directives(text) == directives(SGE.script(order()))


@given(INDICES)
def test_the_range_that_is_submitted_covers_the_set_and_the_job_knows_its_own(
    members: set[int],
) -> None:
    indices = IndexSet.of(members)
    text = taken({"array": str(indices)}, why="one range")
    if text is None:
        return
    found = re.search(r"^#\$ -t (\d+)-(\d+)(?::(\d+))?$", text, re.MULTILINE)
    assert found is not None
    tasks = range(int(found[1]), int(found[2]) + 1, int(found[3] or 1))
    test = re.search(r"^\(\((i = .*)\)\) \|\|", text, re.MULTILINE)
    kept = {task - 1 for task in tasks if test is None or _true(test[1], task)}
    assert tasks[0] >= 1
    assert kept == members
    assert len(covering(indices)) <= 2 * len(members)
    assert f"hpc_elements={len(members)}\n" in text


def _true(expression: str, task: int) -> bool:
    """The shell's arithmetic, in Python's words."""
    _, _, tests = expression.partition(", ")
    said = tests.replace("&&", "and").replace("||", "or")
    return bool(eval(said, {"i": task - 1}))


@given(st.integers(1, 64), st.integers(1, 64))
def test_what_a_site_counts_for_each_slot_comes_out_as_it_was_asked_for(
    cpus: int, gpus: int
) -> None:
    layout = Layout(cpus_per_task=cpus, gpus=gpus, memory=cpus * 10**9)
    script = taken({}, layout, why="do not divide")
    if script is None:
        assert gpus % cpus
        return
    lines = directives(script)
    each = next(int(line.split("=")[1]) for line in lines if "-l gpu=" in line)
    memory = next(line.split("=")[1] for line in lines if "-l h_vmem=" in line)
    number, unit = int(memory[:-1]), {"K": 1024, "M": 1024**2}[memory[-1]]
    assert each * cpus == gpus
    assert 0 <= number * unit - 10**9 < 1024
    assert (f"#$ -pe smp {cpus}" in lines) == (cpus > 1)


@given(st.floats(0.1, 1e7))
def test_a_time_limit_is_never_shorter_than_it_was_asked_for(limit: float) -> None:
    text = SGE.script(order(request=Request(time_limit=limit)))
    found = re.search(r"^#\$ -l h_rt=(\d+)$", text, re.MULTILINE)
    assert found is not None
    assert 0 <= int(found[1]) - limit < 1


@pytest.mark.parametrize("kind", ["afterok", "afternotok", "aftercorr"])
def test_how_a_stranger_ends_cannot_be_waited_for_and_the_nearest_thing_is_named(kind: str) -> None:
    one = order(array="0-3")
    parent = Parent(kind=kind, ids=("77",), directories=("",))
    with pytest.raises(Wrong, match="was not submitted from here") as refused:
        SGE.script(Order(**{**_fields(one), "parents": (parent,)}))
    assert refused.value.hint is not None
    assert "afterany:77" in refused.value.hint


def _fields(one: Order) -> dict:
    return {name: getattr(one, name) for name in one.__struct_fields__}


def test_a_stranger_of_which_nothing_is_asked_may_be_waited_for() -> None:
    parent = Parent(kind="afterany", ids=("77", "78.3"))
    text = SGE.script(Order(**{**_fields(order()), "parents": (parent,)}))
    assert "#$ -hold_jid hpc=k3y,77,78\n" in text
    assert "hpc_fate" not in text


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"qos": "high"}, "no QOS"),
        ({"partition": "all.q,-terse"}, "queue"),
        ({"account": "a,b"}, "account"),
        ({"reservation": "maintenance"}, "numbers"),
    ],
)
def test_what_grid_engine_has_no_word_for_is_refused(said: dict, why: str) -> None:
    with pytest.raises(Wrong, match=why) as refused:
        SGE.script(order(**said))
    assert refused.value.hint


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        (Layout(nodes=2, tasks_per_node=4), "exactly 2 nodes"),
        (Layout(nodes=2, nodes_most=4), "no range of nodes"),
        (Layout(gpus=1, gpu_type="a100"), "type of a GPU"),
        (Layout(gres={"fpga": 1}), "no resource 'fpga'"),
        (Layout(constraint="ssd|hdd"), "constraint"),
        (Layout(constraint="ssd"), "yes-or-no"),
        (Layout(exclusive="yes"), "one job alone"),
    ],
)
def test_a_shape_that_the_site_has_not_is_refused(layout: Layout, why: str) -> None:
    with pytest.raises(Wrong, match=re.escape(why)) as refused:
        SGE.script(order(layout))
    assert refused.value.hint


@given(ANSWERS)
def test_only_a_whole_number_on_a_whole_line_is_an_id(answer: Answer) -> None:
    native = SGE.read_submit(answer)
    if not isinstance(native, Trouble):
        assert SGE.parse_id(native) == (native, None)
        assert native in answer.out


@given(st.one_of(st.text(min_size=1, max_size=300), st.from_regex(r"[0-9/@:a-z-]{1,40}\Z")))
def test_a_name_that_is_not_taken_is_refused_with_one_that_would_be(name: str) -> None:
    try:
        assert job_name(name) == name
    except Wrong as error:
        proposed = str(error.hint).removeprefix("name it ")
        assert job_name(proposed) == proposed
