"""`hpc web` and `hpc web token` at the prompt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import Hpc
from tests.support.web import serving


def test_a_token_is_told_once_and_opens_the_server(hpc: Hpc) -> None:
    token = hpc("web", "token", "create", "--role", "viewer", "--quiet", check=True).stdout.strip()
    assert token.startswith("hpc_")
    assert token not in hpc("web", "token", "list", check=True).stdout
    with serving(token=token) as server, server.client() as client:
        assert client.get("/api/v1/nothing").status_code == 404
        known = httpx.BasicAuth("anybody", token)
        assert httpx.get(f"{server.url}/api/v1/nothing", auth=known).status_code == 404


def test_that_one_needs_a_token_is_said_where_nobody_has_one(hpc: Hpc, home: Path) -> None:
    assert "hpc web token create" in told_at_the_start()
    hpc("web", "token", "create", "--quiet", check=True)
    assert told_at_the_start() == ""
    hpc("web", "token", "revoke", "1", check=True)
    assert "hpc web token create" in told_at_the_start()
    assert told_at_the_start("--socket", str(home / "w.sock")) == ""


def told_at_the_start(*words: str) -> str:
    with serving(*words) as server:
        assert server.end() == 0
        assert server.process.stderr is not None
        return server.process.stderr.read()


def test_a_token_without_scopes_may_all_of_its_role(hpc: Hpc) -> None:
    hpc("web", "token", "create", "--role", "viewer", check=True)
    assert "all of its role" in hpc("web", "token", "list", check=True).stdout


def test_what_programs_read_of_tokens(hpc: Hpc) -> None:
    words = ("--role", "user", "--scope", "track", "--name", "ci", "--user", "ann")
    made = json.loads(
        hpc("web", "token", "create", *words, "--expires", "30d", "--json", check=True).stdout
    )
    about = made["about"]
    assert about["expires_at"] == pytest.approx(about["created_at"] + 30 * 86400)
    assert (about["role"], about["scopes"], about["user"]) == ("user", ["track"], "ann")
    rows = json.loads(hpc("web", "token", "list", "--json", check=True).stdout)["rows"]
    assert rows == [about]


def test_revoked_tokens_stay_on_the_list(hpc: Hpc) -> None:
    hpc("web", "token", "create", "--quiet", check=True)
    assert hpc("web", "token", "revoke", "1", "--dry-run", check=True).stdout
    assert "valid" in hpc("web", "token", "list", check=True).stdout
    gone = json.loads(hpc("web", "token", "revoke", "1", "--json", check=True).stdout)
    assert gone["rows"][0]["revoked_at"] is not None
    assert "revoked" in hpc("web", "token", "list", check=True).stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("create", "--role", "viewr"), 2, "did you mean viewer?"),
        (("create", "--role", "viewer", "--scope", "admin"), 2, "no right"),
        (("create", "--expires", "soon"), 2, "--expires: 'soon' is no duration"),
        (("revoke", "7"), 3, "there is no token 7"),
        (("revoke", "-1"), 2, ""),
        (("creat",), 2, "did you mean 'create'?"),
    ],
)
def test_what_cannot_be_is_said(hpc: Hpc, words: tuple[str, ...], code: int, said: str) -> None:
    done = hpc("web", "token", *words)
    assert done.returncode == code
    assert said in done.stderr


def test_trying_makes_no_token(hpc: Hpc) -> None:
    assert "would make" in hpc("web", "token", "create", "--dry-run", check=True).stdout
    assert json.loads(hpc("web", "token", "list", "--json", check=True).stdout)["rows"] == []


def test_the_address_for_programs(home: Path) -> None:
    with serving("--port", "0", "--quiet") as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert server.end() == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""


@pytest.mark.parametrize(
    "words",
    [
        ["web"],
        ["web", "token", "list"],
        ["track", "runs"],
        ["track", "best", "a", "b"],
        ["track", "show", "@"],
        ["track", "undo", "@"],
        ["track", "migrate"],
    ],
)
def test_without_the_extra_it_is_said_how_to_get_it(home: Path, words: list[str]) -> None:
    script = (
        "import sys\n"
        "for name in ('litestar', 'uvicorn', 'sqlalchemy'): sys.modules[name] = None\n"
        f"from hpcshell.cli.main import run\nsys.exit(run({words!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 2
    assert f"hpc {words[0]} needs" in done.stderr
    assert "pip install 'hpcshell[web]'" in done.stderr


def test_a_host_that_lets_in_other_machines_is_refused(hpc: Hpc) -> None:
    done = hpc("web", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 4
    assert "--allow-remote" in done.stderr
    assert "TLS" in done.stderr
