"""`import hpcshell`: submit, watch, cancel from Python, on a real daemon."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

import hpcshell
from hpcshell import jobs
from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.core.options.table import OPTIONS, by_key
from tests.support.clusters.faces import on_slurm as on_slurm
from tests.support.clusters.faces import slurm_cluster as slurm_cluster
from tests.support.homes import clean_environment


@pytest.fixture(autouse=True)
def empty_directory(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "4")


def test_a_command_runs_and_its_result_is_what_it_wrote():
    job = hpcshell.submit(["sh", "-c", "echo hello; echo more"])
    assert job.result() == "hello\nmore\n"
    assert job.state == "COMPLETED"
    assert job.wait() == "COMPLETED"


def test_text_with_blanks_is_a_line_for_the_shell():
    assert hpcshell.submit("echo $((6 * 7)) | cat").result() == "42\n"


def test_the_path_of_a_file_is_a_script_and_keywords_win_over_its_directives(tmp_path):
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\n#HPC --name=fromscript --cpus=2\necho $HPC_JOB_NAME\n")
    assert hpcshell.submit("job.sh").result() == "fromscript\n"
    job = hpcshell.submit(script, name="fromcall")
    assert job.result() == "fromcall\n"
    assert job.show()["cpus"] == 2


def test_a_missing_script_says_so_at_once():
    with pytest.raises(Wrong, match="no script"):
        hpcshell.submit("missing.sh")


def test_options_are_keywords():
    job = hpcshell.submit(
        ["true"],
        name="opt",
        cpus=2,
        memory="64M",
        time_limit=timedelta(minutes=5),
        tag=["a", "b"],
        env={"X": "1"},
        hold=True,
    )
    view = job.show()
    assert (view["name"], view["cpus"], view["memory"]) == ("opt", 2, 64 << 20)
    assert (view["time_limit"], view["tags"], view["held"]) == (300.0, ["a", "b"], True)
    assert job.release()
    assert job.wait() == "COMPLETED"


def test_a_keyword_nobody_knows_names_the_nearest():
    with pytest.raises(Wrong, match="cpus"):
        hpcshell.submit(["true"], cpuss=2)  # type: ignore[call-arg]


def test_a_failure_raises_with_exit_code_and_the_end_of_the_log():
    job = hpcshell.submit("echo working; echo 'it broke' >&2; exit 7")
    with pytest.raises(hpcshell.JobFailed, match="it broke") as caught:
        job.result()
    assert caught.value.exit_code == 7
    assert caught.value.state == "FAILED"
    assert isinstance(caught.value, hpcshell.HpcError)


def test_a_kill_raises_with_the_signal():
    with pytest.raises(hpcshell.JobFailed) as caught:
        hpcshell.submit("kill -KILL $$").result()
    assert caught.value.signal == 9
    assert caught.value.exit_code == 137


def test_an_array_has_elements():
    job = hpcshell.submit("echo element $HPC_ARRAY_TASK_ID", array=range(3))
    assert job.elements == 3
    assert job.result() == "element 0\nelement 1\nelement 2\n"
    assert job[1].label == f"{job.id}_1"
    assert job[1].result() == "element 1\n"


def test_an_array_with_a_failure_raises_with_the_log_of_what_failed():
    job = hpcshell.submit("echo at $HPC_ARRAY_TASK_ID; exit $HPC_ARRAY_TASK_ID", array="0-1")
    with pytest.raises(hpcshell.JobFailed, match="at 1"):
        job.result()


def test_a_wait_that_times_out_raises_both_kinds_of_error():
    job = hpcshell.submit(["sleep", "60"])
    with pytest.raises(TimeoutError):
        job.wait(0.05)
    with pytest.raises(hpcshell.HpcError):
        job.wait(timeout=0)
    assert job.cancel()
    assert job.wait() == "CANCELLED"
    assert not job.cancel()


def test_held_jobs_wait_until_released():
    job = hpcshell.submit(["true"])
    job.wait()
    assert not job.hold()
    held = hpcshell.submit(["true"], hold=True)
    assert held.state == "PENDING"
    assert held in hpcshell.queue()
    assert held.release()
    assert held.wait() == "COMPLETED"


def test_several_are_accepted_at_once_or_not_at_all():
    accepted = hpcshell.submit_many([["true"], {"command": ["true"], "name": "x"}], cpus=1)
    assert [job.wait() for job in accepted] == ["COMPLETED", "COMPLETED"]
    assert accepted[1].show()["name"] == "x"
    with pytest.raises(hpcshell.HpcError):
        hpcshell.submit_many([["true"], {"command": ["true"], "cpus": 10_000}])
    assert hpcshell.submit(["true"]).id == int(accepted[-1].id) + 1
    assert hpcshell.submit_many([]) == []


def test_a_job_is_found_by_id_name_and_place():
    job = hpcshell.submit(["true"], name="needle")
    for selector in (job.id, str(job.id), "needle", "@"):
        assert hpcshell.job(selector) == job
    with pytest.raises(NotFound):
        hpcshell.job(999_999)


def test_dependencies_take_jobs():
    first = hpcshell.submit(["true"], hold=True)
    second = hpcshell.submit(["true"], afterok=first)
    assert second.show()["dependency"] == f"afterok:{first.id}"
    first.release()
    assert second.wait() == "COMPLETED"


def test_errors_of_the_daemon_arrive_as_their_classes():
    job = hpcshell.submit(["sleep", "60"], unique=True)
    with pytest.raises(Refused):
        hpcshell.submit(["sleep", "60"], unique=True)
    job.cancel()


def test_logs_can_be_read_apart():
    job = hpcshell.submit("echo out; echo err >&2", output="o.txt", error="e.txt")
    job.wait()
    assert (job.logs(), job.logs("stderr")) == ("out\n", "err\n")
    with pytest.raises(Wrong):
        job.logs("stdin")


def test_many_threads_submit_at_once():
    made: list[hpcshell.Job] = []

    def work() -> None:
        made.extend(hpcshell.submit(["true"]) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.id for job in made}) == 80
    assert jobs.wait([str(job.id) for job in made])["pending"] == []


def test_the_environment_of_the_moment_goes_along(monkeypatch):
    for value in ("first", "second"):
        monkeypatch.setenv("MARK", value)
        assert hpcshell.submit(["sh", "-c", "echo $MARK"]).result() == f"{value}\n"


def test_a_project_file_that_changes_counts_from_then_on(tmp_path):
    project = tmp_path / "hpcshell.toml"
    for cpus in (2, 3):
        project.write_text(f"[defaults]\ncpus = {cpus}\n# {'x' * cpus}\n")
        project.chmod(0o644)
        assert hpcshell.submit(["true"]).show()["cpus"] == cpus


def test_every_option_is_a_typed_keyword():
    from hpcshell.jobs.options import Options

    declared = Options.__annotations__
    rows = {row.name for row in OPTIONS if row.hpc}
    assert rows <= declared.keys()
    assert all(by_key(name) is not None for name in declared)


def test_importing_the_package_loads_almost_nothing():
    code = (
        "import sys; before = set(sys.modules); import hpcshell; import json;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
        cwd=Path(__file__).parent,
    )
    loaded = {name for name in json.loads(done.stdout) if not name.startswith("json")}
    assert {name for name in loaded if name.startswith("hpcshell")} == {"hpcshell"}
    assert not loaded & {"typing", "msgspec", "click", "pathlib", "socket", "subprocess"}


def test_a_name_it_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        hpcshell.nonsense  # noqa: B018
    assert set(hpcshell.__all__) <= set(dir(hpcshell))


@pytest.mark.parametrize("timeout", [float("nan"), 1e300, 10**400, "x"], ids=str)
def test_a_time_to_wait_that_cannot_be_is_refused_and_not_taken_for_for_ever(timeout):
    job = hpcshell.submit(["true"], hold=True)
    with pytest.raises(Wrong, match="no possible time"):
        job.wait(timeout)


def test_an_unknown_filter_is_not_passed_over():
    with pytest.raises(Wrong, match="state= is no filter") as caught:
        hpcshell.queue(state="RUNNING")
    assert caught.value.hint == "did you mean states=?"


@pytest.mark.parametrize("command", [[], [1, 2], None, 5, b"x", [b"x"]], ids=repr)
def test_what_is_no_command_is_refused_in_a_sentence(command):
    with pytest.raises(Wrong, match="a command is a list of at least one word"):
        hpcshell.submit(command)


# --------------------------------------------------------------------------------- on a cluster


def test_a_cluster_is_one_keyword_away(on_slurm):
    job = hpcshell.submit("echo hello; echo more", on="slurm", time_limit=5)
    assert job.on == "slurm"
    assert job.result() == "hello\nmore\n"
    assert (job.state, job.show()["cluster"]) == ("COMPLETED", "slurm")
    assert hpcshell.job(job.id, on="slurm") == job
    assert job != hpcshell.Job(job.id)
    assert "on slurm" in repr(job)


def test_a_failure_there_is_the_same_failure(on_slurm):
    job = hpcshell.submit("echo 'it broke' >&2; exit 7", on="slurm", error="own.err")
    with pytest.raises(hpcshell.JobFailed, match="it broke") as caught:
        job.result()
    assert (caught.value.exit_code, caught.value.state) == (7, "FAILED")
    assert f"hpc logs --on slurm {job.id}" in str(caught.value)
    assert (job.logs(), job.logs("stderr")) == ("", "it broke\n")


def test_an_array_there_has_elements_and_jobs_may_wait_for_one(on_slurm):
    array = hpcshell.submit(
        "echo $SLURM_ARRAY_TASK_ID; exit $SLURM_ARRAY_TASK_ID", array=[0, 1], on="slurm"
    )
    after = hpcshell.submit(["echo", "after"], afterok=array[0], on="slurm")
    never = hpcshell.submit(["echo", "never"], afterok=array, on="slurm")
    assert array.elements == 2
    assert after.result() == "after\n"
    assert array.wait() == "FAILED"
    assert array[1].logs() == "1\n"
    assert never.wait() == "CANCELLED"
    with pytest.raises(hpcshell.JobFailed, match="1"):
        array.result()


def test_jobs_there_are_held_released_cancelled_and_listed(on_slurm):
    job = hpcshell.submit(["sleep", "60"], hold=True, on="slurm")
    assert job in hpcshell.queue(on="slurm")
    assert job.release()
    assert job.hold() or job.state == "RUNNING"
    with pytest.raises(TimeoutError):
        job.wait(0.05)
    assert job.cancel()
    assert job.wait() == "CANCELLED"
    assert not job.cancel()
    assert job not in hpcshell.queue(on="slurm")


def test_of_several_there_nothing_is_left_if_one_is_refused(on_slurm):
    pair = jobs.submit_many([["true"], {"command": ["false"], "name": "x"}], on="slurm")
    assert [job.wait() for job in pair] == ["COMPLETED", "FAILED"]
    with pytest.raises(Wrong, match="partition"):
        jobs.submit_many(
            [
                {"command": ["sleep", "60"], "name": "first"},
                {"command": ["true"], "partition": "x"},
            ],
            on="slurm",
        )
    assert hpcshell.job("first", on="slurm").wait() == "CANCELLED"


def test_the_configuration_says_where_jobs_go_unless_it_is_said(on_slurm, monkeypatch):
    monkeypatch.setenv("HPC_DEFAULTS__ON", "auto")
    assert hpcshell.submit(["true"]).on == "slurm"
    assert hpcshell.submit(["true"], on="local").on == "local"
    chosen = hpcshell.submit(["echo", "any"], on="any")
    assert (chosen.on, chosen.result()) == ("slurm", "any\n")
    with pytest.raises(NotFound, match="no cluster"):
        hpcshell.submit(["true"], on="nowhere")


def test_a_program_opens_a_desk_once_and_again_when_its_configuration_changes(on_slurm):
    from hpcshell.jobs.opened import door
    from hpcshell.jobs.surroundings import here

    first = door("slurm")
    assert door("slurm") is first
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.append(door("slurm")))
    thread.start()
    thread.join()
    assert seen != [first]
    config = Path(here().config_file)
    config.write_text(config.read_text() + "max_jobs = 5\n")
    assert door("slurm") is not first
