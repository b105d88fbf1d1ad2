"""`hpc logs`: whole, the end of it, and followed from before the start to after the end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.cli import follow
from hpcshell.cli.follow import Tail
from tests.cli.conftest import Cli
from tests.support.homes import HPC


def submit(cli: Cli, *words: str) -> str:
    return cli("submit", "--quiet", *words, check=True).out.strip()


@pytest.fixture
def cli(shared: Cli) -> Cli:
    return shared


class Follower:
    """`hpc logs -f` in a process of its own, read line by line."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [HPC, "logs", "-f", *words], stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def rest(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        return self.process.stdout.read(), self.process.wait(30)


@pytest.fixture
def followers() -> Iterator[list[Follower]]:
    found: list[Follower] = []
    yield found
    for follower in found:
        follower.process.kill()
        follower.process.communicate()


def test_output_and_errors_come_out_where_they_belong(cli):
    job = submit(cli, "--error", "e.txt", "--", "sh", "-c", "echo out; echo err >&2")
    cli("wait", job, check=True)
    said = cli("logs", job, check=True)
    assert (said.out, said.err) == ("out\n", "err\n")
    assert cli("logs", "--out", job).out == "out\n"
    only = cli("logs", "--err", job)
    assert (only.out, only.err) == ("err\n", "")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [("0", ""), ("1", "c\n"), ("2", "b\nc\n"), ("3", "a\nb\nc\n"), ("99", "a\nb\nc\n")],
)
def test_the_last_lines(cli, lines, expected):
    cli("submit", "--wait", "--", "printf", "a\\nb\\nc\\n", check=True)
    assert cli("logs", "--lines", lines).out == expected


def test_the_last_line_may_be_open(cli):
    cli("submit", "--wait", "--", "printf", "a\\nb\\nc", check=True)
    assert cli("logs", "--lines", "1").out == "c"
    assert cli("logs", "--lines", "2").out == "b\nc"


def test_the_last_lines_of_a_long_log(cli):
    cli("submit", "--wait", "--", "seq", "200000", check=True)
    assert cli("logs", "--lines", "2").out == "199999\n200000\n"


def test_elements_come_under_headings(cli):
    job = submit(cli, "--array", "0-1", "--", "sh", "-c", "echo $HPC_ARRAY_TASK_ID")
    cli("wait", job, check=True)
    assert cli("logs", job).out == f"==> {job}_0 <==\n0\n\n==> {job}_1 <==\n1\n"
    assert cli("logs", f"{job}_1").out == "1\n"


def test_a_job_that_has_not_begun_is_asked_for_too_early(cli):
    job = submit(cli, "--hold", "--", "true")
    said = cli("logs", job)
    assert (said.code, "hpc logs -f" in said.err) == (75, True)
    cli("cancel", job, check=True)
    said = cli("logs", job)
    assert (said.code, "never began" in said.err) == (3, True)


def test_a_log_that_was_deleted_is_not_found(cli):
    job = submit(cli, "--output", "gone.txt", "--", "true")
    cli("wait", job, check=True)
    Path("gone.txt").unlink()
    assert cli("logs", job).code == 3


def test_what_a_job_wrote_is_printed_as_it_is(cli):
    cli("submit", "--wait", "--", "printf", "\\033[31m\\377\\000", check=True)
    done = subprocess.run([HPC, "logs"], capture_output=True)
    assert done.stdout == b"\x1b[31m\xff\x00"


def test_following_begins_before_the_job_and_ends_after_it(cli, followers):
    line = "echo one; read x < go; echo two; echo bad >&2"
    os.mkfifo("go")
    job = submit(cli, "--hold", "--", "sh", "-c", line)
    followers.append(follower := Follower(job))
    cli("release", job, check=True)
    assert follower.line() == "one\n"
    Path("go").write_text("x\n")
    assert follower.rest() == ("two\nbad\n", 0)


def test_following_goes_on_over_retries_and_repeats_nothing(cli, followers):
    line = "echo attempt $HPC_ATTEMPT; [ $HPC_ATTEMPT = 3 ]"
    job = submit(cli, "--hold", "--retries", "3", "--retry-delay", "0", "--", "sh", "-c", line)
    followers.append(follower := Follower(job))
    cli("release", job, check=True)
    assert follower.rest() == ("attempt 1\nattempt 2\nattempt 3\n", 0)


def test_following_an_array_shows_all_of_it(cli, followers):
    job = submit(cli, "--array", "0-2", "--hold", "--", "sh", "-c", "echo $HPC_ARRAY_TASK_ID")
    followers.append(follower := Follower(job))
    cli("release", job, check=True)
    out, code = follower.rest()
    assert code == 0
    assert sorted(line for line in out.splitlines() if line.isdigit()) == ["0", "1", "2"]


def test_following_what_has_ended_prints_it(cli, followers):
    job = submit(cli, "--", "echo", "done")
    cli("wait", job, check=True)
    followers.append(follower := Follower(job))
    assert follower.rest() == ("done\n", 0)


def test_following_what_is_cancelled_before_it_begins_ends(cli, followers):
    job = submit(cli, "--hold", "--", "true")
    followers.append(follower := Follower(job))
    cli("cancel", job, check=True)
    assert follower.rest() == ("", 0)


def test_following_outlives_a_restart_of_the_daemon(cli, followers):
    os.mkfifo("go2")
    job = submit(cli, "--", "sh", "-c", "echo before; read x < go2; echo after")
    followers.append(follower := Follower(job))
    assert follower.line() == "before\n"
    cli("daemon", "restart", check=True)
    Path("go2").write_text("x\n")
    assert follower.rest() == ("after\n", 0)


# ------------------------------------------------------------------------------------- one file


def test_a_tail_passes_on_what_is_new_once(tmp_path):
    path = tmp_path / "log"
    heard: list[bytes] = []
    tail = Tail(str(path), heard.append)
    assert not tail.pump()
    path.write_bytes(b"a")
    assert tail.pump()
    assert not tail.pump()
    with path.open("ab") as file:
        file.write(b"b")
    tail.close()
    assert heard == [b"a", b"b"]


def test_a_tail_begins_anew_in_a_file_that_was_cut_or_replaced(tmp_path):
    path = tmp_path / "log"
    heard: list[bytes] = []
    tail = Tail(str(path), heard.append)
    path.write_bytes(b"long text")
    tail.pump()
    path.write_bytes(b"new")
    tail.pump()
    tail.close()
    other = tmp_path / "other"
    other.write_bytes(b"another")
    other.rename(path)
    tail.close()
    assert heard == [b"long text", b"new", b"another"]


def test_a_tail_leaves_pipes_alone(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    tail = Tail(str(tmp_path / "pipe"), lambda chunk: None)
    assert not tail.pump()
    tail.close()


def test_following_may_begin_at_the_last_lines(cli, followers):
    os.mkfifo("go3")
    job = submit(cli, "--", "sh", "-c", "seq 5; read x < go3; echo more")
    while cli("logs", job).out != "1\n2\n3\n4\n5\n":
        pass
    followers.append(follower := Follower("--lines", "2", job))
    assert follower.line() == "4\n"
    Path("go3").write_text("x\n")
    assert follower.rest() == ("5\nmore\n", 0)


def test_quiet_files_are_looked_at_less_and_less_often():
    assert follow.SHORTEST < follow.LONGEST <= 0.5


def test_why_a_job_could_not_start_stands_in_its_log(cli):
    job = submit(cli, "--", "no-such-command")
    cli("wait", job)
    assert cli("logs", job, check=True).out == (
        "hpc: the command 'no-such-command' was not found in PATH\n"
    )


def test_a_file_for_errors_holds_why_a_job_could_not_start(cli):
    job = submit(cli, "--output", "out.txt", "--error", "err.txt", "--", "no-such-command")
    cli("wait", job)
    assert Path("out.txt").read_text() == ""
    assert "no-such-command" in Path("err.txt").read_text()


def test_what_could_not_be_started_and_has_no_log_says_why_in_its_place(cli):
    os.mkdir("gone")
    job = submit(cli, "--hold", "--chdir", "gone", "--", "true")
    os.rmdir("gone")
    cli("release", job, check=True)
    cli("wait", job)
    said = cli("logs", job)
    assert said.code == 3
    assert "does not exist" in said.err
    assert "moved" not in said.err
    assert not os.path.exists("gone")


def test_a_log_that_was_deleted_does_not_hide_the_others(cli):
    job = submit(cli, "--array", "0-1", "--", "sh", "-c", "echo element $HPC_ARRAY_TASK_ID")
    cli("wait", job, check=True)
    os.unlink(cli("logs", "--path", f"{job}_0").out.strip())
    said = cli("logs", job)
    assert (said.code, "element 1" in said.out, "moved" in said.err) == (3, True, True)
