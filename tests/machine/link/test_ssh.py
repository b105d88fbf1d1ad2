"""The connection: shared, lost, refused, led over another host; and what is said of each."""

from __future__ import annotations

import os
import pty
import signal
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpcshell.core.commands import Answer, Words
from hpcshell.core.errors import Unreachable, Wrong
from hpcshell.machine.link import LinkDown, SshLink, far, shell
from tests.support.clusters.sshd import Account, Sshd, ended_at_last
from tests.support.runners import eventually

HOST = "127.0.0.1"
TRUE = Words(argv=("true",))


@pytest.fixture
def fresh(plain: Account, apart: str) -> Iterator[SshLink]:
    """A link that has not connected yet."""
    link = SshLink(HOST, options=plain.options, control=apart)
    yield link
    link.close()


def test_commands_share_one_connection_with_other_processes(
    sshd: Sshd, fresh: SshLink, plain: Account, apart: str
) -> None:
    before = sshd.logins()
    other = SshLink(HOST, options=plain.options, control=apart)
    for link in (fresh, other, fresh):
        link.say_all([TRUE, TRUE])
    assert sshd.logins() - before == 1


def test_eight_at_once_connect_once_and_each_has_its_own_answer(sshd: Sshd, fresh: SshLink) -> None:
    before = sshd.logins()
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda n: fresh.say(Words(argv=("echo", str(n)))), range(24)))
    assert [answer.out for answer in said] == [f"{n}\n" for n in range(24)]
    assert sshd.logins() - before == 1


def test_two_that_connect_at_once_share_the_connection(
    sshd: Sshd, plain: Account, apart: str
) -> None:
    before = sshd.logins()
    links = [SshLink(HOST, options=plain.options, control=apart) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert [a.code for a in pool.map(lambda link: link.say(TRUE), links)] == [0] * 4
    assert sshd.logins() - before == 1
    assert len([name for name in os.listdir(apart) if "." not in name]) == 1
    links[0].close()


def learnt(link: SshLink) -> far.Greeted:
    """What all who share the connection know of the account."""
    link.home()
    greeted = far.unpacked(Path(link.master.account).read_bytes())
    assert greeted is not None
    return greeted


def test_who_we_are_there_is_asked_once_by_all_processes(
    fresh: SshLink, plain: Account, apart: str
) -> None:
    profile = plain.home / ".bash_profile"
    try:
        profile.write_text(f"echo login >>{apart}/log; export SITE='a\nb' HPC_TOKEN=x\n")
        assert fresh.home() == str(plain.home)
        other = SshLink(HOST, options=plain.options, control=apart)
        assert learnt(other) == learnt(fresh)
        assert learnt(other).login["SITE"] == "a\nb"
        assert "HPC_TOKEN" not in learnt(other).login
        assert (Path(apart) / "log").read_text() == "login\n"
        assert stat.S_IMODE(os.stat(fresh.master.account).st_mode) == 0o600
        fresh.close()
        assert SshLink(HOST, options=plain.options, control=apart).user() == fresh.user()
        assert (Path(apart) / "log").read_text() == "login\n" * 2
    finally:
        profile.unlink()


def test_start_up_files_that_spoil_an_answer_spoil_nothing_of_who_we_are(
    plain: Account, joined: Account, apart: str
) -> None:
    one, other = (SshLink(HOST, "", a.options, apart) for a in (plain, joined))
    assert (other.user(), other.home()) == (one.user(), str(joined.home))
    assert set(learnt(other).login) == {"PATH"}
    assert other.say(Words(argv=("pwd",))).out == f"{joined.home}\n"
    one.close()
    other.close()


def test_a_profile_that_never_ends_costs_its_variables_only(
    sshd: Sshd, apart: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "_TO_GREET", 2.0)
    account = sshd.account("endless")
    (account.home / ".bash_profile").write_text("export SITE=x; while :; do sleep 1; done\n")
    link = SshLink(HOST, options=account.options, control=apart)
    assert link.home() == str(account.home)
    assert "SITE" not in learnt(link).login
    assert link.say(Words(argv=("echo", "x"))).out == "x\n"
    link.close()


ON_A_TERMINAL = """
import sys
from hpcshell.core.commands import Words
from hpcshell.machine.link import SshLink
link = SshLink(sys.argv[1], options=sys.argv[3:], control=sys.argv[2])
print("said", link.say(Words(argv=("echo", "through"))).out)
"""


def test_the_first_connection_may_ask_on_the_terminal(sshd: Sshd, apart: str) -> None:
    account = sshd.account("asking", passphrase="open it")
    link = SshLink(HOST, options=account.options, control=apart)
    with pytest.raises(LinkDown, match="does not let you in"):
        link.say(TRUE)
    argv = [sys.executable, "-c", ON_A_TERMINAL, HOST, apart, *account.options]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(argv[0], argv)
    shown = read_until(terminal, b"passphrase for key")
    os.write(terminal, b"open it\n")
    shown += read_until(terminal, b"said through")
    os.waitpid(pid, 0)
    os.close(terminal)
    assert b"You are being watched." in shown
    assert link.say(Words(argv=("echo", "and for others"))).out == "and for others\n"
    link.close()


def read_until(terminal: int, words: bytes) -> bytes:
    """What is shown on a terminal until it holds these words."""
    shown = b""
    while words not in shown:
        shown += os.read(terminal, 1000)
    return shown


def test_several_commands_are_one_session_unless_they_read(sshd: Sshd, far: SshLink) -> None:
    def sessions() -> int:
        return (sshd.here / "log").read_text().count("Starting session")

    far.home()
    before, many = sessions(), [TRUE, Words(argv=("cat",)), TRUE]
    far.say_all(many)
    first = sessions() - before
    answers = far.say_all([*many, reading(), *many])
    assert answers[3] == Answer(code=0, out="x")
    assert (first, sessions() - before - first) == (1, 3)


def test_a_connection_that_breaks_leaves_it_open_whether_the_command_ran(
    sshd: Sshd, fresh: SshLink, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    script = f"echo once >>{tmp_path}/runs; echo $$ >{started}; echo half; exec sleep 600"
    fresh.home()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fresh.say, Words(argv=("sh", "-c", script)))
        pid = int(started.read_text())
        sshd.drop()
        answer = waiting.result(20)
    ended_at_last(pid)
    assert answer.code is None
    assert "the connection broke" in answer.err
    assert (tmp_path / "runs").read_text() == "once\n"
    before = sshd.logins()
    assert fresh.say(TRUE).code == 0
    assert sshd.logins() - before == 1


def test_of_several_those_before_the_break_are_answered(
    sshd: Sshd, fresh: SshLink, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    # More than can be on its way: what came before has arrived once all of it is said.
    script = f"head -c 10000000 /dev/zero; echo $$ >{started}; exec sleep 600"
    wait = Words(argv=("sh", "-c", script))
    fresh.home()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fresh.say_all, [Words(argv=("echo", "first")), wait, TRUE])
        pid = int(started.read_text())
        sshd.drop()
        answers = waiting.result(20)
    ended_at_last(pid)
    assert answers[0] == Answer(code=0, out="first\n")
    assert [answer.code for answer in answers[1:]] == [None, None]


def test_of_several_sessions_those_before_the_break_are_answered(
    sshd: Sshd, fresh: SshLink
) -> None:
    fresh.home()
    alive = f"grep -qs '^State:.[^ZX]' /proc/{sshd.pid}/status"
    body = f'kill {sshd.pid}; while {alive}; do :; done; kill "$@"'  # nobody listens by then
    stop = Words(argv=("sh", "-c", body, "sh", *map(str, sshd.connections())))
    answers = fresh.say_all([TRUE, reading(), stop, TRUE, reading(), TRUE])
    sshd.stop()
    sshd.start()
    assert [answer.code for answer in answers[:2]] == [0, 0]
    assert [answer.code for answer in answers[3:]] == [None] * 3


def reading() -> Words:
    return Words(argv=("cat",), stdin=b"x")


def test_a_server_that_hangs_is_given_up_in_time(sshd: Sshd, fresh: SshLink) -> None:
    fresh.home()
    (connection,) = sshd.connections()[-1:]
    os.kill(connection, signal.SIGSTOP)
    answer = fresh.say(Words(argv=("true",), patience=1))
    os.kill(connection, signal.SIGCONT)
    assert answer == Answer(code=None, err="no answer within 1 s")
    eventually(lambda: fresh.say(TRUE).code == 0)


def test_a_server_that_is_stopped_and_started_again(sshd: Sshd, fresh: SshLink) -> None:
    assert fresh.say(TRUE).code == 0
    sshd.stop()
    try:
        with pytest.raises(LinkDown, match="refuses the connection") as down:
            fresh.say(TRUE)
    finally:
        sshd.start()
    assert isinstance(down.value, Unreachable)
    assert down.value.hint
    assert fresh.say(TRUE).code == 0


def test_a_master_that_was_killed_is_replaced(sshd: Sshd, fresh: SshLink) -> None:
    fresh.home()
    master = next(
        int(pid)
        for pid in filter(str.isdigit, os.listdir("/proc"))
        if fresh.master.socket in (Path("/proc") / pid / "cmdline").read_text()
    )
    os.kill(master, signal.SIGKILL)
    eventually(lambda: not fresh.master.up())
    assert os.path.exists(fresh.master.socket)
    assert fresh.say(TRUE).code == 0
    assert fresh.master.up()


def test_over_a_jump_host(sshd: Sshd, plain: Account, apart: str) -> None:
    before = sshd.logins()
    link = SshLink("localhost-of-the-site", f"{HOST}", hidden(plain), control=apart)
    assert link.say(Words(argv=("echo", "far"))).out == "far\n"
    assert link.say(TRUE).code == 0
    assert sshd.logins() - before == 2
    link.close()


def hidden(account: Account) -> tuple[str, ...]:
    """The account under a name that only ssh's own configuration knows."""
    config = Path(account.options[1])
    own = config.with_name("hidden.config")
    host = f"Host localhost-of-the-site\n    HostName {HOST}\n"
    own.write_text(host + config.read_text())
    return ("-F", str(own))


TROUBLES = {
    "does not let you in": {"PubkeyAuthentication": "no"},
    "is not known here": {"UserKnownHostsFile": "/dev/null"},
    "is not the one that is known": {"UserKnownHostsFile": "{here}/other_hosts"},
    "was offered too many keys": {"IdentityFile": "{here}/key-{n}"},
    "There is no host": {"HostName": "no-such-host.invalid"},
    "refuses the connection": {"Port": "1"},
    "does not accept its configuration": {"NoSuchWord": "yes"},
    "does not answer": {"Port": "{silent}"},
    "closed the connection": {"ProxyCommand": "true"},
}


@pytest.mark.parametrize("sentence", TROUBLES)
def test_what_ssh_complains_of_is_said_with_what_to_do(
    sshd: Sshd, plain: Account, apart: str, silent: int, sentence: str
) -> None:
    changes = {name: told(sshd, silent, value) for name, value in TROUBLES[sentence].items()}
    options = (*sshd.client("plain", **changes), "-o", "ConnectTimeout=2")
    link = SshLink(HOST, options=options, control=apart)
    with pytest.raises(LinkDown, match=sentence) as down:
        link.say(TRUE)
    assert down.value.hint
    assert down.value.exit_code == 5


def told(sshd: Sshd, silent: int, value: str) -> str:
    """A value of ssh's configuration, with the files that it names."""
    here = sshd.here
    other = (here / "plain.key.pub").read_text()
    (here / "other_hosts").write_text(f"[{HOST}]:{sshd.port} {other}")
    if "{n}" not in value:
        return value.format(here=here, silent=silent)
    for number in range(7):
        if not (here / f"key-{number}").exists():
            sshd.key(f"key-{number}")
    return "\n IdentityFile ".join(value.format(here=here, n=n) for n in range(7))


def test_an_account_that_runs_no_commands(sshd: Sshd, apart: str) -> None:
    account = sshd.account("closed", shell="/usr/sbin/nologin")
    link = SshLink(HOST, options=account.options, control=apart)
    with pytest.raises(LinkDown, match=r"runs no commands .*not available"):
        link.say(TRUE)
    link.close()


@pytest.mark.parametrize("host", ["", "-oProxyCommand=id", "a b", "a\nb"])
def test_what_is_no_host_is_wrong(host: str, apart: str) -> None:
    with pytest.raises(Wrong):
        SshLink(host, control=apart)
    if host:
        with pytest.raises(Wrong):
            SshLink("login", jump=host, control=apart)


def test_a_socket_with_too_long_a_name_is_wrong_at_once() -> None:
    with pytest.raises(Wrong, match="too long"):
        SshLink(HOST, control="/tmp/" + "x" * 80)


def test_a_directory_with_a_hostile_name_can_hold_the_socket(plain: Account, apart: str) -> None:
    link = SshLink(HOST, options=plain.options, control=f"{apart}/a %h 'b")
    assert link.say(TRUE).code == 0
    assert link.master.up()
    link.close()
    assert not link.master.up()


def test_a_session_more_than_the_server_takes_finds_its_own_way(
    sshd: Sshd, plain: Account, apart: str
) -> None:
    links = [SshLink(HOST, options=plain.options, control=apart) for _ in range(2)]
    words = [Words(argv=("echo", str(n))) for n in range(16)]
    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda n: links[n % 2].say(words[n]), range(16)))
    assert [answer.out for answer in said] == [f"{n}\n" for n in range(16)]
    links[0].close()
