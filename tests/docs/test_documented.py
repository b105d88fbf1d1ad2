"""Nothing a person meets is without its place in the docs."""

import ast
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from hpcshell.clusters.lookout import elements_on_record
from hpcshell.policy.codes import REASONS
from hpcshell.policy.limits import CODES
from hpcshell.store.ledger.entries import Part, PartState

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
    of_limits = {code for words in CODES.values() for code in words.values()}
    assert reasons_given() | of_limits == set(REASONS)


@pytest.mark.parametrize("state", get_args(PartState))
def test_every_reason_of_what_a_cluster_has_not_shown_is_documented(state: PartState):
    page = (DOCS / "reference" / "reasons.md").read_text("utf-8")
    part = Part(serial=1, number=0, key="hpc", indices="", state=state, since=1)
    for one in elements_on_record([part], {}).values():
        assert not one.reason_code or f"| `{one.reason_code}` |" in page, one.reason_code


def test_what_the_contract_says_is_tried_is_tried_somewhere():
    named = re.findall(
        r"`(tests/[^`]+)`", (DOCS / "explanation" / "contract.md").read_text("utf-8")
    )
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert len(named) > 20


def test_every_decision_is_listed_and_numbered():
    listed = (DOCS / "decisions" / "index.md").read_text("utf-8")
    for path in (DOCS / "decisions").glob("[0-9]*.md"):
        assert f"({path.name})" in listed, f"{path.name} is not in docs/decisions/index.md"
        number = int(path.name[:4])
        title = path.read_text("utf-8").partition("\n")[0]
        assert int(title.removeprefix("# ").partition(":")[0].partition(".")[0]) == number


def test_every_field_of_a_jobs_document_is_documented(hpc, home):
    page = (DOCS / "reference" / "documents.md").read_text("utf-8")
    hpc("submit", "--name", "doc", "--array", "0-1", "--", "true", cwd=home, check=True)
    hpc("wait", "doc", check=True)
    document = json.loads(hpc("show", "doc", "--json", "--story", check=True).stdout)
    for field in (*document, *document["story"][0], *document["elements"], *document["usage"]):
        assert f"`{field}`" in page, f"{field} is not in docs/reference/documents.md"


def test_every_variable_of_a_job_is_documented(hpc, tmp_path):
    page = (DOCS / "reference" / "environment.md").read_text("utf-8")
    options = [
        "--array",
        "1",
        "--export",
        "NONE",
        "--memory",
        "1G",
        "--output",
        "env",
        "--name",
        "vars",
    ]
    hpc("submit", *options, "--", "/usr/bin/env", cwd=tmp_path, check=True)
    hpc("wait", "vars", check=True)
    given = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    for name in sorted(given):
        if name.startswith(("HPC_", "SLURM")):
            assert f"`{name}`" in page, f"{name} is not in docs/reference/environment.md"
    assert "HPC_RUN_ID" in given
