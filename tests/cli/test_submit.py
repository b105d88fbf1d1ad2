"""`hpc submit`: what is accepted, what is said about it, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli


@pytest.fixture
def cli(shared: Cli) -> Cli:
    return shared


def script(name: str, *lines: str) -> Path:
    path = Path(name)
    path.write_text("\n".join([*lines, ""]))
    return path


def test_the_id_is_the_answer_and_the_meaning_is_talk(cli):
    said = cli("submit", "--time", "30", "--cpus", "2", "--", "true", check=True)
    assert said.out.startswith("Submitted job ")
    assert "time limit 30m 0s" in said.err
    assert "2 CPUs" in said.err


def test_quiet_prints_the_id_alone(cli):
    said = cli("submit", "--quiet", "--time", "30", "--", "true", check=True)
    assert int(said.out) > 0
    assert said.err == ""


def test_json_is_one_object_with_the_id(cli):
    said = cli("submit", "--json", "--array", "0-4", "--name", "five", "--", "true", check=True)
    answer = said.json
    assert answer["schema"] == 1
    assert answer["elements"] == 5
    assert answer["name"] == "five"
    assert answer["dry_run"] is False
    assert isinstance(answer["id"], int)


def test_a_dry_run_foretells(cli):
    def foretold(*words: str) -> str:
        return str(cli("submit", "--dry-run", *words, "--", "true", check=True).err)

    bad = cli("submit", "--quiet", "--", "false", check=True).out.strip()
    cli("wait", bad)
    assert "it would start at once" in foretold()
    assert f"never start: afterok:{bad} can never be met" in foretold("--afterok", bad)
    assert "it would wait: it is held" in foretold("--hold")
    assert "no earlier than 1h" in foretold("--begin", "now+1h")
    assert "to start by" in foretold("--begin", "now+1h")
    running = cli(
        "submit", "--quiet", "--name", "one", "--", "sleep", "600", check=True
    ).out.strip()
    assert f"it waits for job {running} to end" in foretold("--afterany", running)
    assert "same name" in foretold("--name", "one", "--dependency", "singleton")
    cli("cancel", running, check=True)
    after = cli("submit", "--quiet", "--afterany", running, "--", "true", check=True).out.strip()
    assert cli("wait", after).code == 0


def test_a_dry_run_changes_nothing(cli):
    before = cli("submit", "--quiet", "--", "true").out
    said = cli("submit", "--dry-run", "--name", "ghost", "--", "true", check=True)
    assert "would submit 'ghost'" in said.out
    assert cli("submit", "--dry-run", "--json", "--", "true", check=True).json["id"] is None
    assert int(cli("submit", "--quiet", "--", "true").out) == int(before) + 1


def test_a_script_gets_its_arguments_even_if_they_look_like_options(cli):
    script("args.sh", "#!/bin/sh", 'echo "$@"')
    cli("submit", "--wait", "args.sh", "--cpus", "9", "--", "-x", check=True)
    assert cli("logs").out == "--cpus 9 -- -x\n"


def test_a_script_is_read_from_stdin(cli):
    cli("submit", "--wait", "-", "x", input="#!/bin/sh\necho from stdin $1\n", check=True)
    assert cli("logs").out == "from stdin x\n"


def test_directives_count_and_the_command_line_wins(cli):
    script("dir.sh", "#!/bin/sh", "#SBATCH --job-name=slurm -c 2", "#HPC --name=ours", "true")
    cli("submit", "--wait", "dir.sh", check=True)
    view = cli("show", "--json").json
    assert (view["name"], view["cpus"]) == ("ours", 2)
    cli("submit", "--wait", "--name", "typed", "dir.sh", check=True)
    assert cli("show", "--json").json["name"] == "typed"


def test_wait_passes_the_exit_code_on(cli):
    assert cli("submit", "--wait", "--", "sh", "-c", "exit 9").code == 9


def test_flags_that_say_no_are_understood(cli):
    said = cli("submit", "--json", "--no-requeue", "--exclusive", "--dry-run", "--", "true")
    assert said.json["job"]["exclusive"] is True


REFUSED = [
    ([], "nothing to run", 2),
    (["nowhere.sh"], "no script", 3),
    (["true"], "hpc submit -- true", 3),
    (["."], "directory", 2),
    (["--cpus", "0", "--", "true"], "too small", 2),
    (["--cpus", "-1", "--", "true"], "too small", 2),
    (["--cpus", "nan", "--", "true"], "no whole number", 2),
    (["--cpus", "1e400", "--", "true"], "no whole number", 2),
    (["--cpus", "5000", "--", "true"], "4", 2),
    (["--memory", "8X", "--", "true"], "no size", 2),
    (["--memory", "100T", "--", "true"], "8G", 2),
    (["--time", "0", "--", "true"], "no time", 2),
    (["--time", "1y", "--", "true"], "no duration", 2),
    (["--array", "5-1", "--", "true"], "backwards", 2),
    (["--array", "1,1", "--", "true"], "twice", 2),
    (["--array", "0-1000000000", "--", "true"], "limit", 2),
    (["--array", "0-9%0", "--", "true"], "too small", 2),
    (["--resource", "matlab=1", "--", "true"], "matlab", 2),
    (["--profile", "lihgt", "--", "true"], "light", 2),
    (["--dependency", "afterok:999999", "--", "true"], "no such job", 3),
    (["--begin", "yesterdayish", "--", "true"], "--begin", 2),
    (["--deadline", "now-1h", "--", "true"], "has passed", 2),
    (["--signal", "NOPE@10", "--", "true"], "no signal", 2),
    (["--name", "a\nb", "--", "true"], "cannot be printed", 2),
    (["--name", "x" * 1_000_000, "--", "true"], "too long", 2),
    (["--chdir", "/nowhere/at/all", "--", "true"], "--chdir", 2),
    (["--chdir", "/etc/passwd", "--", "true"], "not a directory", 2),
    (["--output", "/etc", "--", "true"], "directory", 2),
    (["--output", "/etc/passwd/x", "--", "true"], "not a directory", 2),
    (["--input", "/tmp", "--", "true"], "cannot be read", 2),
    (["--retry-factor", "0", "--", "true"], "out of range", 2),
    (["--on-never", "x", "--", "true"], "neither end nor hold", 2),
    (["--open-mode", "x", "--", "true"], "not a choice", 2),
    (["--array", "0-9:0", "--", "true"], "step", 2),
    (["--comment", "\x1b]0;x\x07", "--", "true"], "cannot be printed", 2),
    (["--export", "\x1b", "--", "true"], "name of a variable", 2),
    (["--account", "a\nb", "--", "true"], "not one word", 2),
    (["--nope", "--", "true"], "no option --nope", 2),
    (["--input", "nowhere.txt", "--", "true"], "no file", 2),
    (["--mail-user", "a;rm -rf b", "--", "true"], "no mail address", 2),
    (["--webhook", "file:///etc/passwd", "--", "true"], "use http or https", 2),
    (["--", "/"], "directory", 2),
    (["--", ""], "nothing to run", 2),
]


@pytest.mark.parametrize(("words", "expected", "code"), REFUSED)
def test_what_can_never_be_is_refused_in_a_line_with_a_hint(cli, words, expected, code):
    before = cli("history", "--json", "--limit", "0").json["total"]
    said = cli("submit", *words)
    assert said.code == code, said
    assert expected in said.err
    assert said.out == ""
    assert [line[:5] for line in said.err.splitlines()] == ["hpc: ", "  hin"]
    assert len(said.err) < 600
    assert "Traceback" not in said.err
    assert cli("history", "--json", "--limit", "0").json["total"] == before


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"echo no shebang\n", "#!"),
        (b"#!/bin/sh\r\necho dos\r\n", "CRLF"),
        (b"#!relative/interpreter\n", "absolute path"),
        (b"#!/nowhere/interpreter\n", "not there"),
        (b"#!/nowhere\xff\n", "not there"),
        (b"#!/tmp\n", "no program"),
        (b"\xff\xfe#\0!\0", "UTF-16"),
        (b"#!/bin/sh\n#HPC --name=\xff\n", "not UTF-8"),
        (b"#!/bin/sh\n\0\n", "NUL"),
        (b"MZ\x90\0", "Windows"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\xb7\0", "aarch64"),
        (b"PK\x03\x04", "zip"),
        (b"#!/bin/sh\n#HPC --cpsu 2\n", "--cpus"),
        (b"#!/bin/sh\n#SBATCH --mem=lots\n", "bad.sh line 2"),
    ],
)
def test_what_is_no_script_is_refused_with_the_way_out(cli, content, expected):
    path = Path("bad.sh")
    path.write_bytes(content)
    path.chmod(0o755)
    said = cli("submit", "bad.sh")
    assert said.code == 2, said
    assert expected in said.err
    assert "hint: " in said.err


def test_a_script_nobody_may_read_or_that_is_a_pipe_is_refused(cli):
    import os

    os.mkfifo("pipe.sh")
    said = cli("submit", "pipe.sh")
    assert (said.code, "no regular file" in said.err) == (2, True)


def test_a_pipe_is_no_input(cli, tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    said = cli("submit", "--input", tmp_path / "pipe", "--", "true")
    assert (said.code, "cannot be read" in said.err) == (2, True)


@pytest.mark.parametrize("kind", ["fifo", "symlink", "directory"])
def test_output_that_could_not_be_written_is_refused(cli, kind, tmp_path):
    import os

    path = tmp_path / "output"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "symlink":
        path.symlink_to("/etc/passwd")
    else:
        path.mkdir()
    said = cli("submit", "--output", path, "--", "true")
    assert said.code == 2
    assert "--output" in said.err


def test_names_are_printed_with_nothing_that_a_terminal_obeys(cli):
    name = "$(id) `x` ../.. %n <b> 日本"
    cli("submit", "--wait", "--name", name, "--", "true", check=True)
    assert cli("show", "--json").json["name"] == name


def test_a_command_that_is_not_there_is_the_job_s_failure(cli):
    said = cli("submit", "--wait", "--", "no-such-command-anywhere")
    assert said.code == 127


def test_identical_submissions_can_be_refused(cli):
    cli("submit", "--unique", "--quiet", "--", "sleep", "61", check=True)
    said = cli("submit", "--unique", "--", "sleep", "61")
    assert said.code == 4
    cli("cancel", "@", check=True)


def test_a_job_is_ended_by_its_deadline(cli):
    job = cli(
        "submit",
        "--quiet",
        "--deadline",
        "now+1s",
        "--grace",
        "1s",
        "--",
        "sleep",
        "600",
        check=True,
    ).out.strip()
    cli("wait", job)
    view = cli("show", job, "--json").json
    assert (view["state"], view["reason"]) == ("DEADLINE", "stopped at its deadline")
    assert 0 <= view["end_time"] - view["deadline"] < 10


def test_a_time_limit_before_the_deadline_counts(cli):
    limits = ("--deadline", "now+1h", "--time", "0.5s", "--grace", "1s")
    job = cli("submit", "--quiet", *limits, "--", "sleep", "600", check=True).out.strip()
    cli("wait", job)
    assert cli("show", job, "--json").json["state"] == "TIMEOUT"


def test_what_only_clusters_know_is_noted_and_lines_of_setup_run(cli):
    job = script("prepared.sh", "#!/bin/sh", "#HPC -C fast --setup A=7", "exit $A")
    said = cli("submit", "--wait", "--time", "1", job)
    assert said.code == 7
    assert "note: ignored: prepared.sh line 2: #HPC -C fast (there is one machine)" in said.err
