"""A connection over other hosts: the one that fails is named, with what ssh says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hpcshell.core.commands import Words
from hpcshell.machine.link import LinkDown, SshLink, jumps, master
from tests.support.clusters.sshd import Account, Sshd

HOST = "127.0.0.1"
TRUE = Words(argv=("true",))
TROUBLES = {
    "refuses the connection": "Port 1",
    "no host": "HostName no-such-host.invalid",
    "does not answer": "Port {silent}",
    "does not let you in": "PubkeyAuthentication no",
    "is not known here": "UserKnownHostsFile /dev/null",
    "closed the connection": "ProxyCommand true",
}
Led = Callable[..., SshLink]


@pytest.fixture
def led(sshd: Sshd, plain: Account, apart: str, silent: int) -> Led:
    """A link to `inner` over a jump host; a line of ssh's configuration for each host."""

    def link(jump: str, *words: str, **lines: str) -> SshLink:
        text = ""
        for host in ("inner", "gate", "second"):
            line = lines.get(host, "").format(silent=silent)
            text += f"Host {host}\n    {line}\n    HostName {HOST}\n    ConnectTimeout 2\n"
        config = Path(apart) / "config"
        config.write_text(text + Path(plain.options[1]).read_text())
        return SshLink("inner", jump, ("-F", str(config), "-o", "ConnectTimeout=3", *words), apart)

    return link


@pytest.mark.parametrize("sentence", TROUBLES)
def test_a_jump_host_that_cannot_be_reached_is_named_and_not_the_one_behind_it(
    led: Led, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = [word.replace(f"={master._CONNECT}", "=2") for word in master._USUAL]
    monkeypatch.setattr(master, "_USUAL", soon)
    link = led("gate", gate=TROUBLES[sentence])
    with pytest.raises(LinkDown, match=rf"^The jump host on the way to inner .*{sentence}") as down:
        link.say(TRUE)
    assert "gate" in down.value.message
    assert down.value.hint
    assert down.value.exit_code == 5


def test_a_jump_host_of_the_users_own_configuration_is_named_too(led: Led) -> None:
    link = led("", gate="Port 1", inner="ProxyJump gate")
    with pytest.raises(LinkDown, match="on the way to inner fails: gate refuses the connection"):
        link.say(TRUE)


@pytest.mark.parametrize(
    ("jump", "sentence"),
    [
        ("second,gate", "on the way to inner fails: second refuses the connection"),
        ("gate,second", "fails: The jump host gate does not lead to second"),
        ("me@second:7", "on the way to inner fails: second:7 refuses the connection"),
    ],
)
def test_of_several_on_the_way_the_one_that_fails_is_named(
    led: Led, jump: str, sentence: str
) -> None:
    with pytest.raises(LinkDown, match=sentence):
        led(jump, second="Port 1").say(TRUE)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("Port 1", r"^The jump host gate does not lead to inner .*Connection refused"),
        ("HostName no-such-host.invalid", r"^The jump host gate does not lead to inner "),
        ("Port {silent}", r"^inner does not answer"),
        ("PubkeyAuthentication no", r"^inner does not let you in"),
        ("UserKnownHostsFile /dev/null", r"^The host key of inner is not known"),
    ],
)
def test_where_the_jump_host_answers_the_one_behind_it_is_named(
    led: Led, line: str, sentence: str
) -> None:
    link = led("gate", inner=line)
    with pytest.raises(LinkDown, match=sentence) as down:
        link.say(TRUE)
    assert down.value.hint


def test_words_that_are_meant_for_the_last_host_are_not_for_those_on_the_way(led: Led) -> None:
    with pytest.raises(LinkDown, match="The jump host gate does not lead to inner"):
        led("gate", "-p", "1").say(TRUE)


def test_a_jump_host_that_asks_for_a_password_is_not_to_blame_where_a_person_can_give_it(
    led: Led, apart: str
) -> None:
    led("gate", gate="PubkeyAuthentication no")
    for asking, blamed in ((False, True), (True, False)):
        down = jumps.failing(["gate"], (), ("-F", f"{apart}/config"), asking)
        assert (down is not None) == blamed
