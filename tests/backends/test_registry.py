"""Back ends by name: ours are loaded when they are asked for, strangers' may be broken."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hpcshell.backends.contract import Answer, Backend, Trouble
from hpcshell.backends.registry import BACKENDS, backend, names
from hpcshell.clusters.troubles import raised
from hpcshell.core.errors import Broken, Wrong

GOOD = """
from hpcshell.backends.lsf import LsfBackend

class Queue(LsfBackend):
    name = "{name}"
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a package with a back end where Python finds it: `install("tsp", source)`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(name: str, source: str, value: str = "") -> None:
        module = f"brought_{name}"
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(source, "utf-8")
        metadata = tmp_path / f"{module}-1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {module}\nVersion: 1\n")
        points = f"[hpcshell.backends]\n{name} = {value or f'{module}:Queue'}\n"
        (metadata / "entry_points.txt").write_text(points)

    return put


def test_ours_are_always_there():
    assert set(names()) >= {"slurm", "pbs", "lsf", "sge"}


def test_a_name_gives_its_back_end():
    made = backend("lsf")
    assert isinstance(made, Backend)
    assert made.name == "lsf"


def test_the_registry_itself_loads_no_back_end():
    listed = (
        "import sys; import hpcshell.backends.registry\n"
        "print([m for m in sys.modules if m.startswith('hpcshell.backends.')])"
    )
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True)
    loaded = done.stdout.strip()
    assert loaded == "['hpcshell.backends.contract', 'hpcshell.backends.registry']", done.stderr


@pytest.mark.parametrize(
    ("word", "meant"), [("lfs", "lsf"), ("slurmd", "slurm"), ("pbspro", "pbs")]
)
def test_an_unknown_name_is_told_the_nearest(word, meant):
    with pytest.raises(Wrong, match="is no back end") as caught:
        backend(word)
    assert caught.value.hint == f"did you mean {meant}?"


def test_a_name_like_no_other_is_told_all(install):
    install("mine", GOOD.format(name="mine"))
    with pytest.raises(Wrong) as caught:
        backend("htcondor")
    assert caught.value.hint == f"there are {', '.join(sorted({*BACKENDS, 'mine'}))}"


def test_another_package_brings_its_own(install):
    install("mine", GOOD.format(name="mine"))
    assert "mine" in names()
    assert backend("mine").name == "mine"


def test_another_package_cannot_take_the_place_of_ours(install):
    install("lsf", "raise SystemError('taken')")
    assert type(backend("lsf")).__module__ == "hpcshell.backends.lsf"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
        ("x = (", "SyntaxError"),
        ("raise RuntimeError('a\\nb')", "RuntimeError: a b"),
        ("pass", "has no attribute 'Queue'"),
        ("def Queue(site): return 3", "is no Backend"),
        ("from hpcshell.backends.contract import Backend as Queue", "abstract"),
        (GOOD.format(name="other"), "it calls itself 'other'"),
    ],
)
def test_a_broken_one_is_told_with_its_package(install, source, said):
    install("mine", source)
    with pytest.raises(Broken) as caught:
        backend("mine")
    assert caught.value.message.startswith("back end mine: it cannot be used: ")
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint is not None
    assert "brought_mine" in caught.value.hint


def test_a_broken_one_is_listed_and_hurts_no_other(install):
    install("mine", "raise RuntimeError")
    assert "mine" in names()
    assert backend("lsf").name == "lsf"


def test_entry_points_are_not_read_for_ours(monkeypatch):
    def never(**_: object) -> None:
        raise AssertionError("entry points were read")

    monkeypatch.setattr("importlib.metadata.entry_points", never)
    assert backend("lsf").name == "lsf"


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(
    "answer",
    [
        Answer(code=127, err="it: command not found", missing=True),
        Answer(code=127, err="sh: 1: exec: it: not found"),
    ],
)
def test_where_the_commands_are_not_nobody_was_asked(name: str, answer: Answer) -> None:
    made = backend(name)
    change = made.read_change(["12"], [answer]).troubles["12"]
    for told in (made.read_submit(answer), made.read_probe(answer), change):
        assert isinstance(told, Trouble)
        assert told.kind == "unset"
        assert "login node" in told.hint


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(("code", "told"), [(137, "signal KILL"), (143, "signal TERM"), (1, "1")])
def test_of_a_command_without_a_word_it_is_said_how_it_ended(
    name: str, code: int, told: str
) -> None:
    found = backend(name).read_submit(Answer(code=code))
    assert isinstance(found, Trouble)
    assert told in found.message
    assert "words above" not in str(raised(found, "here"))
