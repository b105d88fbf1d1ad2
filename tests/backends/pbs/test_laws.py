"""What holds for any answer, any name and any set of indices."""

from __future__ import annotations

import re
import shlex
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.contract import ENDED, LIVE, UNKNOWN, Answer, Parent, Trouble
from hpcshell.backends.pbs import PbsBackend, values
from hpcshell.backends.pbs.arrays import array_words, guard
from hpcshell.backends.pbs.states import how_it_ended
from hpcshell.core.indexset import IndexSet
from hpcshell.core.jobspec import Layout
from hpcshell.core.records import Notify
from tests.backends.pbs.made import OPENPBS, TORQUE, directives, order, unless_refused
from tests.support.clusters.pbs_recordings import recorded

WHOLE = recorded("qstat -x -f 89.pbshost").out + recorded("qstat -x -f 90.pbshost").out
texts = st.text(max_size=200) | st.sampled_from(["", WHOLE, "Job Id: 1.h\n", "    job_state = F\n"])
codes = st.none() | st.integers(0, 255)
flavours = st.sampled_from([OPENPBS, TORQUE, None])
anything = st.text(max_size=60)
indices = st.sets(st.integers(0, 300), min_size=1, max_size=40)


@given(out=texts, err=texts, code=codes)
def test_any_answer_is_read_and_none_ends_a_job_that_it_does_not_show_as_ended(out, err, code):
    answer = Answer(code=code, out=out, err=err)
    backend = PbsBackend(OPENPBS)
    for seen in (backend.read_queue([answer]), backend.read_history([answer])):
        for sighting in seen.sightings:
            assert sighting.state in LIVE | ENDED | {UNKNOWN}
            assert sighting.state not in ENDED or f"job_state = {sighting.word}" in out
        assert seen.whole == (seen.trouble is None)
        assert code == 0 or not seen.whole or seen.absent or "finished" in err


@given(out=texts, err=texts, code=codes)
def test_any_answer_to_anything_else_is_read(out, err, code):
    answer = Answer(code=code, out=out, err=err)
    backend = PbsBackend()
    assert backend.read_probe(answer)
    backend.read_site([answer, answer, answer])
    found = backend.read_submit(answer)
    assert isinstance(found, Trouble) or backend.parse_id(found)
    assert set(backend.read_change(["1.h", "2.h"], [answer]).troubles) <= {"1.h", "2.h"}


@given(cut=st.integers(0, len(WHOLE)), junk=st.text(max_size=30))
def test_no_cut_and_no_dirt_makes_another_end(cut, junk):
    seen = PbsBackend().read_queue([Answer(code=0, out=WHOLE[:cut] + junk)])
    known = {"89.pbshost": "CANCELLED", "90.pbshost": "COMPLETED"}
    for sighting in seen.sightings:
        if sighting.native in known:
            assert sighting.state in (known[sighting.native], UNKNOWN)


@given(
    st.dictionaries(
        st.sampled_from(
            ["job_state", "substate", "Exit_status", "exit_status", "stime", "comment"]
        ),
        st.sampled_from(
            ["F", "X", "C", "91", "92", "93", "0", "-29", "271", "Subjob finished", "?"]
        ),
    )
)
def test_nothing_completes_without_an_exit_status_of_zero(shown):
    end = how_it_ended(shown)
    assert end.state in ENDED | {UNKNOWN}
    zero = "0" in (shown.get("Exit_status"), shown.get("exit_status"))
    assert end.state != "COMPLETED" or (zero and end.exit_code == 0)


@given(name=anything, account=anything, site=flavours)
def test_a_name_and_an_account_arrive_as_given_or_are_refused(name, account, site):
    text = unless_refused(lambda: PbsBackend(site).script(order(name=name, account=account)))
    if text is None:
        return
    said = dict(part for line in directives(text) for part in [as_qsub_reads(line)])
    assert said.get("-N", "") == name
    assert said.get("-A", "") == account
    assert set(said) <= {"-N", "-A", "-j", "-o", "-S", "-v"}


def as_qsub_reads(directive: str) -> tuple[str, str]:
    """qsub splits the words of a directive as this does: quotes taken away, nothing expanded."""
    option, *rest = shlex.split(directive)
    assert len(rest) <= 1
    return option, "".join(rest)


@given(
    directory=st.text(st.characters(exclude_characters="\0"), max_size=40),
    partition=anything,
    constraint=anything,
    model=anything,
    mail=anything,
    site=flavours,
)
def test_no_value_brings_a_directive_of_its_own(
    directory, partition, constraint, model, mail, site
):
    layout = Layout(gpus=1, gpu_type=model, constraint=constraint)
    asked = {"directory": f"/{directory}"}
    notify = Notify(on=("end",), mail=mail)
    job = order(layout=layout, partition=partition, notify=notify, asked=asked)
    text = unless_refused(lambda: PbsBackend(site).script(job))
    if text is None:
        return
    before, _, _ = text.partition("\n# Submitted with hpc as")
    assert all(line.startswith("#") for line in before.split("\n"))
    options = [as_qsub_reads(line)[0] for line in directives(before)]
    assert set(options) <= {"-N", "-q", "-l", "-m", "-M", "-j", "-o", "-S", "-v"}
    assert len(options) <= 9


@given(members=indices, throttle=st.integers(0, 9))
def test_the_range_holds_all_indices_and_the_guard_ends_the_others(members, throttle):
    wanted = IndexSet.of(members)
    asked = order(array=str(wanted), asked={"indices": str(wanted), "throttle": throttle})
    words = unless_refused(lambda: list(array_words(asked, torque=False)))
    if words is None:
        return
    found = re.fullmatch(r"(\d+)-(\d+)(?::(\d+))?(?:%\d+)?", words[0][1])
    assert found is not None
    covered = list(range(int(found[1]), int(found[2]) + 1, int(found[3] or 1)))
    assert members <= set(covered)
    assert len(covered) >= 2
    lines = guard(asked, torque=False)
    assert bool(lines) == (len(covered) > len(members))


@given(members=st.sets(st.integers(0, 30), min_size=1, max_size=8))
def test_bash_and_the_guard_agree_on_who_was_asked_for(members):
    wanted = IndexSet.of(members)
    lines = guard(order(array=str(wanted), asked={"indices": str(wanted)}), torque=False)
    if not lines:
        return
    inside = "\n".join([*lines, "echo $PBS_ARRAY_INDEX"])
    loop = f"for PBS_ARRAY_INDEX in {{0..32}}; do (\n{inside}\n) done"
    done = subprocess.run(["bash", "-c", loop], capture_output=True, text=True, check=True)
    assert {int(line) for line in done.stdout.split()} == members


@given(members=indices, throttle=st.integers(0, 9))
def test_torque_is_given_the_very_indices(members, throttle):
    wanted = IndexSet.of(members)
    asked = order(array=str(wanted), asked={"indices": str(wanted), "throttle": throttle})
    ((_, text),) = array_words(asked, torque=True)
    assert set(IndexSet.parse(text.partition("%")[0])) == members


@given(number=st.integers(0, 10**9), index=st.integers(0, 10**6), host=st.sampled_from(["", ".h"]))
def test_ids_are_taken_apart_and_put_together(number, index, host):
    backend = PbsBackend()
    element = backend.element_id(f"{number}[]{host}", index)
    assert element == f"{number}[{index}]{host}"
    assert backend.parse_id(element) == (str(number), index)
    assert backend.parse_id(f"{number}[]{host}") == (str(number), None)


@given(text=anything)
def test_what_is_no_id_is_refused(text):
    found = unless_refused(lambda: PbsBackend().parse_id(text))
    assert found is None or (text.startswith(found[0]) and found[0].isdecimal())


@given(duration=st.integers(0, 10**8))
def test_times_are_read_as_they_are_said(duration):
    assert values.seconds(values.clock(duration)) == duration


@given(size=st.integers(1, 1 << 50))
def test_sizes_are_never_said_smaller_and_at_most_a_kilobyte_larger(size):
    said = values.size(values.amount(size))
    assert said is not None
    assert 0 <= said - size < 1024


@given(text=anything)
def test_no_text_breaks_the_reading_of_values(text):
    for read in (values.instant, values.seconds, values.size, values.whole):
        read(text)


@given(
    nodes=st.none() | st.integers(1, 5),
    tasks=st.none() | st.integers(1, 40),
    each=st.none() | st.integers(1, 8),
    cpus=st.none() | st.integers(1, 8),
)
def test_all_tasks_and_their_cpus_are_asked_for(nodes, tasks, each, cpus):
    layout = Layout(nodes=nodes, tasks=tasks, tasks_per_node=each, cpus_per_task=cpus)
    text = unless_refused(lambda: PbsBackend(OPENPBS).script(order(layout=layout)))
    if text is None:
        return
    asked = 0
    for select in re.findall(r"-l '?select=([^']*)", text):
        for chunk in select.strip().split("+"):
            found = re.match(r"(\d+):ncpus=(\d+)", chunk)
            assert found is not None
            asked += int(found[1]) * int(found[2])
    assert asked == (layout.cpus if any((nodes, tasks, each, cpus)) else 0)


@given(kind=st.sampled_from(["after", "afterok", "afternotok", "afterany"]), native=anything)
def test_parents_are_ids_or_refused(kind, native):
    parents = (Parent(kind=kind, ids=(native,)),)
    text = unless_refused(lambda: PbsBackend().script(order(asked={"parents": parents})))
    assert text is None or f"-W depend={kind}:{native}" in text.replace("'", "")
