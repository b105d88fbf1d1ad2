"""From layers of settings to one submission."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.options.build import Built, build, meaning
from hpcshell.core.options.parse import parse_flags
from hpcshell.core.options.read import Place
from hpcshell.core.options.row import Setting
from hpcshell.core.records import Notify, Request, Retry
from hpcshell.core.settings import SHIPPED_PROFILES, Settings
from hpcshell.core.settings_read import default_options
from hpcshell.core.submission import Submission
from tests.support.refusals import refusal

NOW = 1_790_000_000.0
ENV = {"HOME": "/home/ada", "PATH": "/opt/bin", "LANG": "C.UTF-8", "SECRET": "x\ny"}


def place(**env: str) -> Place:
    return Place(now=NOW, offset=lambda unix: 0.0, cwd="/work", env=ENV | env)


def made(*layers: str, **more) -> Built:
    """From layers as typed, weakest first."""
    settings = [parse_flags(layer.split(), "hpc").settings for layer in layers]
    return build(settings, more.pop("place", place()), ("job.sh",), **more)


def submission(*layers: str, **more) -> Submission:
    return made(*layers, **more).submission


def request(*layers: str, **more) -> Request:
    return submission(*layers, **more).request


# --------------------------------------------------------------------------------------- layers


def test_nothing_said_is_one_cpu_and_the_callers_surroundings():
    found = submission()
    assert found == Submission(argv=("job.sh",), cwd="/work", env=ENV)


@given(
    st.permutations([("-c", "2"), ("--mem", "4G"), ("-t", "30"), ("-J", "x"), ("-p", "main")]),
    st.integers(0, 5),
)
def test_settings_may_be_spread_over_layers_in_any_order(flags, cut: int):
    words = [" ".join(flag) for flag in flags]
    together = submission(" ".join(words))
    apart = submission(" ".join(words[:cut]), " ".join(words[cut:]))
    assert apart == together


@given(st.lists(st.integers(1, 99), min_size=1, max_size=5))
def test_the_strongest_layer_wins(cpus: list[int]):
    assert request(*(f"-c {number}" for number in cpus)).cpus == cpus[-1]


def test_profiles_lie_below_all_layers_and_above_defaults():
    shipped = {"profiles": SHIPPED_PROFILES, "defaults": {"memory": "1G", "account": "a"}}
    found = submission("--profile standard", "-t 10", **shipped)
    assert found.request == Request(cpus=4, memory=8 << 30, time_limit=600.0)
    assert (found.profile, found.account) == ("standard", "a")
    assert request("-c 2 --profile standard", **shipped).cpus == 2
    assert request(**shipped).memory == 1 << 30


def test_the_strongest_layer_names_the_profile_even_a_default_may():
    shipped = {"profiles": SHIPPED_PROFILES}
    assert request("--profile light", "--profile standard", **shipped).cpus == 4
    assert request(defaults={"profile": "compute"}, **shipped).cpus == 16


@pytest.mark.parametrize(
    ("name", "cpus", "memory", "gpus", "hours"),
    [
        ("light", 1, 2, 0, 24),
        ("standard", 4, 8, 0, 24),
        ("compute", 16, 32, 1, 24),
        ("gpu_intensive", 32, 128, 4, 48),
    ],
)
def test_shipped_profiles(name: str, cpus: int, memory: int, gpus: int, hours: int):
    assert request(f"--profile {name}", profiles=SHIPPED_PROFILES) == Request(
        cpus=cpus, memory=memory << 30, gpus=gpus, time_limit=hours * 3600.0
    )


def test_the_default_settings_say_nothing_that_a_submission_does_not():
    assert submission(defaults=default_options(Settings())) == submission()


def test_a_stronger_kind_of_memory_replaces_the_weaker_one():
    assert request("--mem 4G", "-c 2 --mem-per-cpu 1G").memory == 2 << 30
    assert request("--mem-per-cpu 1G", "-c 2 --mem 4G").memory == 4 << 30


def test_tags_and_resources_add_up_and_dependencies_are_replaced():
    assert submission("--tag a --tag b", "--tag b --tag c").tags == ("a", "b", "c")
    assert request("--resource a=1", "--resource b=2 --resource a=3").others == {"a": 3, "b": 2}
    assert submission("-d afterok:1", "--afterany 2").dependency == "afterany:2"
    assert submission("-d afterok:1 --afterok 2:3 --afterany 4").dependency == (
        "afterok:1:2:3,afterany:4"
    )


def test_a_stronger_no_takes_back_a_weaker_yes():
    assert submission("--no-requeue").requeue is False
    assert submission("--no-requeue", "--requeue").requeue is True


# --------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("-c 2 -n 3", Request(cpus=6)),
        ("-n 3 --ntasks-per-node 5", Request(cpus=3)),
        ("--ntasks-per-node 5", Request(cpus=5)),
        ("-g 2", Request(gpus=2)),
        ("-g 2 -c 3", Request(gpus=2, cpus=3)),
        ("-g a100:2", Request(gpus=2, gpu_type="a100")),
        ("-g a100:1,a100:1", Request(gpus=2, gpu_type="a100")),
        ("-g 2 --gpu-type a100", Request(gpus=2, gpu_type="a100")),
        ("--gres gpu:a100:2", Request(gpus=2, gpu_type="a100")),
        (
            "-g 1.5 --gpus-allowed 6,0-3",
            Request(gpus=1, gpu_share=50, gpus_allowed=(0, 1, 2, 3, 6)),
        ),
        ("--gpu-mem 10G", Request(gpu_mem=10 << 30)),
        ("--gpus 4 --gpus-per-node 2", Request(gpus=2)),
        ("-N 1-4 --ntasks-per-node 3", Request(cpus=3)),
        ("-g 2 --cpus-per-gpu 3", Request(gpus=2, cpus=6)),
        ("--gres gpu:2,fpga:1", Request(gpus=2, others={"fpga": 1})),
        ("--exclusive -t unlimited", Request(exclusive=True)),
        ("-g 2 --mem-per-gpu 4G", Request(gpus=2, memory=8 << 30)),
    ],
)
def test_requests(flags: str, expected: Request):
    assert request(flags) == expected


@pytest.mark.parametrize(
    ("flags", "field", "expected"),
    [
        ("-a 0-9 --throttle 2", "array", "0-9%2"),
        ("-a 0-9%4 --throttle 2", "array", "0-9%2"),
        ("-o logs/", "stdout", "logs/hpc-%j.out"),
        ("-o logs/ -e logs/ -a 0-9", "stderr", "logs/hpc-%A_%a.err"),
        ("-o out -e out", "stderr", ""),
        ("--open-mode append", "append", True),
        ("-D sub", "cwd", "/work/sub"),
        (
            "--retries 3 --retry-on oom --retry-delay 5s",
            "retry",
            Retry(limit=3, on=("oom",), delay=5.0),
        ),
        ("--retries 1 --retry-grow mem=2", "retry", Retry(limit=1, grow={"memory": 2.0})),
        ("--mail-user ada", "notify", Notify(on=("end", "fail"), mail="ada")),
        ("--notify desktop --notify-on begin", "notify", Notify(on=("begin",), desktop=True)),
        (
            "--webhook https://x.org/y",
            "notify",
            Notify(on=("end", "fail"), webhook="https://x.org/y"),
        ),
        ("--mail-user ada --mail-type NONE", "notify", None),
        ("--mail-type END", "notify", None),
        ("--priority low --nice 5", "priority", 250),
        ("--unique -H", "unique", True),
        ("--screen -H", "session", "any"),
        ("--screen=TMUX", "session", "tmux"),
        ("--screen --screen=no", "session", ""),
        ("--on-never hold", "on_never", "hold"),
    ],
)
def test_fields(flags: str, field: str, expected: object):
    assert getattr(submission(flags), field) == expected


def test_events_without_a_receiver_are_mailed_to_the_user():
    found = submission("--mail-type END", place=place(USER="ada"))
    assert found.notify == Notify(on=("end",), mail="ada")


def test_every_field_of_a_submission_can_be_set():
    found = submission(
        "-c 2 -a 0-9 -d afterok:1 --on-never hold --priority 1 --nice 1 -p p -A a -q q"
        " --reservation r --gang g:2"
        " --profile light --tag t --comment c -H -b now+1h --deadline now+9d --grace 1s --signal 10"
        " --checkpoint-signal USR1@30"
        " --no-requeue --retries 1 --mail-user u -i i -o o -e e --open-mode append --unique -J n"
        " --umask 077 -t 1h --model m --screen --rewrite-cuda",
        profiles=SHIPPED_PROFILES,
    )
    plain = submission()
    same = {
        field
        for field in Submission.__struct_fields__
        if getattr(found, field) == getattr(plain, field)
    }
    assert same == {"argv", "cwd", "env", "script", "guarded"}, "hpc gpu guards scripts, no option"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--mem 1G --mem-per-cpu 1G", "--mem-per-cpu and --memory exclude each other"),
        ("-g 1 --gpus-per-task 1", "--gpus-per-task and --gpus exclude each other"),
        ("--gpus 0,1", "--gpus: '0,1' is a list, and how many GPUs is one number"),
        ("--gpus 0-3", "--gpus: '0-3' is a list"),
        ("--gpus a100:1,1", "--gpus: 'a100:1,1' is a list"),
        ("--gpus-per-task 1,2", "--gpus-per-task: '1,2' is a list"),
        ("--gpus-allowed -1", "--gpus-allowed: '-1' names no cards"),
        ("--gpus-allowed 1-", "--gpus-allowed: '1-' names no cards"),
        ("--gpus-allowed 0,,2", "--gpus-allowed: '' names no cards"),
        ("--gpus-allowed 3-1", "--gpus-allowed: '3-1' ends before it begins"),
        ("--ctx 16777217", "--ctx: 16777217 is too large"),
        ("--batch 65537", "--batch: 65537 is too large"),
        ("--throttle 2", "--throttle limits an array, and there is none"),
        ("--profile lite", "--profile: there is no profile 'lite'"),
        ("--deadline now-1h", "--deadline 2026-09-21 13:13:20 has passed"),
        ("--begin=-1", "--begin: '-1' has passed"),
        ("--deadline now+1h -t 2h", "--deadline 2026-09-21 15:13:20 comes before its 2h 0m"),
        ("-b now+2h --deadline now+1h", "--deadline 2026-09-21 15:13:20 comes before it begins"),
        (
            "-d afterok:1?afterok:2 --afterok 3",
            "--dependency: 'afterok:1?afterok:2,afterok:3' mixes",
        ),
        ("-c 1000000000 -n 1000000000", "1,000,000,000,000,000,000 CPUs"),
        ("-d bogus:1", "-d: 'bogus' is no kind of dependency"),
    ],
)
def test_what_cannot_be_meant(flags: str, message: str):
    error = refusal(made, flags)
    assert error is not None
    assert error.message.startswith(message)


def test_a_bad_value_is_wrong_even_where_a_stronger_layer_replaces_it():
    assert refusal(made, "-t soon", "-t 10")


def test_a_profile_with_an_unknown_option_says_which():
    error = refusal(lambda: made("--profile x", profiles={"x": {"cpuss": "2"}}))
    assert error is not None
    assert error.message == "profile x: cpuss is no option of a job"
    assert error.hint == "did you mean cpus?"


@pytest.mark.parametrize("word", ["a\0b", "\udcff"])
def test_a_command_that_the_system_could_not_be_given(word: str):
    assert refusal(build, [], place(), ("x", word))


# ---------------------------------------------------------------------------------- environment


def environment(flags: str, **env: str) -> dict[str, str]:
    return submission(flags, place=place(**env)).env


def test_all_of_the_environment_goes_along_unless_said_otherwise():
    assert environment("") == ENV
    assert environment("--export ALL,A=1,HOME=/x") == ENV | {"A": "1", "HOME": "/x"}


def test_none_leaves_what_a_login_has():
    found = environment("--export NONE")
    assert found.keys() == {"HOME", "PATH", "LANG"}
    assert found["PATH"] != ENV["PATH"]


def test_a_list_adds_what_it_names():
    found = environment("--export SECRET,A=1")
    assert (found["SECRET"], found["A"]) == ("x\ny", "1")
    assert "HOME" in found


def test_a_variable_that_is_not_there_is_noted():
    built = made("--export ALL,NO_SUCH")
    assert built.notes == ("--export: 'NO_SUCH' is not set here",)


def test_single_variables_are_taken_as_they_stand():
    assert environment("--env A=x,y=z --env B=")["A"] == "x,y=z"
    assert environment("--env A=x,y=z --env B=")["B"] == ""


def test_a_job_submitted_by_a_job_does_not_inherit_what_that_one_knows_of_itself():
    inherited = {
        "HPC_JOB_ID": "1",
        "HPC_ARRAY_TASK_ID": "3",
        "HPC_RUN_ID": "9",
        "SLURM_JOB_ID": "1",
        "SLURM_ARRAY_TASK_ID": "3",
        "SLURM_CPUS_PER_TASK": "8",
    }
    kept = {"HPC_RESOURCES__CPUS": "64", "HPCSHELL_HOME": "/h", "SLURM_TIME_FORMAT": "standard"}
    assert environment("", **inherited, **kept) == ENV | kept


def test_a_value_that_is_not_utf8_is_left_out_with_a_note():
    built = made("", place=place(BAD="\udcff"))
    assert built.submission.env == ENV
    assert built.notes == ("variable 'BAD' is left out: it is not UTF-8",)
    msgspec.json.encode(built.submission)


# ------------------------------------------------------------------------------ notes, meaning


def test_notes_say_what_has_no_effect():
    assert made("--signal USR1").notes == (
        "--signal comes ahead of a time limit, and there is none",
    )
    assert made("--retry-on oom").notes == (
        "--retry-on says how to retry, and --retries is not given",
    )
    assert made("-b 2026-01-01").notes == ("--begin 2026-01-01 00:00:00 has passed",)
    (note,) = made("--rewrite-cuda --gpus 1").notes
    assert note.startswith("--rewrite-cuda rewrites nothing: the command has no --cuda")


def test_the_notes_of_directives_are_kept():
    note = Setting(option="", text="ignored: x", origin="x")
    assert build([[note, note]], place(), ("x",)).notes == ("ignored: x",)


def test_the_meaning_of_everything_in_words():
    built = made(
        "-c 2 --mem 4G -g 1 --resource matlab=2 --exclusive -t 30 -a 0-99:2%8 -b now+1h"
        " --deadline now+1d -d afterok:12 --signal USR1@60 --retries 2"
    )
    assert built.meaning == (
        "2 CPUs",
        "memory 4G",
        "1 GPU",
        "2 matlab",
        "the whole machine",
        "time limit 30m 0s",
        "50 elements, 8 at once",
        "not before 2026-09-21 15:13:20",
        "ended by 2026-09-22 14:13:20",
        "waits for afterok:12",
        "signal USR1@60",
        "2 retries",
    )


def test_the_meaning_of_nothing_is_one_cpu():
    assert meaning(submission(), place()) == ["1 CPU"]


def test_a_refusal_is_wrong_and_not_ours():
    with pytest.raises(Wrong) as caught:
        made("-c 0")
    assert caught.value.exit_code == 2


def test_the_job_is_told_where_it_was_submitted_and_of_how_many_tasks():
    found = submission("--chdir /elsewhere -n 4 -c 2")
    assert found.request.cpus == 8
    assert found.env["HPC_SUBMIT_DIR"] == "/work"
    assert found.env["SLURM_NTASKS"] == found.env["SLURM_NPROCS"] == "4"
