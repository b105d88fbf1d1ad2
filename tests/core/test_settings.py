"""The configuration: every key documented, every layer checked, and who said what is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.settings import (
    DEFAULT,
    SECTIONS,
    SHIPPED_PROFILES,
    PartitionSettings,
    Settings,
    find_profile,
    keys,
)
from hpcshell.core.settings_read import Layer, Loaded, entries, read_layers, show_value
from tests.support.refusals import refusal


def loaded(*tables: dict, project: bool = False) -> Loaded:
    """Of layers named `layer 1`, `layer 2`, ..., the last of them a project's where asked."""
    last = len(tables)
    return read_layers(
        [
            Layer(source=f"layer {number}", tables=table, project=project and number == last)
            for number, table in enumerate(tables, start=1)
        ]
    )


# ---------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("key", keys(), ids=lambda key: key.name)
def test_every_key_has_a_kind_and_a_meaning(key):
    assert key.doc
    assert not key.doc.endswith(".")
    assert key.kind in (
        *("count", "size", "duration", "limit", "text", "choice", "switch", "words"),
        *("counts", "option", "number", "numbers", "names"),
    )
    assert key.kind != "choice" or key.default in key.choices


def test_defaults_are_what_nobody_said():
    assert loaded().settings == Settings(profiles=loaded().settings.profiles)
    assert {origin for *_, origin in entries(loaded())} == {DEFAULT}


def test_every_default_reads_back_from_what_is_shown():
    tables: dict[str, dict] = {}
    for name, value, kind, _ in entries(loaded()):
        section, _, key = name.partition(".")
        if section in SECTIONS and value is not None:
            tables.setdefault(section, {})[key] = show_value(value, kind)
    assert loaded(tables).settings == loaded().settings


# ------------------------------------------------------------------------------------- layers


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=4))
def test_the_last_layer_wins_and_is_named(cpus: list[int]):
    found = loaded(*({"resources": {"cpus": number}} for number in cpus))
    assert found.settings.resources.cpus == cpus[-1]
    assert found.origins["resources.cpus"] == f"layer {len(cpus)}"


def test_layers_join_key_by_key():
    found = loaded(
        {"resources": {"cpus": 8, "others": {"matlab": 2}}},
        {"resources": {"memory": "16G", "others": {"ansys": 1}}},
    )
    assert found.settings.resources.cpus == 8
    assert found.settings.resources.memory == 16 << 30
    assert found.settings.resources.others == {"matlab": 2, "ansys": 1}
    assert found.origins["resources.others.ansys"] == "layer 2"


@pytest.mark.parametrize(
    ("section", "key", "raw", "value"),
    [
        ("resources", "cpus", "64", 64),
        ("resources", "gpus", 0, 0),
        ("resources", "memory", "8G", 8 << 30),
        ("resources", "memory", 512, 512 << 20),
        ("resources", "others", "matlab=4, ansys=2", {"matlab": 4, "ansys": 2}),
        ("resources", "others", "", {}),
        ("defaults", "time", "30m", 1800.0),
        ("defaults", "time", 30, 1800.0),
        ("defaults", "time", "unlimited", None),
        ("defaults", "memory", 0, 0),
        ("defaults", "grace", "0s", 0.0),
        ("scheduler", "order", "WFP3", "wfp3"),
        ("scheduler", "window", "unlimited", None),
        ("scheduler", "priority_boost", 0, 0.0),
        ("priority", "age", "2.5", 2.5),
        ("priority", "tres", {"gpus": 500}, {"gpus": 500.0}),
        ("fairshare", "half_life", "1d", 86400.0),
        ("daemon", "log_level", "DEBUG", "debug"),
        ("daemon", "linger", "10m", 600.0),
        ("notify", "webhook_private", True, True),
        ("notify", "webhook_private", "no", False),
        ("notify", "mail_command", ["mail", "-x y"], ("mail", "-x y")),
        ("notify", "mail_command", "mail -t", ("mail", "-t")),
    ],
)
def test_values(section: str, key: str, raw: object, value: object):
    found = loaded({section: {key: raw}}).settings
    assert getattr(getattr(found, section), key) == value


def test_profiles_join_the_shipped_ones_under_any_name_of_an_option():
    found = loaded(
        {"profiles": {"big": {"cpus": 64, "mem": "100G", "exclusive": True, "tag": ["a", "b"]}}},
        {"profiles": {"light": {"time": "1h"}}},
    ).settings
    assert found.profiles["big"] == {
        "cpus": "64",
        "memory": "100G",
        "exclusive": "yes",
        "tag": "a,b",
    }
    assert found.profiles["light"] == {"cpus": "1", "memory": "2G", "time_limit": "1h"}
    assert set(found.profiles) == {*SHIPPED_PROFILES, "big"}


def test_partitions_have_limits_of_their_own_beside_main():
    found = loaded(
        {"partitions": {"short": {"max_time": "30m", "priority": 100}, "x": {}}}
    ).settings
    assert found.partitions == {
        "main": PartitionSettings(),
        "short": PartitionSettings(max_time=1800.0, priority=100),
        "x": PartitionSettings(),
    }


# ----------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("tables", "message", "hint"),
    [
        ({"resorces": {}}, "there is no section [resorces]", "did you mean resources?"),
        ({"zzz": 3}, "there is no section [zzz]", "there are resources"),
        ({"resources": 3}, "resources is a section", "write [resources]"),
        ({"resources": {"cpu": 3}}, "[resources] has no key 'cpu'", "did you mean cpus?"),
        ({"resources": {"cpus": "x"}}, "resources.cpus: 'x' is no whole number", "from 1"),
        ({"resources": {"cpus": 0}}, "resources.cpus: 0 is too small", "1"),
        ({"resources": {"cpus": True}}, "resources.cpus: 'True' is of the wrong type", "number"),
        ({"resources": {"cpus": 1.5}}, "resources.cpus: '1.5' is no whole number", ""),
        ({"resources": {"cpus": float("inf")}}, "resources.cpus: 'inf' is no whole number", ""),
        ({"resources": {"cpus": [1]}}, "resources.cpus: '[1]' is of the wrong type", "number"),
        ({"resources": {"memory": -3}}, "resources.memory: '-3' is no size", "8G"),
        ({"resources": {"memory": "8e3"}}, "resources.memory: '8e3' is no size", "8G"),
        ({"resources": {"others": 3}}, "resources.others is a table", "[resources.others]"),
        ({"resources": {"others": {"a": "x"}}}, "resources.others.a: 'x' is no whole number", ""),
        ({"resources": {"others": {"a\nb": 1}}}, "resources.others: ", ""),
        ({"defaults": {"partition": 3}}, "defaults.partition: 3 is a number, not text", "quotes"),
        ({"defaults": {"partition": "mian"}}, "defaults.partition: there is no", "mean main?"),
        ({"defaults": {"time": "soon"}}, "defaults.time: 'soon' is no duration", "unlimited"),
        ({"defaults": {"on_never": "holdd"}}, "defaults.on_never: 'holdd'", "did you mean hold?"),
        ({"daemon": {"log_level": "loud"}}, "daemon.log_level: 'loud' is not a choice", "debug"),
        ({"notify": {"webhook_private": 1}}, "notify.webhook_private: '1' is neither", "true"),
        ({"notify": {"mail_command": 1}}, "notify.mail_command: '1' is no command", "PROGRAM"),
        ({"notify": {"mail_from": "a\nb"}}, r"notify.mail_from: 'a\x0ab' holds \x0a", ""),
        ({"profiles": {"x": 3}}, "profiles.x is a table", "[profiles.NAME]"),
        ({"profiles": {"x": {"cpuss": 3}}}, "cpuss is no option of a job", "did you mean cpus?"),
        ({"profiles": {"x": {"cpus": -3}}}, "profiles.x.cpus: -3 is too small", ""),
        ({"profiles": {"x": {"cpus": {}}}}, "profiles.x.cpus: the value is neither", "prompt"),
        ({"profiles": {"x": {"profile": "light"}}}, "a profile cannot name another", ""),
        ({"profiles": {"a\x1bb": {}}}, "profiles: ", ""),
        ({"box": {"precision": 0}}, "box.precision: '0' is out of range", "0.01 to 1"),
        ({"box": {"precision": 2}}, "box.precision: '2' is out of range", "0.01 to 1"),
        ({"box": {"precision": "0.015"}}, "box.precision: '0.015' is no multiple of 0.01", "0.25"),
        ({"box": {"precision": "nan"}}, "box.precision: 'nan' is out of range", "0.01 to 1"),
        ({"gpus": {"load_threshold": 1.5}}, "gpus.load_threshold: '1.5' is out of range", "0 to 1"),
        ({"priority": {"age": 1e13}}, "priority.age: '10000000000000.0' is out of range", "1e+12"),
        ({"partitions": {"x": {"time": 1}}}, "[partitions.x] has no key 'time'", "tier"),
    ],
)
def test_what_is_refused_and_where(tables: dict, message: str, hint: str):
    error = refusal(loaded, tables)
    assert error is not None
    assert error.message.startswith(f"layer 1: {message}")
    assert hint in (error.hint or "")


def test_a_wrong_value_is_wrong_though_a_stronger_layer_replaces_it():
    assert refusal(loaded, {"resources": {"cpus": "x"}}, {"resources": {"cpus": 1}})


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=5,
)
names = st.sampled_from([key.name.rpartition(".")[2] for key in keys()]) | st.text(max_size=5)


@given(
    st.dictionaries(
        st.sampled_from([*SECTIONS, "profiles", "partitions"]),
        json_like | st.dictionaries(names, json_like, max_size=3),
        max_size=3,
    )
)
def test_any_tables_are_read_or_refused(tables: dict):
    refusal(loaded, tables)


# ------------------------------------------------------------------------------ project's file


def test_a_projects_file_sets_only_what_is_harmless():
    found = loaded(
        {
            "defaults": {"time": "10m", "output": "/home/ada/.bashrc", "export": "LD_PRELOAD=x"},
            "profiles": {"p": {"cpus": 2, "env": "LD_PRELOAD=x", "output": "/etc/x"}},
            "notify": {"mail_command": ["evil"]},
            "resources": {"cpus": 1000},
            "daemon": {"log_level": "debug"},
            "partitions": {"main": {"max_time": "1s"}},
        },
        project=True,
    )
    assert found.settings.defaults.time == 600
    assert found.settings.profiles["p"] == {"cpus": "2"}
    plain = loaded().settings
    assert found.settings.notify == plain.notify
    assert found.settings.resources == plain.resources
    assert found.settings.daemon == plain.daemon
    assert found.settings.partitions == plain.partitions
    assert (found.settings.defaults.output, found.settings.defaults.export) == ("", "ALL")
    assert [note.partition(": ")[2].split(" is not")[0] for note in found.notes] == [
        *("defaults.output", "defaults.export", "profiles.p.env", "profiles.p.output"),
        *("[notify]", "[resources]", "[daemon]", "[partitions]"),
    ]


def test_a_projects_file_is_checked_like_any_other():
    assert refusal(lambda: loaded({"defaults": {"time": "soon"}}, project=True))
    assert refusal(lambda: loaded({"nonsense": {}}, project=True))


def test_a_profile_is_found_or_the_others_are_named():
    settings = loaded().settings
    assert find_profile(settings, "light")["cpus"] == "1"
    error = refusal(find_profile, settings, "lite")
    assert error is not None
    assert error.hint == "there are compute, gpu_intensive, light, standard"
