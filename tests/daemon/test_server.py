"""What is said to the control socket that no client would say: answered in one line, harming
nobody."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.client.client import Client
from hpcshell.core.errors import HpcError, Unreachable
from hpcshell.machine.paths import places
from tests.support.daemons import Daemon, Raw, raw

SUBMISSION = {"argv": ["true"], "cwd": "/", "env": {}, "stdout": "/dev/null"}


@pytest.fixture
def daemon(home: Path) -> Iterator[Daemon]:
    """A daemon that must be alive, answering and without a defect at the end."""
    daemon = Daemon(home, {"HPC_RESOURCES__CPUS": "2"})
    daemon.start()
    assert daemon.told == "ok"
    yield daemon
    assert daemon.alive
    assert daemon.client().call("hello")["pid"] == daemon.pid
    assert daemon.complaints == []


@pytest.fixture(scope="module")
def abused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all bad arguments, with job 1 held and array 2 held."""
    from tests.support.homes import clean_environment, fresh_home

    with fresh_home() as home, pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - clean_environment().keys():
            patch.delenv(name)
        patch.setenv("HPCSHELL_HOME", str(home))
        daemon = Daemon(home, {"HPC_RESOURCES__CPUS": "2"})
        daemon.start()
        held = {**SUBMISSION, "hold": True}
        daemon.client().call("submit", submissions=[held, {**held, "array": "0-3"}])
        yield daemon


def wrong(answer: object) -> str:
    """The message of an answer that must be a refusal for being wrong."""
    assert isinstance(answer, dict)
    assert answer["error"]["kind"] in ("wrong", "not_found"), answer
    assert answer["error"]["exit_code"] in (2, 3)
    assert "\n" not in answer["error"]["message"]
    return str(answer["error"]["message"])


NONSENSE = {
    "null": "null",
    "a number": "1",
    "an array": "[1, 2]",
    "an array instead of an object": '[{"verb": "hello"}]',
    "an empty object": "{}",
    "half an object": '{"verb": "hel',
    "depth 10,000": '{"verb": "hello", "args": {"a": ' + "[" * 10_000 + "]" * 10_000 + "}}",
    "depth 900": '{"verb": "submit", "args": {"submissions": ' + "[" * 900 + "]" * 900 + "}}",
    "NaN": '{"verb": "wait", "args": {"ids": ["1"], "timeout": NaN}}',
    "Infinity": '{"verb": "wait", "args": {"ids": ["1"], "timeout": Infinity}}',
    "1e400": '{"verb": "wait", "args": {"ids": ["1"], "timeout": 1e400}}',
    "invalid UTF-8": b'{"verb": "\xff\xfe"}',
    "a lone surrogate": '{"verb": "\\ud800"}',
    "NUL": "\0",
    "arguments that are a list": '{"verb": "hello", "args": []}',
    "an id that is text": '{"verb": "hello", "id": "1"}',
    "an id with a fraction": '{"verb": "hello", "id": 1.5}',
    "an id of 2^63": '{"verb": "hello", "id": 9223372036854775808}',
    "an id of 30 digits": '{"verb": "hello", "id": 123456789012345678901234567890}',
    "a verb of a megabyte": '{"verb": "' + "x" * (1 << 20) + '"}',
    "no verb there is": '{"verb": "destroy"}',
}


@pytest.mark.parametrize("line", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_answered_with_what_is_wrong(abused: Daemon, line: str | bytes) -> None:
    with raw() as connection:
        message = wrong(connection.ask(line))
        assert len(message) < 300
        assert connection.ask('{"verb": "hello", "id": 5}')["id"] == 5, "the line is the only loss"
    assert abused.alive
    assert abused.complaints == []


BAD_ARGUMENTS = {
    "negative id": ("show", {"ids": ["-1"]}),
    "id with a fraction": ("show", {"ids": [1.5]}),
    "id 2^63": ("show", {"ids": ["9223372036854775808"]}),
    "id 0": ("cancel", {"ids": [0]}),
    "ids that are text": ("cancel", {"ids": "1"}),
    "ids that are an object": ("cancel", {"ids": {"1": 1}}),
    "no ids": ("cancel", {}),
    "an id that is null": ("hold", {"ids": [None]}),
    "an id that is a list": ("hold", {"ids": [["1"]]}),
    "states that are a number": ("cancel", {"ids": ["1"], "states": 5}),
    "names that are a number": ("cancel", {"names": 5}),
    "a user that is a list": ("cancel", {"user": ["root"]}),
    "an unknown signal": ("cancel", {"ids": ["1"], "signal": "SIGFOO"}),
    "a signal of 10^30": ("cancel", {"ids": ["1"], "signal": 10**30}),
    "an endless timeout": ("wait", {"ids": ["1"], "timeout": "long"}),
    "since that is text": ("events", {"since": "yesterday"}),
    "since 2^70": ("events", {"since": 2**70}),
    "since -1": ("events", {"since": -1}),
    "history since text": ("history", {"since": "yesterday"}),
    "history of a number": ("history", {"names": 7}),
    "history of an unknown state": ("history", {"states": ["SLEEPING"]}),
    "limit -1": ("queue", {"limit": -1}),
    "limit 2^70": ("history", {"limit": 2**70}),
    "limit true": ("queue", {"limit": True}),
    "offset text": ("queue", {"offset": "x"}),
    "tags that are a number": ("queue", {"tags": 5}),
    "states of the queue that are a number": ("queue", {"states": 5}),
    "changes that are a list": ("edit", {"ids": ["1"], "changes": ["cpus"]}),
    "priority 2^70": ("edit", {"ids": ["1"], "changes": {"priority": 2**70}}),
    "begin that is text": ("edit", {"ids": ["1"], "changes": {"begin": "now"}}),
    "cpus true": ("edit", {"ids": ["1"], "changes": {"cpus": True}}),
    "cpus 2^70": ("edit", {"ids": ["1"], "changes": {"cpus": 2**70}}),
    "others that are numbers": ("edit", {"ids": ["1"], "changes": {"others": {"a": "b"}}}),
    "a time limit that is text": ("edit", {"ids": ["1"], "changes": {"time_limit": "1"}}),
    "a throttle that is true": ("edit", {"ids": ["2"], "changes": {"throttle": True}}),
    "tags with numbers": ("edit", {"ids": ["1"], "changes": {"tags": [[]]}}),
    "an unknown field": ("edit", {"ids": ["1"], "changes": {"id": 2}}),
    "an unknown partition": ("edit", {"ids": ["1"], "changes": {"partition": "nowhere"}}),
    "a dependency on itself": ("edit", {"ids": ["1"], "changes": {"dependency": "afterok:1"}}),
    "a dependency on nothing": ("edit", {"ids": ["1"], "changes": {"dependency": "afterok:99"}}),
    "nothing submitted": ("submit", {"submissions": []}),
    "an unknown argument": ("submit", {"submissions": [SUBMISSION], "force": True}),
    "a submission that is null": ("submit", {"submissions": [None]}),
    "no command": ("submit", {"submissions": [{**SUBMISSION, "argv": []}]}),
    "a relative directory": ("submit", {"submissions": [{**SUBMISSION, "cwd": "here"}]}),
    "begin 10^30": ("submit", {"submissions": [{**SUBMISSION, "begin": 1e300}]}),
    "priority 2^70 submitted": ("submit", {"submissions": [{**SUBMISSION, "priority": 2**70}]}),
    "nice 2^70": ("submit", {"submissions": [{**SUBMISSION, "nice": 2**70}]}),
    "cpus 2^70 submitted": (
        "submit",
        {"submissions": [{**SUBMISSION, "request": {"cpus": 2**70}}]},
    ),
    "a umask of 2^70": ("submit", {"submissions": [{**SUBMISSION, "umask": 2**70}]}),
    "a grace of -1": ("submit", {"submissions": [{**SUBMISSION, "grace": -1}]}),
    "a retry limit of 2^70": (
        "submit",
        {"submissions": [{**SUBMISSION, "retry": {"limit": 2**70}}]},
    ),
    "a NUL in the name": ("submit", {"submissions": [{**SUBMISSION, "name": "a\0b"}]}),
    "a surrogate in a word": ("submit", {"submissions": [{**SUBMISSION, "argv": ["\udcff"]}]}),
    "an array that runs backwards": ("submit", {"submissions": [{**SUBMISSION, "array": "5-1"}]}),
    "an array of 10^9": ("submit", {"submissions": [{**SUBMISSION, "array": "0-1000000000"}]}),
}


@pytest.mark.parametrize(("verb", "args"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS.keys())
def test_a_bad_argument_is_refused_and_changes_nothing(
    abused: Daemon, verb: str, args: dict[str, object]
) -> None:
    before = abused.client().call("show", ids=["1", "2"])
    line = json.dumps({"verb": verb, "id": 7, "args": args})
    with raw() as connection:
        answer = connection.ask(line)
        assert answer["id"] in (7, 0)
        wrong(answer)
    assert abused.alive
    assert abused.client().call("show", ids=["1", "2"]) == before
    assert abused.client().call("hello")["jobs"] == {"PENDING": 5}
    assert abused.complaints == []


# -- lines that are long, slow or torn ---------------------------------------------------------


def test_a_line_of_100_megabytes_is_refused_without_being_kept(daemon: Daemon) -> None:
    before = resident(daemon.pid)
    with raw() as connection:
        for _ in range(100):
            connection.say(b"x" * (1 << 20))
        assert "64 MiB" in wrong(connection.ask(""))
        assert connection.ask('{"verb": "hello", "id": 5}')["id"] == 5, "the line is the only loss"
    assert resident(daemon.pid) < before + (32 << 20), "the line was given back to the system"


def resident(pid: int) -> int:
    """Bytes of memory a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_half_a_line_is_nothing(daemon: Daemon) -> None:
    with raw() as connection:
        connection.say('{"verb": "submit", "args": {"submissions": [')
        connection.sock.shutdown(socket.SHUT_WR)
        assert connection.hear() is None
    assert daemon.client().call("queue")["total"] == 0


def test_a_slow_client_is_heard_out_and_keeps_nobody_waiting(daemon: Daemon) -> None:
    with raw() as slow:
        line = b'{"verb": "hello", "id": 3}\n'
        for place in range(len(line) - 1):
            slow.say(line[place : place + 1])
            if place % 5 == 0:
                daemon.client().call("hello")
        slow.say(line[-1:])
        assert slow.hear()["id"] == 3


def test_several_requests_in_one_write_are_answered_in_their_order(daemon: Daemon) -> None:
    with raw() as connection:
        connection.say("".join(f'{{"verb": "hello", "id": {n}}}\n' for n in range(1, 3001)))
        assert [connection.hear()["id"] for _ in range(3000)] == list(range(1, 3001))


def test_of_two_equal_keys_the_last_counts(daemon: Daemon) -> None:
    with raw() as connection:
        assert connection.ask('{"verb": "destroy", "id": 1, "id": 2, "verb": "hello"}')["id"] == 2


def test_who_leaves_before_the_answer_harms_nobody(daemon: Daemon) -> None:
    for _ in range(20):
        with raw() as connection:
            connection.say(
                '{"verb": "queue", "id": 1}\n{"verb": "events", "args": {"follow": true}}\n'
            )
    assert daemon.client().call("hello")


# -- many at once ------------------------------------------------------------------------------


def test_300_clients_hear_every_event_once(daemon: Daemon) -> None:
    clients = [Raw() for _ in range(300)]
    for client in clients:
        client.say('{"verb": "events", "id": 1, "args": {"follow": true, "since": 0}}\n')
        client.say('{"verb": "hello", "id": 2}\n')
    job = daemon.client().call("submit", submissions=[SUBMISSION])["jobs"][0]["id"]
    daemon.client().call("wait", ids=[job])
    for client in clients:
        told: list[int] = []
        while not told or told[-1] < 3:
            said = client.hear()
            if "event" in said:
                told.append(said["event"]["seq"])
        assert told == [1, 2, 3]
        client.close()


def test_a_client_that_never_reads_is_held_back_not_remembered(daemon: Daemon) -> None:
    daemon.client().call("submit", submissions=[{**SUBMISSION, "hold": True}] * 200)
    before = resident(daemon.pid)
    with raw() as deaf:
        deaf.sock.setblocking(False)
        line = '{"verb": "queue", "args": {"limit": 100000}}\n'
        with pytest.raises(BlockingIOError):  # the daemon stops reading from it
            deaf.say(line * 100_000)
        assert daemon.client().call("hello")
        assert resident(daemon.pid) < before + (64 << 20)


def test_a_huge_timeout_wakes_nobody(daemon: Daemon) -> None:
    client = daemon.client()
    client.call("submit", submissions=[{**SUBMISSION, "hold": True, "begin": 1e12}])
    with raw() as connection:
        connection.say('{"verb": "wait", "id": 1, "args": {"ids": [1], "timeout": 1e12}}\n')
        client.call("cancel", ids=["1"])
        assert connection.hear()["ok"]["done"][0]["state"] == "CANCELLED"


def test_out_of_descriptors_clients_are_turned_away_and_served_later(home: Path) -> None:
    daemon = Daemon(home, {"HPC_RESOURCES__CPUS": "2"})
    daemon.start(prefix=("prlimit", "--nofile=64:64"))
    assert daemon.told == "ok"
    knocking = [Raw() for _ in range(100)]
    turned_away = 0
    for client in knocking:
        try:
            turned_away += client.ask('{"verb": "hello"}') is None
        except OSError:
            turned_away += 1
        if turned_away:
            break
    assert turned_away
    for client in knocking:
        client.close()
    busy = cpu_seconds(daemon.pid)
    later = daemon.client()
    while not served(later):
        pass
    job = later.call("submit", submissions=[SUBMISSION])["jobs"][0]["id"]
    assert later.call("wait", ids=[job])["done"][0]["state"] == "COMPLETED"
    assert cpu_seconds(daemon.pid) - busy < 2.0


def served(client: Client) -> bool:
    """Whether the daemon has got round to us; it hangs up while others are still leaving."""
    try:
        return bool(client.call("hello"))
    except Unreachable:
        return False


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -- the socket and the lock -------------------------------------------------------------------


def test_a_deleted_socket_is_made_again_on_hangup(daemon: Daemon) -> None:
    before = daemon.client()
    before.call("hello")
    socket_file = Path(places(os.environ).daemon_socket)
    socket_file.unlink()
    daemon.signal(signal.SIGHUP)
    assert before.call("hello")["pid"] == daemon.pid, "who was connected stays so"
    while not socket_file.exists():
        before.call("hello")
    assert daemon.client().call("hello")["pid"] == daemon.pid


def test_a_wiped_run_directory_is_made_again_on_hangup(daemon: Daemon) -> None:
    before = daemon.client()
    before.call("hello")
    where = places(os.environ)
    shutil.rmtree(where.runtime)
    daemon.signal(signal.SIGHUP)
    while not os.path.exists(where.daemon_socket):
        before.call("hello")
    job = daemon.client().call("submit", submissions=[SUBMISSION])["jobs"][0]["id"]
    assert daemon.client().call("wait", ids=[job])["done"][0]["state"] == "COMPLETED"


def test_a_second_daemon_is_refused_and_the_first_stays(daemon: Daemon) -> None:
    second = Daemon(daemon.home)
    second.start()
    assert second.told.startswith("running|")
    assert f"pid {daemon.pid}" in second.told
    assert second.ended() == 75
    assert daemon.client().call("hello")["pid"] == daemon.pid
    (daemon.home / "daemon.errors").unlink()  # where the second said so, too


def test_a_stale_pid_in_the_lock_means_nothing(home: Path) -> None:
    where = places(os.environ)
    where.prepare()
    Path(where.daemon_lock).write_text(f"{os.getpid()}\n")
    Path(where.daemon_socket).write_text("no socket at all")
    daemon = Daemon(home)
    daemon.start()
    assert daemon.told == "ok"
    assert daemon.client().call("hello")["pid"] == daemon.pid


def test_a_path_too_long_for_a_socket_is_refused_with_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPCSHELL_HOME", str(home / ("x" * 100)))
    daemon = Daemon(home)
    daemon.start()
    kind, message, hint = daemon.told.split("|")
    assert kind == "wrong"
    assert "107" in message
    assert "HPCSHELL_HOME" in hint
    assert daemon.ended() == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_state_directory_that_cannot_be_written_is_refused(home: Path) -> None:
    where = places(os.environ)
    where.prepare()
    for directory in (home, *home.iterdir()):
        os.chown(directory, 65534, 65534)
    os.chmod(where.state, 0o500)
    home.chmod(0o755)
    daemon = Daemon(home)
    daemon.start(prefix=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
    kind, message, _ = daemon.told.split("|")
    assert kind == "broken"
    assert where.state in message
    assert daemon.ended() == 1
    assert not list(Path(where.state).glob("*.db"))


def test_a_lock_that_is_a_directory_is_an_error_of_one_line(home: Path) -> None:
    where = places(os.environ)
    where.prepare()
    os.mkdir(where.daemon_lock)
    daemon = Daemon(home)
    daemon.start()
    assert daemon.told.startswith("broken|")
    assert daemon.ended() == 1
    assert all("Traceback" not in line for line in daemon.complaints)


def test_a_refused_client_hears_the_same_error_class(daemon: Daemon) -> None:
    with pytest.raises(HpcError) as caught:
        daemon.client().call("show", ids=["77"])
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(("asked", "found"), [("1", 1), ("12", 12), ("local_12", 12)])
def test_an_id_is_never_a_prefix_of_another(daemon: Daemon, asked: str, found: int) -> None:
    daemon.client().call("submit", submissions=[{**SUBMISSION, "hold": True}] * 13)
    assert [job["id"] for job in daemon.client().call("show", ids=[asked])["jobs"]] == [found]
