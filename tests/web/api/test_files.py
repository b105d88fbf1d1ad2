"""Files of runs over REST: uploaded whole, downloaded in parts, named where they lie."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from hpcshell.web.context import Context
from tests.support.uploads import uploads


def put(api: httpx.Client, run: str, path: str, content: bytes = b"0123456789") -> Any:
    answer = api.put(f"{run}/artifacts/{path}", content=content)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_what_was_uploaded_is_listed_and_downloaded(api: httpx.Client, run: str) -> None:
    content = os.urandom(3 << 20)
    file = put(api, run, "model/best.pt", content)
    assert (file["path"], file["size"], file["uri"]) == ("model/best.pt", len(content), None)
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert api.get(f"{run}/artifacts").json()["rows"] == [file]
    answer = api.get(f"{run}/artifacts/model/best.pt")
    assert (answer.status_code, answer.content == content) == (200, True)
    assert answer.headers["etag"] == f'"{file["sha256"]}"'
    assert answer.headers["content-length"] == str(len(content))


def test_an_upload_takes_the_place_of_the_one_before(api: httpx.Client, run: str) -> None:
    put(api, run, "x", b"old")
    file = put(api, run, "x?kind=checkpoint&step=7", b"newer")
    assert (file["kind"], file["step"], file["size"]) == ("checkpoint", 7, 5)
    assert api.get(f"{run}/artifacts/x").content == b"newer"
    assert len(api.get(f"{run}/artifacts").json()["rows"]) == 1


@pytest.mark.parametrize(
    "name", ["ünïcode ✓.txt", 'a"b;c.txt', "a b#c?d%e.log", "=cmd|' c'!A1.csv"]
)
def test_a_file_is_saved_under_its_name_however_that_is_written(
    api: httpx.Client, run: str, name: str
) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    assert put(api, run, f"dir/{quoted}")["path"] == f"dir/{name}"
    answer = api.get(f"{run}/artifacts/dir/{quoted}")
    said = answer.headers["content-disposition"]
    assert said.startswith("attachment; filename=")
    assert said.isascii()
    plain, _, extended = said.partition("; filename*=UTF-8''")
    assert plain.count('"') == 2
    assert "\\" not in plain
    assert httpx.URL(f"http://x/{extended}").path == f"/{name}"


@pytest.mark.parametrize(
    ("wanted", "status", "content", "said"),
    [
        (None, 200, b"0123456789", None),
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=9-99", 206, b"9", "bytes 9-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
        ("bytes=3-1", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=0-1", 200, b"0123456789", None),
        ("bytes=a-b", 200, b"0123456789", None),
    ],
)
def test_a_part_is_sent_where_one_is_wanted(
    api: httpx.Client, run: str, wanted: str | None, status: int, content: Any, said: Any
) -> None:
    put(api, run, "x")
    answer = api.get(f"{run}/artifacts/x", headers={"Range": wanted} if wanted else {})
    assert (answer.status_code, answer.headers.get("content-range")) == (status, said)
    if content is not None:
        assert answer.content == content
        assert answer.headers["content-length"] == str(len(content))


def test_what_a_client_has_is_not_sent_again(api: httpx.Client, run: str) -> None:
    put(api, run, "x")
    tag = api.get(f"{run}/artifacts/x").headers["etag"]
    same = api.get(f"{run}/artifacts/x", headers={"If-None-Match": f'"other", {tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    put(api, run, "x", b"changed!!!")
    part = {"Range": "bytes=0-3", "If-Range": tag}
    changed = api.get(f"{run}/artifacts/x", headers=part | {"If-None-Match": tag})
    assert (changed.status_code, changed.content) == (200, b"changed!!!")


def test_an_empty_file_is_a_file(api: httpx.Client, run: str) -> None:
    assert put(api, run, "x", b"")["size"] == 0
    answer = api.get(f"{run}/artifacts/x")
    assert (answer.status_code, answer.content) == (200, b"")
    assert api.get(f"{run}/artifacts/x", headers={"Range": "bytes=0-"}).status_code == 416


def test_head_says_what_get_would(api: httpx.Client, run: str) -> None:
    put(api, run, "x")
    answer = api.head(f"{run}/artifacts/x")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "10"


def test_a_deleted_file_is_gone_and_its_path_is_free(
    api: httpx.Client, run: str, context: Context
) -> None:
    put(api, run, "a/b")
    taken = api.put(f"{run}/artifacts/a", content=b"1")
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:hpcshell:exists")
    assert api.delete(f"{run}/artifacts/a/b").status_code == 200
    assert api.get(f"{run}/artifacts/a/b").status_code == 404
    assert api.delete(f"{run}/artifacts/a/b").status_code == 404
    assert uploads(context) == []
    put(api, run, "a")


def test_one_that_is_too_large_is_refused_whether_it_says_so_or_not(
    api: httpx.Client, run: str, context: Context
) -> None:
    context.artifacts.limit = 1000

    def said_not() -> Any:
        yield b"1" * 600
        yield b"1" * 600

    for content in (b"1" * 1001, said_not()):
        answer = api.put(f"{run}/artifacts/x", content=content)
        assert (answer.status_code, answer.headers["content-type"]) == (
            413,
            "application/problem+json",
        )
    assert uploads(context) == []
    assert os.listdir(Path(context.artifacts.root) / "incoming") == []
    put(api, run, "x", b"1" * 1000)


# ---------------------------------------------------------------------------- on shared storage


@pytest.fixture
def shared(tmp_path: Path, context: Context) -> Path:
    """A directory beneath which the server may read."""
    root = tmp_path / "shared"
    root.mkdir()
    track = msgspec.structs.replace(context.settings.track, roots=(str(root),))
    context.settings = msgspec.structs.replace(context.settings, track=track)
    return root


def test_a_file_on_shared_storage_is_named_and_downloaded_from_there(
    api: httpx.Client, run: str, shared: Path
) -> None:
    (shared / "exp").mkdir()
    (shared / "exp" / "train.log").write_text("epoch 1\n")
    body = {"uri": str(shared / "exp" / "train.log"), "path": "logs/train.log"}
    named = api.post(f"{run}/artifacts", json=body)
    assert (named.status_code, named.json()["kind"]) == (201, "artifact")
    answer = api.get(f"{run}/artifacts/logs/train.log")
    assert (answer.status_code, answer.text) == (200, "epoch 1\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert api.delete(f"{run}/artifacts/logs/train.log").status_code == 200
    assert (shared / "exp" / "train.log").exists(), "it stays where it is"


def test_a_checkpoint_is_a_file_with_a_step(api: httpx.Client, run: str) -> None:
    body = {"uri": "/shared/checkpoints/epoch_10.pt", "step": 10, "size": 5}
    named = api.post(f"{run}/checkpoints", json=body).json()
    assert (named["path"], named["kind"], named["step"]) == ("epoch_10.pt", "checkpoint", 10)


@pytest.mark.parametrize(
    "uri",
    [
        *("/etc/passwd", "file:///etc/passwd", "s3://bucket/x", "{root}", "{root}/", "{root}x/y"),
        *("{root}/../secret", "{root}/a/../../secret", "{root}//etc/passwd", "{root}/link"),
        *("{root}/dir/secret", "{root}/pipe", "{root}/", "{root}/\0", "http://127.0.0.1:1/x"),
    ],
)
def test_what_lies_elsewhere_is_named_and_never_read(
    api: httpx.Client, run: str, shared: Path, uri: str
) -> None:
    (shared.parent / "secret").write_text("the secret")
    (shared / "link").symlink_to("../secret")
    (shared / "dir").symlink_to("..")
    os.mkfifo(shared / "pipe")
    body = {"uri": uri.format(root=shared), "path": "x"}
    named = api.post(f"{run}/artifacts", json=body)
    if named.status_code == 400:
        return
    answer = api.get(f"{run}/artifacts/x")
    assert answer.status_code in (400, 403, 404), answer.text
    assert "secret" not in answer.text.replace("/secret", "")


def test_what_names_no_file_is_told_so(api: httpx.Client, run: str) -> None:
    bodies: list[Any] = [
        {},
        {"uri": 3},
        {"uri": "/x", "knid": "x"},
        {"uri": "/x", "kind": "x"},
        [],
        "x",
    ]
    for body in bodies:
        assert api.post(f"{run}/artifacts", json=body).status_code == 400
    for path in ("../x", "/x", "a//b", "", "a\0b"):
        answer = api.post(f"{run}/artifacts", json={"uri": "/", "path": path})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "named",
    [
        {"path": "/shared/a/best.pt"},
        {"uri": "/shared/a/best.pt"},
        {"uri": "/shared/a/best.pt", "path": "best.pt"},
        {"uri": "/shared/a/best.pt", "path": "/shared/a/best.pt"},
    ],
)
def test_a_file_is_named_by_where_it_lies(
    api: httpx.Client, run: str, named: dict[str, str]
) -> None:
    answer = api.post(f"{run}/checkpoints", json=named)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["uri"], answer.json()["path"]) == ("/shared/a/best.pt", "best.pt")


def test_a_file_that_lies_nowhere_is_refused(api: httpx.Client, run: str) -> None:
    for named in ({}, {"path": "best.pt"}):
        assert api.post(f"{run}/artifacts", json=named).status_code == 400


def test_files_are_listed_in_pages_by_their_paths(api: httpx.Client, run: str) -> None:
    for name in ("b", "a/2", "a/1", "c"):
        api.post(f"{run}/artifacts", json={"uri": f"/data/{name}", "path": name})
    first = api.get(f"{run}/artifacts?limit=3").json()
    rest = api.get(f"{run}/artifacts", params={"limit": 3, "cursor": first["next"]}).json()
    rows = first["rows"] + rest["rows"]
    assert [file["path"] for file in rows] == ["a/1", "a/2", "b", "c"]
    assert rest["next"] is None
    under = api.get(f"{run}/artifacts?under=a").json()["rows"]
    assert [file["path"] for file in under] == ["a/1", "a/2"]


def test_an_upload_is_not_lost_to_a_file_that_lies_elsewhere(api: httpx.Client, run: str) -> None:
    put(api, run, "big.bin", b"precious")
    for path in ("artifacts", "checkpoints"):
        named = api.post(f"{run}/{path}", json={"path": "/tmp/x/big.bin"})
        assert named.status_code == 409
        assert '"path"' in named.json()["hint"]
    assert api.get(f"{run}/artifacts/big.bin").content == b"precious"
    assert api.delete(f"{run}/artifacts/big.bin").status_code == 200
    assert api.post(f"{run}/artifacts", json={"path": "/tmp/x/big.bin"}).status_code == 201


def test_an_artifact_and_a_checkpoint_of_one_name_are_two_files(
    api: httpx.Client, run: str
) -> None:
    assert api.post(f"{run}/artifacts", json={"uri": "/a/best.pt"}).status_code == 201
    assert api.post(f"{run}/checkpoints", json={"uri": "/b/best.pt"}).status_code == 409
    other = {"uri": "/b/best.pt", "path": "b/best.pt"}
    assert api.post(f"{run}/checkpoints", json=other).status_code == 201
    assert len(api.get(f"{run}/artifacts").json()["rows"]) == 2
    assert api.post(f"{run}/checkpoints", json=other | {"step": 2}).json()["step"] == 2


def test_how_to_send_a_file_is_said_to_those_who_send_it_otherwise(
    api: httpx.Client, run: str
) -> None:
    form = api.post(f"{run}/artifacts", files={"file": b"x"})
    assert (form.status_code, form.json()["hint"][-22:]) == (415, "PUT .../artifacts/PATH")
    relative = api.post(f"{run}/artifacts", json={"path": "rel/x.bin"})
    assert relative.status_code == 400
    assert "relative" in relative.json()["detail"]
    assert "/shared/rel/x.bin" in relative.json()["hint"]
