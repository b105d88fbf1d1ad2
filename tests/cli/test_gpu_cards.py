"""`hpc gpu status` and its like, with real jobs on made-up cards, and on cards of the driver that a
library with NVML's symbols plays."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.support.nvml.play import Play, Process, box, build
from tests.support.runners import eventually

GIB = 1 << 30
Act = Callable[..., None]


@pytest.fixture
def lab(home: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Act:
    """A box of four made-up cards; called with what each is to tell."""
    for name, value in (
        ("GPUS__PROVIDER", "fake"),
        ("GPUS__COUNT", "4"),
        ("GPUS__INTERVAL", "0.1s"),
        ("GPUS__OVERUSE_GRACE", "0.5s"),
        ("RESOURCES__CPUS", "64"),
    ):
        monkeypatch.setenv(f"HPC_{name}", value)

    def play(**cards: object) -> None:
        draft = home / "state/fake.draft"
        draft.parent.mkdir(exist_ok=True, parents=True)
        draft.write_text(json.dumps({"cards": {name[1:]: told for name, told in cards.items()}}))
        draft.rename(home / "state/fake-gpus.json")

    return play


def states(cli: Cli) -> list[str]:
    cards = cli("gpu", "status", "--json", check=True).json["resources"]["cards"]
    return [card["state"] for card in cards]


def pid_of(cli: Cli, job: str) -> int:
    def begun() -> bool:
        return bool(cli("show", job, "--json", check=True).json["pid"])

    eventually(begun)
    return int(cli("show", job, "--json", check=True).json["pid"])


def submitted(cli: Cli, *words: str) -> str:
    return cli("submit", "--quiet", *words, check=True).out.strip()


# ------------------------------------------------------------------------------------------ status


def test_the_status_shows_cards_and_who_is_on_them(cli: Cli, lab: Act) -> None:
    submitted(cli, "--gpus", "1.5", "--name", "train", "--", "sleep", "60")
    waiting = ("--priority", "high"), ("--priority", "low"), ()
    for words in waiting:
        submitted(cli, "--gpus", "3", *words, "--", "true")
    brief = cli("gpu", "status", check=True).out
    assert [line.split()[:4] for line in brief.splitlines()[1:3]] == [
        ["0", "fake", "up", "100%"],
        ["1", "fake", "up", "50%"],
    ]
    assert "shares: compute is not enforced, because" in brief
    long = cli("gpu", "status", "--detailed", check=True).out
    for line in (
        "  Total jobs: 3",
        "  High priority: 1",
        "  Normal priority: 1",
        "  Low priority: 1",
        "  GPU 1: 50% allocated",
        "Active jobs: 1",
        "  1: train (GPUs: [0, 1])",
        "Health: HEALTHY",
    ):
        assert line in long.splitlines()
    found = cli("gpu", "status", "--json", check=True).json
    assert [card["allocated"] for card in found["resources"]["cards"]] == [1.0, 0.5, 0.0, 0.0]
    assert found["resources"]["cards"][1]["jobs"][0]["share"] == 0.5


def test_a_machine_without_cards_says_so_and_how_to_try_some(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPC_GPUS__PROVIDER", "none")
    said = cli("gpu", "status", check=True).out
    assert said.startswith("no gpus: provider none\n")
    assert "HPC_GPUS__PROVIDER=fake" in said
    assert cli("gpu", "health").code == 0


def test_strangers_and_lost_cards_are_named_in_status_health_and_doctor(cli: Cli, lab: Act) -> None:
    bob = {"pid": 4194305, "memory": 70 * GIB, "user": "bob", "command": "python x.py"}
    lab(c1={"tenants": [bob]}, c2={"trouble": "lost: off the bus"})
    cli("gpu", "status", check=True)
    eventually(lambda: states(cli) == ["up", "avoided", "lost", "up"])
    for words in (("gpu", "status"), ("gpu", "health"), ("doctor",)):
        said = cli(*words).out
        assert "70G of its 80G is held by bob's python (pid 4194305)" in said
        assert "lost: off the bus" in said
    assert cli("gpu", "health").code == 1
    assert cli("gpu", "health", "--quiet").out == "DEGRADED\n"


def test_topology_tells_what_is_joined(cli: Cli, lab: Act) -> None:
    said = cli("gpu", "topology", check=True).out
    assert "joined by links: gpus 0-3" in said
    assert cli("gpu", "topology", "--json", check=True).json["links"] == [[0, 1, 2, 3]]


# --------------------------------------------------------------------------------- pause and resume


def test_cards_are_paused_and_resumed_by_number_range_or_all(cli: Cli, lab: Act) -> None:
    said = cli("gpu", "pause", "0-1,3", "--reason", "new fans", check=True).out
    assert said.count("paused by") == 3
    assert states(cli) == ["paused", "paused", "up", "paused"]
    assert cli("gpu", "pause", "2", "--dry-run", check=True).out == (
        "gpu 2 would change; it is up\n"
    )
    cli("daemon", "restart", check=True)
    assert states(cli) == ["paused", "paused", "up", "paused"]
    cli("gpu", "resume", "all", check=True)
    assert states(cli) == ["up"] * 4


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("pause", "4"), 3, "there is no gpu 4"),
        (("pause", "x"), 2, "CARDS: 'x' is no whole number"),
        (("pause", "-1"), 2, "-1"),
        (("pause", "3-1"), 2, "CARDS: '3-1' ends before it begins"),
        (("pause",), 2, "CARDS"),
        (("pose", "1"), 2, "pause"),
    ],
)
def test_what_is_no_card_is_refused(
    cli: Cli, lab: Act, words: tuple[str, ...], code: int, said: str
) -> None:
    found = cli("gpu", *words)
    assert found.code == code
    assert said in found.err
    assert "Traceback" not in found.err


def test_draining_puts_a_job_back_and_it_starts_on_another_card(cli: Cli, lab: Act) -> None:
    job = submitted(cli, "--gpus", "1", "--", "sleep", "60")
    pid_of(cli, job)
    assert cli("gpu", "pause", "0", "--drain", check=True).err == f"put back: job {job}\n"

    def elsewhere() -> bool:
        cards = cli("show", job, "--json", check=True).json["gpu_cards"]
        return bool(cards) and cards[0]["card"] == 1

    eventually(elsewhere)
    assert cli("show", job, "--json", check=True).json["attempt"] == 2


# ------------------------------------------------------------------------------------------- shares


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gpus", "-1"), "'-1' is no number of GPUs"),
        (("--gpus", "0.001"), "'0.001' is no number of GPUs"),
        (("--gpus", "nan"), "'nan' is no number of GPUs"),
        (("--gpus", "65"), "asks for 65 gpus; this machine has 4"),
        (("--gpus", "1", "--gpu-type", "v100"), "asks for gpus of type 'v100'; there is none"),
        (("--gpus", "v100:1"), "asks for gpus of type 'v100'; there is none"),
        (("--gpu-mem", "0"), "is nothing"),
        (("--gpu-mem", "81G"), "the largest has 80G"),
        (("--gpus-allowed", "9", "--gpus", "1"), "--gpus-allowed names card 9"),
        (("--gpus-allowed", "1"), "--gpus-allowed names cards, and none is asked for"),
        (("--gpus", "2", "--gpus-allowed", "1"), "asks for 2 gpus among the cards 1; there are 1"),
    ],
)
def test_what_no_card_can_give_is_refused_with_what_could(
    cli: Cli, lab: Act, words: tuple[str, ...], said: str
) -> None:
    found = cli("submit", *words, "--", "true")
    assert found.code == 2
    assert said in found.err
    assert "hint:" in found.err
    assert cli("queue", "--all", "--json", check=True).json["total"] == 0


def test_no_gpus_at_all_is_a_fair_request(cli: Cli, lab: Act) -> None:
    assert cli("submit", "--gpus", "0", "--", "true").code == 0


def test_a_job_that_takes_more_than_its_share_is_ended_and_its_neighbour_is_not(
    cli: Cli, lab: Act
) -> None:
    greedy = submitted(cli, "--gpus", "0.25", "--", "sleep", "60")
    modest = submitted(cli, "--gpus", "0.25", "--", "sleep", "60")
    mine, theirs = pid_of(cli, greedy), pid_of(cli, modest)
    lab(
        c0={
            "tenants": [
                {"pid": mine, "memory": 30 * GIB},
                {"pid": theirs, "memory": 20 * GIB},
            ]
        }
    )
    cli("wait", greedy)
    shown = cli("show", greedy, "--json", check=True).json
    assert shown["state"] == "OUT_OF_MEMORY"
    assert shown["reason"] == "it holds 30G of the memory of gpu 0, and 20G of that is its own"
    assert shown["usage"]["gpu_memory"] == 30 * GIB
    assert cli("show", modest, "--json", check=True).json["state"] == "RUNNING"
    assert "holds 20G of its 20G" in cli("show", modest, check=True).out


# --------------------------------------------------------------------------------- the real binding


@pytest.fixture
def driver(
    home: Path, cli: Cli, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Play], None]:
    """What a library with NVML's symbols plays, which nvidia-ml-py loads in the sampler."""
    directory = tmp_path_factory.mktemp("nvml")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(build(directory)))
    monkeypatch.setenv("NVML_PLAY", str(directory / "play"))
    monkeypatch.setenv("HPC_GPUS__PROVIDER", "nvml")
    monkeypatch.setenv("HPC_GPUS__INTERVAL", "0.1s")
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "64")

    def plays(play: Play) -> None:
        draft = directory / "draft"
        draft.write_text(play.text())
        draft.rename(directory / "play")

    return plays


def test_a_job_on_a_card_of_the_driver_is_known_by_its_process(
    cli: Cli, driver: Callable[[Play], None]
) -> None:
    cards = box(4)
    driver(Play(cards))
    job = submitted(cli, "--gpu-mem", "10G", "--", "sleep", "60")
    pid = pid_of(cli, job)
    uuid = cli("show", job, "--json", check=True).json["gpu_cards"][0]["uuid"]
    assert uuid in {card.uuid for card in cards}
    held = replace(cards[0], used=9 * GIB, processes=(Process(pid, 9 * GIB),))
    driver(Play((held, *cards[1:])))

    def measured() -> bool:
        return bool(cli("show", job, "--json", check=True).json["gpu_cards"][0]["memory_used"])

    eventually(measured)
    assert "holds 9G of its 10.4G" in cli("show", job, check=True).out


def test_a_card_that_falls_off_the_bus_under_a_job_leaves_the_job_alone(
    cli: Cli, driver: Callable[[Play], None]
) -> None:
    cards = box(2)
    driver(Play(cards))
    job = submitted(cli, "--gpus", "1", "--", "sleep", "60")
    pid_of(cli, job)
    lost = replace(cards[0], fails={"*": 15}, xid=79)
    driver(Play((lost, cards[1])))
    eventually(lambda: states(cli) == ["lost", "up"])
    assert cli("show", job, "--json", check=True).json["state"] == "RUNNING"
    other = submitted(cli, "--gpus", "1", "--", "true")
    assert cli("wait", other).code == 0
    driver(Play(cards[::-1]))  # back again, and in another order
    eventually(lambda: states(cli) == ["up", "up"])
    shown = cli("gpu", "status", "--json", check=True).json["resources"]["cards"]
    assert [card["uuid"] for card in shown] == [card.uuid for card in cards]
    assert shown[0]["jobs"][0]["job"] == int(job)


def test_a_driver_that_hangs_never_hangs_the_scheduler(
    cli: Cli, driver: Callable[[Play], None]
) -> None:
    cards = box(2)
    driver(Play(cards))
    assert states(cli) == ["up", "up"]
    driver(Play(cards, hangs=("nvmlDeviceGetUtilizationRates",)))
    eventually(lambda: states(cli) == ["lost", "lost"], patience=60.0)
    waiting = submitted(cli, "--gpus", "1", "--", "true")
    plain = submitted(cli, "--", "true")
    assert cli("wait", plain).code == 0
    said = cli("explain", waiting, check=True).out
    assert "the driver has not answered since" in said
    assert cli("gpu", "health", "--quiet").out == "UNHEALTHY\n"
    driver(Play(cards))
    assert cli("wait", waiting, "--timeout", "90s").code == 0
