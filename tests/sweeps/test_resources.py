"""What a sweep asks for, in anybody's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.options.parse import parse_flags
from hpcshell.jobs.options import Options
from hpcshell.sweeps.resources import over, resource_settings, sweep_options

GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "here", "on_slurm"),
    [
        ("", {}, {}),
        (
            "select=2:ncpus=8:mem=32gb",
            {"cpus": "16", "memory_total": f"{64 * GIB}B"},
            {"nodes": "2", "cpus": "8", "memory": f"{32 * GIB}B"},
        ),
        ("walltime=08:00:00", {"time_limit": "08:00:00"}, {"time_limit": "08:00:00"}),
        ("-l ncpus=4 -l mem=1gb", *2 * [{"cpus": "4", "memory_total": f"{GIB}B"}]),
        ("--nodes=2 --mem=32G", *2 * [{"nodes": "2", "memory": "32G"}]),
        ("-N 2", *2 * [{"nodes": "2"}]),
        ("--gres=gpu:v100:2", *2 * [{"gres": "gpu:v100:2"}]),
        ("--gres=gpu:1 --gres=shard:2", *2 * [{"gres": "gpu:1,shard:2"}]),
        ("cpus=4 memory=8G gpus=0.5", *2 * [{"cpus": "4", "memory": "8G", "gpus": "0.5"}]),
        ("cpus=4,time=2h", *2 * [{"cpus": "4", "time_limit": "2h"}]),
        ("--cpus 4 --gpu-mem 10G", *2 * [{"cpus": "4", "gpu_mem": "10G"}]),
    ],
)
def test_each_scheduler_may_be_spoken_to_in_the_words_of_any(text, here, on_slurm):
    assert sweep_options(text) == here
    assert sweep_options(text, "sbatch") == on_slurm


def test_chunks_of_several_kinds_are_said_to_pbs_as_they_stand():
    text = "select=1:ncpus=4:mem=16gb+1:ncpus=8:mem=32gb"
    assert sweep_options(text)["cpus"] == "12"
    assert sweep_options(text, "pbs")["native"] == [f"-l select={text.removeprefix('select=')}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cpus=4 memroy=8G", "'memroy' is no option of a job"),
        ("--cpsu 4", "--cpsu is no option"),
        ("--cpus 4 job.sh", "'job.sh' is no option"),
        ("select=0:ncpus=1", "select"),
        ("cpus", "'cpus' is no resource"),
        ("'", "a quote ' is not closed"),
    ],
)
def test_what_nobody_understands_is_refused_with_what_it_was(text, told):
    with pytest.raises(Wrong) as refused:
        sweep_options(text, where="--resources: ")
    assert told in refused.value.message
    assert refused.value.message.startswith("--resources: ")


@given(
    st.dictionaries(
        st.sampled_from(["cpus", "memory", "time", "partition", "nodes"]),
        st.sampled_from(["1", "2", "16"]),
        min_size=1,
    )
)
def test_our_words_mean_the_same_with_and_without_dashes(words):
    dashed = " ".join(f"--{name}={value}" for name, value in words.items())
    bare = " ".join(f"{name}={value}" for name, value in words.items())
    if words.keys() != {"nodes"}:  # a word of PBS's, too, which means the same
        ours = parse_flags(dashed.split(), "hpc").settings
        assert [(each.option, each.text) for each in resource_settings(bare)] == [
            (each.option, each.text) for each in ours
        ]


def test_every_keyword_is_one_that_submit_takes():
    known = {*Options.__annotations__, "memory_total"}
    for text in ("select=2:ncpus=8:mem=32gb:ngpus=1", "--nodes=2 --gres=gpu:1", "cpus=4"):
        for site in ("", "sbatch", "pbs"):
            assert sweep_options(text, site).keys() <= known


@given(
    st.dictionaries(st.sampled_from(["memory", "mem", "memory_per_cpu", "cpus"]), st.just("2")),
    st.dictionaries(st.sampled_from(["memory", "memory_total", "cpus", "time"]), st.just("1")),
)
def test_what_is_said_in_another_way_is_said_instead(stronger, weaker):
    found = over(stronger, weaker)
    assert all(value == "2" for name, value in found.items() if name.startswith("memory")) or not (
        {"memory", "mem", "memory_per_cpu"} & stronger.keys()
    )
    assert "mem" not in found
    assert "time" not in found
    assert ("cpus" in found) == ("cpus" in stronger or "cpus" in weaker)
