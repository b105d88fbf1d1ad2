"""The control socket, without a daemon behind it."""

from __future__ import annotations

import os
import selectors
from pathlib import Path
from typing import Any

import pytest

from hpcshell.client.connection import Connection
from hpcshell.daemon.server import Server


class Watched(selectors.DefaultSelector):
    """Notes whether the socket file was there when something was no longer listened to."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.there: list[bool] = []

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        self.there.append(os.path.exists(self.path))
        return super().unregister(fileobj)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "run" / "hpcd.sock")


def test_who_leaves_cannot_be_found_by_the_time_nobody_listens(path: str) -> None:
    selector = Watched(path)
    server = Server(selector, path)
    server.listen()
    peer = Connection.to(path)
    server.accept()
    server.close()
    assert selector.there == [False, False], "the listener's and the peer's"
    assert peer.sock.recv(1) == b""
    peer.close()


def test_who_listens_anew_can_be_found_all_the_time(path: str) -> None:
    selector = Watched(path)
    server = Server(selector, path)
    server.listen()
    server.listen()
    assert selector.there == [True]
    Connection.to(path).close()
    server.close()
