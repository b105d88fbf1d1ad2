"""The far end of a turn: one contender in a process of its own, answering questions.

Not started by hand; `harness/turn.py` starts it. Reads JSON lines, writes JSON lines.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, BinaryIO, TextIO

from peers import find
from peers.contender import Contender


def main() -> None:
    name, width = sys.argv[1], int(sys.argv[2])
    answers = _private_stdout()
    contender = find(name)(width)
    try:
        _converse(contender, sys.stdin.buffer, answers)
    except Exception as error:  # the near end is told, whatever it was
        _reply(answers, {"failed": f"{type(error).__name__}: {error}"[:300]})
        raise


def _converse(contender: Contender, questions: BinaryIO, answers: TextIO) -> None:
    for line in questions:
        words = json.loads(line)
        if "open" in words:
            missing = contender.missing()
            if missing is not None:
                _reply(answers, {"missing": missing})
                return
            contender.open()
            _reply(answers, {"version": contender.version()})
        elif "prepare" in words:
            contender.prepare(words["prepare"]["question"], words["prepare"]["tasks"])
            _reply(answers, {"prepared": True})
        elif "answer" in words:
            _reply(answers, _answer(contender, **words["answer"]))
        else:
            contender.close()
            _reply(answers, {"closed": True})
            return


def _answer(contender: Contender, question: str, tasks: int) -> dict[str, Any]:
    begun = time.perf_counter()
    extra = contender.answer(question, tasks)
    return {"seconds": time.perf_counter() - begun, "extra": extra}


def _private_stdout() -> TextIO:
    """Keep the pipe to ourselves: whatever libraries and jobs print goes to the log."""
    private = os.dup(1)
    os.set_inheritable(private, False)
    os.dup2(2, 1)
    return os.fdopen(private, "w")


def _reply(answers: TextIO, words: dict[str, Any]) -> None:
    answers.write(json.dumps(words) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
