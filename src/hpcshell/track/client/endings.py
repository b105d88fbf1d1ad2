"""How a process ends or divides, as far as its runs must know.

A script that ends without ending its runs has them ended here: by an exception it did not catch, by
SIGTERM or SIGHUP (its terminal is gone) where nobody else handles that, or just so. `os._exit` and
SIGKILL tell nobody: such a run is heard of no more, and is lost.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from typing import Any, Final

from hpcshell.track.client import current
from hpcshell.track.client.active import told

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
_watching: Final = threading.Lock()
_forking: Final = threading.local()
_state: Final[dict[str, bool]] = {"watched": False}


def watch() -> None:
    """Be told of the end of this process, of its forks and, while nobody else is, of signals."""
    with _watching:
        if not _state["watched"]:
            _state["watched"] = True
            atexit.register(_at_exit)
            os.register_at_fork(
                before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child
            )
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            with contextlib.suppress(ValueError):  # an interpreter within another has no signals
                if signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, _at_signal)


def unwatch() -> None:
    """No run goes on: the signals are again what they were, but those that somebody took since."""
    if not current.going and threading.current_thread() is threading.main_thread():
        _let_go()


def _let_go() -> None:
    for number in _SIGNALS:
        with contextlib.suppress(ValueError):
            if signal.getsignal(number) is _at_signal:
                signal.signal(number, signal.SIG_DFL)


def _at_exit() -> None:
    error = getattr(sys, "last_value", None)  # what was printed as the script ended
    for run in reversed(list(current.going)):
        run.end(*told(error))


def _at_signal(number: int, _frame: Any) -> None:
    for run in reversed(list(current.going)):
        run.end("CANCELLED", f"terminated by {signal.Signals(number).name}")
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _before_fork() -> None:
    """A child may be told to end before it has taken our handler off: signals wait till then."""
    _forking.mask = None
    if current.going:
        _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _in_parent() -> None:
    _unmask()
    for run in list(current.going):
        if run.courier is not None:
            run.courier.look_for_children()


def _in_child() -> None:
    for run in list(current.going):
        run.abandon()
    _let_go()
    _unmask()


def _unmask() -> None:
    mask = getattr(_forking, "mask", None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
