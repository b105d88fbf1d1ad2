"""A page of HTML that is one file: nothing is fetched from anywhere, and nothing in it runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final

from hpcshell.core.words import safe

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; background: #fff; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
td { white-space: nowrap; } th:first-child, td:first-child { text-align: left; }
thead th { vertical-align: bottom; }
td.best { font-weight: 700; } figure { margin: 1.5rem 0; }
svg { width: 100%; max-width: 52rem; height: auto; }
figcaption, .note { color: #555; font-size: .9rem; } li { overflow-wrap: anywhere; }
"""


def sheet(title: str, sections: Iterable[str], style: str = "") -> str:
    """The page; `style` is added to that of all pages."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n"
        + "\n".join(sections)
        + "\n</body>\n</html>\n"
    )


def figure(caption: str, svg: bytes) -> str:
    """A picture with what it shows in words."""
    return (
        f"<figure>\n{_inline(svg, caption)}\n<figcaption>{escaped(caption)}</figcaption>\n</figure>"
    )


def _inline(svg: bytes, caption: str) -> str:
    """An SVG document as a part of a page: without prolog and metadata, and without the names of
    its namespaces, which a page has of itself."""
    text = svg.decode()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    return text.replace("<svg", f'<svg role="img" aria-label="{escaped(caption)}"', 1)


def escaped(words: str) -> str:
    """Words of any origin, as text of a page."""
    return escape(safe(words))
