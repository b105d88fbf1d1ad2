"""Viewers are shown what there is, heard as they speak, and waited for by nobody."""

from __future__ import annotations

import socket
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.machine.session.viewers import (
    BEHIND,
    SHOWN,
    TYPED,
    Viewer,
    Viewers,
    framed,
    framed_size,
    size_in,
)


@given(st.lists(st.binary(max_size=300)), st.integers(1, 7))
def test_messages_are_heard_whole_however_they_come(texts: list[bytes], step: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        viewer = Viewer(ours, b"")
        sent = b"".join(framed(TYPED, text) for text in texts)
        heard = []
        for start in range(0, len(sent), step):
            theirs.sendall(sent[start : start + step])
            heard += list(viewer.hear())
        assert heard == [(TYPED, text) for text in texts]
        assert not viewer.gone


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_a_size_is_told_as_it_is(rows: int, columns: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(framed_size(rows, columns))
        ((_, text),) = Viewer(ours, b"").hear()
    assert size_in(text) == (rows, columns)


def test_who_does_not_look_keeps_nobody_waiting_and_is_shown_the_end(tmp_path: Path) -> None:
    viewers = Viewers(str(tmp_path / "v"))
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(tmp_path / "v"))
        viewers.let_in()
        for _ in range(100):
            viewers.show(b"x" * 65536)
        viewers.show(b"the end")
        (viewer,) = viewers
        seen = bytearray()
        while viewer.wants_write:
            seen += link.recv(65536)
            viewer.flush()
        viewers.see_off(1.0)
        while more := link.recv(65536):
            seen += more
    assert len(seen) < 2 * BEHIND
    assert b" bytes not shown]" in seen
    assert seen.endswith(b"the end")


def test_who_comes_late_is_shown_what_was_printed_last(tmp_path: Path) -> None:
    viewers = Viewers(str(tmp_path / "v"))
    viewers.show(b"old" * SHOWN + b"new")
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(tmp_path / "v"))
        viewers.let_in()
        viewers.see_off(1.0)
        seen = bytearray()
        while more := link.recv(65536):
            seen += more
    assert seen.endswith(b"new")
    assert len(seen) <= 3 * SHOWN


def test_who_hangs_up_is_forgotten(tmp_path: Path) -> None:
    viewers = Viewers(str(tmp_path / "v"))
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(tmp_path / "v"))
        viewers.let_in()
        (viewer,) = viewers
    assert list(viewer.hear()) == []
    viewers.part()
    assert list(viewers) == []
    viewers.see_off(0.1)
