"""The verbs that change and wait: cancel, hold, release, requeue, rerun, edit, wait."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli


def submit(cli: Cli, *words: str | int) -> str:
    return cli("submit", "--quiet", *words, check=True).out.strip()


@pytest.fixture
def cli(shared: Cli) -> Cli:
    return shared


def test_cancel_ends_what_runs_and_what_waits(cli):
    running = submit(cli, "--", "sleep", "600")
    held = submit(cli, "--hold", "--", "true")
    said = cli("cancel", running, held, check=True)
    assert f"job {running} cancelled (RUNNING" in said.out
    assert cli("wait", running, held).code == 7
    assert cli("show", running, "--json").json["state"] == "CANCELLED"


def test_a_dry_run_cancels_nothing(cli):
    job = submit(cli, "--", "sleep", "600")
    said = cli("cancel", "--dry-run", job, check=True)
    assert "would be cancelled" in said.out
    assert cli("show", job, "--json").json["state"] == "RUNNING"
    cli("cancel", "--quiet", job, check=True)


def test_a_change_says_nothing_on_stderr_when_nothing_went_wrong(cli):
    job = submit(cli, "--hold", "--", "true")
    assert [cli(verb, job).err for verb in ("hold", "release")] == ["", ""]


def test_an_ended_array_is_no_longer_held(cli):
    job = submit(cli, "--hold", "--array", "0-1", "--", "true")
    assert "PENDING (held)" in cli("show", job, check=True).out
    cli("cancel", job, check=True)
    assert "(held)" not in cli("show", job, check=True).out


def test_a_signal_is_named_and_ends_nothing_by_itself(cli):
    job = submit(cli, "--", "sleep", "600")
    said = cli("cancel", job, "--signal", "USR1", "--dry-run", check=True)
    assert f"job {job} would be sent USR1" in said.out
    assert f"job {job} was sent WINCH" in cli("cancel", job, "--signal", "winch").out
    assert cli("show", job, "--json").json["state"] == "RUNNING"
    cli("cancel", job, check=True)


def test_a_bare_timeout_is_said_to_be_seconds(cli):
    assert "a bare number is seconds" in cli("wait", "--timeout", "soon").err


def test_cancel_by_name_and_state_leaves_the_rest(cli):
    first = submit(cli, "--name", "x1", "--", "sleep", "600")
    second = submit(cli, "--name", "x1", "--hold", "--", "true")
    said = cli("cancel", "--name", "x1", "--state", "PENDING", check=True)
    assert second in said.out
    assert cli("show", first, "--json").json["state"] == "RUNNING"
    cli("cancel", "x1", check=True)


def test_cancel_without_anything_named_is_a_question(cli):
    said = cli("cancel")
    assert (said.code, "which jobs?" in said.err) == (2, True)


def test_cancel_of_elements(cli):
    job = submit(cli, "--hold", "--array", "0-9", "--", "true")
    cli("cancel", f"{job}[2-4]", check=True)
    counts = cli("show", job, "--json").json["elements"]["counts"]
    assert counts == {"CANCELLED": 3, "PENDING": 7}
    cli("cancel", job, check=True)


def test_elements_may_be_named_by_the_name_of_their_job(cli):
    submit(cli, "--hold", "--name", "by-name", "--array", "0-9", "--", "true")
    cli("cancel", "by-name[2-4]", "by-name_7", check=True)
    assert cli("show", "by-name", "--json").json["elements"]["counts"]["CANCELLED"] == 4
    assert cli("show", "by-name_10").code == 3
    cli("cancel", "by-name", check=True)


def test_cancel_of_what_has_ended_is_refused_and_says_so(cli):
    job = submit(cli, "--", "true")
    cli("wait", job, check=True)
    said = cli("cancel", job)
    assert (said.code, "has ended" in said.err) == (4, True)
    other = submit(cli, "--hold", "--", "true")
    assert cli("cancel", job, other).code == 8


def test_a_signal_is_sent_and_nothing_cancelled(cli):
    line = "trap 'exit 5' USR1; echo ready; while :; do sleep 0.02; done"
    job = submit(cli, "--", "sh", "-c", line)
    while "ready" not in cli("logs", job).out:
        pass
    cli("cancel", "--signal", "USR1", job, check=True)
    assert cli("wait", "--propagate", job).code == 5


def test_ids_come_from_stdin(cli):
    jobs = [submit(cli, "--hold", "--name", "piped", "--", "true") for _ in range(3)]
    ids = cli("queue", "--quiet", "--name", "piped", check=True).out
    assert ids.split() == jobs
    assert cli("cancel", "-", input=ids, check=True).out.count("cancelled") == 3
    assert cli("cancel", "-", input="", check=True).out == ""


def test_hold_and_release(cli):
    job = submit(cli, "--begin", "now+1h", "--", "true")
    cli("hold", job, check=True)
    assert cli("show", job, "--json").json["held"] is True
    assert "held" in cli("queue", job, check=True).out
    cli("release", job, check=True)
    assert cli("show", job, "--json").json["held"] is False
    cli("cancel", job, check=True)


def test_requeue_runs_the_same_job_again(cli):
    job = submit(cli, "--", "sh", "-c", "echo $HPC_ATTEMPT; [ $HPC_ATTEMPT = 2 ] || exec sleep 600")
    while cli("logs", job).out != "1\n":
        pass
    cli("requeue", job, check=True)
    assert cli("wait", job, check=True).code == 0
    assert cli("logs", job).out == "1\n2\n"
    assert cli("show", job, "--json").json["attempt"] == 2


def test_rerun_makes_new_jobs_of_ended_ones(cli):
    job = submit(cli, "--array", "0-3", "--", "sh", "-c", "exit $((HPC_ARRAY_TASK_ID / 2))")
    cli("wait", job)
    said = cli("rerun", "--failed", job, check=True)
    assert f"job {job} again, 2 elements" in said.out
    new = cli("show", "@", "--json").json
    assert new["array"] == "2-3"
    again = cli("rerun", "--quiet", job, check=True).out.strip()
    assert cli("show", again, "--json").json["array"] == "0-3"
    assert cli("rerun", "--dry-run", "--json", job, check=True).json["jobs"][0]["id"] is None


def test_edit_changes_what_waits(cli):
    job = submit(cli, "--hold", "--", "true")
    cli("edit", job, "--time", "2h", "--cpus", "2", "--priority", "high", "--name", "new",
        "--tag", "a", "--tag", "b", check=True)  # fmt: skip
    view = cli("show", job, "--json").json
    assert (view["time_limit"], view["cpus"], view["priority"]) == (7200.0, 2, 750)
    assert (view["name"], view["tags"]) == ("new", ["a", "b"])
    said = cli("edit", job, "--time", "unlimited", "--memory", "1G", check=True)
    assert "time limit 2h 0m -> none" in said.out
    assert "memory none -> 1G" in said.out
    assert cli("show", job, "--json").json["time_limit"] is None
    cli("edit", job, "--dry-run", "--cpus", "3", check=True)
    assert cli("show", job, "--json").json["cpus"] == 2
    assert cli("edit", job).code == 2
    assert cli("edit", job, "--cpus", "4000").code == 2
    assert cli("edit", job, "--afterok", job).code == 2
    cli("cancel", job, check=True)


def test_wait_for_all_and_for_any(cli):
    quick = submit(cli, "--", "true")
    slow = submit(cli, "--", "sleep", "600")
    said = cli("wait", "--any", quick, slow, check=True)
    assert said.out == f"job {quick} COMPLETED\n"
    said = cli("wait", quick, slow, "--timeout", "0.1")
    assert said.code == 6
    assert slow in said.err
    answer = cli("wait", slow, "--timeout", "0", "--json").json
    assert answer["timed_out"] is True
    assert answer["pending"] == [{"id": int(slow), "element": None}]
    cli("cancel", slow, check=True)


@pytest.mark.parametrize(
    ("line", "plain", "propagated"), [("exit 0", 0, 0), ("exit 5", 1, 5), ("kill -9 $$", 1, 137)]
)
def test_the_code_of_a_wait(cli, line, plain, propagated):
    job = submit(cli, "--", "sh", "-c", line)
    assert cli("wait", job).code == plain
    assert cli("wait", "--propagate", job).code == propagated


def test_some_of_many_failed(cli):
    job = submit(cli, "--array", "0-1", "--", "sh", "-c", "exit $HPC_ARRAY_TASK_ID")
    assert cli("wait", job).code == 8
    assert cli("wait", f"{job}_0").code == 0
    assert cli("wait", f"{job}_1").code == 1


def test_what_is_not_to_be_requeued_is_not(cli):
    job = submit(cli, "--no-requeue", "--", "sleep", "600")
    said = cli("requeue", job)
    assert (said.code, "--no-requeue" in said.err) == (4, True)
    assert cli("show", job, "--json").json["state"] == "RUNNING"
    cli("cancel", job, check=True)


def test_what_was_asked_for_can_be_taken_away_again(cli):
    first = cli("submit", "--quiet", "--hold", "--", "true", check=True).out.strip()
    options = ("--afterok", first, "--memory", "10M", "--tag", "a", "--account", "lab")
    job = cli("submit", "--quiet", "--hold", *options, "--", "true", check=True).out.strip()
    taken = ("--dependency", "--memory", "--tag", "--account", "--deadline")
    cli("edit", job, *(word for option in taken for word in (option, "none")), check=True)
    shown = cli("show", job, "--json").json
    assert (shown["dependency"], shown["memory"], shown["tags"], shown["account"]) == (
        None,
        0,
        [],
        None,
    )
