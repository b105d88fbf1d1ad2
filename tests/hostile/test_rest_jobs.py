"""Hostile requests about jobs over REST, each with its stated outcome: ids that are none (32), what
is submitted (1 to 4), and what is not ours to look at (31). Refused is 400, 403, 404 or 413, always
as a problem with a hint, never a traceback; and the server answers the next request."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from hpcshell.machine.configfiles import daemon_settings
from hpcshell.machine.paths import places
from hpcshell.track.store.opening import open_store, url_of
from hpcshell.web.app import make_app
from hpcshell.web.context import Context
from hpcshell.web.jobs.logs import LAST
from tests.support.homes import clean_environment, fresh_home
from tests.support.runners import eventually
from tests.support.web import make_token

JOBS = "/api/v1/jobs"
Client = Callable[[str, str], httpx.Client]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """`client("eve", "user")`: one server and one daemon for all of these."""
    with fresh_home() as home, pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - clean_environment().keys():
            patch.delenv(name)
        patch.setenv("HPCSHELL_HOME", str(home))
        patch.chdir(tmp_path_factory.mktemp("work"))
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        where = places(os.environ)
        where.prepare()
        store = open_store(url_of("", where))
        context = Context(daemon_settings(where, os.environ), where, store)

        def made(user: str, role: str) -> httpx.Client:
            app = make_app(context)
            found = TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)
            found.headers["Authorization"] = f"Bearer {make_token(store, role, user=user)}"
            return found

        yield made
        context.close()


@pytest.fixture(scope="module")
def api(client: Client) -> Iterator[httpx.Client]:
    with client("tester", "admin") as found:
        yield found


@pytest.fixture(autouse=True)
def well(api: httpx.Client) -> Iterator[None]:
    """Whatever was sent, the server answers afterwards."""
    yield
    assert api.get("/healthz").status_code == 200


def newest(api: httpx.Client) -> int:
    rows = api.get(f"{JOBS}?limit=1").json()["rows"]
    return rows[0]["id"] if rows else 0


def refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in (statuses or (400,)), answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["detail"]
    assert problem["hint"]
    assert "Traceback" not in answer.text
    return problem


HELD = {"command": ["true"], "options": {"hold": True}}


def submit(api: httpx.Client, **options: Any) -> httpx.Response:
    return api.post(JOBS, json={"command": ["true"], "options": {"hold": True, **options}})


# -- 32: ids ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "id",
    [
        *("-1", "1.5", "1e3", "0x1", "NaN", "9223372036854775808", "9" * 40, "1-3", "1[0-9]", "*"),
        *("@~x", "12abc", "__proto__", "%00", "%0a", "%E2%80%AE1", "..", "%2e%2e", "1%20OR%201=1"),
        *("a" * 3000, "'", "1;2", "１２"),
    ],
)
@pytest.mark.parametrize("action", ["", "/explain", "/logs/stdout", "/logs/stdout/follow"])
def test_what_is_no_id_is_refused(api: httpx.Client, id: str, action: str) -> None:
    refused(api.get(f"{JOBS}/{id}{action}"), 400, 404)


@pytest.mark.parametrize("id", ["-1", "1.5", "9" * 40, "1-3", "*", "true"])
@pytest.mark.parametrize("verb", ["cancel", "hold", "release", "rerun", "requeue"])
def test_nothing_is_changed_by_what_is_no_id(api: httpx.Client, id: str, verb: str) -> None:
    mine = submit(api).json()["id"]
    refused(api.post(f"{JOBS}/{id}/{verb}"), 400, 404)
    assert api.get(f"{JOBS}/{mine}").json()["held"] is True


@pytest.mark.parametrize("id", ["0", "12345", "9223372036854775807", "12345_0", "@~50000"])
def test_an_id_that_nobody_has_is_not_found(api: httpx.Client, id: str) -> None:
    refused(api.get(f"{JOBS}/{id}"), 400, 404)
    refused(api.post(f"{JOBS}/{id}/cancel"), 400, 404)


def test_an_id_is_no_prefix_of_another(api: httpx.Client) -> None:
    ids = [job["id"] for job in api.post(JOBS, json=[HELD] * 12).json()]
    longest = str(max(ids))
    for cut in range(1, len(longest)):
        api.post(f"{JOBS}/{longest[:cut]}/cancel")
    assert api.get(f"{JOBS}/{longest}").json()["state"] == "PENDING"


def test_another_users_job_is_seen_and_not_changed(api: httpx.Client, client: Client) -> None:
    id = submit(api).json()["id"]
    with client("eve", "user") as eve:
        for verb in ("cancel", "hold", "release", "suspend", "resume", "requeue", "rerun"):
            refused(eve.post(f"{JOBS}/{id}/{verb}"), 403)
        refused(eve.patch(f"{JOBS}/{id}", json={"tag": ["by:eve"]}), 403)
    assert api.get(f"{JOBS}/{id}").json()["held"] is True


def test_a_job_is_nobody_elses_by_its_tags(api: httpx.Client, client: Client) -> None:
    line = {"script": "#!/bin/sh\n#HPC --tag=by:bob\n", "options": {"hold": True}}
    with client("eve", "user") as eve, client("bob", "user") as bob:
        for body in ({**HELD, "options": {"hold": True, "tag": ["by:bob"]}}, line):
            refused(eve.post(JOBS, json=body), 403)
        id = submit(eve, tag=["x"]).json()["id"]
        refused(eve.patch(f"{JOBS}/{id}", json={"tag": ["by:bob"]}), 403)
        assert eve.patch(f"{JOBS}/{id}", json={"tag": ["y"]}).status_code == 200
        refused(bob.post(f"{JOBS}/{id}/cancel"), 403)
        assert eve.get(f"{JOBS}/{id}").json()["tags"] == ["y", "by:eve"]
        assert eve.post(f"{JOBS}/{id}/cancel").status_code == 200


def test_the_last_lines_of_a_log_with_no_lines_are_looked_for_in_its_end_alone(
    api: httpx.Client, tmp_path: Path
) -> None:
    log = tmp_path / "out"
    job = f"{JOBS}/{submit(api, output=str(log), hold=False).json()['id']}"
    eventually(lambda: api.get(job).json()["state"] == "COMPLETED")
    os.truncate(log, 10 << 30)
    begun = time.process_time()
    with api.stream("GET", f"{job}/logs/stdout?tail=5") as answer:
        assert int(answer.headers["content-length"]) == LAST
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("on", ["../..", "nowhere", "local; rm", "a" * 200, "%00"])
def test_a_cluster_that_is_none_is_refused(api: httpx.Client, on: str) -> None:
    answer = api.get(f"{JOBS}/1", params={"on": on})
    refused(answer, 400, 404)


# -- 1: bodies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b"null", b"[]", b"1", b'"true"', b"[null]", b"[[]]", b"{", b"\xff\xfe"),
        b'{"command": NaN}',
        b'{"command": ["true"], "options": {"cpus": NaN}}',
        b'{"command": ["true"], "options": {"cpus": 1e400}}',
        b'{"command": ["true"], "options": {"cpus": Infinity}}',
        b'{"command": ["true"], "script": "true"}',
        b'{"command": []}',
        b'{"command": [1]}',
        b'{"command": ["true"], "surprise": 1}',
        b'{"command": ["true"], "options": {"__class__": 1}}',
        b'{"command": ["true"], "options": {"": 1}}',
        b'{"command": ["true"], "options": []}',
        b'{"command": ["true"], "options": {"name": ' + b"[" * 10_000 + b"]" * 10_000 + b"}}",
    ],
)
def test_a_body_that_is_no_job_is_refused(api: httpx.Client, body: bytes) -> None:
    before = newest(api)
    refused(api.post(JOBS, content=body, headers={"Content-Type": "application/json"}), 400)
    assert newest(api) == before


def test_of_a_key_that_is_there_twice_the_last_counts(api: httpx.Client) -> None:
    body = b'{"command": ["false"], "command": ["true"], "options": {"hold": true}}'
    answer = api.post(JOBS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    assert api.get(f"{JOBS}/{answer.json()['id']}").json()["command"] == ["true"]


def test_a_hundred_megabytes_are_not_taken_in(api: httpx.Client) -> None:
    body = b'{"command": ["true"], "options": {"comment": "' + b"x" * (100 << 20) + b'"}}'
    refused(api.post(JOBS, content=body, headers={"Content-Type": "application/json"}), 413)


def test_more_jobs_than_are_taken_at_once_are_refused(api: httpx.Client) -> None:
    refused(api.post(JOBS, json=[{"command": ["true"]}] * 10_001), 400)


# -- 2: names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["x" * 1_000_000, "a\0b", "a\nb", "\x1b]0;title\x07", "\x1b]52;c;aGk=\x07", "\u202e", "\ud800"],
)
def test_names_that_no_terminal_would_take_are_refused(api: httpx.Client, name: str) -> None:
    body = json.dumps({"command": ["true"], "options": {"hold": True, "name": name}})
    answer = api.post(JOBS, content=body, headers={"Content-Type": "application/json"})
    refused(answer, 400)


@pytest.mark.parametrize(
    "name", ["$(id)", "`id`", "<script>alert(1)</script>", "%n", "=cmd|' /C calc'!A0", "👨‍👩‍👧"]
)
def test_names_that_only_look_dangerous_are_kept_as_they_are(api: httpx.Client, name: str) -> None:
    answer = submit(api, name=name)
    if answer.status_code == 400:  # refused at the prompt as well
        refused(answer)
        return
    assert answer.json()["name"] == name
    shown = api.get(f"{JOBS}/{answer.json()['id']}")
    assert shown.json()["name"] == name
    assert shown.headers["content-type"] == "application/json"
    assert shown.headers["x-content-type-options"] == "nosniff"


# -- 3: environments ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "env",
    [{"A=B": "1"}, {"": "1"}, {"A": "x\0y"}, {"A\0": "1"}, {"A": "x" * (2 << 20)}],
)
def test_variables_that_no_process_can_have_are_refused(
    api: httpx.Client, env: dict[str, str]
) -> None:
    refused(submit(api, env=env), 400)


def test_variables_with_commas_and_lines_are_what_the_job_gets(api: httpx.Client) -> None:
    env = {"ONE": "a,b=c", "TWO": "line\nline", "BASH_ENV": "/nowhere", "IFS": "x"}
    # not `python3`: that may be a script of a shell, and a shell sets its IFS itself
    words = [sys.executable, "-c", "import os, json; print(json.dumps(dict(os.environ)))"]
    answer = api.post(JOBS, json={"command": words, "options": {"env": env}})
    assert answer.status_code == 201, answer.text
    # the stream ends with the job
    told = api.get(f"{JOBS}/{answer.json()['id']}/logs/stdout/follow").text
    pieces = [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: ")]
    seen = json.loads("".join(piece.get("text", "") for piece in pieces))
    assert {name: seen[name] for name in env} == env


# -- 4: amounts and times -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        *({"cpus": each} for each in (0, -1, 0.5, 1e18, "x")),
        {"cpus": []},
        {"cpus": {}},
        *({"gpus": each} for each in (-1, 0.0001, 1e18, "NaN")),
        *({"memory": each} for each in (-1, "8e3x", "1000000T")),
        *({"time_limit": each} for each in (0, -5, "100000000d")),
        *({"begin": each} for each in ("9999-01-01", "1969-12-31", "yesterday at")),
        *({"array": each} for each in ("0-1e9", "5-1", "1,1,1", "-1")),
        {"array": []},
        {"array": [-1]},
        *({"dependency": f"afterok:{each}"} for each in ("99", "-1", 2**63, "x", "")),
        {"mail_user": "a@example.org\nBcc: b@example.org"},
        {"chdir": "/nowhere/at/all"},
        {"chdir": "x" * 5000},
        {"mail_user": "a@example.org;rm"},
        {"webhook": "file:///etc/passwd"},
    ],
)
def test_what_can_never_be_is_refused(api: httpx.Client, options: dict[str, Any]) -> None:
    before = newest(api)
    refused(submit(api, **options), 400, 403, 404)
    assert newest(api) == before


# -- 5, 6: directories and commands -------------------------------------------------------------


def test_a_directory_that_leads_round_in_a_circle_is_refused(
    api: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    refused(submit(api, chdir=str(tmp_path / "a")), 400)


def test_a_command_that_is_a_directory_or_of_another_machine_is_refused(
    api: httpx.Client, tmp_path: Path
) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    binary.chmod(0o755)
    for path in (tmp_path, binary):
        refused(api.post(JOBS, json={"command": [str(path)]}), 400)


@pytest.mark.parametrize(
    ("text", "mode", "code"),
    [(None, 0, 127), ("#!/bin/sh\n", 0o644, 126), ("#!/nowhere/at/all\n", 0o755, 126)],
    ids=["missing", "not executable", "no interpreter"],
)
def test_a_command_that_cannot_run_fails_as_in_a_shell(
    api: httpx.Client, tmp_path: Path, text: str | None, mode: int, code: int
) -> None:
    path = tmp_path / "program"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    made = api.post(JOBS, json={"command": [str(path)]})
    assert made.status_code == 201, made.text
    job = f"{JOBS}/{made.json()['id']}"
    assert api.get(f"{job}/logs/stdout/follow").status_code == 200  # until it has ended
    shown = api.get(job).json()
    assert (shown["state"], shown["exit_code"]) == ("FAILED", code)


# -- 31, 36, 37: what else is sent --------------------------------------------------------------


@pytest.mark.parametrize(
    "which",
    ["..%2fstdout", "%252e%252e", "stdin", "stdout%00", "/etc/passwd", "STDOUT", "stdout%2f"],
)
def test_a_stream_is_one_of_two_and_no_path(api: httpx.Client, which: str) -> None:
    id = submit(api).json()["id"]
    refused(api.get(f"{JOBS}/{id}/logs/{which}"), 400, 404)


@pytest.mark.parametrize(
    "directory",
    [
        "..",
        "relative",
        "/etc",
        "/proc/self/root/etc",
        "/root/../etc",
        "file:///root",
        "/\0",
        "x" * 5000,
    ],
)
def test_sweeps_are_looked_for_beneath_known_directories_only(
    api: httpx.Client, directory: str
) -> None:
    refused(api.get("/api/v1/sweeps", params={"directory": directory}), 400, 403, 404)


def test_a_link_leads_no_further_than_its_directory(api: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "way-out").symlink_to("/etc")
    answer = api.get("/api/v1/sweeps", params={"directory": str(tmp_path / "way-out")})
    refused(answer, 403)


@pytest.mark.parametrize(
    "id", ["..", "%2e%2e", "..%2f..%2fetc", "%00", ".hidden", "-rf", "a" * 300]
)
def test_a_sweep_is_named_by_its_id_and_no_path(api: httpx.Client, id: str) -> None:
    refused(api.get(f"/api/v1/sweeps/{id}/status"), 400, 404)


@pytest.mark.parametrize("limit", ["-1", "0", "1001", "1e9", "x", "9" * 30])
@pytest.mark.parametrize("list", ["jobs", "queue", "history", "priority"])
def test_pages_have_a_size(api: httpx.Client, list: str, limit: str) -> None:
    refused(api.get(f"/api/v1/{list}?limit={limit}"))


@pytest.mark.parametrize("filter", ["state=NOWHERE", "state=", "since=never", "until=@1e99"])
def test_a_filter_that_can_choose_nothing_says_so(api: httpx.Client, filter: str) -> None:
    answer = api.get(f"/api/v1/history?{filter}")
    if filter == "state=":
        assert answer.status_code == 200
    else:
        refused(answer)


@pytest.mark.parametrize("name", ["' OR 1=1 --", "%", "*", "(a+)+$", "\\", "a" * 5000])
def test_a_name_that_is_looked_for_is_text_and_nothing_else(api: httpx.Client, name: str) -> None:
    submit(api)
    assert api.get(JOBS, params={"name": name}).json()["rows"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"submit": ["cpus=8; rm -rf"]},
        {"submit": ["--help"]},
        {"policy": "--help"},
        {"policy": "/etc/passwd"},
        {"time": {"1": "--x"}},
        {"at": "-rf"},
        {"first": -1},
        {"surprise": 1},
    ],
)
def test_no_word_of_a_question_becomes_an_option(api: httpx.Client, body: dict[str, Any]) -> None:
    refused(api.post("/api/v1/whatif", json=body), 400, 404)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"swf": ""},
        {"swf": "\0" * 100},
        {"swf": "; no jobs\n"},
        {"swf": "1 2 3", "generate": "lublin"},
        {"generate": "lublin", "policies": ["/etc/passwd"]},
        {"generate": "lublin", "policies": ["x.toml"]},
        {"generate": "lublin", "jobs": 10_000_000},
        {"generate": "lublin", "cpus": 0},
        {"generate": "lublin", "jobs": "--machine=/etc/passwd"},
        {"generate": "/etc/passwd"},
        {"generate": "lublin", "jobs": 10, "engine": "python", "faults": ["--out=/tmp/x"]},
    ],
)
def test_a_simulation_that_cannot_be_meant_is_refused(
    api: httpx.Client, body: dict[str, Any]
) -> None:
    refused(api.post("/api/v1/simulate", json=body), 400)


# -- 7: outputs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_an_output_that_is_no_file_of_its_own_is_refused(
    api: httpx.Client, tmp_path: Path, kind: str
) -> None:
    victim, output = tmp_path / "authorized_keys", tmp_path / "out"
    victim.write_text("ours")
    make: dict[str, Callable[[], None]] = {
        "link": lambda: output.symlink_to(victim),
        "pipe": lambda: os.mkfifo(output),
        "directory": output.mkdir,
    }
    make[kind]()
    refused(submit(api, output=str(output), hold=False), 400)
    assert victim.read_text() == "ours"
