"""From layers of settings to what is handed to a cluster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.options.build import build
from hpcshell.core.options.parse import directives, parse_flags, syntax_of
from hpcshell.core.options.read import Place
from hpcshell.core.options.row import DIALECTS, Dialect
from hpcshell.core.options.spec import BuiltSpec, build_spec
from hpcshell.core.options.table import BY_NAME, OPTIONS
from hpcshell.core.records import Request
from tests.support.refusals import refusal

NOW = 1_790_000_000.0
ENV = {"HOME": "/home/ada", "PATH": "/opt/bin", "LANG": "C.UTF-8", "SECRET": "x\ny"}
PLACE = Place(now=NOW, offset=lambda unix: 0.0, cwd="/work", env=ENV)
GIB = 1 << 30
SITES = ("sbatch", "pbs", "lsf", "sge", "flux")
"""The dialects of sites, one of them never heard of."""

sites = st.sampled_from(SITES)


def made(flags: str | list[str], *lines: str, site: str = "sbatch", **more) -> BuiltSpec:
    """From a command line and the directives of a script."""
    words = flags.split() if isinstance(flags, str) else flags
    script = "\n".join(["#!/bin/sh", *lines, "true"]).encode()
    layers = [*directives(script, "job.sh").layers, parse_flags(words, "hpc").settings]
    return build_spec(layers, PLACE, ("job.sh",), dialect=site, **more)


def spec(flags: str | list[str], *lines: str, site: str = "sbatch", **more) -> JobSpec:
    return made(flags, *lines, site=site, **more).spec


def layout(flags: str | list[str], *lines: str, site: str = "sbatch") -> Layout:
    return spec(flags, *lines, site=site).layout


# ----------------------------------------------------------------------------------------- laws

KNOWN_TO_BOTH = (
    *("-c 3", "-n 4", "--ntasks-per-node 2", "-N 1", "--mem 4G", "--mem-per-cpu 1G", "-t 1h"),
    *("-g 2", "--gpus-per-node 2", "--gres gpu:1,fpga:2", "--cpus-per-gpu 4", "-L matlab:2"),
    *("-J name", "-a 0-9%2", "-d afterok:1", "-b now+1h", "--deadline now+9d", "-H", "-p long"),
    *("-o out", "-e err", "-i in", "-D sub", "--export SECRET,A=1", "--env B=x,y", "--tag t"),
    *(
        "--priority high",
        "--nice 3",
        "-A a",
        "-q q",
        "--reservation r",
        "--exclusive",
        "--umask 077",
    ),
    *("--comment c", "--no-requeue", "--retries 2", "--mail-user ada@example.org", "--signal USR1"),
)


@given(st.lists(st.sampled_from(KNOWN_TO_BOTH), unique=True), sites)
def test_what_both_know_is_the_same_here_and_on_a_cluster(flags: list[str], site: str):
    settings = parse_flags(" ".join(flags).split(), "hpc").settings
    here = refusal(build, [settings], PLACE, ("x",))
    there = refusal(build_spec, [settings], PLACE, ("x",), dialect=site)
    if here is not None:
        assert there is not None
        assert there.message == here.message
        return
    alone = build([settings], PLACE, ("x",)).submission
    found = build_spec([settings], PLACE, ("x",), dialect=site).spec.submission
    told = {"SLURM_NTASKS", "SLURM_NPROCS"}
    assert found.env == {name: alone.env[name] for name in alone.env if name not in told}
    for field in found.__struct_fields__:
        if field != "env":
            assert getattr(found, field) == getattr(alone, field), field


REPLACED = ("-g 2", "--gpus-per-node 2", "--gres gpu:1,fpga:2", "--mem 4G", "--mem-per-cpu 1G")
"""Of these a stronger layer's replaces a weaker one's."""


@given(
    st.lists(
        st.sampled_from([flag for flag in KNOWN_TO_BOTH if flag not in REPLACED]), unique=True
    ),
    sites,
    st.integers(0, 9),
)
def test_settings_may_be_spread_over_layers_for_a_cluster_too(flags, site: str, cut: int):
    def built(*groups: list[str]) -> BuiltSpec:
        layers = [parse_flags(" ".join(group).split(), "hpc").settings for group in groups]
        return build_spec(layers, PLACE, ("x",), dialect=site)

    assert built(flags[:cut], flags[cut:]) == built(flags)


def test_nobody_says_what_nobody_has_said():
    for site in SITES:
        found = spec("", site=site)
        assert found.layout == Layout()
        assert (found.modules, found.conda, found.venv, found.setup, found.native) == (
            *((), "", ""),
            *((), ()),
        )
        assert found.submission == build([], PLACE, ("job.sh",)).submission


REQUESTS = [
    (
        "-N 2 --ntasks-per-node 4 -c 2 --mem 32G --gpus-per-node 1 -t 1h",
        [
            "#SBATCH -N 2 --ntasks-per-node=4 -c 2 --mem=32G --gpus-per-node=1 -t 60",
            "#SBATCH -N 2 --ntasks-per-node=4 -c 2 --mem=32G --gres=gpu:1 -t 60",
            "#PBS -l select=2:ncpus=8:mpiprocs=4:mem=32gb:ngpus=1 -l walltime=1:00:00",
            "#PBS -l select=2:ncpus=8:mpiprocs=4:ompthreads=2:mem=32gb:ngpus=1,walltime=1:00:00",
        ],
    ),
    (
        "-n 16 --ntasks-per-node 8 --mem-per-cpu 2G",
        [
            "#SBATCH -n 16 --ntasks-per-node=8 --mem-per-cpu=2G",
            '#BSUB -n 16 -R "span[ptile=8] rusage[mem=2G/task]"',
        ],
    ),
    (
        "-N 2 --ntasks-per-node 8 --mem 8G --gpus-per-node 1",
        [
            "#SBATCH -N2 --tasks-per-node=8 --mem=8G --gpus-per-node=1",
            "#PBS -l nodes=2:ppn=8:gpus=1,mem=16gb",
        ],
    ),
    (
        "-n 4 -N 1 --mem 4G",
        ["#SBATCH -n 4 -N 1 --mem=4G", '#BSUB -n 4 -R "rusage[mem=4G] span[hosts=1]"'],
    ),
    ("-c 4 --mem 2G", ["#SBATCH -c 4 --mem=2G", "#PBS -l ncpus=4,mem=2gb"]),
    ("-c 4 --mem-per-cpu 2G", ["#SBATCH -c4 --mem-per-cpu=2G", "#$ -pe smp 4 -l h_vmem=2G"]),
    ("-n 16 --mem-per-cpu 2G", ["#PBS -l procs=16,mem=32gb", "#$ -pe openmpi 16 -l h_vmem=2G"]),
    (
        "--gpus-per-node a100:2",
        [
            "#SBATCH --gres=gpu:a100:2",
            "#SBATCH --gpus-per-node=a100:2",
            "#BSUB -gpu num=2:gmodel=a100",
        ],
    ),
    ("--gpus-per-task 1 -n 2", ["#SBATCH --gpus-per-task=1 -n 2", "#BSUB -n 2 -gpu num=1/task"]),
    ("--gpus 2", ["#SBATCH -G 2", "#PBS -l ngpus=2", "#$ -l gpu=2"]),
    ("--memory 1G", ["#SBATCH --mem 1G", "#PBS -l mem=1gb", "#BSUB -M 1048576"]),
    ("--exclusive", ["#SBATCH --exclusive", "#PBS -l place=excl", "#BSUB -x"]),
    ("-L matlab:2", ["#SBATCH -L matlab:2"]),
    ("-C a100|h100", ["#SBATCH -C 'a100|h100'", "#SBATCH --constraint=a100|h100"]),
]


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize(("flags", "lines"), REQUESTS, ids=[flags for flags, _ in REQUESTS])
def test_a_request_is_the_same_in_every_dialect(flags: str, lines: list[str], site: str):
    expected = layout(flags, site=site)
    for line in lines:
        found = spec("", line, site=site)
        assert found.layout == expected, line
        assert found.submission.request == spec(flags, site=site).submission.request


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("-N 2-4", Layout(nodes=2, nodes_most=4)),
        ("-N 3", Layout(nodes=3)),
        ("--gpus a100:4", Layout(gpus=4, gpu_type="a100")),
        ("--gpus 4 --gpus-per-node 2", Layout(gpus_per_node=2)),
        ("--gres gpu:v100:2,fpga:x2:1,nic:1", None),
        ("--mem-per-gpu 4G -g 1", Layout(gpus=1, memory_per_gpu=4 * GIB)),
        ("--cpus-per-gpu 4 -g 1", Layout(gpus=1, cpus_per_gpu=4)),
        ("--resource matlab@lic1:2", Layout(licenses={"matlab@lic1": 2})),
        ("-C fast", Layout(constraint="fast")),
    ],
)
def test_layouts(flags: str, expected: Layout | None):
    if expected is None:
        expected = Layout(gpus_per_node=2, gpu_type="v100", gres={"fpga:x2": 1, "nic": 1})
    assert layout(flags) == expected


def test_of_several_nodes_the_request_is_the_sum():
    found = spec("-N 2 --ntasks-per-node 4 -c 2 --mem 32G --gpus-per-node 1").submission.request
    assert found == Request(cpus=16, memory=64 * GIB, gpus=2, nodes=0)


def test_exclusive_keeps_its_word():
    assert layout("", "#SBATCH --exclusive=user").exclusive == "user"
    assert spec("", "#SBATCH --exclusive=user").submission.request.exclusive
    assert layout("", "#SBATCH --exclusive").exclusive == "yes"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--gpus 0.5", "--gpus: 0.5 GPUs: a cluster gives whole ones"),
        ("--gres gpu:1.5", "--gres: 1.5 GPUs: a cluster gives whole ones"),
        ("--gpus a100:1,v100:1", "--gpus: 'a100:1,v100:1' names GPUs of several models"),
        ("--mem 1G --mem-per-cpu 1G", "--mem-per-cpu and --memory exclude each other"),
    ],
)
def test_what_no_cluster_can_be_asked_for(flags: str, message: str):
    error = refusal(spec, flags)
    assert error is not None
    assert error.message == message


def test_a_models_name_goes_with_the_gpus_it_was_said_of():
    assert layout("-g 4", "#SBATCH --gres=gpu:a100:2") == Layout(gpus=4)
    assert layout("-g v100:4", "#SBATCH --gres=gpu:a100:2") == Layout(gpus=4, gpu_type="v100")


# ----------------------------------------------------------------------------------- environment


def test_what_was_named_goes_along_and_the_rest_is_asked_for_or_not():
    found = spec("--export SECRET,A=1,NO_SUCH --env B=x,y")
    assert found.named == {"SECRET": "x\ny", "A": "1", "B": "x,y"}
    assert not found.whole
    assert found.submission.env["B"] == "x,y"
    assert spec("--export ALL,A=1").named == {"A": "1"}
    assert spec("--export ALL,A=1").whole
    assert (spec("").named, spec("").whole) == ({}, True)


def test_the_site_and_not_we_tells_a_job_of_its_tasks():
    assert "SLURM_NTASKS" not in spec("-n 4").submission.env


def test_modules_environments_and_lines_of_shell_add_up_over_layers():
    found = spec(
        ["--module", "openmpi,gcc/12.2", "--setup", "export A=1; ulimit -s unlimited"],
        *("#HPC --module gcc/12.2 --conda base --venv env", "#HPC --setup 'set -u'"),
    )
    assert found.modules == ("gcc/12.2", "openmpi")
    assert (found.conda, found.venv) == ("base", "env")
    assert found.setup == ("set -u", "export A=1; ulimit -s unlimited")


# ---------------------------------------------------------------------------------- native words


def test_native_words_are_handed_on_in_their_order():
    found = spec(
        ["--native", "--nodelist=n1 --comment='a b'", "--native=-x n2"],
        *("#SBATCH --switches=2", "#HPC --native --bb=x"),
    )
    assert found.native == (
        *("--switches=2", "--bb=x"),
        *("--nodelist=n1", "--comment=a b", "-x", "n2"),
    )


@pytest.mark.parametrize(
    ("line", "site", "words"),
    [
        ("#SBATCH --nodelist=n[1-2] -x n3", "sbatch", ("--nodelist=n[1-2]", "-x", "n3")),
        ("#SBATCH --contiguous --hint='a b'", "sbatch", ("--contiguous", "--hint=a b")),
        ("#SBATCH --mem=0", "sbatch", ("--mem=0",)),
        ("#SBATCH --time=0", "sbatch", ("--time=UNLIMITED",)),
        ("#SBATCH --priority=99999", "sbatch", ("--priority=99999",)),
        ("#SBATCH --nice=-5000", "sbatch", ("--nice=-5000",)),
        ("#SBATCH --gpus-per-socket=2", "sbatch", ("--gpus-per-socket=2",)),
        ("#SBATCH --wckey=x", "sbatch", ("--wckey=x",)),
        ("#PBS -l place=scatter:excl", "pbs", ("-l", "place=scatter:excl")),
        ("#PBS -l file=10gb,matlab=1", "pbs", ("-l", "file=10gb", "-l", "matlab=1")),
        ("#PBS -l pmem=1gb", "pbs", ("-l", "pmem=1gb")),
        (
            "#PBS -l select=2:ncpus=2:mem=1gb+1:ncpus=1",
            "pbs",
            ("-l", "select=2:ncpus=2:mem=1gb+1:ncpus=1"),
        ),
        ("#PBS -l select=1:ncpus=2:host=n1", "pbs", ("-l", "select=1:ncpus=2:host=n1")),
        ("#PBS -l select=1:ncpus=8:mpiprocs=3", "pbs", ("-l", "select=1:ncpus=8:mpiprocs=3")),
        ("#PBS -l nodes=2:ppn=4:fast", "pbs", ("-l", "nodes=2:ppn=4:fast")),
        ("#PBS -l nodes=1:ppn=4+2:ppn=8", "pbs", ("-l", "nodes=1:ppn=4+2:ppn=8")),
        ("#PBS -W group_list=staff", "pbs", ("-W", "group_list=staff")),
        ("#PBS -p -100", "pbs", ("-p", "-100")),
        ("#BSUB -n 4,8", "lsf", ("-n", "4,8")),
        (
            "#BSUB -R 'select[mem>1] rusage[lic=1]'",
            "lsf",
            ("-R", "select[mem>1]", "-R", "rusage[lic=1]"),
        ),
        ("#BSUB -gpu num=2:mode=shared", "lsf", ("-gpu", "num=2:mode=shared")),
        ("#BSUB -m 'n1 n2' -app x", "lsf", ("-m", "n1 n2", "-app", "x")),
        ("#$ -pe mpi 4-8", "sge", ("-pe", "mpi", "4-8")),
        ("#$ -l hostname=n1,matlab=1", "sge", ("-l", "hostname=n1", "-l", "matlab=1")),
        ("#$ -l mem_free=4G", "sge", ("-l", "mem_free=4G")),
        ("#$ -binding linear:4", "sge", ("-binding", "linear:4")),
    ],
)
def test_what_only_the_sites_own_words_say_is_said_in_them_there_and_noted_elsewhere(
    line: str, site: str, words: tuple[str, ...]
):
    assert spec("", line, site=site).native == words
    for other in SITES:
        if other != site:
            assert spec("", line, site=other).native == ()


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "hpc"])
def test_every_option_that_is_left_alone_here_is_heard_by_a_site_of_its_dialect(dialect: Dialect):
    syntax = syntax_of(dialect)
    for flag, (arity, _) in syntax.left.items():
        words = [flag] if arity != "one" else [flag, "n1"]
        settings = parse_flags(words, dialect).settings
        there = build_spec([settings], PLACE, ("x",), dialect=dialect)
        elsewhere = build_spec([settings], PLACE, ("x",), dialect="flux")
        if flag in syntax.steering:
            assert (there.spec.native, len(there.notes)) == ((), 1)
        else:
            said = ("=".join(words),) if flag.startswith("--") else tuple(words)
            assert (there.spec.native, there.notes) == (said, ())
        assert (elsewhere.spec.native, len(elsewhere.notes)) == ((), 1)
        assert build([settings], PLACE, ("x",)).notes == elsewhere.notes


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), max_size=9))
)
def test_any_word_of_a_directive_arrives_as_it_stands(texts: list[str]):
    words = [word for text in texts for word in ("--nodelist", text)]
    settings = parse_flags(words, "sbatch").settings
    found = build_spec([settings], PLACE, ("x",), dialect="sbatch").spec.native
    assert found == tuple(f"--nodelist={text}" for text in texts)


@pytest.mark.parametrize(
    ("flags", "line", "site", "noted"),
    [
        ("--mem 4G", "#SBATCH --mem=0", "sbatch", False),
        ("--mem-per-cpu 4G", "#SBATCH --mem=0", "sbatch", False),
        ("--priority high", "#SBATCH --priority=99999", "sbatch", False),
        ("--time 1h", "#SBATCH --time=0", "sbatch", False),
        ("-g 2", "#SBATCH --gpus-per-socket=2", "sbatch", False),
        ("-c 4", "#PBS -l select=1:ncpus=2:host=n1", "pbs", True),
        ("--mem 4G", "#PBS -l select=1:ncpus=2:host=n1", "pbs", True),
        ("-c 4", "#$ -pe mpi 16", "sge", True),
        ("-n 8", "#BSUB -n 4,8", "lsf", True),
    ],
)
def test_the_command_line_wins_over_the_sites_own_words_in_a_script(
    flags: str, line: str, site: str, noted: bool
):
    found = made(flags, line, site=site)
    assert found.spec.native == ()
    assert any("gives way to" in note for note in found.notes) == noted


def test_words_for_something_else_stay():
    assert spec("--mem 4G", "#$ -pe mpi 16", site="sge").native == ("-pe", "mpi", "16")
    assert spec("-t 1h", "#SBATCH --mem=0").native == ("--mem=0",)


def test_slots_and_their_environment_are_both_kept():
    found = spec("", "#$ -pe mpi 16", site="sge")
    assert (found.layout, found.native) == (Layout(tasks=16), ("-pe", "mpi", "16"))


def test_chunks_of_several_kinds_are_taken_together_elsewhere():
    found = made("", "#PBS -l select=2:ncpus=2:mem=1gb+1:ncpus=1", site="sbatch")
    assert found.spec.layout == Layout(cpus_per_task=5, memory=2 * GIB)
    assert "taken together" in found.notes[0]


# ------------------------------------------------------------------------------- notes, meaning


def test_an_unlimited_time_is_noted_where_it_cannot_be_said():
    assert made("-t unlimited").notes == ("without a time limit the site's own default holds",)
    assert made("", "#SBATCH --time=0").notes == ()


def test_the_meaning_says_what_each_node_gives():
    found = made("-N 2-4 --ntasks-per-node 4 -c 2 --mem 32G --gpus-per-node a100:1 -C ib -t 1h")
    assert found.meaning == (
        *("2 to 4 nodes", "8 tasks", "memory 32G on each node", "16 CPUs", "2 GPUs"),
        *("model a100", "nodes with ib", "time limit 1h 0m"),
    )
    assert made("").meaning == ("1 CPU",)


ON_CLUSTERS_ONLY = [row for row in OPTIONS if row.clusters]


@pytest.mark.parametrize("row", ON_CLUSTERS_ONLY, ids=lambda row: row.name)
def test_what_means_something_on_clusters_only_is_noted_here(row):
    found = build([parse_flags([row.flag, "x"], "hpc").settings], PLACE, ("x",))
    assert found.notes == (f"ignored: {row.flag} x (there is one machine)",)
    assert found.submission == build([], PLACE, ("x",)).submission


def test_rows_for_clusters_stand_together():
    assert {row.name for row in ON_CLUSTERS_ONLY} == {
        *("constraint", "native", "stage_in", "stage_out"),
    }
    assert BY_NAME["nodes"].panel == BY_NAME["constraint"].panel == "Clusters"
