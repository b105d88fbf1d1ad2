"""`hpc track epilog`: the script is shown, written, and what to configure is told."""

from __future__ import annotations

import json
import os
import stat
import subprocess

import pytest

from tests.conftest import Hpc


def test_it_is_written_and_what_to_configure_is_told(hpc: Hpc, tmp_path):
    where = tmp_path / "hook"
    done = hpc("track", "epilog", "--install", "--dir", where, check=True)
    assert f"EpilogSlurmctld={where}/hpc-epilog" in done.stdout
    assert f'[track] spools = ["{where}/spool"]' in done.stdout
    assert os.access(where / "hpc-epilog", os.X_OK)
    assert subprocess.run(["bash", "-n", where / "hpc-epilog"]).returncode == 0


def test_the_key_is_that_of_the_server(hpc: Hpc, home, tmp_path):
    hpc("track", "epilog", "--install", "--dir", tmp_path, check=True)
    key = home / "state" / "webhook.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    inner = (tmp_path / "keys" / "inner").read_bytes()
    assert bytes(each ^ 0x36 for each in inner)[:32] == key.read_bytes()


def test_a_dry_run_writes_nothing(hpc: Hpc, home, tmp_path):
    where = tmp_path / "hook"
    done = hpc("track", "epilog", "--install", "--dir", where, "--dry-run", "--json", check=True)
    document = json.loads(done.stdout)
    assert (document["dry_run"], document["written"]) == (True, [])
    assert document["directory"] == str(where)
    assert not where.exists()
    assert not (home / "state" / "webhook.key").exists()


@pytest.mark.parametrize("kind", ["slurm", "pbs", "lsf", "sge"])
def test_it_is_shown_for_every_scheduler(hpc: Hpc, kind):
    url = "http://tracker.example.org:8470"
    done = hpc("track", "epilog", "--print", "--kind", kind, "--url", url, check=True)
    assert f"URL={url}/api/v1/webhooks/{kind}\n" in done.stdout


def test_a_hostile_url_or_directory_stays_text(hpc: Hpc):
    url = "http://x.example.org/$(touch${IFS}evil)'\";reboot"
    done = hpc("track", "epilog", "--print", "--url", url, "--dir", "/a b/$(c)", check=True)
    assert "KEYS='/a b/$(c)/keys'" in done.stdout
    shown = subprocess.run(
        ["bash", "-c", done.stdout.split("# ---")[0].replace(">/dev/null", "") + "\necho $URL"],
        capture_output=True,
        text=True,
    )
    assert shown.stdout.strip() == f"{url}/api/v1/webhooks/slurm"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--install", "--print"),
        ("--print", "--url", "ftp://x"),
        ("--print", "--url", "http://x y"),
        ("--print", "--owner", "nobody-of-this-name"),
        ("--print", "--dir", "a\nb"),
        ("--print", "--kind", "cron"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(hpc: Hpc, words):
    done = hpc("track", "epilog", *words)
    assert done.returncode == 2
    assert "hint:" in done.stderr or "Try" in done.stderr or "choose" in done.stderr.lower()


def test_quiet_prints_paths_only(hpc: Hpc, tmp_path):
    done = hpc("track", "epilog", "--install", "--quiet", "--dir", tmp_path, check=True)
    assert all(os.path.exists(path) for path in done.stdout.split())
