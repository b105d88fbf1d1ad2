"""`python -I -S .../__main__.py host PROGRAM NAME DIRECTORY KEPT COMMAND...` or `view SOCKET`.

It is started by its path, apart from whatever Python the job's environment is made for.
"""

import os
import sys


def main(words: list[str]) -> int:
    """What the words say; the exit code, if it ends in one."""
    package = os.path.abspath(__file__)
    sys.path.insert(0, package.rsplit(os.sep, 4)[0])
    if words[0] == "view":
        from hpcshell.machine.session.view import view

        return view(words[1])
    from hpcshell.machine.session.host import host
    from hpcshell.machine.session.words import Session

    program, name, directory, kept, *argv = words[1:]
    return host(Session(program, name, directory), kept, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
