"""Paths that lead out, files that are not what they seem, and scripts in what is kept."""

from __future__ import annotations

import io
import os
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from hpcshell.web.context import Context
from tests.support.uploads import uploads
from tests.support.web import Server

SECRET = "the secret"

OUT = [
    *("../secret", "../../../../etc/passwd", "a/../../secret", "./x", "a/./x", "a//x", "a/"),
    *(
        "/etc/passwd",
        "//etc/passwd",
        "x\0",
        "x\0.txt",
        "\x1b[2J",
        "..\\secret",
        "a\\..\\..\\secret",
    ),
    *("x\n", "x" * 300, "a/" * 600),
]
"""Paths that are refused with 400, however they are encoded."""
ODD = ["..%2fsecret", "%2e%2e%2fsecret", "file:secret", "C:secret", "x#y", "x?y", "...", "~root"]
"""Paths that are names like others, once they are decoded."""


def encoded(path: str) -> str:
    return "".join(f"%{byte:02x}" for byte in path.encode())


@pytest.mark.parametrize("path", OUT)
def test_a_path_that_leads_out_is_refused_in_every_way_there_is(
    api: httpx.Client, run: str, context: Context, path: str
) -> None:
    (Path(context.artifacts.root) / "secret").write_text(SECRET)
    where = f"{run}/artifacts/{encoded(path)}"
    answers = [
        api.put(where, content=b"evil"),
        api.get(where),
        api.delete(where),
        api.post(f"{run}/artifacts", json={"uri": "/x", "path": path}),
    ]
    assert [answer.status_code for answer in answers] == [400] * 4, [a.text for a in answers]
    assert all(answer.json()["hint"] for answer in answers)
    assert uploads(context) == ["secret"]
    assert api.get(f"{run}/artifacts").json()["rows"] == []


@pytest.mark.parametrize("path", ODD)
def test_what_only_looks_like_a_way_out_is_kept_under_that_very_name(
    api: httpx.Client, run: str, context: Context, path: str
) -> None:
    (Path(context.artifacts.root) / "secret").write_text(SECRET)
    where = f"{run}/artifacts/{encoded(path)}"
    assert api.get(where).status_code == 404
    assert api.put(where, content=b"mine").status_code == 201
    assert api.get(where).content == b"mine"
    run_id = run.rpartition("/")[2]
    assert uploads(context) == sorted([f"{run_id}/{path}", "secret"])


@pytest.mark.parametrize("path", [path for path in OUT if path != "a/"])
def test_nor_does_a_path_of_mlflows_lead_out(
    api: httpx.Client, run: str, context: Context, path: str
) -> None:
    (Path(context.artifacts.root) / "secret").write_text(SECRET)
    run_id = run.rpartition("/")[2]
    front = "/api/2.0/mlflow-artifacts/artifacts/1"
    for owner in (f"{run_id}/artifacts", f"models/m-{run_id}/artifacts"):
        where = f"{front}/{owner}/{encoded(path)}"
        answers = [api.put(where, content=b"evil"), api.get(where), api.delete(where)]
        assert [answer.status_code for answer in answers] == [400] * 3
        assert {answer.json()["error_code"] for answer in answers} == {"INVALID_PARAMETER_VALUE"}
    listed = api.get(f"{front[:-2]}?path={encoded(f'1/{run_id}/artifacts/{path}')}")
    assert listed.status_code == 400
    assert uploads(context) == ["secret"]


def test_addresses_as_they_come_off_the_wire_lead_nowhere_else(server: Server, home: Path) -> None:
    with server.client() as client:
        number = client.post("/experiments", json={"name": "e"}).json()["id"]
        run_id = client.post(f"/experiments/{number}/runs", json={}).json()["run_id"]
    (home / "state" / "artifacts" / "secret").write_text(SECRET)
    front = f"/runs/{run_id}/artifacts"
    for path in (
        *("/../secret", "/../../secret", "/..%2fsecret", "/%2e%2e/secret", "/%2e%2e%2fsecret"),
        *("/..%5csecret", "/..\\secret", "/....//secret", "/%252e%252e%252fsecret", "//secret"),
        *("/%c0%ae%c0%ae/secret", "/..;/secret", "/x%00", "/%2fetc%2fpasswd", "/..#secret", "/"),
        *("/../../../../../../etc/passwd", "/..%2f..%2f..%2fhpcshell.db", "/..?x=/secret"),
    ):
        for method in ("GET", "DELETE"):
            heard = server.ask(method, front + path, server.known)
            status, answer = heard.status, heard.body
            assert status in (400, 404, 405, 307, 200)
            assert SECRET.encode() not in answer
            assert b"root:" not in answer
            assert b"SQLite" not in answer
            assert status != 200 or b'"rows":[' in answer, "the list of files, and no file"
        put = server.ask("PUT", front + path, server.known, "Content-Length: 4", body=b"evil")
        assert put.status in (201, 400, 404, 405)
    placed = home / "state" / "artifacts"
    assert (placed / "secret").read_text() == SECRET
    outside = {path for path in home.rglob("*") if path.is_file() and path.read_bytes() == b"evil"}
    assert all(path.is_relative_to(placed / run_id) for path in outside)


# ---------------------------------------------------------------- what lies within and is not ours


@pytest.fixture
def shared(tmp_path: Path, context: Context) -> Path:
    """A directory beneath which files may be read, with a secret beside it."""
    root = tmp_path / "shared"
    root.mkdir()
    (tmp_path / "secret").write_text(SECRET)
    track = msgspec.structs.replace(context.settings.track, roots=(str(root),))
    context.settings = msgspec.structs.replace(context.settings, track=track)
    return root


def fetched(api: httpx.Client, run: str, uri: str | Path) -> httpx.Response:
    api.post(f"{run}/artifacts", json={"uri": str(uri), "path": "x"})
    return api.get(f"{run}/artifacts/x")


def test_a_link_within_the_directory_is_refused(api: httpx.Client, run: str, shared: Path) -> None:
    (shared / "link").symlink_to("../secret")
    (shared / "dir").symlink_to("..")
    (shared / "real").write_text("fine")
    (shared / "inner").symlink_to("real")
    for name in ("link", "dir/secret", "inner"):
        answer = fetched(api, run, shared / name)
        assert answer.status_code in (403, 404)
        assert SECRET not in answer.text
    assert fetched(api, run, shared / "real").text == "fine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_name_of_somebody_elses_file_is_refused(
    api: httpx.Client, run: str, shared: Path
) -> None:
    os.link(shared.parent / "secret", shared / "mine")
    assert fetched(api, run, shared / "mine").status_code == 200, "ours, whatever it is called"
    os.chown(shared.parent / "secret", 65534, 65534)
    answer = fetched(api, run, shared / "mine")
    assert (answer.status_code, SECRET in answer.text) == (403, False)
    assert "another name of a file" in answer.json()["detail"]


def test_what_is_no_plain_file_is_refused_at_once(
    api: httpx.Client, run: str, shared: Path
) -> None:
    os.mkfifo(shared / "pipe")
    (shared / "dir").mkdir()
    for name in ("pipe", "dir"):
        assert fetched(api, run, shared / name).status_code == 403


def test_a_directory_swapped_for_a_link_meanwhile_never_gives_the_secret(
    api: httpx.Client, run: str, shared: Path
) -> None:
    (shared / "real").mkdir()
    (shared / "real" / "secret").write_text("mine")
    (shared / "link").symlink_to("..")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            os.rename(shared / "real", shared / "place")
            os.rename(shared / "place", shared / "real")
            os.rename(shared / "link", shared / "place")
            os.rename(shared / "place", shared / "link")

    swapping = threading.Thread(target=swap)
    api.post(f"{run}/artifacts", json={"uri": str(shared / "place" / "secret"), "path": "x"})
    swapping.start()
    try:
        answers = [api.get(f"{run}/artifacts/x") for _ in range(200)]
    finally:
        stop.set()
        swapping.join()
    assert {answer.status_code for answer in answers} <= {200, 403, 404}
    assert not any(SECRET in answer.text for answer in answers)


def archive(kind: str) -> bytes:
    packed = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(packed, "w") as made:
            made.writestr("../../../evil", "evil")
    else:
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            tar.addfile(tarfile.TarInfo("../../../evil"))
    return packed.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_is_kept_as_it_is_and_never_unpacked(
    api: httpx.Client, run: str, context: Context, home: Path, kind: str
) -> None:
    content = archive(kind)
    where = f"{run}/artifacts/model.{kind}"
    assert api.put(where, content=content).status_code == 201
    assert api.get(where).content == content
    assert len(uploads(context)) == 1
    assert not list(home.rglob("evil*"))


# ----------------------------------------------------------------------------- scripts in texts

SCRIPT = "<script>alert(document.domain)</script>"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("x.html", "application/octet-stream"), ("x.svg", "application/octet-stream")),
        *(("x.xml", "application/octet-stream"), ("x.xhtml", "application/octet-stream")),
        *(("x.pdf", "application/octet-stream"), ("x.js", "application/octet-stream")),
        *(("x", "application/octet-stream"), ("x.log.html", "application/octet-stream")),
        *(("x.log", "text/plain; charset=utf-8"), ("x.TXT", "text/plain; charset=utf-8")),
    ],
)
@pytest.mark.parametrize("sent", ["text/html", "image/svg+xml", "text/html; charset=utf-7"])
def test_a_page_or_a_picture_with_a_script_is_saved_and_never_shown(
    api: httpx.Client, run: str, name: str, kind: str, sent: str
) -> None:
    where = f"{run}/artifacts/{name}"
    stored = api.put(where, content=SCRIPT.encode(), headers={"Content-Type": sent})
    assert stored.status_code == 201
    answer = api.get(where)
    assert answer.headers.get_list("content-type") == [kind]
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_scripts_in_names_tags_and_errors_are_text_in_documents(
    api: httpx.Client, experiment: str
) -> None:
    body: dict[str, Any] = {
        "name": SCRIPT,
        "tags": {SCRIPT: SCRIPT},
        "params": {SCRIPT: SCRIPT},
        "config": {"a": SCRIPT},
        "note": SCRIPT,
    }
    begun = api.post(f"{experiment}/runs", json=body)
    assert begun.status_code == 201, begun.text
    run = f"/runs/{begun.json()['run_id']}"
    api.post(f"{run}/metrics", json={"name": SCRIPT, "value": 1})
    api.put(f"{run}/artifacts/{encoded('<img src=x onerror=alert(1)>.log')}", content=b"1")
    for path in (
        *(run, f"{run}/metrics", f"{run}/curves", f"{run}/artifacts", "/runs"),
        *(f"/runs/{SCRIPT}", f"/runs?filter={SCRIPT}", f"/runs?sort={SCRIPT}"),
        *(f"{run}/metrics/{SCRIPT}x", f"{run}/artifacts/{SCRIPT}"),
    ):
        answer = api.get(path)
        assert answer.headers["content-type"] in ("application/json", "application/problem+json")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.json(), "it is JSON, whatever is in it"
    shown = api.get(run).json()
    assert (shown["name"], shown["tags"], shown["note"]) == (SCRIPT, {SCRIPT: SCRIPT}, SCRIPT)


def test_a_name_of_a_file_cannot_break_out_of_its_header(api: httpx.Client, run: str) -> None:
    for name in ('a"; filename="evil.html', "a'b", "a;b=c", "ä\u202egpj.exe".replace("\u202e", "")):
        where = f"{run}/artifacts/{encoded(name)}"
        assert api.put(where, content=b"1").status_code == 201
        said = api.get(where).headers["content-disposition"]
        assert said.count('"') == 2
        assert said.count("filename=") == 1
    broken = api.put(f"{run}/artifacts/{encoded('a' + chr(13) + chr(10) + 'X: y')}", content=b"1")
    assert broken.status_code == 400
