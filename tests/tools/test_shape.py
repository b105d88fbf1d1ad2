"""tools/shape.py: what it counts, and what an exception may and may not do."""

from pathlib import Path

import pytest

from tools import shape

LONG = "def long():\n" + "    x = 1\n" * 60
WIDE = "class A:\n    def wide(self, a, b, c, d, e, f, g, h, i): ...\n"
MANY = "class B:\n" + "".join(f"    def m{i}(self): ...\n" for i in range(21))


def over(source: str) -> list[tuple[str, int]]:
    return [(m.name, m.size) for m in shape.measures("m.py", source) if m.size > m.limit.hard]


def test_a_function_of_sixty_one_lines_is_too_long():
    assert over(LONG) == [("m.py::long", 61)]
    assert over(LONG.removesuffix("    x = 1\n")) == []


def test_self_is_not_a_parameter_but_nine_others_are_too_many():
    assert over(WIDE) == [("m.py::A.wide", 9)]
    assert over(WIDE.replace(", i", "")) == []


def test_a_static_method_has_no_self():
    static = WIDE.replace("    def wide(self, ", "    @staticmethod\n    def wide(")
    assert over(static) == [("m.py::A.wide", 9)]


def test_star_parameters_count():
    assert over("def f(a, b, /, c, d, *e, f, g, h, **i): ...") == [("m.py::f", 9)]


def test_twenty_one_methods_are_too_many():
    assert over(MANY) == [("m.py::B", 21)]


def test_six_hundred_and_one_lines_are_too_many():
    assert over("x = 1\n" * 601) == [("m.py", 601)]


def test_functions_inside_functions_and_branches_are_seen():
    inner = "if True:\n    def outer():\n        def inner(a, b, c, d, e, f, g, h, i): ...\n"
    assert over(inner) == [("m.py::outer.inner", 9)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/m.py").write_text(WIDE)
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


def excuse(project: Path, name: str, reason: str) -> None:
    (project / "pyproject.toml").write_text(f'[tool.shape.exceptions]\n"{name}" = "{reason}"\n')


def test_what_passes_a_limit_fails_and_is_named(project, capsys):
    assert shape.main(["--root", str(project)]) == 1
    assert "src/m.py:2 A.wide: 9 parameters (at most 8)" in capsys.readouterr().out


def test_an_exception_with_a_reason_excuses(project, capsys):
    excuse(project, "src/m.py::A.wide", "the other side's signature")
    assert shape.main(["--root", str(project)]) == 0
    assert capsys.readouterr().out == ""


def test_an_exception_without_a_reason_does_not(project, capsys):
    excuse(project, "src/m.py::A.wide", " ")
    assert shape.main(["--root", str(project)]) == 1
    assert "exception without a reason: src/m.py::A.wide" in capsys.readouterr().out


def test_an_exception_nobody_needs_fails(project, capsys):
    excuse(project, "src/m.py::A.gone", "was long once")
    assert shape.main(["--root", str(project)]) == 1
    assert "exception not needed: src/m.py::A.gone" in capsys.readouterr().out


def test_advice_names_what_passes_the_habits_and_fails_nothing(project, capsys):
    (project / "src/m.py").write_text("def f(a, b, c, d, e, f, g): ...\n")
    assert shape.main(["--root", str(project), "--advice"]) == 0
    assert "advice: src/m.py:1 f: 7 parameters (habit: 6)" in capsys.readouterr().out
