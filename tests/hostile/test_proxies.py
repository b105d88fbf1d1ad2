"""Whose word on who is calling is taken, on a machine where anybody may connect."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Hpc
from tests.support.web import Server, serving

SECRET = "0123456789abcdef" * 2
SHOWN = f"X-Hpc-Proxy-Secret: {SECRET}"
ANN = "X-Forwarded-User: ann"
ROOT = "X-Forwarded-User: root"
NOBODY = 65534
ASK = """
import os, socket, sys
os.setgid(65534)
os.setuid(65534)
lines = ["GET /api/v1/tokens HTTP/1.1", "Host: localhost", *sys.argv[2:], "", ""]
with socket.socket(socket.AF_UNIX) as link:
    link.connect(sys.argv[1])
    link.sendall("\\r\\n".join(lines).encode())
    print(link.recv(65536).split()[1].decode())
"""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_text(SECRET + "\n")
    return path


@pytest.fixture
def proxied(home: Path, secret: Path) -> Iterator[Server]:
    """A server behind a proxy on this machine, which has a secret."""
    trusted = {
        "HPC_WEB__PROXIES": "127.0.0.1",
        "HPC_WEB__PROXY_SECRET": str(secret),
        "HPC_WEB__ADMINS": "root",
    }
    with serving(env=trusted) as running:
        yield running


def test_without_proxies_the_header_says_nothing(server: Server) -> None:
    assert server.ask("GET", "/api/v1/nothing", ANN).status == 401
    assert server.ask("GET", "/api/v1/nothing", ANN, "X-Forwarded-For: 192.0.2.7").status == 401
    assert server.ask("GET", "/api/v1/nothing", ANN, SHOWN).status == 401


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.8.8.8", "::1", "0:0::1", "::ffff:127.0.0.1", "0.0.0.0"]
)
def test_an_address_that_every_user_has_is_refused_at_the_start(
    home: Path, hpc: Hpc, address: str
) -> None:
    done = hpc("web", "--port", "0", env={"HPC_WEB__PROXIES": address})
    assert (done.returncode, done.stdout) == (4, "")
    assert "every user of this machine could say who they are" in done.stderr
    assert "web.proxy_secret" in done.stderr


def test_another_address_of_this_machine_is_refused_as_well(home: Path, hpc: Hpc) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.7", 9))  # sends nothing
        except OSError:
            return  # it has no other
        ours = probe.getsockname()[0]
    assert hpc("web", "--port", "0", env={"HPC_WEB__PROXIES": ours}).returncode == 4


@pytest.mark.parametrize("word", ["localhost", "10.0.0.0/8", "uid:", "uid:no-such-user", "", "1"])
def test_what_is_no_proxy_is_wrong_at_the_start(home: Path, hpc: Hpc, word: str) -> None:
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "hpcshell.toml").write_text(f'[web]\nproxies = ["{word}"]\n')
    done = hpc("web", "--port", "0")
    assert (done.returncode, "web.proxies" in done.stderr) == (2, True), done.stderr


def test_a_local_user_is_whom_the_proxy_says_only_with_its_secret(proxied: Server) -> None:
    for shown in (
        "X: y",
        "X-Hpc-Proxy-Secret: ",
        f"X-Hpc-Proxy-Secret: {SECRET[:-1]}",
        f"X-Hpc-Proxy-Secret: {SECRET}a",
        f"X-Hpc-Proxy-Secret: {SECRET.upper()}",
    ):
        assert proxied.ask("GET", "/api/v1/tokens", ROOT, shown).status == 401
    assert proxied.ask("GET", "/api/v1/tokens", ROOT, SHOWN, SHOWN).status == 400
    assert proxied.ask("GET", "/api/v1/tokens", ROOT, SHOWN).status == 200
    assert proxied.ask("GET", "/api/v1/nothing", ANN, SHOWN).status == 404
    assert proxied.ask("GET", "/api/v1/tokens", ANN, SHOWN).status == 403
    assert proxied.ask("GET", "/api/v1/tokens", SHOWN).status == 401
    assert proxied.ask("GET", "/api/v1/nothing", "X-Forwarded-User: ann, bob", SHOWN).status == 401


def test_a_secret_that_others_may_read_is_none(home: Path, hpc: Hpc, secret: Path) -> None:
    env = {"HPC_WEB__PROXIES": "127.0.0.1", "HPC_WEB__PROXY_SECRET": str(secret)}
    for mode in (0o640, 0o604, 0o660, 0o644):
        secret.chmod(mode)
        done = hpc("web", "--port", "0", env=env)
        assert (done.returncode, "chmod 600" in done.stderr) == (4, True)
    secret.chmod(0o600)
    for text in ("", "short", f"{SECRET}\n{SECRET}"):
        secret.write_text(text)
        assert hpc("web", "--port", "0", env=env).returncode == 2
    secret.unlink()
    assert hpc("web", "--port", "0", env=env).returncode == 2


def as_nobody(path: Path, *headers: str) -> int:
    """The status that the user nobody is answered with on this socket."""
    asked = [sys.executable, "-I", "-c", ASK, str(path), *headers]
    return int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """The path of a socket in a directory that others may enter."""
    path = Path(f"/tmp/hpc-test-{os.getpid()}")
    path.mkdir(mode=0o755)
    yield path / "w.sock"
    path.rmdir()


def test_a_proxy_is_known_by_its_user_on_a_unix_socket(home: Path, reachable: Path) -> None:
    trusted = {"HPC_WEB__PROXIES": f"uid:{NOBODY}", "HPC_WEB__ADMINS": "root"}
    with serving("--socket", str(reachable), env=trusted) as server:
        assert stat.S_IMODE(reachable.stat().st_mode) == 0o666
        assert as_nobody(reachable, ROOT) == 200
        assert as_nobody(reachable, ANN) == 403
        assert as_nobody(reachable) == 401
        assert server.end() == 0


def test_another_user_of_the_socket_is_nobody(home: Path, reachable: Path) -> None:
    with serving("--socket", str(reachable), env={"HPC_WEB__PROXIES": "uid:65533"}):
        assert as_nobody(reachable, ROOT, SHOWN) == 401


def test_a_proxy_that_runs_as_we_do_lets_in_only_whom_it_names(home: Path) -> None:
    path = home / "w.sock"
    with serving("--socket", str(path), env={"HPC_WEB__PROXIES": f"uid:{os.geteuid()}"}):
        for said, status in ((b"", b"401"), (b"X-Forwarded-User: ann\r\n", b"403")):
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(str(path))
                link.sendall(b"GET /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\n" + said + b"\r\n")
                assert link.recv(65536).split()[1] == status
