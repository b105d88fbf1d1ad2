"""`Client`: the one way to speak to the daemon."""

from __future__ import annotations

import time
from collections.abc import Generator
from threading import local
from typing import Any, Final

import msgspec

from hpcshell.client.connection import ADVICE, Connection, Lost
from hpcshell.client.places import Places
from hpcshell.client.wire import PATIENT, PROTOCOL, REPEATABLE, error_of
from hpcshell.core.errors import HpcError, Refused, Unreachable

RETURN: Final = 15.0
"""Seconds a stopped daemon gets to be back (a restart) before those who wait on it give up."""


class Client:
    """Calls to the daemon of one state directory; each thread has a connection of its own.

    With `autostart` a daemon that does not run is started. Without, `Unreachable` is raised.
    """

    def __init__(self, places: Places, autostart: bool = True) -> None:
        self.places = places
        self.autostart = autostart
        self._socket = places.daemon_socket
        self._mine = local()

    def call(self, verb: str, **args: Any) -> Any:
        """Ask one thing and return the answer. Raises the `HpcError` the daemon answers.

        What changes nothing is asked again when the daemon went away meanwhile; what does is not,
        since nobody can say whether it was done.
        """
        while True:
            connection = self._connection()
            try:
                number = connection.ask(verb, args)
                return connection.answer(number, patient=verb in PATIENT)
            except Lost as lost:
                self._drop()
                self._after_loss(verb, lost)
            except HpcError:
                raise
            except BaseException:  # an answer may still come: nobody must read it as another's
                self._drop()
                raise

    def stream(self, verb: str, **args: Any) -> Generator[dict[str, Any], None, None]:
        """Events as they come, until the daemon has no more; gapless over its restart."""
        while True:
            connection = self.connect()
            try:
                connection.ask(verb, args)
                while True:
                    said = connection.hear(patient=True)
                    if said.error is not None:
                        raise error_of(said.error)
                    if said.ok is not msgspec.UNSET:
                        break
                    yield said.event
                    if "seq" in said.event:
                        args["since"] = said.event["seq"]
                if not said.ok.get("more"):
                    return
            except Lost as lost:
                self._after_loss(verb, lost)
            finally:
                connection.close()

    def connect(self) -> Connection:
        """A new connection, the protocol agreed upon. The caller closes it."""
        try:
            return _greeted(self._reach())
        except Lost:  # it died as it was greeted: as good as one that does not run
            return _greeted(self._reach())

    def close(self) -> None:
        """Close this thread's connection; the next call opens another."""
        self._drop()

    def _connection(self) -> Connection:
        mine: Connection | None = getattr(self._mine, "connection", None)
        if mine is not None:
            if mine.usable():
                return mine
            mine.close()
        mine = self._mine.connection = self.connect()
        return mine

    def _drop(self) -> None:
        mine: Connection | None = getattr(self._mine, "connection", None)
        if mine is not None:
            mine.close()
            self._mine.connection = None

    def _reach(self) -> Connection:
        try:
            return Connection.to(self._socket)
        except OSError:
            if not self.autostart:
                raise Unreachable(
                    "the daemon does not run", "start it: hpc daemon start (hpc submit does, too)"
                ) from None
        from hpcshell.client.start import start

        return start(self.places)

    def _after_loss(self, verb: str, lost: Lost) -> None:
        """Wait until it makes sense to ask again; raise if it never does."""
        if lost.asked and verb not in REPEATABLE:
            raise Unreachable(
                f"the daemon went away before it answered: whether it did the {verb} is not known",
                "look before you ask again: hpc queue",
            ) from None
        if not lost.asked:
            raise lost
        if verb in PATIENT:
            self.await_return()

    def await_return(self) -> None:
        """Give a daemon that was stopped on purpose the time of a restart; raise if it stays away.

        One that crashed leaves its socket file behind and is started again like any other.
        """
        deadline = time.monotonic() + RETURN
        while time.monotonic() < deadline:
            try:
                _greeted(Connection.to(self._socket)).close()
                return
            except (FileNotFoundError, Lost):  # one that is leaving takes callers, greets nobody
                time.sleep(0.05)
            except OSError:
                return
        raise Unreachable("the daemon was stopped while it was waited for", ADVICE)


def _greeted(connection: Connection) -> Connection:
    """The same, the protocol agreed upon; closed if it is not."""
    try:
        _agree(connection.answer(connection.ask("hello", {})))
    except BaseException:
        connection.close()
        raise
    return connection


def _agree(hello: dict[str, Any]) -> None:
    """Raises `Refused` when the daemon speaks another protocol than we do."""
    theirs = hello.get("protocol")
    if theirs != PROTOCOL:
        raise Refused(
            f"the running daemon (process {hello.get('pid')}, version {hello.get('version')}) "
            f"speaks protocol {theirs}, this command {PROTOCOL}",
            "hpc daemon restart puts this version in its place; running jobs go on",
        )
