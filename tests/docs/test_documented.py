"""Nothing a person meets is without its place in the docs."""

import ast
from pathlib import Path

from hpcshell.policy.reasons import REASONS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def reasons_given() -> set[str]:
    """Every word that a `Reason(code="...")` of the sources has."""
    calls = (
        node
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Reason"
    )
    return {
        str(keyword.value.value)
        for call in calls
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }


def test_every_reason_given_is_documented_and_every_documented_one_given():
    assert reasons_given() == set(REASONS)


def test_every_decision_is_listed_and_numbered():
    listed = (DOCS / "decisions" / "index.md").read_text("utf-8")
    for path in (DOCS / "decisions").glob("[0-9]*.md"):
        assert f"({path.name})" in listed, f"{path.name} is not in docs/decisions/index.md"
        number = int(path.name[:4])
        title = path.read_text("utf-8").partition("\n")[0]
        assert int(title.removeprefix("# ").partition(":")[0].partition(".")[0]) == number
