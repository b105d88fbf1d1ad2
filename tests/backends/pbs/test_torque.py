"""Torque, from what public sources print: there is no recording of ours."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hpcshell.backends.contract import Answer, Parent, Site
from hpcshell.backends.pbs import PbsBackend
from hpcshell.core.errors import Wrong
from hpcshell.core.jobspec import Layout
from tests.backends.pbs.made import TORQUE, directives, order
from tests.support.clusters.pbs import TORQUE_SERVER, pbs_stand_in

DONE = """Job Id: 77[3].torquehost
    Job_Name = job-3
    Job_Owner = alice@login
    resources_used.cput = 00:00:07
    resources_used.mem = 1024kb
    job_state = C
    queue = batch
    ctime = Wed Mar 28 12:12:42 2018
    exec_host = exec-host/0+exec-host/1+other/0
    Output_Path = login:/home/alice/job.o77-3
    Resource_List.nodes = 2:ppn=4
    Resource_List.walltime = 00:05:00
    start_time = Wed Mar 28 12:13:00 2018
    comp_time = Wed Mar 28 12:14:00 2018
    exit_status = {status}
    Variable_List = PBS_O_QUEUE=batch,HPC_SUBMISSION=k-1

"""


def said(**words) -> list[str]:
    return directives(PbsBackend(TORQUE).script(order(**words)))


def end(status: int) -> tuple[str, int | None, int | None]:
    answer = Answer(code=0, out=DONE.format(status=status))
    (sighting,) = PbsBackend(TORQUE).read_history([answer]).sightings
    return sighting.state, sighting.exit_code, sighting.signal


def test_its_server_is_told_from_openpbs():
    found = PbsBackend().read_probe(Answer(code=0, out=TORQUE_SERVER))
    assert found == Site(version="6.1.2", flavour="torque", identity="torquehost")


def test_its_version_alone_is_enough():
    out = "Version: 6.1.2\nCommit: 661e092552de43a785c15d39a3634a541d86898e\n"
    assert PbsBackend().read_probe(Answer(code=0, out=out)) == TORQUE


def test_nodes_memory_and_gpus_are_said_its_way():
    layout = Layout(
        nodes=2, tasks_per_node=4, cpus_per_task=2, memory=4 << 30, gpus_per_node=1, exclusive="yes"
    )
    assert [line for line in said(layout=layout, time=60) if line[:2] in ("-l", "-n")] == [
        "-l nodes=2:ppn=8:gpus=1",
        "-l mem=8gb",
        "-n",
        "-l walltime=00:01:00",
    ]


def test_properties_are_asked_for_by_name():
    assert "-l nodes=1:ppn=1:fast" in said(layout=Layout(constraint="fast"))


def test_a_list_of_indices_is_said_as_it_is():
    found = said(array="1,3,5-8", asked={"indices": "1,3,5-8", "throttle": 2})
    assert "-t 1,3,5-8%2" in found
    script = PbsBackend(TORQUE).script(order(array="3", asked={"indices": "3"}))
    assert "#PBS -t 3\n" in script
    assert 'hpc_element="$PBS_ARRAYID"' in script


def test_arrays_are_waited_for_by_its_own_words():
    parents = (
        Parent(kind="afterok", ids=("1.h", "77[].h")),
        Parent(kind="after", ids=("78[].h",)),
    )
    depend = "-W 'depend=afterok:1.h,afterokarray:77[].h,afterstartarray:78[].h'"
    assert depend in said(asked={"parents": parents})


def test_names_are_as_long_as_its_version_takes():
    PbsBackend(TORQUE).script(order(name="n" * 200))
    old = Site(version="2.5.13", flavour="torque")
    for site, name in ((old, "n" * 16), (TORQUE, "1a")):
        with pytest.raises(Wrong):
            PbsBackend(site).script(order(name=name))


def test_what_has_ended_is_read_from_its_queue():
    answer = Answer(code=0, out=DONE.format(status=0))
    (sighting,) = PbsBackend(TORQUE).read_queue([answer]).sightings
    assert (sighting.state, sighting.element, sighting.key) == ("COMPLETED", 3, "k-1")
    assert sighting.nodes == ("exec-host", "other")
    assert (sighting.cpus, sighting.cpu_time, sighting.max_rss) == (8, 7.0, 1 << 20)
    assert sighting.start_time is not None
    assert sighting.end_time == sighting.start_time + 60


def test_its_exit_codes_have_meanings_of_their_own():
    assert end(3) == ("FAILED", 3, None)
    assert end(-11) == ("TIMEOUT", None, None)
    assert end(-10) == ("OUT_OF_MEMORY", None, None)
    assert end(271) == ("CANCELLED", None, 15)
    assert end(267) == ("FAILED", None, 11)


def test_the_stand_in_answers_as_torque_does(tmp_path):
    with pbs_stand_in(tmp_path / "cluster", torque=True) as cluster:
        backend = PbsBackend()
        told = backend.read_probe(cluster.run(backend.probe()))
        assert told == replace(TORQUE, identity="torquehost")
        site = backend.read_site([cluster.run(words) for words in backend.ask_site()])
    (queue,) = site.partitions
    assert (queue.name, queue.default_time, queue.cpus_per_node) == ("batch", 3600.0, 8)
    assert (queue.gpus_per_node, queue.features) == (2, ("fast",))
