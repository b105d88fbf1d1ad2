"""`hpc priority`, `hpc fairshare`, and what `hpc explain` says of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpcshell.daemon.admission import user_name
from hpcshell.machine.paths import places
from tests.cli.conftest import Cli

ME = user_name(os.geteuid())
CONFIGURATION = f"""
[scheduler]
order = "multifactor"

[priority]
age = 0
qos = 100

[qos.high]
priority = 10

[qos.low]

[accounts.physics]
shares = 3
users = {{ {ME} = 2 }}
"""


def submit(cli: Cli, *words: str) -> str:
    return cli("submit", "--quiet", *words, check=True).out.strip()


@pytest.fixture
def configured(cli: Cli) -> Cli:
    config = Path(places(os.environ).config_file)
    config.parent.mkdir(parents=True)
    config.write_text(CONFIGURATION)
    return cli


def test_the_waiting_first_first_with_their_points(configured: Cli) -> None:
    cli = configured
    submit(cli, "-c4", "--", "sleep", "300")
    low = submit(cli, "-c4", "--qos", "low", "--nice", "3", "--", "true")
    high = submit(cli, "-c4", "--qos", "high", "--", "true")
    said = cli("priority", check=True)
    head, first, second = said.out.splitlines()
    assert head.split()[:5] == ["ID", "USER", "PARTITION", "PRIORITY", "AGE"]
    assert first.split()[0] == high
    assert second.split()[0] == low
    assert cli("priority", "--quiet", check=True).out.split() == [high, low]
    assert cli("priority", low, "--quiet", check=True).out.split() == [low]
    [row] = cli("priority", high, "--json", check=True).json["rows"]
    [qos] = [factor for factor in row["factors"] if factor["factor"] == "qos"]
    assert qos == {"factor": "qos", "value": 1.0, "weight": 100.0, "points": 100.0}
    assert "-0" not in said.out
    told = cli("explain", low, check=True).out
    assert "by order multifactor: " in told
    assert "nice 3 x -1" in told
    cli("daemon", "stop", "--cancel", check=True)


def test_nothing_waits(configured: Cli) -> None:
    said = configured("priority", check=True)
    assert (said.out, said.err) == ("", "no job waits\n")


def test_the_weights_are_shown_whoever_waits(configured: Cli) -> None:
    head, weights = configured("priority", "--weights", check=True).out.splitlines()
    worth = dict(zip(head.split(), weights.split()[1:], strict=True))
    assert weights.split()[0] == "Weights"
    assert (worth["QOS"], worth["AGE"], worth["NICE"]) == ("100", "0", "-1")


def test_accounts_users_and_what_they_have_used(configured: Cli) -> None:
    said = configured("fairshare", check=True)
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0][:3] == ["ACCOUNT", "USER", "SHARES"]
    assert [line[0] for line in lines[1:]] == ["root", "physics", "physics"]
    assert lines[3][1:4] == [ME, "2", "1.000000"]
    assert lines[3][-1] == "1.000000"
    found = configured("fairshare", "--json", check=True).json
    assert (found["algorithm"], found["half_life"]) == ("classic", 604800.0)
    assert configured("fairshare", "--quiet", check=True).out.split() == [ME]
