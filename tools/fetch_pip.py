"""Install pip into the virtual environment this runs in, from the package index alone.

For a Python without `ensurepip` (Debian without python3-venv). Asks the index that pip itself would
(PIP_INDEX_URL), checks the digest, and lets the fetched pip install itself. Standard library only.
"""

from __future__ import annotations

import hashlib
import html.parser
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple")
WHEEL = re.compile(r"/pip-(\d+(?:\.\d+)+)-py3-none-any\.whl#sha256=([0-9a-f]{64})$")


class Links(html.parser.HTMLParser):
    """The addresses a page of the index links to, yanked ones left out."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the address of one link."""
        named = dict(attrs)
        if tag == "a" and "data-yanked" not in named:
            self.addresses.append(named.get("href") or "")


def newest(page: str) -> tuple[str, str]:
    """Address and SHA-256 of the newest wheel of pip that is not a pre-release."""
    links = Links()
    links.feed(page)
    found = [(match, link) for link in links.addresses if (match := WHEEL.search(link))]
    if not found:
        raise OSError("the index lists no pip")
    match, link = max(found, key=lambda pair: [int(part) for part in pair[0][1].split(".")])
    return link, match[2]


def get(address: str) -> bytes:
    """The body at an http(s) address."""
    with urllib.request.urlopen(address, timeout=60) as answer:
        body: bytes = answer.read()
        return body


def main() -> int:
    """Exit code 1, with the reason, when there is no way."""
    page = f"{INDEX.rstrip('/')}/pip/"
    try:
        link, digest = newest(get(page).decode())
        wheel = get(urllib.parse.urljoin(page, link))
    except (OSError, ValueError) as error:
        print(f"no pip from {urllib.parse.urlsplit(page).hostname}: {error}", file=sys.stderr)
        return 1
    if hashlib.sha256(wheel).hexdigest() != digest:
        print("the pip that was fetched is not the one that was asked for", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, link.partition("#")[0].rpartition("/")[2])
        path.write_bytes(wheel)
        words = [sys.executable, f"{path}/pip", "install", "--quiet", "--no-index", str(path)]
        return subprocess.run(words).returncode


if __name__ == "__main__":
    sys.exit(main())
