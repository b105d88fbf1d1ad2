"""Whose requests are meant for us."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import HpcError
from hpcshell.web.requests.errors import HostNotAllowed, OriginNotAllowed
from hpcshell.web.security.heads import Head
from hpcshell.web.security.origins import Hosts, check_origin

PORT = 8470


def head(host: str, *, server: tuple[str, int | None] = ("127.0.0.1", PORT), **more: str) -> Head:
    headers = {b"host": host.encode()}
    for name, value in more.items():
        headers[name.replace("_", "-").encode()] = value.encode()
    return Head("POST", "/api/v1/runs", "", headers, "127.0.0.1", server, "http")


def allowed(
    host: str, known: tuple[str, ...] = (), server: tuple[str, int | None] = ("127.0.0.1", PORT)
) -> bool:
    try:
        Hosts(known).check(head(host, server=server))
    except HostNotAllowed:
        return False
    return True


@given(st.from_regex(r"[a-z0-9.-]{1,30}(:[0-9]{1,5})?", fullmatch=True))
def test_no_other_name_is_ours(host: str) -> None:
    ours = {f"{name}:{PORT}" for name in ("localhost", "127.0.0.1", "[::1]")}
    assert allowed(host) == (host in ours)


def test_names_of_the_configuration_are_ours_with_any_port_or_with_one() -> None:
    known = ("tracker.example.org", "other.example.org:8443")
    assert allowed("Tracker.Example.org", known)
    assert allowed("tracker.example.org:443", known)
    assert allowed("other.example.org:8443", known)
    assert not allowed("other.example.org", known)
    assert not allowed("x.tracker.example.org", known)


def test_the_address_that_was_connected_to_is_no_name_that_could_move() -> None:
    assert allowed(f"10.0.0.5:{PORT}", server=("10.0.0.5", PORT))
    assert not allowed(f"10.0.0.6:{PORT}", server=("10.0.0.5", PORT))
    assert allowed(f"[fd00::1]:{PORT}", server=("fd00::1", PORT))
    assert allowed("127.0.0.1", server=("127.0.0.1", 80))


def hint(host: str, known: tuple[str, ...] = (), server: tuple[str, int | None] = ("::1", PORT)):
    with pytest.raises(HostNotAllowed) as refused:
        Hosts(known).check(head(host, server=server))
    return str(refused.value.hint)


def test_who_is_refused_is_told_all_names_that_are_let_in_and_how_one_is_added() -> None:
    told = hint("localhost", ("tracker.example.org", "other.example.org:8443"))
    names = told.removeprefix("it is called ").partition(";")[0].split(", ")
    assert names[:3] == ["localhost:8470", "127.0.0.1:8470", "[::1]:8470"]
    assert names[3:] == ["other.example.org:8443", "tracker.example.org"]
    assert all(allowed(name, ("tracker.example.org", "other.example.org:8443")) for name in names)
    assert told.endswith('web.hosts in the configuration, as in hosts = ["localhost"]')
    assert "10.0.0.5:8470;" in hint("x.example.org", server=("10.0.0.5", PORT))
    assert "localhost, 127.0.0.1, [::1]; " in hint("x.example.org", server=("127.0.0.1", 80))
    assert "localhost, 127.0.0.1, [::1]; " in hint("x.example.org", server=("/run/web.sock", None))
    assert '["tracker.example.org"]' in hint('"]<script>')


def test_on_a_unix_socket_names_still_count_for_a_proxy_may_be_before_it() -> None:
    assert allowed("localhost", server=("/run/web.sock", None))
    assert not allowed("rebound.example.org", server=("/run/web.sock", None))


@given(st.text(max_size=40))
def test_whatever_is_said_to_be_the_origin_there_is_an_answer(origin: str) -> None:
    ours = f"127.0.0.1:{PORT}"
    sent = head(ours)
    sent.headers[b"origin"] = origin.encode("utf-8", "replace")
    with pytest.raises(HpcError):
        check_origin(sent)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (f"127.0.0.1:{PORT}", f"http://127.0.0.1:{PORT}"),
        ("tracker.example.org", "https://tracker.example.org"),
        ("tracker.example.org", "https://tracker.example.org:443"),
        ("tracker.example.org:80", "http://tracker.example.org"),
        ("[::1]:8470", "http://[::1]:8470"),
    ],
)
def test_pages_of_ours_are_let_in(host: str, origin: str) -> None:
    check_origin(head(host, origin=origin, sec_fetch_site="same-origin"))


def test_a_program_that_is_no_browser_says_nothing_and_is_let_in() -> None:
    check_origin(head(f"127.0.0.1:{PORT}"))


def test_the_port_belongs_to_the_origin() -> None:
    with pytest.raises(OriginNotAllowed):
        check_origin(head("tracker.example.org", origin="https://tracker.example.org:8443"))
