"""The common part of every job script, run by bash: what it opens, records, hands on and hides."""

from __future__ import annotations

import getpass
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcshell.backends.contract import Order
from hpcshell.backends.jobscript import (
    Names,
    Recorded,
    environment_file,
    job_script,
    own_variables,
    quote,
    read_records,
    shell_pattern,
)
from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.patterns import expand
from hpcshell.core.submission import Submission

few = settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""Each example starts a bash, so it carries many cases."""
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NAMES = Names(job='"$JOB"', element='"$ELEMENT"', forward=("USR1",))


def bash(script: str, **variables: str) -> bytes:
    done = subprocess.run(
        ["bash", "-c", script], env=os.environ | variables, capture_output=True, check=True
    )
    assert done.stderr == b""
    return done.stdout


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """A job's directory with its script in it; returns the script."""

    def make(*argv: str, env: dict[str, str] | None = None, **asked: Any) -> Path:
        directory = tmp_path / "it's $(the) job"
        (directory / "record").mkdir(parents=True, exist_ok=True)
        plain = Submission(argv=argv, cwd=str(tmp_path), env={}, name="prep")
        spec_fields = {"setup": asked.pop("setup", ())}
        spec = JobSpec(submission=msgspec.structs.replace(plain, **asked), **spec_fields)
        order = Order(spec=spec, key="k3y", directory=str(directory))
        (directory / "env").write_text(environment_file(env or {})[0], "utf-8")
        script = directory / "job.sh"
        script.write_text(job_script(["#DIRECTIVE"], order, NAMES), "utf-8")
        return script

    return make


def run(script: Path, element: str = "", **more: str) -> subprocess.CompletedProcess[bytes]:
    mine = {"JOB": "12", "ELEMENT": element, **more}
    return subprocess.run(["bash", script], env=os.environ | mine, capture_output=True, timeout=60)


def recorded(script: Path) -> dict[int | None, Recorded]:
    return read_records(
        {file.name: file.read_text() for file in (script.parent / "record").iterdir()}
    )


# ----------------------------------------------------------------------------------- patterns

FIELDS = shlex.split("% %% %j %A %a %x %u %N %n %t %b %s %r %4a %04j %12A %3x %0b %9t %z %٤a %4")
PATTERN = st.lists(st.sampled_from(FIELDS) | TEXT.map(lambda text: text[:5]), max_size=6).map(
    "".join
)


@few
@given(
    st.lists(st.tuples(PATTERN, TEXT.filter(bool)), min_size=1, max_size=60),
    st.integers(1, 10**9),
    st.none() | st.integers(0, 4_000_000),
)
def test_patterns_mean_what_they_mean_on_this_machine(
    cases: list[tuple[str, str]], job: int, element: int | None
):
    """Trailing line ends aside, which no name of a user or machine has."""
    said = "\n".join(f"printf '%s\\0' {shell_pattern(pattern, name)}" for pattern, name in cases)
    index = "" if element is None else str(element)
    shown = bash(f"hpc_job={job} hpc_element={index}\n{said}").decode().split("\0")[:-1]
    known = {"job": job, "element": element, "user": getpass.getuser(), "node": platform.node()}
    assert shown == [
        expand(pattern, name=name, **known)  # type: ignore[arg-type]
        for pattern, name in cases
    ]


def test_output_goes_where_the_pattern_says_and_its_folders_are_made(made, tmp_path):
    script = made("sh", "-c", "echo out; echo err >&2", stdout="a b/%x-%A_%3a.txt", stderr="%a.err")
    assert run(script, element="7").returncode == 0
    assert (tmp_path / "a b" / "prep-12_007.txt").read_text() == "out\n"
    assert (tmp_path / "7.err").read_text() == "err\n"


@pytest.mark.parametrize(("append", "text"), [(False, "new\n"), (True, "old\nnew\n")])
def test_a_file_that_is_there_is_begun_anew_or_added_to(made, tmp_path, append, text):
    (tmp_path / "out").write_text("old\n")
    run(made("echo", "new", stdout="out", append=append))
    assert (tmp_path / "out").read_text() == text


def test_errors_join_the_output_unless_they_have_a_file(made, tmp_path):
    run(made("sh", "-c", "echo out; echo err >&2", stdout="both"))
    assert (tmp_path / "both").read_text() == "out\nerr\n"


def test_a_job_reads_the_file_that_it_asks_for(made, tmp_path):
    (tmp_path / "in put").write_text("read")
    run(made("cat", stdin="in put", stdout="out"))
    assert (tmp_path / "out").read_text() == "read"


# ------------------------------------------------------------------------------- ends, records


@few
@given(st.lists(st.integers(0, 255), min_size=1, max_size=4))
def test_the_exit_code_is_the_jobs_own_and_is_recorded(made, codes: list[int]):
    for code in codes:
        script = made("sh", "-c", f"exit {code}")
        assert run(script).returncode == code
        record = recorded(script)[None]
        assert (record.code, record.native, record.node) == (code, "12", platform.node())
        assert record.begun is not None
        assert record.ended is not None
        assert record.begun <= record.ended


def test_elements_have_records_of_their_own(made):
    script = made("sh", "-c", 'exit "$HPC_ARRAY_TASK_ID"', array="0-3")
    for element in ("0", "3"):
        run(script, element=element)
    assert {index: record.code for index, record in recorded(script).items()} == {0: 0, 3: 3}


def test_a_job_that_runs_again_has_not_ended_yet(made, tmp_path):
    run(made("true"))
    script = made("cat", "it's $(the) job/record/job.begin", stdout="begun")
    (script.parent / "record" / "job.end").write_text("0 1 old\n")
    seen = made("sh", "-c", 'ls "it\'s \\$(the) job/record" >seen')
    run(seen)
    assert (tmp_path / "seen").read_text() == "job.begin\n"


@pytest.mark.parametrize(
    ("argv", "code"),
    [(("no-such-command",), 127), (("/",), 126), (("sh", "-c", "kill -9 $$"), 137)],
)
def test_what_cannot_run_or_is_killed_is_recorded_as_the_shell_counts(made, argv, code):
    script = made(*argv)
    assert run(script).returncode == code
    assert recorded(script)[None].code == code


def test_the_script_says_nothing_of_its_own_where_a_job_is_killed(made):
    done = run(made("sh", "-c", "echo here >&2; kill -9 $$"))
    assert (done.returncode, done.stderr) == (137, b"here\n")


def test_why_a_job_cannot_begin_is_said(made):
    assert b"no-such-command" in run(made("no-such-command")).stderr
    assert b"no-such-input" in run(made("true", stdin="no-such-input")).stderr


def test_a_job_finds_the_three_usual_files_open_and_no_more(made):
    done = run(made("sh", "-c", "ls /proc/self/fd"))
    assert done.stdout.split() == [b"0", b"1", b"2", b"3"]  # the last is what ls reads


def test_a_directory_that_is_not_there_is_recorded_as_a_failure(made, tmp_path):
    script = made("true", cwd=str(tmp_path / "gone"))
    assert run(script).returncode == 1
    assert recorded(script)[None].code == 1


def test_what_cannot_be_recorded_keeps_no_job_from_running(made, tmp_path):
    script = made("sh", "-c", "echo ran; exit 3", stdout="out")
    for file in (script.parent / "record").iterdir():
        file.unlink()
    (script.parent / "record").rmdir()
    done = run(script)
    assert (done.returncode, (tmp_path / "out").read_text()) == (3, "ran\n")
    assert done.stderr == b""


@pytest.mark.parametrize("name", ["PATH", "hpc_record", "hpc_code", "hpc_dir", "IFS", "hpc_child"])
def test_no_variable_of_the_caller_reaches_into_the_script(made, name):
    script = made("/bin/sh", "-c", "exit 107", env={name: "0123456789"})
    assert run(script).returncode == 107
    assert recorded(script)[None].code == 107


def test_setup_runs_in_the_jobs_shell_before_it(made, tmp_path):
    run(made("sh", "-c", 'echo "$MADE"', setup=("MADE='by setup'", "export MADE"), stdout="out"))
    assert (tmp_path / "out").read_text() == "by setup\n"


@given(
    st.dictionaries(
        st.sampled_from(["job.begin", "job.end", "7.begin", "7.end", "x.end", ".end", "7"]) | TEXT,
        st.sampled_from(["12 100 n1\n", "0 200 n1\n", "137 200 n1", "", "0 200", "x y z", "٣ ٤ n"])
        | TEXT,
    )
)
def test_any_files_are_records_or_passed_over(files: dict[str, str]):
    for element, record in read_records(files).items():
        name = "job" if element is None else str(element)
        assert any(file.startswith(name) or file[:1].isdecimal() for file in files)
        assert record.code is None or record.ended is not None


# -------------------------------------------------------------------------------------- signals

LISTEN = """
import signal, sys, time
def heard(number, frame):
    print(signal.Signals(number).name, flush=True)
    sys.exit(7)
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), heard)
print("ready", flush=True)
time.sleep(60)
"""


def started(script: Path, **more: Any) -> subprocess.Popen[bytes]:
    """A job script with a process group of its own, in which nothing is ignored."""
    return subprocess.Popen(
        ["bash", script],
        env=os.environ | {"JOB": "12", "ELEMENT": ""},
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **more,
    )


def begun(script: Path, out: Path, said: str = "ready\n") -> subprocess.Popen[bytes]:
    """A running job script that has said so."""
    shell = started(script)
    deadline = time.monotonic() + 30
    while not out.exists() or said not in out.read_text():
        assert shell.poll() is None
        assert time.monotonic() < deadline
    return shell


def test_a_signal_that_reaches_the_shell_alone_is_handed_on(made, tmp_path):
    script = made(sys.executable, "-c", LISTEN, "SIGUSR1", stdout="out")
    shell = begun(script, tmp_path / "out")
    shell.send_signal(signal.SIGUSR1)
    assert shell.wait(30) == 7
    assert (tmp_path / "out").read_text() == "ready\nSIGUSR1\n"
    assert recorded(script)[None].code == 7


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGXCPU", "SIGUSR2"])
def test_a_signal_to_all_leaves_the_job_its_time_to_end(made, tmp_path, name):
    script = made(sys.executable, "-c", LISTEN, name, stdout="out")
    shell = begun(script, tmp_path / "out")
    os.killpg(shell.pid, getattr(signal, name))
    assert shell.wait(30) == 7
    assert (tmp_path / "out").read_text() == f"ready\n{name}\n"
    assert recorded(script)[None].code == 7


@pytest.mark.parametrize(
    ("name", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGUSR1", 138), ("SIGUSR2", 140)]
)
def test_a_job_that_does_not_care_is_ended_by_it_and_recorded(made, tmp_path, name, code):
    script = made("sh", "-c", "echo ready; exec sleep 60", stdout="out")
    for _ in range(5):  # bash may lose a code when two things happen at once
        (tmp_path / "out").unlink(missing_ok=True)
        shell = begun(script, tmp_path / "out")
        os.killpg(shell.pid, getattr(signal, name))
        assert shell.wait(30) == code
        assert recorded(script)[None].code == code


def signalled_before(made: Any, line: str, said: str) -> tuple[int, int | None, bytes]:
    """How the script of a job ends in which a signal comes before the line that begins so, what it
    records, and what is said by all of it."""
    script = made("sh", "-c", "echo ran")
    text = script.read_text()
    assert text.count(f"\n{line}") == 1
    script.write_text(text.replace(f"\n{line}", f"\n{said}\n{line}"))
    shell = started(script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    told, _ = shell.communicate(timeout=30)  # no process of it is left then
    return shell.returncode, recorded(script)[None].code, told


@pytest.mark.parametrize("to", ["$$", "0"], ids=["to the shell", "to all"])
@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1", "USR2"])
@pytest.mark.parametrize("line", ["coproc ", "hpc_child=", "read -r hpc_go", "trap '' PIPE"])
def test_a_signal_that_comes_before_there_is_a_job_ends_it_too(made, line, name, to):
    code, record, told = signalled_before(made, line, f"kill -{name} {to}")
    assert (code, record, told) == (-getattr(signal, f"SIG{name}"), 143, b"")


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1", "USR2"])
def test_a_signal_that_comes_as_the_job_is_let_through_is_the_jobs(made, name):
    ended = 128 + getattr(signal, f"SIG{name}")
    assert signalled_before(made, "echo >&", f"kill -{name} 0") == (ended, ended, b"")


def test_neither_interrupt_nor_quit_is_ignored_in_a_job(made, tmp_path):
    asked = (
        "import signal as s; print([s.getsignal(n) == s.SIG_IGN for n in (s.SIGINT, s.SIGQUIT)])"
    )
    script = made(sys.executable, "-c", asked, stdout="out")
    shell = begun(script, tmp_path / "out", said="")
    assert shell.wait(30) == 0
    assert (tmp_path / "out").read_text() == "[False, False]\n"


# ---------------------------------------------------------------------------------- environment

VARIABLES = st.dictionaries(st.text("ABCxyz019_", max_size=8).map("V_{}".format), TEXT, max_size=20)


@few
@given(st.lists(VARIABLES, min_size=1, max_size=5))
def test_any_value_arrives_as_it_was(sets: list[dict[str, str]]):
    variables = {f"{name}_{n}": value for n, one in enumerate(sets) for name, value in one.items()}
    text, left = environment_file(variables)
    assert left == {}
    shown = bash(f"{text}env -0").decode().split("\0")
    arrived = dict(line.split("=", 1) for line in shown if line.startswith("V_"))
    assert arrived == variables


@pytest.mark.parametrize("name", ["1A", "a-b", "a b", "a;date", "BASH_FUNC_x%%", "", "é", "a\nb"])
def test_names_that_no_shell_could_set_are_told_and_left_out(name):
    assert environment_file({name: "x", "GOOD": "y"}) == (
        "export GOOD=y\n",
        {name: "no shell can set it"},
    )


@pytest.mark.parametrize("name", ["PWD", "BASH_ENV", "PBS_JOBID", "LSB_JOBID",
                                  "SSH_AUTH_SOCK", "TMPDIR", "UID"])  # fmt: skip
def test_what_belongs_to_the_machine_it_came_from_stays_there(name):
    assert environment_file({name: "x"}) == ("", {})


OFTEN = re.findall(
    r"\S+",
    """
    BASH_ENV BASH_VERSION BASH_COMMAND TMPDIR HOSTNAME SSH_X DISPLAY PBS_JOBID LSB_X SGE_X JOB_ID
    NSLOTS QUEUE UID EUID PPID IFS _ SHLVL PWD OLDPWD SHELLOPTS BASHOPTS RANDOM SECONDS LINENO
    GROUPS OPTIND HISTCMD hpc_dir hpc_code hpc_mine HPC_JOB_ID HPC_JOB_NAME HPC_CPUS HPC_MEMORY
    HPC_GPUS HPC_SUBMISSION HPC_ARRAY_TASK_ID HPC_ARRAY_TASK_MAX HPC_OTHER PLAIN
    """,
)


@settings(few, max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(OFTEN), st.sampled_from(["x", "77", "a[$(touch gone)]", " :\n"]), max_size=8
    ),
    st.sampled_from(["", "1-3"]),
    st.sampled_from([0, 1 << 20]),
)
def test_what_was_named_is_in_the_job_or_is_told_and_the_job_runs_as_ever(
    named: dict[str, str], array: str, memory: int
):
    with tempfile.TemporaryDirectory() as directory:
        asked = Submission(
            argv=("env", "-0"), cwd=directory, env=named, name="prep", array=array, stdout="out"
        )
        spec = JobSpec(submission=asked, layout=Layout(memory=memory), named=named)
        order = Order(spec=spec, key="k3y", directory=directory, capture=True)
        text, left = environment_file(named, named, own=own_variables(order))
        Path(directory, "record").mkdir()
        Path(directory, "env").write_text(text)
        Path(directory, "job.sh").write_text(job_script([], order, NAMES))
        done = run(Path(directory, "job.sh"), "2" if array else "")
        lines = Path(directory, "out").read_text().split("\0")
        assert (done.returncode, done.stderr, Path(directory, "gone").exists()) == (0, b"", False)
        found = dict(line.split("=", 1) for line in lines if line)
        for name, value in named.items():
            assert (found.get(name) == value) != (name in left), name


# ------------------------------------------------------------------------------------- hostility


@few
@given(st.lists(TEXT, min_size=1, max_size=60))
def test_any_text_is_one_word_on_one_line(texts: list[str]):
    words = [quote(text) for text in texts]
    assert not any(re.search(r"[\r\n]", word) for word in words)
    shown = bash(f"printf '%s\\0' {' '.join(words)}").decode().split("\0")[:-1]
    assert shown == texts


HOSTILE = ["it's", "$(touch evil)", "`touch evil`", 'a"b', "a\n#DIRECTIVE evil", "-n", "a\\", " ",
           "a;touch evil", "~", "*", "{a,b}", "!!", "é", "\t", "a\r\nb"]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_arrives_as_it_was_and_does_nothing(made, tmp_path, text):
    cwd = tmp_path / f"x{text}"
    cwd.mkdir()
    shown = ("printf", r"%s\0%s\0%s\0", text)
    argv = ("sh", "-c", f'{shlex.join(shown[:2])} "$1" "$HPC_JOB_NAME" "$PWD"', "sh", text)
    script = made(*argv, name=text, cwd=str(cwd), stdout=str(tmp_path / "out"))
    assert run(script).returncode == 0
    assert (tmp_path / "out").read_bytes().decode() == f"{text}\0{text}\0{cwd}\0"
    assert not list(tmp_path.rglob("evil"))


@given(TEXT, TEXT, TEXT)
def test_no_value_adds_a_line_that_a_scheduler_could_read(name: str, cwd: str, word: str):
    plain = Submission(argv=("a", word), cwd=f"/{cwd}", env={}, name=name, stdout=f"x{name}{word}")
    order = Order(spec=JobSpec(submission=plain), key="k3y", directory=f"/{cwd}")
    bare = msgspec.structs.replace(
        plain, argv=("a", "b"), cwd="/", name="n" if name else "", stdout="x"
    )
    other = Order(spec=JobSpec(submission=bare), key="k3y", directory="/")
    ours, theirs = (job_script(["#D"], one, NAMES).split("\n") for one in (order, other))
    assert len(ours) == len(theirs)
    assert sum(line.startswith("#") for line in ours) == sum(
        line.startswith("#") for line in theirs
    )
