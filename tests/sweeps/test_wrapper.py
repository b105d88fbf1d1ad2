"""What runs a point, wherever it runs: the shell script and its fragments."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.sweeps import wrapper

SHELLS = ["/bin/sh", "/bin/bash"]


class Lab:
    """A batch of one point, and a project that it runs in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.point = root / "points" / "p"
        self.project = root / "project"
        for made in (self.point, self.project, root / "batch"):
            made.mkdir(parents=True, exist_ok=True)
        (root / "point.sh").write_text(wrapper.SCRIPT)

    def lay(self, *argv: str, owner: str = "b.0", far: bool = False, **env: str) -> None:
        where = f"{wrapper.HERE}/points/p" if far else str(self.point)
        content = wrapper.fragment(
            0,
            directory=where,
            me=owner,
            cd=str(self.project),
            argv=argv,
            env={"HPC_SWEEP_POINT": "p", **env},
            far=far,
        )
        (self.root / "batch" / "0").write_bytes(wrapper.together([content]))

    def words(self, shell: str) -> list[str]:
        return [shell, str(self.root / "point.sh"), str(self.root / "batch"), "0"]

    def run(self, shell: str = "/bin/sh") -> subprocess.CompletedProcess[str]:
        words = self.words(shell)
        return subprocess.run(words, capture_output=True, text=True, check=False, cwd=self.root)

    @property
    def lines(self) -> list[str]:
        """What the point says of its runs, without the times."""
        return [" ".join(line.split()[:-1]) for line in self.read("run").splitlines()]

    def read(self, name: str) -> str:
        return (self.point / name).read_text()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_point_leaves_its_streams_its_exit_and_who_ran_it(lab: Lab, shell: str) -> None:
    lab.lay("sh", "-c", 'pwd; echo "$LR" >&2; exit 3', LR="0.1")
    ended = lab.run(shell)
    assert ended.returncode == 3
    assert str(lab.point) in ended.stdout
    assert lab.read("stdout") == f"{lab.project}\n"
    assert lab.read("stderr") == "0.1\n"
    assert lab.lines == ["start b.0", "end b.0 3"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_point_that_has_run_is_left_alone(lab: Lab, shell: str) -> None:
    lab.lay("sh", "-c", "echo run >>../ledger")
    assert [lab.run(shell).returncode for _ in range(3)] == [0, 0, 0]
    assert (lab.root / "ledger").read_text() == "run\n"


def test_a_point_that_another_job_runs_is_left_alone(lab: Lab) -> None:
    lab.lay("true", owner="other.5")
    (lab.point / "run").write_text("start b.0 1.0\n")
    ended = lab.run()
    assert (ended.returncode, "b.0" in ended.stderr) == (wrapper.NOT_MINE, True)
    assert lab.lines == ["start b.0"]


@pytest.mark.parametrize("before", ["", "end b.0 143 2.0\n", "cut b.0 0 2.0\n"])
def test_a_job_that_is_put_back_goes_on_with_its_point(lab: Lab, before: str) -> None:
    lab.lay("sh", "-c", "echo again")
    (lab.point / "run").write_text(f"start b.0 1.0\n{before}")
    (lab.point / "stdout").write_text("first\n")
    assert lab.run().returncode == 0
    assert lab.read("stdout") == "first\nagain\n"
    assert lab.lines[-2:] == ["start b.0", "end b.0 0"]


def test_a_folder_that_is_gone_is_made_again(lab: Lab) -> None:
    lab.lay("true")
    lab.point.rmdir()
    assert lab.run().returncode == 0
    assert lab.lines[-1] == "end b.0 0"


def test_a_project_that_is_gone_is_said(lab: Lab) -> None:
    lab.lay("true")
    lab.project.rmdir()
    assert lab.run().returncode == 1
    assert "cannot enter" in lab.read("stderr")


def test_a_command_that_is_not_there_has_the_code_of_the_shell(lab: Lab) -> None:
    lab.lay("no-such-program")
    assert lab.run().returncode == 127
    assert lab.lines[-1] == "end b.0 127"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_signal_to_all_lets_the_point_write_down_how_it_ended(lab: Lab, shell: str) -> None:
    lab.lay("sh", "-c", "trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.01; done")
    with subprocess.Popen(lab.words(shell), cwd=lab.root, start_new_session=True) as job:
        while not (lab.point / "stdout").exists() or "ready" not in lab.read("stdout"):
            assert job.poll() is None
        os.killpg(job.pid, signal.SIGTERM)
        assert job.wait(30) == 0
    assert lab.read("stdout") == "ready\nsaved\n"
    assert lab.lines[-1] == "cut b.0 0"


def test_on_another_machine_the_folder_is_below_the_directory_of_the_job(lab: Lab) -> None:
    lab.lay("sh", "-c", 'echo "$1"', "sh", f"out={wrapper.HERE}/points/p", far=True)
    assert lab.run().returncode == 0
    assert lab.read("stdout") == f"out={lab.root}/points/p\n"


@pytest.mark.parametrize("shell", SHELLS)
@given(words=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_every_word_arrives_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, shell: str, words: list[str]
) -> None:
    lab = Lab(tmp_path_factory.mktemp("words"))
    lab.lay("printf", "%s\\0", "first", *words)
    lab.run(shell)
    said = (lab.point / "stdout").read_bytes().decode().split("\0")[:-1]
    assert said == ["first", *words]


def test_nothing_is_run_whose_end_could_not_be_written_down(lab: Lab) -> None:
    lab.lay("sh", "-c", "echo run >>../ledger")
    ended = subprocess.run(
        lab.words("/bin/sh"), cwd=lab.root, preexec_fn=no_room, capture_output=True, check=False
    )
    assert ended.returncode == 74
    assert not (lab.root / "ledger").exists()


def no_room() -> None:
    """No file may have a byte: writing fails, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_what_is_no_file_is_not_read(lab: Lab) -> None:
    lab.lay("true")
    (lab.point / "run").symlink_to("/dev/full")
    assert lab.run().returncode == 74


@pytest.mark.parametrize("name", ["dir", "me", "cd", "number", "code", "up", "_hpc_dir", "IFS"])
def test_no_variable_of_a_point_is_in_the_way(lab: Lab, name: str) -> None:
    lab.lay("sh", "-c", f'echo "${name}"', **{name: "0"})  # type: ignore[arg-type]
    assert lab.run().returncode == 0
    assert lab.lines[-1] == "end b.0 0"
    assert name.startswith("_hpc") or name == "IFS" or lab.read("stdout") == "0\n"


@pytest.mark.parametrize("word", ["cd", "exit", "exec", "trap", "export", "set", ".", "eval"])
def test_what_only_a_shell_can_do_is_no_command(lab: Lab, word: str) -> None:
    lab.lay(word, "x")
    assert lab.run().returncode in (126, 127)
    assert lab.lines[-1].split()[0] == "end"
