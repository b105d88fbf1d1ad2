"""Directives and flags in five dialects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.options.build import build
from hpcshell.core.options.parse import directives, parse_flags, syntax_of, words
from hpcshell.core.options.read import Place
from hpcshell.core.options.row import Dialect
from hpcshell.core.options.table import DIALECTS
from hpcshell.core.submission import Submission
from tests.support.refusals import refusal

NOW = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
PLACE = Place(now=NOW, offset=lambda unix: 0.0, cwd="/work", env={"HOME": "/home/ada", "V": "1"})


def submission(*lines: str) -> Submission:
    script = "\n".join(["#!/bin/sh", *lines, "true"]).encode()
    return build(directives(script, "job.sh").layers, PLACE, ("job.sh",)).submission


def notes(*lines: str) -> tuple[str, ...]:
    script = "\n".join(["#!/bin/sh", *lines, "true"]).encode()
    return build(directives(script, "job.sh").layers, PLACE, ("job.sh",)).notes


def settings(line: str) -> list[tuple[str, str]]:
    found = directives(f"#!/bin/sh\n{line}\n".encode(), "job.sh").settings
    return [(setting.option, setting.text) for setting in found]


# ------------------------------------------------------------------------- where directives are


def test_directives_end_at_the_first_command():
    script = b"#!/bin/sh\n\n# words\n#HPC -c 2\n  \n  # indented\necho\n#HPC -c 3\n"
    assert [s.text for s in directives(script, "x").settings] == ["2"]


@pytest.mark.parametrize(
    "line",
    [
        *(" #SBATCH -c 2", "##SBATCH -c 2", "#SBATCHx -c 2", "# SBATCH -c 2", "#sbatch -c 2"),
        *("#$Id: x$", "#$ Header", "#HPCX", "#PBSPRO -N x", "#HPC", "#HPC   ", "#SBATCH # only"),
    ],
)
def test_what_is_only_a_comment(line: str):
    assert settings(line) == []


@pytest.mark.parametrize(
    "line",
    [
        *("#SBATCH -c 2", "#SBATCH\t-c2", "#SBATCH-c 2", "#SBATCH   -c    2", "#SBATCH -c 2\r"),
        *("#SBATCH --cpus-per-task=2", "#SBATCH --cpus-per-task     2", "#SBATCH -c 2 # two"),
        *('#SBATCH -c "2"', "#HPC --cpus 2", "#HPC -c2", "#BSUB -n 2", "#BSUB-n 2", "#BSUB -n2"),
        *("#PBS -l ncpus=2", "#PBS -lncpus=2", "#PBS -l select=1:ncpus=2", "#PBS -l nodes=1:ppn=2"),
        "#$ -pe smp 2",
    ],
)
def test_two_cpus(line: str):
    assert submission(line).request.cpus == 2


def test_our_own_dialect_is_the_strongest_and_the_others_follow_in_order():
    lines = ["#HPC -J hpc", "#SBATCH -J slurm", "#PBS -N pbs", "#BSUB -J lsf", "#$ -N sge"]
    while lines:
        assert submission(*reversed(lines)).name == lines[0].split()[-1]
        lines.pop(0)


def test_of_two_the_later_line_counts():
    assert submission("#SBATCH -c 2", "#SBATCH -c 3").request.cpus == 3


def test_dialects_can_be_left_out():
    script = b"#!/bin/sh\n#PBS -N x\n#SBATCH -c 2\n"
    assert [s.option for s in directives(script, "x", ["sbatch"]).settings] == ["cpus"]


def test_an_error_names_script_line_and_directive():
    with pytest.raises(Wrong) as caught:
        submission("", "#SBATCH -t soon")
    assert caught.value.message == "job.sh line 3: #SBATCH -t: 'soon' is no duration"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("#HPC --memroy 4G", "job.sh line 2: #HPC --memroy is no option"),
        ("#SBATCH --no-such", "job.sh line 2: #SBATCH --no-such is no option"),
        ("#SBATCH -t", "job.sh line 2: #SBATCH -t needs a value"),
        ("#SBATCH --hold=x", "job.sh line 2: #SBATCH --hold takes no value"),
        ("#SBATCH --tim=5", "job.sh line 2: #SBATCH --tim is ambiguous"),
        ("#SBATCH -c 2 x", "job.sh line 2: #SBATCH: 'x' is no option"),
        ("#SBATCH --time = 5", "job.sh line 2: #SBATCH: '5' is no option"),
        ("#SBATCH -J 'x", "job.sh line 2: #SBATCH: a quote ' is not closed"),
        ("#SBATCH hetjob", "job.sh line 2: #SBATCH hetjob"),
        ("#SBATCH --wrap=x", "job.sh line 2: #SBATCH --wrap"),
        (
            "#SBATCH -N 2",
            "job.sh line 2: #SBATCH -N: 2 nodes are asked for, and this is one machine",
        ),
        ("#PBS -I", "job.sh line 2: #PBS -I: interactive"),
        ("#PBS -l walltime", "job.sh line 2: #PBS -l: 'walltime' is no resource"),
        ("#PBS -l nodes=2:ppn=4", "job.sh line 2: #PBS -l: 2 nodes"),
        ("#PBS -W depend=before:1", "job.sh line 2: #PBS -W depend: before"),
        ("#BSUB -Is", "job.sh line 2: #BSUB -Is: interactive"),
        ("#BSUB -w '!done(1)'", "job.sh line 2: #BSUB -w"),
        ("#BSUB -w 'done(1) && done(2) || done(3)'", "job.sh line 2: #BSUB -w"),
        ("#BSUB -w 'exit(1,==3)'", "job.sh line 2: #BSUB -w"),
        ("#BSUB -w 'numdone(1,3)'", "job.sh line 2: #BSUB -w"),
        ("#BSUB -W 1:2:3", "job.sh line 2: #BSUB -W"),
        ("#$ -pe smp", "job.sh line 2: #$ -pe smp"),
        ("#$ -b y", "job.sh line 2: #$ -b y"),
        ("#$ -j maybe", "job.sh line 2: #$ -j"),
        ("#$ -a 99", "job.sh line 2: #$ -a"),
    ],
)
def test_what_is_wrong_in_a_directive(line: str, message: str):
    error = refusal(submission, line)
    assert error is not None
    assert error.message.startswith(message)


def test_the_nearest_option_is_named():
    error = refusal(submission, "#SBATCH --memory=4G")
    assert error is not None
    assert error.hint == "did you mean --mem?"


def test_a_directive_that_is_no_text():
    error = refusal(directives, b"#!/bin/sh\n#HPC -J \xff\n", "job.sh")
    assert error is not None
    assert error.message == "job.sh line 2: #HPC: the line is not UTF-8"


@given(st.sampled_from(["#HPC ", "#SBATCH ", "#PBS ", "#BSUB ", "#$ -"]), st.text(max_size=30))
def test_any_line_is_read_or_refused_naming_it(prefix: str, text: str):
    line = prefix + text.replace("\n", " ")
    error = refusal(submission, line.encode(errors="replace").decode())
    assert error is None or "job.sh line 2" in error.message


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes):
    refusal(directives, content, "job.sh")
    refusal(directives, b"#HPC " + content, "job.sh")


# ---------------------------------------------------------------------------------------- words


@given(st.lists(st.text(max_size=8)))
def test_quoted_words_are_split_as_they_were_joined(some: list[str]):
    joined = " ".join("'" + word.replace("'", "'\\''") + "'" for word in some)
    assert words(joined, "x") == some


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-J 'a b' \"c d\"", ["-J", "a b", "c d"]),
        (r"a\ b \# \"", ["a b", "#", '"']),
        ('"a\\"b" \'a\\b\'', ['a"b', r"a\b"]),
        ("a # b", ["a"]),
        ("a#b", ["a#b"]),
        ("''", [""]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]):
    assert words(text, "x") == expected


def test_in_slurm_a_comment_may_begin_inside_a_word():
    assert settings("#SBATCH -J a#b") == [("name", "a")]
    assert settings("#HPC -J a#b") == [("name", "a#b")]


# ---------------------------------------------------------------------------------------- flags


def test_flags_end_at_the_script():
    parsed = parse_flags(["-c2", "--mem=4G", "-t", "10", "job.sh", "-c", "3"], "sbatch")
    assert [(s.option, s.text) for s in parsed.settings] == [
        ("cpus", "2"),
        ("memory", "4G"),
        ("time_limit", "10"),
    ]
    assert parsed.rest == ("job.sh", "-c", "3")


def test_two_dashes_end_the_flags():
    assert parse_flags(["-c", "2", "--", "-x"], "hpc").rest == ("-x",)
    assert parse_flags(["--", "--", "x"], "hpc").rest == ("--", "x")
    assert parse_flags(["-"], "hpc").rest == ("-",)


def test_letters_can_be_joined():
    assert [s.option for s in parse_flags(["-Hc2"], "hpc").settings] == ["hold", "cpus"]


def test_slurms_abbreviations():
    parsed = parse_flags(["--err=x", "--job=y", "--cpus-per-t", "2"], "sbatch")
    assert [setting.option for setting in parsed.settings] == ["error", "name", "cpus"]
    assert refusal(parse_flags, ["--mem=1", "--cp=2"], "hpc")


def test_a_flag_can_say_no():
    assert settings("#HPC --no-requeue") == [("requeue", "no")]
    assert settings("#SBATCH --requeue") == [("requeue", "yes")]
    assert settings("#PBS -r n") == [("requeue", "n")]
    assert settings("#BSUB -rn") == [("requeue", "no")]


# ---------------------------------------------------------------------------------------- Slurm


def test_a_script_as_submitit_writes_it():
    found = submission(
        "#SBATCH --array=0-2%3",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --error=/log/%A_%a_0_log.err",
        "#SBATCH --gpus-per-node=1",
        "#SBATCH --job-name=submitit",
        "#SBATCH --mem=1GB",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks-per-node=2",
        "#SBATCH --open-mode=append",
        "#SBATCH --output=/log/%A_%a_0_log.out",
        "#SBATCH --signal=USR2@90",
        "#SBATCH --time=5",
        "#SBATCH --wckey=submitit",
    )
    assert found.array == "0-2%3"
    assert (found.request.cpus, found.request.gpus, found.request.memory) == (8, 1, 1 << 30)
    assert found.append
    assert found.request.time_limit == 300
    assert found.warn is not None
    assert (found.warn.number, found.warn.before, found.warn.to) == (12, 90.0, "all")


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("#SBATCH -d afterok:1,2", "dependency", "afterok:1,afterany:2"),
        ("#SBATCH --kill-on-invalid-dep=no", "on_never", "hold"),
        ("#SBATCH --nice", "nice", 100),
        ("#SBATCH --nice=-99999", "nice", -1000),
        ("#SBATCH --priority=TOP", "priority", 1000),
        ("#SBATCH --open-mode=a", "append", True),
        ("#SBATCH --export=NONE", "env", {"HOME": "/home/ada"}),
        ("#SBATCH --begin=now+60", "begin", NOW + 60),
        ("#SBATCH -H", "hold", True),
        ("#SBATCH -D sub", "cwd", "/work/sub"),
        ("#SBATCH --comment=free", "comment", "free"),
        ("#SBATCH -A a -p p -q q", "account", "a"),
        ("#SBATCH --reservation=week", "reservation", "week"),
    ],
)
def test_slurm_fields(line: str, field: str, value: object):
    found = getattr(submission(line), field)
    if field == "env":
        found = {key: found[key] for key in found if key != "PATH"}
    assert found == value


@pytest.mark.parametrize(
    ("lines", "cpus", "memory", "gpus"),
    [
        (["#SBATCH -n 4"], 4, 0, 0),
        (["#SBATCH -n 2 -c 3 --mem-per-cpu=1G"], 6, 6 << 30, 0),
        (["#SBATCH --gres=gpu:a100:2 --mem-per-gpu=4G"], 1, 8 << 30, 2),
        (["#SBATCH --gpus-per-task=1 -n 3"], 3, 0, 3),
        (["#SBATCH -G 2 --cpus-per-gpu=4"], 8, 0, 2),
        (["#SBATCH --mem=0"], 1, 0, 0),
        (["#SBATCH --mem=5"], 1, 5 << 20, 0),
    ],
)
def test_slurm_requests(lines: list[str], cpus: int, memory: int, gpus: int):
    request = submission(*lines).request
    assert (request.cpus, request.memory, request.gpus) == (cpus, memory, gpus)


def test_slurm_times():
    for text, limit in (("0:3600", 3600), ("0:10:0", 600), ("1-02:03:04", 93784), ("60", 3600)):
        assert submission(f"#SBATCH -t {text}").request.time_limit == limit
    for text in ("0", "-1", "UNLIMITED", "INFINITE"):
        assert submission(f"#SBATCH --time={text}").request.time_limit is None


def test_what_one_machine_cannot_mean_becomes_a_note():
    assert notes("#SBATCH --exclude=n1 -C fast") == (
        "ignored: job.sh line 2: #SBATCH --exclude n1 (there is one machine)",
        "ignored: job.sh line 2: #SBATCH -C fast (there is one machine)",
    )
    assert notes("#SBATCH --mem=0")[0].startswith("job.sh line 2: #SBATCH --mem: no memory")


def test_licences_and_other_generic_resources_are_counted():
    assert submission("#SBATCH -L matlab:2").request.others == {"matlab": 2}
    assert submission("#SBATCH --gres=gpu:1,fpga:2").request.others == {"fpga": 2}


# ------------------------------------------------------------------------------------------ PBS


@pytest.mark.parametrize(
    ("line", "cpus", "memory", "gpus"),
    [
        ("#PBS -l select=1:ncpus=4:mem=2gb:ngpus=1:mpiprocs=4", 4, 2 << 30, 1),
        ("#PBS -l select=2:ncpus=2:mem=1gb+1:ncpus=1", 5, 2 << 30, 0),
        ("#PBS -l select=ncpus=3", 3, 0, 0),
        ("#PBS -l select=2", 2, 0, 0),
        ("#PBS -l nodes=1:ppn=4:gpus=1 -l mem=400mb", 4, 400 << 20, 1),
        ("#PBS -l ncpus=2,mem=1024", 2, 1024, 0),
        ("#PBS -l mem=100mw", 1, 800 << 20, 0),
        ("#PBS -l ncpus=2,pmem=1gb", 2, 2 << 30, 0),
    ],
)
def test_pbs_requests(line: str, cpus: int, memory: int, gpus: int):
    request = submission(line).request
    assert (request.cpus, request.memory, request.gpus) == (cpus, memory, gpus)


def test_pbs_walltimes():
    for text, limit in (("01:00:00", 3600), ("90:00", 5400), ("90", 90), ("1:00:00:00", 86400)):
        assert submission(f"#PBS -l walltime={text}").request.time_limit == limit


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("#PBS -N name", "name", "name"),
        ("#PBS -J 0-9:2%2", "array", "0-8:2%2"),
        ("#PBS -t 1,3,5-8", "array", "1,3,5-8"),
        ("#PBS -W depend=afterok:12.server:13[4],umask=027", "dependency", "afterok:12:13_4"),
        ("#PBS -W depend=afterokarray:12[].server", "dependency", "afterok:12"),
        ("#PBS -W umask=027", "umask", 0o27),
        ("#PBS -o host:/tmp/x^array_index^", "stdout", "/tmp/x%a"),
        ("#PBS -o /tmp/$PBS_JOBID -j oe -e /tmp/y", "stderr", ""),
        ("#PBS -j eo -e /tmp/y", "stdout", "/tmp/y"),
        ("#PBS -q long", "partition", "long"),
        ("#PBS -p 0", "priority", 500),
        ("#PBS -p -1024", "priority", 0),
        ("#PBS -a 2359", "begin", NOW + (23 * 60 + 59) * 60 - (14 * 3600 + 13 * 60 + 20)),
        ("#PBS -h", "hold", True),
        ("#PBS -l matlab=2", "request.others", {"matlab": 2}),
        ("#PBS -l place=excl", "request.exclusive", True),
        ("#PBS -v A=1,B=2", "env", {"HOME": "/home/ada", "V": "1", "A": "1", "B": "2"}),
        ("#PBS -V", "env", {"HOME": "/home/ada", "V": "1"}),
    ],
)
def test_pbs_fields(line: str, field: str, value: object):
    found: object = submission(line)
    for part in field.split("."):
        found = getattr(found, part)
    assert found == value


def test_pbs_mails():
    notify = submission("#PBS -m ae -M ada@example.org").notify
    assert notify is not None
    assert (notify.on, notify.mail) == (("fail", "end"), "ada@example.org")
    assert submission("#PBS -m n -M ada@example.org").notify is None


def test_pbs_notes():
    (note,) = notes("#PBS -l select=1:ncpus=1:mpiprocs=2")
    assert note == "job.sh line 2: #PBS -l: mpiprocs=2 is ignored (there is one machine)"


# ------------------------------------------------------------------------------------------ LSF


@pytest.mark.parametrize(
    ("line", "cpus", "memory", "gpus"),
    [
        ('#BSUB -n 4 -R "rusage[mem=500] span[hosts=1]"', 4, 500 << 20, 0),
        ('#BSUB -n 4 -R "rusage[mem=1G/task]"', 4, 4 << 30, 0),
        ("#BSUB -M 1048576", 1, 1 << 30, 0),
        ("#BSUB -M 4GB -R rusage[mem=2GB]", 1, 2 << 30, 0),
        ('#BSUB -gpu "num=2:mode=exclusive_process"', 1, 0, 2),
        ("#BSUB -gpu -", 1, 0, 1),
        ("#BSUB -n 2,4", 2, 0, 0),
    ],
)
def test_lsf_requests(line: str, cpus: int, memory: int, gpus: int):
    request = submission(line).request
    assert (request.cpus, request.memory, request.gpus) == (cpus, memory, gpus)


def test_lsf_run_limits_are_minutes():
    for text, limit in (("90", 5400), ("1:30", 5400), ("90/host", 5400), ("0:30", 1800)):
        assert submission(f"#BSUB -W {text}").request.time_limit == limit


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ('#BSUB -J "name[1-10:2]%3"', "array", "1-9:2%3"),
        ('#BSUB -J "name[1-10]"', "name", "name"),
        ("#BSUB -J name", "name", "name"),
        ('#BSUB -w "done(1) && ended(\\"prep\\")"', "dependency", "afterok:1,afterany:prep"),
        ("#BSUB -w 'exit(1) || started(2)'", "dependency", "afternotok:1?after:2"),
        ("#BSUB -w 'done(12[*])'", "dependency", "aftercorr:12"),
        ("#BSUB -w 'done(12[3])'", "dependency", "afterok:12_3"),
        ("#BSUB -w 12", "dependency", "afterok:12"),
        ("#BSUB -o out.%J.%I", "stdout", "out.%A.%a"),
        ("#BSUB -o out", "append", True),
        ("#BSUB -oo out", "append", False),
        ("#BSUB -e err", "stderr", "err"),
        ("#BSUB -sp 60", "priority", 600),
        ("#BSUB -H", "hold", True),
        ("#BSUB -x", "request.exclusive", True),
        ("#BSUB -P proj -q long", "account", "proj"),
        ("#BSUB -U week", "reservation", "week"),
        ("#BSUB -cwd /tmp", "cwd", "/tmp"),
        ("#BSUB -env none", "env", {"HOME": "/home/ada"}),
        ("#BSUB -env 'all, A=1'", "env", {"HOME": "/home/ada", "V": "1", "A": "1"}),
        ("#BSUB -ti", "on_never", "end"),
        ("#BSUB -b 23:00", "begin", NOW + 23 * 3600 - (14 * 3600 + 13 * 60 + 20)),
        ("#BSUB -R 'rusage[matlab=1]'", "request.others", {"matlab": 1}),
    ],
)
def test_lsf_fields(line: str, field: str, value: object):
    found: object = submission(line)
    for part in field.split("."):
        found = getattr(found, part)
    if isinstance(found, dict):
        found = {key: found[key] for key in found if key != "PATH"}
    assert found == value


# ------------------------------------------------------------------------------------------ SGE


@pytest.mark.parametrize(
    ("line", "cpus", "memory", "gpus"),
    [
        ("#$ -pe smp 4 -l h_vmem=2G", 4, 8 << 30, 0),
        ("#$ -pe mpi 2-8", 2, 0, 0),
        ("#$ -l mem_free=4g", 1, 4 * 1000**3, 0),
        ("#$ -l gpu=1", 1, 0, 1),
        ("#$ -l gpu", 1, 0, 1),
    ],
)
def test_sge_requests(line: str, cpus: int, memory: int, gpus: int):
    request = submission(line).request
    assert (request.cpus, request.memory, request.gpus) == (cpus, memory, gpus)


def test_sge_run_times_are_seconds():
    for text, limit in (("3600", 3600), ("01:00:00", 3600), ("1::", 3600)):
        assert submission(f"#$ -l h_rt={text}").request.time_limit == limit
    assert submission("#$ -l h_rt=INFINITY").request.time_limit is None


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("#$ -t 1-10:2 -tc 2", "array", "1-9:2%2"),
        ("#$ -hold_jid 3,prep", "dependency", "afterany:3:prep"),
        ("#$ -hold_jid_ad 3", "dependency", "aftercorr:3"),
        ("#$ -o $HOME/$JOB_NAME.$JOB_ID.$TASK_ID -j y", "stdout", "$HOME/%x.%A.%a"),
        ("#$ -e err", "stderr", "err"),
        ("#$ -wd /tmp", "cwd", "/tmp"),
        ("#$ -cwd", "cwd", "/work"),
        ("#$ -h", "hold", True),
        ("#$ -h u -N x", "name", "x"),
        ("#$ -p -1023", "priority", 0),
        ("#$ -r y", "requeue", True),
        ("#$ -V", "env", {"HOME": "/home/ada", "V": "1"}),
        ("#$ -l matlab=1", "request.others", {"matlab": 1}),
    ],
)
def test_sge_fields(line: str, field: str, value: object):
    found: object = submission(line)
    for part in field.split("."):
        found = getattr(found, part)
    assert found == value


def test_a_line_of_shell_options_is_left_alone():
    assert notes("#$ -S /bin/bash -w e -notify")[0] == (
        "ignored: job.sh line 2: #$ -S /bin/bash (the script's first line names its interpreter)"
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_left_alone_says_why(dialect: Dialect):
    for arity, why in syntax_of(dialect).left.values():
        assert arity in ("none", "one", "maybe")
        assert why
