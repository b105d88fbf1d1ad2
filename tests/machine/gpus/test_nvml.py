"""What NVML says of cards becomes a survey, and what it does not say becomes a sentence.

Asked is a library with NVML's symbols, through the real nvidia-ml-py.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcshell.core.gpus import Survey, Tenant
from tests.support.nvml.play import (
    DRIVER_NOT_LOADED,
    EXCLUSIVE_PROCESS,
    EXCLUSIVE_THREAD,
    GPU_IS_LOST,
    NO_PERMISSION,
    NOT_SUPPORTED,
    PROHIBITED,
    RESET_REQUIRED,
    UNKNOWN,
    VERSION_MISMATCH,
    Device,
    Driver,
    Play,
    Process,
    box,
)

GIB = 1 << 30
PER_CARD = (
    *("nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID", "nvmlDeviceGetName"),
    *("nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetComputeMode"),
    *("nvmlDeviceGetMigMode", "nvmlDeviceGetMaxMigDeviceCount"),
    *("nvmlDeviceGetMigDeviceHandleByIndex", "nvmlDeviceGetUtilizationRates"),
    *("nvmlDeviceGetTemperature", "nvmlDeviceGetPowerUsage", "nvmlDeviceGetEnforcedPowerLimit"),
    *("nvmlDeviceGetTotalEccErrors", "nvmlDeviceGetComputeRunningProcesses_v3"),
    *("nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceRegisterEvents"),
    *("nvmlDeviceGetNvLinkState", "nvmlDeviceGetNvLinkRemotePciInfo_v2", "*"),
)
OF_DRIVER = (
    *("nvmlInitWithFlags", "nvmlSystemGetDriverVersion", "nvmlDeviceGetCount_v2"),
    *("nvmlEventSetCreate", "nvmlEventSetWait_v2"),
)
CODES = st.sampled_from((*range(1, 31), UNKNOWN, 4242))


def uuids(survey: Survey) -> list[str]:
    return [card.uuid for card in survey.cards]


def troubles(survey: Survey) -> list[str]:
    return [reading.trouble for reading in survey.readings]


# -- laws ----------------------------------------------------------------------------------------


FEW = st.none() | st.integers(0, 2**31 - 1)
processes = st.builds(
    Process,
    pid=st.integers(2**22 + 1, 2**31),  # beyond what the kernel gives
    memory=st.none() | st.integers(0, 2**40),
    kind=st.sampled_from(("Compute", "Graphics", "MPSCompute")),
)
parts = st.builds(
    Device,
    uuid=st.just(""),
    bus=st.just(""),
    name=st.none() | st.just("NVIDIA H100"),
    memory=st.none() | st.integers(0, 2**40),
    used=st.integers(0, 2**40),
    load=FEW,
    ecc=FEW,
    mode=st.none() | st.integers(0, 4),
    mig=st.sampled_from((None, 0, 0, 1)),
    xid=st.none() | st.integers(1, 150),
    processes=st.lists(processes, max_size=2).map(tuple),
    fails=st.dictionaries(st.sampled_from(PER_CARD), CODES, max_size=1),
)


@st.composite
def plays(draw: st.DrawFn) -> Play:
    cards = []
    for number, part in enumerate(draw(st.lists(parts, max_size=3))):
        slices = draw(st.lists(parts, max_size=2))
        cards.append(
            replace(
                part,
                uuid=f"GPU-{number}",
                bus=f"00000000:{number + 1:02X}:00.0",
                slices=tuple(
                    replace(each, uuid=f"MIG-{number}-{slot}") for slot, each in enumerate(slices)
                ),
            )
        )
    functions = st.sampled_from((*PER_CARD[:-1], *OF_DRIVER))
    errors = draw(st.dictionaries(functions, CODES, max_size=1))
    return Play(cards=tuple(draw(st.permutations(cards))), errors=errors)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(plays(), min_size=1, max_size=2))
def test_whatever_the_driver_says_is_a_survey_or_a_sentence(nvml: Driver, said: list[Play]) -> None:
    for turn, play in enumerate(said):
        nvml.plays(play=play)
        survey = nvml.survey() if turn else nvml.first_survey()
        assert not survey.trouble.startswith("the sampler failed")
        assert uuids(survey) == [reading.uuid for reading in survey.readings]
        named = [uuid for uuid in uuids(survey) if uuid]
        assert len(named) == len(set(named))
        assert len(survey.domains) == len(survey.cards)
        assert survey.cards or survey.trouble
        members = [number for group in survey.links for number in group]
        assert len(members) == len(set(members))
        assert set(members) <= set(range(len(survey.cards)))
        if not survey.cards:
            break  # without a driver this sampler has ended


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(6)))
def test_the_order_that_nvml_numbers_cards_in_changes_nothing(
    nvml: Driver, order: list[int]
) -> None:
    cards = box(6)
    nvml.plays(*cards)
    before = nvml.first_survey()
    nvml.plays(*(cards[number] for number in order))
    for after in (nvml.survey(), nvml.first_survey()):
        assert (after.cards, after.readings, after.links) == (
            before.cards,
            before.readings,
            before.links,
        )


# -- cards ---------------------------------------------------------------------------------------


def test_a_card_is_told_of(nvml: Driver) -> None:
    nvml.plays(
        Device(
            uuid="GPU-a",
            bus="00000000:C1:00.0",
            name="NVIDIA A100-SXM4-80GB",
            memory=80 * GIB,
            used=3 * GIB,
            load=37,
            temperature=61,
            power=251_500,
            limit=400_000,
            ecc=2,
        )
    )
    survey = nvml.survey()
    [card], [reading] = survey.cards, survey.readings
    assert (survey.provider, survey.driver, survey.trouble) == ("nvml", "550.54.15", "")
    assert (card.uuid, card.model, card.memory) == ("GPU-a", "NVIDIA A100-SXM4-80GB", 80 * GIB)
    assert (card.bus, card.parent, card.alone, card.closed) == ("0000:c1:00.0", "", False, False)
    assert (reading.load, reading.memory, reading.temperature) == (0.37, 3 * GIB, 61)
    assert (reading.power, reading.power_limit) == (251.5, 400.0)
    assert (reading.ecc, reading.xid, reading.trouble, reading.tenants) == (2, 0, "", ())


def test_what_is_not_supported_is_not_known(nvml: Driver) -> None:
    nvml.plays(
        Device(
            uuid="GPU-a",
            name=None,
            memory=None,
            load=None,
            temperature=None,
            power=None,
            limit=None,
            ecc=None,
            mode=None,
            mig=None,
        )
    )
    survey = nvml.survey()
    [card], [reading] = survey.cards, survey.readings
    assert (card.model, card.memory, card.alone, card.closed) == ("", 0, False, False)
    told = (reading.load, reading.memory, reading.temperature, reading.power)
    assert (*told, reading.power_limit, reading.ecc, reading.trouble) == (*[None] * 6, "")


@pytest.mark.parametrize(
    ("mode", "alone", "closed"),
    [
        (0, False, False),
        (EXCLUSIVE_THREAD, True, False),
        (EXCLUSIVE_PROCESS, True, False),
        (PROHIBITED, False, True),
    ],
)
def test_the_compute_mode_says_who_may_use_it(
    nvml: Driver, mode: int, alone: bool, closed: bool
) -> None:
    nvml.plays(Device("GPU-a", mode=0))
    nvml.survey()
    nvml.plays(Device("GPU-a", mode=mode))
    [card] = nvml.survey().cards
    assert (card.alone, card.closed) == (alone, closed)


def test_cards_are_in_the_order_of_the_bus(nvml: Driver) -> None:
    one, two, three = box(3)
    nvml.plays(three, one, two)
    assert uuids(nvml.survey()) == [one.uuid, two.uuid, three.uuid]


def test_no_card_at_all_is_said(nvml: Driver) -> None:
    nvml.plays()
    survey = nvml.survey()
    assert (survey.cards, survey.trouble) == ((), "the driver knows of no card")
    nvml.plays(*box(1))
    assert nvml.survey().trouble == ""


def test_a_card_that_we_may_not_ask_is_left_out_and_said(nvml: Driver) -> None:
    one, two = box(2)
    nvml.plays(replace(one, fails={"nvmlDeviceGetHandleByIndex_v2": NO_PERMISSION}), two)
    survey = nvml.survey()
    assert uuids(survey) == [two.uuid]
    assert "numbers 0 may not be asked" in survey.trouble


# -- slices --------------------------------------------------------------------------------------


def sliced(*slices: Device) -> Device:
    return replace(box(1)[0], mig=1, load=None, mode=EXCLUSIVE_PROCESS, slices=slices)


def test_slices_are_cards_in_the_place_of_theirs(nvml: Driver) -> None:
    half = Device("MIG-1", name="NVIDIA A100 MIG 3g.40gb", memory=40 * GIB, used=GIB)
    tenth = Device("MIG-2", name=None, memory=10 * GIB, processes=(Process(1, GIB),))
    other = box(2)[1]
    nvml.plays(other, sliced(half, tenth))
    survey = nvml.survey()
    parent = box(1)[0].uuid
    assert uuids(survey) == ["MIG-1", "MIG-2", other.uuid]
    assert [card.parent for card in survey.cards] == [parent, parent, ""]
    assert [card.memory for card in survey.cards] == [40 * GIB, 10 * GIB, 80 * GIB]
    assert survey.cards[0].model == "NVIDIA A100 MIG 3g.40gb"
    assert survey.cards[1].model == "NVIDIA A100-SXM4-80GB"
    assert [card.alone for card in survey.cards] == [True, True, False]
    first, second, _ = survey.readings
    assert (first.memory, first.load, first.temperature, first.power) == (GIB, None, 35, 60.0)
    assert [tenant.pid for tenant in second.tenants] == [1]
    assert survey.links == ()


def test_a_sliced_card_without_slices_is_said(nvml: Driver) -> None:
    nvml.plays(sliced())
    survey = nvml.survey()
    assert survey.cards == ()
    assert "0000:01:00.0 is in MIG mode and has no slices" in survey.trouble


def test_slices_that_cannot_be_asked_for_are_a_trouble_of_their_card(nvml: Driver) -> None:
    slot = "nvmlDeviceGetMigDeviceHandleByIndex"
    nvml.plays(replace(sliced(Device("MIG-1")), fails={slot: UNKNOWN}))
    assert troubles(nvml.survey()) == ["the driver says of it: Unknown Error"]


def test_slices_of_a_lost_card_are_lost(nvml: Driver) -> None:
    nvml.plays(sliced(Device("MIG-1"), Device("MIG-2")))
    nvml.survey()
    nvml.plays(replace(sliced(), fails={"*": GPU_IS_LOST}, xid=79))
    survey = nvml.survey()
    assert uuids(survey) == ["MIG-1", "MIG-2"]
    assert all(trouble.startswith("lost:") for trouble in troubles(survey))
    assert [reading.xid for reading in survey.readings] == [79, 79]


# -- troubles ------------------------------------------------------------------------------------


def test_a_card_that_falls_off_the_bus_is_lost_and_the_others_are_told(nvml: Driver) -> None:
    one, two, three = box(3)
    nvml.plays(one, two, three)
    before = nvml.survey()
    nvml.plays(one, replace(two, fails={"*": GPU_IS_LOST}, xid=79), three)
    survey = nvml.survey()
    assert survey.cards == before.cards
    assert troubles(survey) == ["", "lost: it has fallen off the bus; the machine must reboot", ""]
    assert [reading.xid for reading in survey.readings] == [0, 79, 0]
    assert survey.readings[2].temperature == 35


def test_a_card_that_vanishes_is_lost_and_known_again_when_it_is_back(nvml: Driver) -> None:
    one, two, three = box(3)
    nvml.plays(one, two, three)
    before = nvml.survey()
    nvml.plays(three, one)
    for survey in (nvml.survey(), nvml.survey()):
        assert survey.cards == before.cards
        assert troubles(survey) == ["", "lost: it is not there any more", ""]
    nvml.plays(three, one, two)
    assert troubles(nvml.survey()) == ["", "", ""]


def test_a_card_that_was_lost_before_has_no_name_and_comes_last(nvml: Driver) -> None:
    one, two = box(2)
    nvml.plays(replace(one, fails={"*": GPU_IS_LOST}), two)
    survey = nvml.survey()
    assert uuids(survey) == [two.uuid, ""]
    assert [bool(trouble) for trouble in troubles(survey)] == [False, True]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (GPU_IS_LOST, "lost: it has fallen off the bus; the machine must reboot"),
        (RESET_REQUIRED, "it must be reset: nvidia-smi --gpu-reset"),
        (UNKNOWN, "the driver says of it: Unknown Error"),
        (4242, "the driver says of it: "),
    ],
)
@pytest.mark.parametrize("function", ["nvmlDeviceGetTemperature", "nvmlDeviceGetComputeMode"])
def test_an_error_of_one_card_is_a_trouble_of_that_one(
    nvml: Driver, function: str, code: int, words: str
) -> None:
    one, two = box(2)
    nvml.plays(replace(one, fails={function: code}), two)
    first, second = troubles(nvml.survey())
    assert first.startswith(words)
    assert second == ""


def test_an_error_report_is_kept_and_the_next_one_replaces_it(nvml: Driver) -> None:
    one, two = box(2)
    for xid, told in ((None, 0), (13, 13), (13, 13), (None, 13), (48, 48)):
        nvml.plays(one, replace(two, xid=xid))
        assert [reading.xid for reading in nvml.survey().readings] == [0, told]


def test_a_card_that_does_not_report_errors_is_told_all_the_same(nvml: Driver) -> None:
    [one] = box(1)
    nvml.plays(replace(one, fails={"nvmlDeviceRegisterEvents": NOT_SUPPORTED}))
    assert troubles(nvml.survey()) == [""]


@pytest.mark.parametrize(
    ("code", "what", "to_do"),
    [
        (DRIVER_NOT_LOADED, "NVIDIA's driver is not loaded", "modprobe nvidia"),
        (VERSION_MISMATCH, "loaded and its library differ", "reboot"),
        (NO_PERMISSION, "may not be asked by this user", "/dev/nvidiactl"),
        (UNKNOWN, "does not answer: Unknown Error", "nvidia-smi"),
    ],
)
def test_a_driver_that_does_not_start_says_what_to_do(
    nvml: Driver, code: int, what: str, to_do: str
) -> None:
    nvml.plays(play=Play(errors={"nvmlInitWithFlags": code}))
    survey = nvml.survey()
    assert survey.cards == ()
    assert what in survey.trouble
    assert to_do in survey.trouble


def test_a_library_that_is_not_there_says_what_to_do(no_nvml: Driver) -> None:
    survey = no_nvml.survey()
    assert "libnvidia-ml.so.1) is not there" in survey.trouble
    assert "install the driver" in survey.trouble


def test_a_driver_that_stops_answering_ends_with_a_sentence(nvml: Driver) -> None:
    nvml.plays(*box(2))
    nvml.survey()
    nvml.plays(play=Play(box(2), errors={"nvmlDeviceGetCount_v2": UNKNOWN}))
    assert "does not answer: Unknown Error" in nvml.survey().trouble


# -- processes -----------------------------------------------------------------------------------


def test_a_process_is_told_with_all_that_is_known_of_it(nvml: Driver) -> None:
    [one] = box(1)
    with subprocess.Popen(["sleep", "300"]) as sleeper:
        nvml.plays(replace(one, processes=(Process(sleeper.pid, GIB),)))
        [tenant] = nvml.survey().readings[0].tenants
        sleeper.kill()
    assert (tenant.pid, tenant.memory, tenant.run) == (sleeper.pid, GIB, 0)
    assert tenant.command == "sleep 300"
    assert tenant.user
    assert tenant.since is not None


def test_memory_of_a_dead_process_is_held_by_nobody(nvml: Driver) -> None:
    [one] = box(1)
    with subprocess.Popen(["sleep", "300"]) as sleeper:
        nvml.plays(replace(one, processes=(Process(sleeper.pid, GIB),)))
        assert nvml.survey().readings[0].tenants[0].command == "sleep 300"
        sleeper.kill()
    [tenant] = nvml.survey().readings[0].tenants
    assert tenant == Tenant(pid=sleeper.pid, memory=GIB)


def test_a_process_of_a_run_carries_its_number(nvml: Driver, tmp_path: Path) -> None:
    [one] = box(1)
    found = os.stat(tmp_path)
    words = {"HPC_RUN_ID": "17", "HPC_RUNNER_ID": f"{found.st_dev:x}.{found.st_ino:x}"}
    with subprocess.Popen(["sleep", "300"], env=os.environ | words) as sleeper:
        nvml.plays(replace(one, processes=(Process(sleeper.pid, GIB),)))
        [tenant] = nvml.survey().readings[0].tenants
        sleeper.kill()
    assert tenant.run == 17


def test_memory_that_is_not_available_is_not_known(nvml: Driver) -> None:
    [one] = box(1)
    dead = 2**22 + 1
    nvml.plays(replace(one, processes=(Process(dead, None),)))
    assert nvml.survey().readings[0].tenants == (Tenant(pid=dead, memory=None),)


def test_a_process_in_several_lists_is_one_with_the_most_memory(nvml: Driver) -> None:
    [one] = box(1)
    dead = 2**22 + 1
    lists = (
        Process(dead, GIB, "Compute"),
        Process(dead, 2 * GIB, "Graphics"),
        Process(dead, None, "MPSCompute"),
        Process(dead + 1, 2 * GIB, "Compute"),
        Process(dead + 1, GIB, "MPSCompute"),
        Process(dead + 2, GIB, "MPSCompute"),
    )
    nvml.plays(replace(one, processes=lists))
    assert nvml.survey().readings[0].tenants == (
        Tenant(pid=dead, memory=2 * GIB),
        Tenant(pid=dead + 1, memory=2 * GIB),
        Tenant(pid=dead + 2, memory=GIB),
    )


def test_a_driver_with_the_second_version_alone_tells_the_same(
    nvml: Driver, old_nvml: Driver
) -> None:
    [one] = box(1)
    card = replace(one, used=GIB, processes=(Process(2**22 + 1, GIB, "Graphics"),))
    nvml.plays(card)
    old_nvml.plays(card)
    now, before = nvml.survey(), old_nvml.survey()
    assert before.readings[0].tenants
    assert (now.cards, now.readings) == (before.cards, before.readings)


# -- links ---------------------------------------------------------------------------------------


def test_cards_joined_by_a_switch_are_one_group(nvml: Driver) -> None:
    nvml.plays(*box(4))
    assert nvml.survey().links == ((0, 1, 2, 3),)


def test_cards_joined_to_each_other_are_groups(nvml: Driver) -> None:
    one, two, three, four, five = box(5)
    nvml.plays(
        replace(one, links=("-", three.bus)),
        replace(two, links=(four.bus,)),
        replace(three, links=(one.bus,)),
        replace(four, links=("-", "-")),
        replace(five, links=()),
    )
    assert nvml.survey().links == ((0, 2), (1, 3))
