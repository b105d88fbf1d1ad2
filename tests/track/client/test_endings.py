"""How a script ends, and what its spool file then says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from hpcshell import track
from tests.support.homes import clean_environment
from tests.track.client.conftest import of_kind, spooled, surroundings


def ending(tmp_path) -> tuple[str | None, str | None, int | None] | None:
    ends = of_kind("end", spooled(tmp_path / "spool"))
    assert len(ends) < 2
    return (ends[0]["status"], ends[0]["reason"], ends[0]["exit_code"]) if ends else None


WAYS = {
    "pass": (0, ("COMPLETED", None, None)),
    "raise ValueError('no\\nway')": (1, ("FAILED", "ValueError: no\nway", None)),
    "raise KeyboardInterrupt": (-signal.SIGINT, ("CANCELLED", "interrupted", None)),
    "sys.exit(0)": (0, ("COMPLETED", None, 0)),
    "sys.exit()": (0, ("COMPLETED", None, 0)),
    "sys.exit(3)": (3, ("FAILED", "exit code 3", 3)),
    "sys.exit('out of data')": (1, ("FAILED", "out of data", 1)),
    "os._exit(4)": (4, None),
    "os.kill(os.getpid(), signal.SIGKILL)": (-signal.SIGKILL, None),
    "os.kill(os.getpid(), signal.SIGTERM)": (
        -signal.SIGTERM,
        ("CANCELLED", "terminated by SIGTERM", None),
    ),
    "os.kill(os.getpid(), signal.SIGHUP)": (
        -signal.SIGHUP,
        ("CANCELLED", "terminated by SIGHUP", None),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_script_ends_as_it_would_without_us_and_the_run_says_how(way, script, tmp_path):
    done = script(f"""
        import os, signal, sys
        from hpcshell import track
        with track.run("x") as run:
            run.log(loss=1, step=1)
            {way}
        """)
    code, said = WAYS[way]
    assert done.returncode == code, done.stderr
    assert ending(tmp_path) == said
    assert len(of_kind("m", spooled(tmp_path / "spool"))) == 1


@pytest.mark.parametrize("way", [way for way in WAYS if not way.startswith("sys.exit")])
def test_without_a_with_it_says_the_same(way, script, tmp_path):
    done = script(f"""
        import os, signal, sys
        from hpcshell import track
        run = track.run("x")
        run.log(loss=1, step=1)
        {way}
        """)
    code, said = WAYS[way]
    assert done.returncode == code, done.stderr
    assert ending(tmp_path) == said


def test_a_handler_of_the_user_s_is_left_alone_and_ours_goes_when_the_run_ends(script, tmp_path):
    done = script("""
        import os, signal
        from hpcshell import track
        with track.run("x"):
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        with track.run("x") as run:
            signal.signal(signal.SIGTERM, lambda *_: run.log(told=1))
            os.kill(os.getpid(), signal.SIGTERM)
        signal.signal(signal.SIGTERM, mine := (lambda *_: None))
        with track.run("x") as run:
            assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGTERM) is mine
        """)
    assert done.returncode == 0, done.stderr
    found = spooled(tmp_path / "spool")
    assert [line["v"] for line in of_kind("m", found)] == [{"told": 1.0}]
    assert [line["status"] for line in of_kind("end", found)] == ["COMPLETED"] * 3


def test_a_hang_up_that_is_ignored_stays_ignored(script, tmp_path):
    done = script("""
        import os, signal
        from hpcshell import track
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        with track.run("x") as run:
            os.kill(os.getpid(), signal.SIGHUP)
            run.log(loss=1)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        """)
    assert done.returncode == 0, done.stderr
    assert ending(tmp_path) == ("COMPLETED", None, None)


def test_a_signal_ends_all_runs_the_innermost_first(script, tmp_path):
    done = script("""
        import os, signal
        from hpcshell import track
        with track.run("outer"), track.run("inner"):
            os.kill(os.getpid(), signal.SIGTERM)
        """)
    assert done.returncode == -signal.SIGTERM
    statuses = [line["status"] for line in of_kind("end", spooled(tmp_path / "spool"))]
    assert statuses == ["CANCELLED", "CANCELLED"]


def test_a_signal_amid_logging_does_not_lock_up_and_leaves_whole_lines(script, tmp_path):
    done = script("""
        import os, signal, threading, time
        from hpcshell import track
        with track.run("x") as run:
            signal.signal(signal.SIGALRM, lambda *_: run.log(alarm=1))
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
            for step in range(20_000):
                run.log(loss=step, step=step)
            signal.setitimer(signal.ITIMER_REAL, 0)
        """)
    assert done.returncode == 0, done.stderr
    found = of_kind("m", spooled(tmp_path / "spool"))
    assert [line["v"]["loss"] for line in found if "loss" in line["v"]] == list(range(20_000))
    assert [line for line in found if "alarm" in line["v"]]


def test_an_exception_whose_text_fails_is_told_by_its_name(tmp_path):
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with pytest.raises(Odd), track.run("x"):
        raise Odd
    assert ending(tmp_path) == ("FAILED", "Odd", None)


def test_what_was_logged_before_sigkill_is_in_the_file(tmp_path):
    """The child says each step once `log` has returned; nothing that it said may be missing."""
    program = """
import sys
from hpcshell import track
run = track.run("x", url="")
for step in range(10**9):
    run.log(loss=step, step=step)
    sys.stdout.write(f"{step}\\n")
    sys.stdout.flush()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        env=clean_environment() | surroundings(tmp_path),
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    for _ in range(2000):
        child.stdout.readline()
    child.kill()
    said = [int(line) for line in child.stdout.read().splitlines() if line.strip()]
    child.wait()
    steps = [line["s"] for line in of_kind("m", spooled(tmp_path / "spool"))]
    assert steps == list(range(len(steps)))
    assert steps[-1] >= max([1999, *said[:-1]])
    assert ending(tmp_path) is None


# ------------------------------------------------------------------------------------------ forks


def test_a_forked_child_writes_a_file_of_its_own_and_does_not_end_the_run(script, tmp_path):
    done = script("""
        import os
        from hpcshell import track
        with track.run("x") as run:
            run.log(who=0, step=0)
            child = os.fork()
            if child == 0:
                run.log(who=1, step=1)
                track.log(who=2, step=2)
            else:
                assert os.waitpid(child, 0)[1] == 0
                run.log(who=3, step=3)
        """)
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "spool").glob("*.jsonl"))
    assert len(files) == 2
    found = [[json.loads(line) for line in path.read_bytes().splitlines()] for path in files]
    steps = sorted([line["s"] for line in each if line["k"] == "m"] for each in found)
    assert steps == [[0, 3], [1, 2]]
    assert found[0][0] == found[1][0]
    assert ending(tmp_path) == ("COMPLETED", None, None)


def test_workers_that_log_nothing_leave_nothing_however_they_end(script, tmp_path):
    done = script("""
        import multiprocessing, os, signal
        from hpcshell import track
        with track.run("x") as run:
            fork = multiprocessing.get_context("fork")
            with fork.Pool(2) as pool:
                assert pool.map(abs, [-1, -2]) == [1, 2]
            worker = fork.Process(target=signal.pause)
            worker.start()
            worker.terminate()
            worker.join()
            assert worker.exitcode == -signal.SIGTERM
        """)
    assert done.returncode == 0, done.stderr
    assert [line["k"] for line in spooled(tmp_path / "spool")] == ["run", "end"]
    assert ending(tmp_path) == ("COMPLETED", None, None)


def test_a_fork_while_threads_log_does_not_lock_up_the_child(script, tmp_path):
    done = script("""
        import os, threading
        from hpcshell import track
        with track.run("x") as run:
            leave = threading.Event()
            def work():
                while not leave.is_set():
                    run.log(a=1)
            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads: thread.start()
            for number in range(20):
                child = os.fork()
                if child == 0:
                    run.log(child=number, step=number)
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
            leave.set()
            for thread in threads: thread.join()
        """)
    assert done.returncode == 0, done.stderr
    found = of_kind("m", spooled(tmp_path / "spool"))
    children = [line["v"]["child"] for line in found if "child" in line["v"]]
    assert sorted(children) == list(range(20))


# ------------------------------------------------------------------------------------ distributed


def test_processes_of_one_run_join_it_and_only_the_first_ends_it(script, tmp_path):
    text = """
        import os
        from hpcshell import track
        with track.run("x") as run:
            run.log_many({f"rank/{os.environ['RANK']}": 1}, step=0)
        """
    for rank in (1, 0):
        done = script(text, RANK=str(rank), HPC_TRACK_RUN_ID="12345")
        assert done.returncode == 0, done.stderr
    found = spooled(tmp_path / "spool")
    assert len({line["run_id"] for line in of_kind("run", found)}) == 1
    assert len(of_kind("m", found)) == 2
    assert len(list((tmp_path / "spool").iterdir())) == 2
    assert ending(tmp_path) == ("COMPLETED", None, None)


def test_of_another_rank_that_fails_a_tag_tells(script, tmp_path):
    text = """
        from hpcshell import track
        with track.run("x", run_id="a" * 32):
            raise ValueError("no")
        """
    assert script(text, RANK="3").returncode == 1
    found = spooled(tmp_path / "spool")
    assert found[0]["run_id"] == "a" * 32
    assert [line["v"] for line in of_kind("g", found)] == [{"rank.3": "FAILED: ValueError: no"}]
    assert ending(tmp_path) is None


def test_the_runs_of_a_script_in_turn_are_the_same_in_every_process(monkeypatch):
    from hpcshell.track.client import start

    monkeypatch.setenv("HPC_TRACK_RUN_ID", "job-7")
    ids = []
    for _ in range(2):
        start._joined.clear()
        with track.run("x") as first, track.run("x") as second:
            ids.append((first.run_id, second.run_id))
    assert ids[0] == ids[1]
    assert ids[0][0] != ids[0][1]
    with track.run("y", run_id="job-7") as other:
        assert other.run_id != ids[0][0]
    assert os.environ["HPC_TRACK_RUN_ID"] == "job-7"
