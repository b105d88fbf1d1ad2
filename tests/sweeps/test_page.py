"""The page stands alone, and nothing of a study can run in it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from hpcshell.flow.spec import Spec
from hpcshell.sweeps.page import page
from hpcshell.sweeps.reporting import findings
from tests.sweeps.hostile import SCRIPT, hostile, plain
from tests.sweeps.made import leave, standing

SAFE = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ul", "li", "b", "pre",
    "div", "span", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "svg", "g",
    "defs", "path", "use", "text", "tspan", "rect", "clippath", "lineargradient", "stop",
}  # fmt: skip
"""Every element that a page may have: none of them runs or fetches anything."""


class Reader(HTMLParser):
    """What a browser would find: elements, what they refer to, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [
            value or "" for name, value in attrs if name in ("href", "src", "xlink:href")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Reader:
    """The page, read."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a study of hostile words."""
    return page(hostile(tmp_path_factory.mktemp("hostile")))


def test_nothing_in_a_page_runs_or_is_fetched(hostile_page: str) -> None:
    found = read(hostile_page)
    assert found.elements <= SAFE
    assert not [name for name in found.attributes if name.startswith("on")]
    assert all(link.startswith("#") for link in found.links)
    assert "default-src 'none'" in hostile_page
    assert "url(http" not in hostile_page


def test_hostile_words_stand_there_as_text(hostile_page: str) -> None:
    assert SCRIPT not in hostile_page
    assert SCRIPT in read(hostile_page).text
    assert "\x1b" not in hostile_page


def test_a_page_says_what_the_report_says(tmp_path: Path) -> None:
    study = plain(tmp_path)
    failed = leave(standing(tmp_path, 99, state="FAILED", exit_code=1), stderr="no data: 17\n")
    found = read(page(study)).text
    for title in ("Completion", "Best points", "Pictures", "Effects of parameters", "Run times"):
        assert title in found
    assert study.report.best[0].id in found
    errors = read(page(findings(Spec(metric="loss"), [failed]))).text
    assert "no data: #" in errors
    assert failed.id in errors


def test_an_empty_study_is_a_page(tmp_path: Path) -> None:
    assert "0 of 0 points have completed" in page(findings(Spec(), []))
    assert "Pictures" not in page(findings(Spec(), [standing(tmp_path, state="PENDING")]))
