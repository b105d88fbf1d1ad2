"""Configuration files and variables, as they are found on a machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpcshell.core.errors import HpcError
from hpcshell.machine.configfiles import (
    LARGEST,
    config_files,
    daemon_settings,
    find_project_file,
    user_settings,
)
from hpcshell.machine.paths import places
from tests.support.refusals import refusal


class Machine:
    """A user's, a site's and a project's file, an environment, and what they come to."""

    def __init__(self, root: Path) -> None:
        self.places = places({"HPCSHELL_HOME": str(root)})
        self.site = root / "site.toml"
        self.cwd = root / "project" / "deep" / "down"
        self.project = root / "project" / "hpcshell.toml"
        self.env: dict[str, str] = {}
        self.cwd.mkdir(parents=True)
        (root / "config").mkdir()

    @property
    def user(self) -> Path:
        return Path(self.places.config_file)

    def load(self, **flags: str):
        return user_settings(self.places, self.env, str(self.cwd), flags, site=str(self.site))

    def daemon(self):
        return daemon_settings(self.places, self.env, site=str(self.site))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_any_file_there_are_defaults(machine: Machine):
    assert machine.load().settings == machine.daemon()
    assert machine.load().origins == {}


def test_each_source_is_stronger_than_the_one_before(machine: Machine):
    key = "defaults.time"
    assert machine.load().settings.defaults.time is None
    machine.site.write_text("[defaults]\ntime = '1m'\n")
    assert machine.load().origins[key] == f"{machine.site} line 2"
    machine.user.write_text("# mine\n[defaults]\ntime = '2m'\n")
    assert machine.load().origins[key] == f"{machine.user} line 3"
    machine.project.write_text("[defaults]\n\n\ntime = '3m'\n")
    assert machine.load().origins[key] == f"{machine.project} line 4"
    machine.env["HPC_DEFAULTS__TIME"] = "4m"
    assert machine.load().origins[key] == "HPC_DEFAULTS__TIME"
    found = machine.load(**{key: "5m"})
    assert (found.origins[key], found.settings.defaults.time) == ("--set", 300)


def test_the_daemon_goes_by_no_projects_file(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    machine.project.write_text("[defaults]\ntime = '3m'\n")
    machine.user.write_text("[resources]\ncpus = 3\n")
    monkeypatch.chdir(machine.cwd)
    assert machine.daemon().defaults.time is None
    assert machine.daemon().resources.cpus == 3


# ----------------------------------------------------------------------------------- variables


def test_a_variable_overrides_the_machines_resources(machine: Machine):
    machine.env["HPC_RESOURCES__CPUS"] = "64"
    assert machine.daemon().resources.cpus == 64


def test_variables_reach_into_tables_and_profiles(machine: Machine):
    machine.env |= {
        "HPC_RESOURCES__OTHERS__MATLAB": "4",
        "HPC_PROFILES__BIG__CPUS": "32",
        "HPC_PARTITIONS__SHORT__MAX_TIME": "30m",
        "HPC_NOTIFY__MAIL_COMMAND": "mail -t",
    }
    found = machine.daemon()
    assert found.resources.others == {"matlab": 4}
    assert found.profiles["big"] == {"cpus": "32"}
    assert found.partitions["short"].max_time == 1800
    assert found.notify.mail_command == ("mail", "-t")


@pytest.mark.parametrize(
    "name", ["HPC_JOB_ID", "HPC_MODULE__PATH", "HPCSHELL_HOME", "hpc_resources__cpus"]
)
def test_other_variables_are_somebody_elses(machine: Machine, name: str):
    machine.env[name] = "nonsense"
    assert machine.load().origins == {}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HPC_RESOURCES__CPU", "3", "HPC_RESOURCES__CPU: [resources] has no key 'cpu'"),
        ("HPC_RESOURCES__CPUS", "nan", "HPC_RESOURCES__CPUS: resources.cpus: 'nan' is no whole"),
        ("HPC_RESOURCES__CPUS__X", "1", "HPC_RESOURCES__CPUS__X: resources.cpus: "),
        ("HPC_RESOURCES__", "1", "'HPC_RESOURCES__' names no key"),
        ("HPC_PROFILES__X", "1", "HPC_PROFILES__X: profiles.x is a table"),
    ],
)
def test_a_wrong_variable_is_named(machine: Machine, name: str, value: str, message: str):
    machine.env[name] = value
    error = refusal(machine.daemon)
    assert error is not None
    assert error.message.startswith(message)


# --------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("[resources]\ncpu = 3\n", 2, "[resources] has no key 'cpu'", "did you mean cpus?"),
        (
            "\n[resorces]\ncpus = 3\n",
            2,
            "there is no section [resorces]",
            "did you mean resources?",
        ),
        ("[resources]\n\ncpus = 'x'\n", 3, "resources.cpus: 'x' is no whole number", ""),
        ("resources.cpus = 'x'\n", 1, "resources.cpus: 'x' is no whole number", ""),
        ("resources = { cpus = 'x' }\n", 1, "resources.cpus: 'x' is no whole number", ""),
        (
            "[resources]\nothers = { a = 'x' }\n",
            2,
            "resources.others.a: 'x' is no whole number",
            "",
        ),
        ("[resources.others]\n# c\n'a b' = 'x'\n", 3, "resources.others.a b: 'x' is no", ""),
        ("[profiles.x]\n\ncpus = '-3'\n", 3, "profiles.x.cpus: -3 is too small", ""),
        ('[profiles."x y"]\ncpus = "-3"\n', 2, "profiles.x y.cpus: -3 is too small", ""),
        ("[resources\n", 1, "Expected ']'", "TOML"),
        ("[resources]\ncpus = 1\ncpus = 2\n", 3, "Cannot overwrite a value", "TOML"),
        ("[resources]\ncpus = 1e400\n", 2, "resources.cpus: 'inf' is no whole number", ""),
    ],
)
def test_a_wrong_file_is_named_with_the_line(
    machine: Machine, text: str, line: int, message: str, hint: str
):
    machine.user.write_text(text)
    error = refusal(machine.daemon)
    assert error is not None
    assert error.message.startswith(f"{machine.user} line {line}: {message}")
    assert hint in (error.hint or "")


def test_files_that_are_no_text(machine: Machine):
    machine.user.write_bytes(b"[resources]\n\xff = 3\n")
    error = refusal(machine.daemon)
    assert error is not None
    assert error.message == f"{machine.user} line 2: it is not UTF-8"


def test_a_huge_file_and_a_deep_one(machine: Machine):
    machine.user.write_bytes(b"#" * (LARGEST + 1))
    assert refusal(machine.daemon)
    machine.user.write_text("a = " + "[" * 5000)
    assert refusal(machine.daemon)


def test_a_directory_where_the_file_should_be(machine: Machine):
    machine.user.mkdir()
    error = refusal(machine.daemon)
    assert error is not None
    assert error.message == f"{machine.user} is a directory, not a configuration file"


def test_a_file_that_anybody_may_write_is_refused(machine: Machine):
    machine.user.write_text("")
    machine.user.chmod(0o666)
    error = refusal(machine.daemon)
    assert error is not None
    assert error.hint == f"chmod o-w {machine.user}"


@pytest.mark.parametrize(
    ("error", "expected"), [(PermissionError, "permission denied"), (OSError, "cannot be read")]
)
def test_a_file_that_cannot_be_read_is_an_error(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, error: type[OSError], expected: str
):
    def refuse(path: Path, mode: str, **how: object) -> None:
        raise error(5, "Input/output error")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(HpcError, match=expected):
        machine.daemon()


# ------------------------------------------------------------------------------- project files


def test_the_nearest_projects_file_counts(machine: Machine):
    machine.project.write_text("")
    assert find_project_file(str(machine.cwd), machine.places) == (str(machine.project), None)
    near = machine.cwd / "hpcshell.toml"
    near.write_text("")
    assert find_project_file(str(machine.cwd), machine.places) == (str(near), None)


def test_a_projects_file_that_anybody_may_write_is_passed_over_with_a_note(machine: Machine):
    machine.project.write_text("[defaults]\ntime = '3m'\n")
    machine.project.chmod(0o666)
    found = machine.load()
    assert found.settings.defaults.time is None
    assert found.notes == (f"{machine.project} is not read: anybody may write it",)


def test_a_projects_file_of_somebody_else_is_passed_over_with_a_note(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    machine.project.write_text("[defaults]\ntime = '3m'\n")
    owner = os.geteuid() or 12345  # root's files are trusted, but root can give them away
    if os.geteuid() == 0:
        os.chown(machine.project, owner, owner)
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    assert machine.load().notes == (f"{machine.project} is not read: it belongs to user {owner}",)


def test_the_users_own_file_is_no_projects_file(machine: Machine):
    machine.user.write_text("[resources]\ncpus = 3\n")
    assert find_project_file(machine.places.config, machine.places) == (None, None)


def test_a_directory_that_is_gone_has_no_projects_file(machine: Machine):
    assert find_project_file("/no/such/directory", machine.places) == (None, None)


def test_the_files_that_are_looked_for(machine: Machine):
    machine.user.write_text("")
    assert config_files(machine.places, str(machine.cwd), str(machine.site)) == [
        ("project", str(machine.cwd / "hpcshell.toml"), False),
        ("box", str(machine.user.with_name("gpu.json")), False),
        ("user", str(machine.user), True),
        ("site", str(machine.site), False),
    ]
