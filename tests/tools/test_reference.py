"""The generators of docs/reference: what they write, and that a stale page fails."""

import click
import pytest

from tools import pages, reference


@click.group(help="A tool.")
def tool() -> None: ...


@tool.command(epilog="See also: nothing.")
@click.argument("script")
@click.option("-n", "--number", metavar="N", default=3, show_default=True, help="How many | much.")
@click.option("--quiet/--loud", help="Say <nothing>.")
@click.option("--kind", type=click.Choice(["a", "b"]), help="Which.")
@click.option("--secret", hidden=True)
def go(**options: object) -> None:
    """Go there.

    \b
    go one
    go two
    """


@tool.command(hidden=True)
def inner() -> None: ...


@pytest.fixture
def text() -> str:
    return "\n\n".join(reference.commands("tool", tool, click.Context(tool, info_name="tool")))


def test_every_command_has_its_heading_and_usage(text):
    assert "## tool\n\n```\ntool [OPTIONS] COMMAND [ARGS]...\n```\n\nA tool." in text
    assert "### tool go\n\n```\ntool go [OPTIONS] SCRIPT\n```\n\nGo there." in text


def test_every_option_has_its_row(text):
    assert "| `-n`, `--number` `N` | How many \\| much. Default: `3`. |" in text
    assert "| `--quiet`, `--loud` | Say &lt;nothing>. |" in text
    assert "| `--kind` `a b` | Which. |" in text


def test_hidden_things_stay_hidden(text):
    assert "secret" not in text
    assert "inner" not in text


def test_preformatted_paragraphs_keep_their_lines(text):
    assert "```text\ngo one\ngo two\n```" in text
    assert text.endswith("See also: nothing.")


def test_a_page_is_stale_until_written_and_again_when_its_source_changes(tmp_path):
    page = tmp_path / "reference" / "x.md"
    assert not pages.update(page, "one", check=True)
    assert pages.update(page, "one", check=False)
    assert pages.update(page, "one", check=True)
    assert not pages.update(page, "two", check=True)
